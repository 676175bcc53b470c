-- The prompt on a terminal: the watchdog, which is on by default there.
local run = require "spec.cmd.run"
local terminal = require "spec.terminal"

describe("the watchdog at the prompt", function()
  teardown(run.clean)

  local REPORT = "greenlua: watchdog: <Greenlet"

  -- So many looks at the screen: ticks of the watchdog's pass meanwhile.
  local function look(t, times)
    t:wait_until(function()
      times = times - 1
      return times < 0
    end)
  end

  -- The default, unlike that of spec.terminal.
  local function prompt(args)
    return terminal.prompt { args = args, env = { GREENLUA_WATCHDOG = false } }
  end

  -- A global function that burns CPU until the file is there, of which `t` decides.
  local function teach(t)
    t:ask("function burn(name) repeat local f = io.open(name) until f end")
  end

  local function let_go(t, name) run.write(t.directory .. "/" .. name, "") end

  local function count(text, what)
    local n, from = 0, text:find(what, 1, true)
    while from do n, from = n + 1, text:find(what, from + 1, true) end
    return n
  end

  terminal.it("reports an evaluation that burns CPU, once", function()
    local t = prompt()
    teach(t)
    t:type("burn 'done'\n")
    t:wait_for(REPORT)
    let_go(t, "done")
    t:wait_for_prompt()
    assert.equal(1, count(t:scrollback(), REPORT))
    assert.matches("function <stdin:1>", t:screen())
  end)

  terminal.it("reports a background greenlet above the line that is typed", function()
    local t = prompt()
    t:ask("function burn() local e = os.clock() + 0.5 repeat until os.clock() > e end")
    t:ask("go = greenlet.event.Event()")
    t:ask("g = greenlet.spawn(function() go:wait() burn() end)")
    t:ask("h = greenlet.spawn_later(0.1, go.set, go)")
    t:type("'typed")
    t:wait_for(REPORT .. ".*\n> 'typed$")
    t:wait_for_line("> 'typed")
  end)

  terminal.it("waits for a C function to return: a program may have the terminal", function()
    local t = prompt()
    t:type("os.execute 'echo here; until test -e done; do sleep 0.05; done; echo gone'\n")
    t:wait_for("\nhere")
    look(t, 20)
    assert.equal(0, count(t:screen(), REPORT))
    let_go(t, "done")
    t:wait_for("\nhere\ngone\n" .. REPORT)
    t:wait_for_prompt()
  end)

  terminal.it("breaks no reading", function()
    local t = prompt()
    t:type("io.read()\n")
    t:wait_for("io.read%(%)$")
    look(t, 10)
    t:type("a line\n")
    t:wait_for("\"a line\"\n>$")
    t:ask("pipe, n = io.popen 'for i in 1 2 3 4; do sleep 0.1; echo $i; done', 0")
    t:ask("for line in pipe:lines() do n = n + line end")
    assert.equal("10", t:ask("n"))
    t:ask("status = table.pack(os.execute 'sleep 0.3; exit 3')")
    assert.equal("3", t:ask("status[3]"))
  end)

  terminal.it("is on by default, with 0.1 s, and off by whoever says so", function()
    assert.equal("0.1", prompt():ask("greenlet.config.watchdog"))
    local off = prompt { "--watchdog=off" }
    assert.equal("0.0", off:ask("greenlet.config.watchdog"))
    local other = prompt { "--watchdog=5" }
    assert.equal("5.0", other:ask("greenlet.config.watchdog"))
    off = terminal.prompt { env = { GREENLUA_WATCHDOG = "0" } }
    assert.equal("0.0", off:ask("greenlet.config.watchdog"))
  end)

  terminal.it("does not bark at the prompt itself", function()
    local t = prompt()
    -- A metamethod that the prompt calls, while it completes and while it shows a value.
    t:ask("function burn() local e = os.clock() + 0.4 repeat until os.clock() > e end")
    t:ask("t = setmetatable({}, { __pairs = function(t) burn() return next, t end })")
    t:type("t.\t")
    t:wait_for_line("> t.")
    t:type("\127\n")
    t:wait_for_prompt()
    assert.equal("2", t:ask("1 + 1"))
    assert.equal(0, count(t:scrollback(), REPORT))
  end)
end)
