-- The prompt on a terminal: Ctrl-C, in each of the situations.
local run = require "spec.cmd.run"
local terminal = require "spec.terminal"

describe("Ctrl-C", function()
  teardown(run.clean)

  terminal.it("drops a half-typed line", function()
    local t = terminal.prompt()
    t:type("error('not run') x = 1")
    t:key("Left", "Left")
    t:wait_for(function(_, column) return column == 22 end)
    t:key("C-c")
    t:wait_for("x = 1.*\n>$")
    t:wait_for_prompt()
    assert.equal("nil", t:ask("x"))
    assert.equal("2", t:ask("1 + 1"))
  end)

  terminal.it("drops a half-typed statement of several lines", function()
    local t = terminal.prompt()
    t:type("do\n")
    t:wait_for_line(">> ")
    t:type("x = 1\n")
    t:wait_for_line(">> ")
    t:type("x = 2")
    t:key("C-c")
    t:wait_for_prompt()
    assert.equal("nil", t:ask("x"))
  end)

  terminal.it("says how to leave, at an empty prompt", function()
    local t = terminal.prompt()
    t:key("C-c")
    t:wait_for("Ctrl%-D.*\n>$")
    t:key("C-c", "C-c", "C-c")
    assert.equal("2", t:ask("1 + 1"))
  end)

  local COUNTER = "n = 0 g = greenlet.spawn(function() while true do greenlet.sleep(0.01) "
    .. "n = n + 1 end end)"

  for what, code in pairs {
    ["that sleeps"] = "greenlet.sleep(60)",
    ["that waits for what will not come"] = "greenlet.Greenlet(print):join()",
    ["that burns CPU"] = "while true do end",
    ["that burns CPU in a coroutine"] = "coroutine.wrap(function() while true do end end)()",
    ["that catches errors and burns CPU"] = "pcall(function() while true do end end)",
    ["that sleeps again and again"] = "while true do greenlet.sleep(0.001) end",
    ["that prints without an end"] = "while true do print(('x'):rep(70)) end",
  } do
    terminal.it("kills an evaluation " .. what .. ", and that alone", function()
      local t = terminal.prompt()
      t:ask(COUNTER)
      t:type("print('under' .. ' way') closed = 0 do local x <close> = setmetatable({}, "
        .. "{ __close = function() closed = n end }) " .. code .. " end\n")
      t:wait_until(function()
        local text = t:scrollback() -- not all of it, of one that prints without an end
        return text:find("\nunder way") or text:find("\nxxxxx")
      end, "the evaluation")
      t:key("C-c")
      t:wait_for("KeyboardInterrupt")
      t:wait_for_prompt()
      t:type("greenlet.sleep(0.03) print('alive:', n > closed, g.dead)\n")
      t:wait_for("\nalive:%s+true%s+false\n>$")
      assert.matches("KeyboardInterrupt", t:ask("tostring(_err)"))
    end)
  end

  terminal.it("interrupts a program that the evaluation runs, and not what runs at the prompt",
    function()
      local t = terminal.prompt()
      t:ask("g = greenlet.spawn(greenlet.sleep, 60)")
      t:type("os.execute('echo under way; exec sleep 60')\n")
      t:wait_for("\nunder way$")
      t:key("C-c")
      t:wait_for_prompt()
      assert.equal("false", t:ask("g.dead"))
    end)

  terminal.it("ends io.read in an evaluation", function()
    local t = terminal.prompt()
    t:type("x = io.read()\n")
    t:wait_for("io%.read%(%)$")
    t:key("C-c")
    -- A read that is under way goes on: with its line the evaluation ends.
    t:type("\n")
    t:wait_for_prompt()
    assert.equal("2", t:ask("1 + 1"))
  end)

  terminal.it("at the prompt kills a background greenlet that burns CPU", function()
    local t = terminal.prompt()
    -- One that has just begun might just be slow, and not what is meant.
    t:type("g = greenlet.spawn(function() greenlet.sleep(0.05) local long = os.clock() + 0.3 "
      .. "repeat until os.clock() > long io.open('burning', 'w'):close() while true do end end)\n")
    t:wait_until(function()
      local file <close> = io.open(t.directory .. "/burning")
      return file
    end, "a greenlet that burns CPU")
    t:key("C-c")
    t:wait_for("KeyboardInterrupt")
    t:wait_for_prompt()
    assert.equal("true", t:ask("g.dead"))
  end)

  terminal.it("can be caught by an evaluation", function()
    local t = terminal.prompt()
    t:type("greenlet.pcall(function() print('under' .. ' way') greenlet.sleep(60) end)\n")
    t:wait_for("\nunder way$")
    t:key("C-c")
    t:wait_for("\nfalse%s.*KeyboardInterrupt.*\n>$")
  end)

  terminal.it("many times leaves the prompt alive", function()
    local t = terminal.prompt()
    for i = 1, 10 do
      t:type("while true do end\n")
      t:wait_for("end$")
      t:key("C-c")
      t:wait_for_prompt()
      t:type("x = " .. i)
      t:wait_for_line("> x = " .. i)
      t:key("C-c")
      t:wait_for_prompt()
    end
    assert.equal("nil", t:ask("x"))
  end)
end)
