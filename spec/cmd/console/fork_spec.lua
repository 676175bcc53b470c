-- The prompt on a terminal: children by greenlet.fork, which are not to share it.

local run = require "spec.cmd.run"
local terminal = require "spec.terminal"

-- Valgrind 3.19 does not know pidfd_open.
describe("greenlet.fork at the prompt #valgrind", function()
  teardown(run.clean)

  terminal.it("makes a child that ends with the line", function()
    -- LeakSanitizer looks in the child for the thread of the parent that prints.
    local t = terminal.prompt { env = { ASAN_OPTIONS = "detect_leaks=0" } }
    t:type("p = greenlet.fork()\n")
    t:wait_for("\n>$")
    assert.matches("^true%s+\"exit\"%s+0$", t:ask("greenlet.waitpid(p)"))
    assert.equal("2", t:ask("1 + 1"))
  end)
end)
