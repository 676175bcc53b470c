-- The prompt on a terminal: how it tells of what has ended.
local run = require "spec.cmd.run"
local terminal = require "spec.terminal"

describe("the prompt tells", function()
  teardown(run.clean)

  terminal.it("that a job was killed", function()
    local t = terminal.prompt()
    t:ask("greenlet.sleep(60) &")
    t:type("jobs[1]:kill()\n")
    t:wait_for("%[1%] killed  greenlet.sleep%(60%) &\n")
    assert.equal('"greenlet.sleep(60) &"', t:ask("jobs[1].text"))
  end)

  terminal.it("of what was typed as of a chunk", function()
    local t = terminal.prompt()
    assert.matches("stdin:1: oops\n.*stdin:1: in main chunk", t:ask("error 'oops'"))
  end)

  terminal.it("of exceptions by their texts", function()
    local t = terminal.prompt()
    assert.equal("KeyboardInterrupt", t:ask("greenlet.KeyboardInterrupt()"))
    assert.equal("LoopExit: x", t:ask("greenlet.LoopExit 'x'"))
  end)

  terminal.it("the value behind a paste of thousands of lines", function()
    local t = terminal.prompt()
    t:paste("n = 0\n" .. ("n = n + 1\n"):rep(5000) .. "n")
    t:wait_for("n = n %+ 1\n>> n$")
    t:key("Enter")
    t:wait_for("\n5000\n>$")
  end)
end)
