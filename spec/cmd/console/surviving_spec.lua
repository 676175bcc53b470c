-- The prompt outlives what is done to it.
local run = require "spec.cmd.run"
local terminal = require "spec.terminal"

describe("the prompt", function()
  teardown(run.clean)

  -- Its parts looked the libraries up in the globals of the user.
  terminal.it("does not need the globals", function()
    local t = terminal.prompt()
    for _, line in ipairs { "table = {}", "string = 'abc'", "math, utf8, os, io = nil",
      "table.unpack = nil", "pcall, tostring, rawget, ipairs = nil", "print = error" } do
      t:ask(line)
    end
    assert.equal("3.5", t:ask("7 / 2"))
    assert.matches("^stdin:1: oops", t:ask("error('oops')"))
    assert.equal("true", t:ask("string == 'abc'"))
  end)

  terminal.it("does not wait for a text of _PROMPT without end", function()
    local t = terminal.prompt()
    t:ask("_PROMPT = setmetatable({}, {__tostring = function() while true do end end})")
    assert.equal("2", t:ask("1 + 1"))
  end)

  terminal.it("does not wait for the text of an error without end", function()
    local t = terminal.prompt()
    assert.matches("^error object: ",
      t:ask("error(setmetatable({}, {__tostring = function() while true do end end}))"))
    assert.equal("2", t:ask("1 + 1"))
  end)

  -- The library crashed.
  terminal.it("takes a prefix in the middle of a search #readline", function()
    local t = terminal.prompt()
    t:ask("1 + 1")
    t:key("C-r")
    t:wait_for("i%-search")
    t:key("C-x", "q")
    t:key("C-c")
    t:wait_for_prompt()
    assert.equal("3", t:ask("1 + 2"))
  end)

  terminal.it("takes Ctrl-C in the middle of a paste", function()
    local t = terminal.prompt()
    t:type("\27[200~unfinished")
    t:key("C-c")
    t:wait_for_prompt()
    assert.equal("2", t:ask("1 + 1"))
  end)

  -- What runs looks at no key while it is in C: the second press ended the program.
  terminal.it("takes a double Ctrl-C for one", function()
    local t = terminal.prompt { shell = "mkfifo fifo && exec lua" }
    t:type("print('under' .. ' way') io.open('fifo'):read() greenlet.sleep(60)\n")
    t:wait_for("\nunder way")
    local fifo <close> = io.open(t.directory .. "/fifo", "w") -- once it is read
    os.execute(("kill -INT %d; kill -INT %d"):format(t:pid(), t:pid()))
    fifo:write("line\n")
    fifo:flush()
    t:wait_for("KeyboardInterrupt.*\n>$")
    assert.equal("2", t:ask("1 + 1"))
  end)
end)
