-- The prompt on a terminal: evaluations that go on in the background.
local run = require "spec.cmd.run"
local socket = require "socket"
local terminal = require "spec.terminal"

describe("a job", function()
  teardown(run.clean)

  -- Type a statement, wait until its greenlet is under way, press Ctrl-Z.
  local function put_away(t, code)
    t:type(("print('under' .. ' way %s') %s\n"):format(#code, code))
    t:wait_for("\nunder way " .. #code)
    t:key("C-z")
    t:wait_for("%[%d+%].*\n>$")
    t:wait_for_prompt()
  end

  terminal.it("is an evaluation that Ctrl-Z sends to the background", function()
    local t = terminal.prompt()
    put_away(t, "greenlet.sleep(60)")
    assert.matches("Greenlet", t:ask("jobs[1]"))
    assert.equal("false", t:ask("jobs[1].dead"))
    assert.equal("2", t:ask("1 + 1"))
  end)

  terminal.it("is an evaluation whose text ends in &", function()
    local t = terminal.prompt()
    t:ask("greenlet.sleep(60) &")
    t:ask("greenlet.sleep(60)&")
    assert.equal("false", t:ask("jobs[2].dead"))
    assert.matches("^%[%d+%]", t:ask("greenlet.sleep(61) &"))
    assert.equal("true", t:ask("jobs[3] ~= nil and jobs[1] ~= jobs[2]"))
  end)

  terminal.it("does not take an operator for that", function()
    local t = terminal.prompt()
    t:type("6 &\n")
    -- Either the value of a job, or the rest of the expression is asked for.
    t:wait_for("\n[^\n]+$")
    t:key("C-c")
    t:wait_for_prompt()
    assert.equal("2", t:ask("6 & 3"))
  end)

  terminal.it("that ends shows its value above the prompt", function()
    local t = terminal.prompt()
    t:type("(function() greenlet.sleep(0.1) return 6 * 7 end)() &\n")
    t:wait_for("\n%[1%][^\n]*\n")
    t:type("'typed")
    t:wait_for("\n%[1%] done[^\n]*42.*\n> 'typed$")
    t:type("'\n")
    t:wait_for("\n\"typed\"\n>$")
    assert.equal("42", t:ask("jobs[1]:get()"))
  end)

  terminal.it("that fails shows its report above the prompt", function()
    local t = terminal.prompt()
    t:type("greenlet.sleep(0.1) error('oops') &\n")
    t:type("'typed")
    t:wait_for("stdin:1: oops\n.*\n> 'typed$")
    assert.matches("%[1%]", t:screen())
    t:type("'\n")
    t:wait_for("\n\"typed\"\n>$")
  end)

  terminal.it("that burns CPU goes on without stopping the prompt", function()
    local t = terminal.prompt()
    put_away(t, "n = 0 while n < 1e12 do n = n + 1 end")
    t:ask("before = n")
    assert.equal("true", t:ask("(function() greenlet.sleep(0.05) return n > before end)()"))
    t:ask("jobs[1]:kill()")
    t:ask("before = n")
    assert.equal("true", t:ask("(function() greenlet.sleep(0.05) return n == before end)()"))
  end)

  terminal.it("can be killed and joined", function()
    local t = terminal.prompt()
    t:ask("greenlet.sleep(60) &")
    t:ask("g = jobs[1]")
    t:ask("jobs[1]:kill()")
    assert.equal("true", t:ask("g.dead"))
    t:ask("event = greenlet.queue.Queue()")
    t:ask("event:get() &")
    t:ask("job = jobs[2] or jobs[1]")
    t:ask("event:put(5)")
    t:wait_for("%[%d%] done[^\n]*5")
    assert.equal("5", t:ask("job:get()"))
  end)

  terminal.it("gets no Ctrl-C", function()
    local t = terminal.prompt()
    put_away(t, "greenlet.sleep(60)")
    t:key("C-c")
    t:wait_for("\nTo leave.*\n>$")
    t:wait_for_prompt()
    t:type("print('for' .. 'ever') while true do end\n")
    t:wait_for("\nforever$")
    t:key("C-c")
    t:wait_for("KeyboardInterrupt.*\n>$")
    assert.equal("false", t:ask("jobs[1].dead"))
  end)
end)

describe("Ctrl-Z at the prompt", function()
  teardown(run.clean)

  local COUNTER = "n = 0 g = greenlet.spawn(function() while true do greenlet.sleep(0.01) "
    .. "n = n + 1 end end)"
  local COUNTS = "(function() local m = n greenlet.sleep(0.05) return n > m end)()"

  -- The program under a shell that has jobs of its own.
  local function shell(name)
    local t = terminal.start { shell = "exec " .. name .. " -i", env = { PS1 = "$ ", ENV = false } }
    t:wait_for_line("$ ")
    t:type("lua\n")
    t:wait_for_prompt()
    return t
  end

  for _, name in ipairs { "dash", "bash --norc --noprofile" } do
    if os.execute("command -v " .. name:match("%S+") .. " >/dev/null") then
      terminal.it("suspends the program, which comes back with its line, in " .. name, function()
        local t = shell(name)
        t:ask(COUNTER)
        t:type("'ab'")
        t:key("Left")
        t:wait_for_line("> 'ab", "'")
        t:key("C-z")
        t:wait_for("[Ss]topped.*\n%$$")
        -- The shell has its own settings back: what is typed is echoed, Ctrl-C is a signal.
        t:type("cat\n")
        t:wait_for("%$ cat$")
        t:type("echoed\n")
        t:wait_for("\nechoed\nechoed$")
        t:key("C-c")
        t:wait_for("%^C\n%$$")
        t:type("fg\n")
        t:wait_for("\n> 'ab'$")
        t:wait_for_line("> 'ab", "'")
        t:type("c\n")
        t:wait_for("\n\"abc\"\n>$")
        assert.equal("true", t:ask(COUNTS))
        t:key("C-d")
        t:wait_for("g.*\n")
        t:key("C-d")
        t:wait_for("\n%$$")
      end)
    end
  end

  terminal.it("is the program's own when an evaluation is stuck in C", function()
    local t = shell("dash")
    t:type("os.execute('echo under way; sleep 60')\n")
    t:wait_for("\nunder way$")
    t:key("C-z")
    local pressed = socket.gettime() -- one that follows at once is taken for the same one
    t:wait_until(function()
      if socket.gettime() - pressed > 1 then
        t:key("C-z")
        pressed = socket.gettime()
      end
      return t:screen():find("[Ss]topped.*\n%$")
    end, "the shell")
    t:type("kill -KILL %1\n")
    t:wait_for("\n%$$")
  end)
end)
