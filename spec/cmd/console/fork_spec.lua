-- The prompt on a terminal: children by greenlet.fork, which are not to share it.

local run = require "spec.cmd.run"
local terminal = require "spec.terminal"

describe("greenlet.fork at the prompt", function()
  teardown(run.clean)

  terminal.it("makes a child that ends with the line", function()
    local t = terminal.prompt()
    t:type("p = greenlet.fork()\n")
    t:wait_for("\n>$")
    assert.matches("^true%s+\"exit\"%s+0$", t:ask("greenlet.waitpid(p)"))
    assert.equal("2", t:ask("1 + 1"))
  end)
end)
