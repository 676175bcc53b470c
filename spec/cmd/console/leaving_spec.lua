-- The prompt on a terminal: how it ends, and in what state it leaves the terminal.
local run = require "spec.cmd.run"
local terminal = require "spec.terminal"

describe("the prompt", function()
  teardown(run.clean)

  local function check(t, status)
    assert.equal(status, t:status())
    assert.equal("", t:damage())
  end

  describe("ends, and leaves the terminal as it was,", function()
    -- Each types or sends what ends the program.
    local ways = {
      ["by :quit"] = { 0, function(t) t:type(":quit\n") end },
      ["by Ctrl-D"] = { 0, function(t) t:key("C-d") end },
      ["by os.exit in an evaluation"] = { 3, function(t) t:type("os.exit(3)\n") end },
      ["by os.exit with close #leaks"] = { 4, function(t) t:type("os.exit(4, true)\n") end },
      ["by os.exit from a greenlet"] = { 5, function(t)
        t:type("greenlet.spawn_later(0.05, os.exit, 5)\n")
      end },
      ["by os.exit from a greenlet, while a line is typed"] = { 5, function(t)
        t:ask("greenlet.spawn(function() while not io.open('go') do greenlet.sleep(0.01) end "
          .. "os.exit(5) end) x = 1")
        t:type("'typed")
        t:wait_for_line("> 'typed")
        run.write(t.directory .. "/go", "")
      end },
      ["by os.exit with close from a greenlet #leaks"] = { 6, function(t)
        t:type("greenlet.spawn_later(0.05, os.exit, 6, true)\n")
      end },
      ["by os.exit of one that burned CPU"] = { 7, function(t)
        t:type("greenlet.spawn_later(0.05, function() for i = 1, 1e6 do end os.exit(7) end)\n")
      end },
      ["by SIGTERM at the prompt"] = { 128 + 15, function(t) t:signal("TERM") end },
      ["by SIGHUP at the prompt"] = { 128 + 1, function(t) t:signal("HUP") end },
      ["by SIGTERM with a line half typed"] = { 128 + 15, function(t)
        t:type("'typed")
        t:wait_for_line("> 'typed")
        t:signal("TERM")
      end },
      ["by SIGTERM in an evaluation that sleeps"] = { 128 + 15, function(t)
        t:type("greenlet.sleep(60)\n")
        t:wait_for("%(60%)$")
        t:signal("TERM")
      end },
      ["by SIGTERM in an evaluation that burns CPU"] = { 128 + 15, function(t)
        t:type("while true do end\n")
        t:wait_for("end$")
        t:signal("TERM")
      end },
      ["by SIGHUP in an evaluation"] = { 128 + 1, function(t)
        t:type("greenlet.sleep(60)\n")
        t:wait_for("%(60%)$")
        t:signal("HUP")
      end },
      ["by SIGTERM while a greenlet prints"] = { 128 + 15, function(t)
        t:type("ticker = greenlet.spawn(function() while true do print('tick') "
          .. "greenlet.sleep(0.01) end end)\n")
        t:wait_for("\ntick\n")
        t:signal("TERM")
      end },
      -- AddressSanitizer takes that signal itself.
      ["by SIGSEGV #asan"] = { 128 + 11, function(t) t:signal("SEGV") end },
      ["by SIGQUIT"] = { 128 + 3, function(t) t:type("'typed") t:signal("QUIT") end },
    }
    for name, way in pairs(ways) do
      terminal.it(name, function()
        local t = terminal.prompt { shell = "ulimit -c 0; exec lua" }
        way[2](t)
        check(t, way[1])
      end)
    end

    terminal.it("with errors behind it", function()
      local t = terminal.prompt()
      t:ask("error('oops')")
      t:ask("greenlet.sleep(nil, nil, error)")
      t:key("C-d")
      check(t, 0)
    end)

    terminal.it("with a greenlet that failed, which makes for the exit status 1", function()
      local t = terminal.prompt()
      t:type("g = greenlet.spawn(function() error('oops') end)\n")
      t:wait_for("failed wit.*\n>$")
      t:key("C-d")
      check(t, 1)
    end)

    terminal.it("by Ctrl-D in the middle of a statement", function()
      local t = terminal.prompt()
      t:type("for i = 1, 2 do\n")
      t:wait_for_line(">> ")
      t:key("C-d")
      t:wait_for("'end' expected .*near <eof>")
      -- It ends now, or is at a prompt again.
      t:key("C-d")
      check(t, 0)
    end)

    terminal.it("when a script of -e or a file fails before it", function()
      local t = terminal.start { args = { "-i", "-e", "error('oops')" } }
      check(t, 1)
    end)

    terminal.it("when LUA_INIT leaves", function()
      local t = terminal.start { env = { LUA_INIT = "os.exit(9)" } }
      check(t, 9)
    end)
  end)

  terminal.it("prints what was written last", function()
    local t = terminal.prompt()
    t:type("greenlet.spawn(function() greenlet.sleep(0.05) io.write('last words') os.exit(0) end) "
      .. "x = 1\n")
    check(t, 0)
    t:wait_for("\nlast words")
  end)

  terminal.it("prints what was written last before os.exit without close by C", function()
    local t = terminal.prompt()
    t:type("greenlet.spawn(function() greenlet.sleep(0.05) os.execute('echo from C') "
      .. "os.exit(0) end) x = 1\n")
    check(t, 0)
    t:wait_for("\nfrom C")
  end)

  terminal.it("leaves the shell's line below its own", function()
    local t = terminal.prompt { shell = "lua; echo left" }
    t:key("C-d")
    t:wait_for("\n>[^\n]*\nleft$")
  end)

  describe("with living greenlets", function()
    terminal.it("lists them at Ctrl-D, and asks once", function()
      local t = terminal.prompt()
      t:ask("g = greenlet.spawn(greenlet.sleep, 60)")
      t:key("C-d")
      t:wait_for("Greenlet.*\n> ?$")
      assert.equal("false", t:ask("g.dead"))
      t:key("C-d")
      t:wait_for("Greenlet.*Greenlet.*\n> ?$")
      t:key("C-d")
      check(t, 0)
    end)

    terminal.it("closes their variables", function()
      local t = terminal.prompt()
      t:ask("closer = setmetatable({}, {__close = function() print('closed') end})")
      t:ask("g = greenlet.spawn(function() local x <close> = closer greenlet.sleep(60) end)")
      t:key("C-d", "C-d")
      check(t, 0)
      t:wait_for("\nclosed")
    end)

    terminal.it("leaves by :quit without asking", function()
      local t = terminal.prompt()
      t:ask("g = greenlet.spawn(greenlet.sleep, 60)")
      t:type(":quit\n")
      check(t, 0)
    end)
  end)

  -- LeakSanitizer, at the end of a program, waits for ever if a signal comes.
  terminal.it("ends when its terminal goes away #asan", function()
    local t = terminal.prompt()
    t:type("for i = 1, 2 do\n")
    t:wait_for_line(">> ")
    local pid = t:pid()
    t:close()
    t:wait_until(function()
      local stat <close> = io.open(("/proc/%d/stat"):format(pid))
      local text = stat and stat:read("a") -- nil: it has ended since
      return not text or text:match("%) Z")
    end, "the end of the program")
  end)

  describe("after a script", function()
    terminal.it("with -i keeps its greenlets alive", function()
      local t = terminal.prompt {
        files = { ["s.lua"] = "n = 0 g = greenlet.spawn(function() while true do n = n + 1 "
          .. "greenlet.sleep(0.01) end end) print('script', ...)" },
        args = { "-i", "s.lua", "argument" },
      }
      assert.matches("script%s+argument\n>$", t:screen())
      assert.equal("true",
        t:ask("(function() local m = n greenlet.sleep(0.05) return n > m and not g.dead end)()"))
    end)

    terminal.it("with -i sees its globals and arguments", function()
      local t = terminal.prompt {
        files = { ["s.lua"] = "x = 5" }, args = { "-i", "s.lua", "a" },
      }
      assert.equal("5", t:ask("x"))
      assert.equal('"a"', t:ask("arg[1]"))
    end)
  end)
end)
