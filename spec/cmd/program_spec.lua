-- What the program greenlua does that stock lua does not. The rest is in dropin_spec.
local run = require "spec.cmd.run"

local function greenlua(case)
  local result = run.program(run.greenlua, case)
  assert.not_equal(run.TIMED_OUT, result.status)
  return result
end

local function check(case, stdout, status)
  local result = greenlua(case)
  assert.same({ stdout = stdout, status = status },
    { stdout = result.stdout, status = result.status }, result.stderr)
  return result.stderr
end

local interrupt = require "spec.interrupt"

-- Defines a greenlet's function that waits for ever, and tells how that ends.
local blocked = [[
  local function blocked()
    local x <close> = setmetatable({}, { __close = function(_, e) print("closed", e) end })
    greenlet.sleep(60)
  end
]]

describe("greenlua", function()
  teardown(run.clean)

  describe("--help", function()
    it("prints stock lua's options and its own", function()
      local usage = greenlua { args = { "-q" } }.stderr:gsub("^[^\n]*\n", "")
      local help = greenlua { args = { "--help" } }
      assert.equal(usage, help.stdout:sub(1, #usage))
      assert.matches("\n  %-%-help .*\n  %-%-version ", help.stdout)
      assert.same({ "", 0 }, { help.stderr, help.status })
    end)

    it("comes before everything else", function()
      assert.not_matches("one", greenlua { args = { "-e", "print('one')", "--help" } }.stdout)
    end)

    it("is the script's own after the script", function()
      check({ script = "print(...)", args = { "--help" } }, "--help\n", 0)
    end)
  end)

  describe("--version", function()
    it("names greenlua's version and Lua's", function()
      local result = greenlua { args = { "--version" } }
      assert.matches("^greenlua %d[%w.-]* %(Lua 5%.4%.%d+%)\n$", result.stdout)
      assert.same({ "", 0 }, { result.stderr, result.status })
    end)
  end)

  describe("the global greenlet", function()
    it("is what require gives", function()
      check({ script = [[
        print(greenlet == require "greenlet", greenlet == package.loaded.greenlet)]] },
        "true\ttrue\n", 0)
    end)

    it("is there for LUA_INIT, -e and -l", function()
      check({
        env = { LUA_INIT = "greenlet.spawn(print, 'init')" },
        args = { "-l", "mod", "-e", "greenlet.spawn(print, 'option')" },
        files = { ["mod.lua"] = "greenlet.spawn(print, 'mod')" },
      }, "init\nmod\noption\n", 0)
    end)

    it("is there with -E", function()
      check({ args = { "-E", "-e", "print(greenlet ~= nil)" } }, "true\n", 0)
    end)
  end)

  describe("after the last chunk", function()
    it("runs on until no greenlet can run", function()
      check({ script = [[
        greenlet.spawn(function()
          greenlet.sleep(0.02)
          print "child"
          greenlet.spawn_later(0.02, print, "grandchild")
        end)
        print "main"]] }, "main\nchild\ngrandchild\n", 0)
    end)

    it("runs on after a script on stdin", function()
      check({ stdin = "greenlet.spawn_later(0.02, print, 'late') print 'main'" }, "main\nlate\n", 0)
    end)

    it("ends those that are still blocked, closing their variables", function()
      check({ script = [[
        local event = greenlet.Greenlet(print)
        greenlet.spawn(function()
          local x <close> = setmetatable({}, { __close = function() print "closed" end })
          event:join()
        end)
        greenlet.sleep(0.01)
        print "main"]] }, "main\nclosed\n", 0)
    end)

    it("runs finalizers last", function()
      check({ script = [[
        setmetatable({}, { __gc = function() print "finalizer" end })
        greenlet.spawn_later(0.01, print, "greenlet")]] }, "greenlet\nfinalizer\n", 0)
    end)

    it("lets variables of the chunk close first", function()
      check({ script = [[
        local x <close> = setmetatable({}, { __close = function() print "chunk" end })
        greenlet.spawn(print, "greenlet")]] }, "chunk\ngreenlet\n", 0)
    end)

    it("stops running on at a KeyboardInterrupt", function()
      local stderr = check({ script = blocked .. interrupt .. "greenlet.spawn(blocked)" },
        "closed\tGreenletExit\n", 130)
      assert.matches("^lua: KeyboardInterrupt", stderr)
    end)
  end)

  describe("when a chunk fails", function()
    it("ends the greenlets at once", function()
      local stderr = check({
        script = blocked .. [[
          greenlet.spawn(blocked)
          greenlet.spawn_later(0.05, print, "not run")
          greenlet.sleep(0)
          error("oops", 0)]],
      }, "closed\tGreenletExit\n", 1)
      assert.equal("lua: oops\nstack traceback:\n\t[C]: in function 'error'\n"
        .. "\tt.lua:8: in main chunk\n\t[C]: in ?\n", stderr)
    end)

    it("runs no greenlet that never ran", function()
      check({ args = { "-e", "greenlet.spawn(print, 'not run')", "-e", "error()" } }, "", 1)
    end)

    it("does so for a script on stdin, too, which is forgiven", function()
      check({ stdin = "greenlet.spawn(print, 'not run') error('x')" }, "", 0)
    end)
  end)

  describe("os.exit", function()
    it("ends at once", function()
      check({ script = blocked .. "greenlet.spawn(blocked) greenlet.sleep(0) os.exit(4)" }, "", 4)
    end)

    it("ends at once from a greenlet", function()
      check({ script = blocked .. [[
        greenlet.spawn(blocked)
        greenlet.spawn(function() greenlet.sleep(0.01) os.exit(5) end):join()
        print "not run"]] }, "", 5)
    end)

    -- On a stack of the hub, which can therefore not be freed.
    it("runs finalizers when told to close #leaks", function()
      check({ script = [[
        setmetatable({}, { __gc = function() print "finalizer" end })
        greenlet.spawn(function() greenlet.sleep(0.01) os.exit(6, true) end)
        greenlet.spawn(greenlet.sleep, 60)]] }, "finalizer\n", 6)
    end)

    it("flushes what was written", function()
      check({ e = "greenlet.spawn(function() io.write('text') os.exit(true) end)" }, "text", 0)
    end)
  end)

  describe("the exit status", function()
    it("is 1 when a greenlet died of an error that nobody took", function()
      local stderr = check({ script = "greenlet.spawn(error, 'oops', 0)" }, "", 1)
      assert.matches("^oops\n", stderr)
      assert.matches("\n%d+%-%d+%-%d+T%d+:%d+:%d+%S*Z <Greenlet .*> failed with error\n", stderr)
    end)

    it("is 0 when somebody took it", function()
      check({ script = [[
        local g = greenlet.spawn(error, "oops", 0)
        print(pcall(g.get, g))]] }, "false\toops\n", 0)
    end)

    it("is 1 when a link fails", function()
      check({ script = "greenlet.spawn(print, 'ran'):link(function() error('x') end)" }, "ran\n", 1)
    end)

    it("is 1 when a script on stdin leaves a failure behind", function()
      check({ stdin = "greenlet.spawn(error, 'oops')" }, "", 1)
    end)

    it("is 0 when a greenlet was killed", function()
      check({ script = [[
        local g = greenlet.spawn(greenlet.sleep, 60)
        greenlet.sleep(0)
        g:kill()]] }, "", 0)
    end)

    it("is 3 after a deadlock", function()
      local stderr = check({ script = "greenlet.Greenlet(print):join()" }, "", 3)
      assert.matches("^lua: LoopExit", stderr)
    end)

    it("is 3 after a deadlock of -e and of stdin", function()
      check({ e = "greenlet.Greenlet(print):join()" }, "", 3)
      check({ stdin = "greenlet.Greenlet(print):join()" }, "", 3)
    end)

    it("is 0 when the LoopExit was caught", function()
      check({ script = [[
        local event = greenlet.Greenlet(print)
        print((pcall(event.join, event)))]] }, "false\n", 0)
    end)

    it("is 1 when closing a variable turns the deadlock into another error", function()
      check({ script = [[
        local x <close> = setmetatable({}, { __close = function() error "other" end })
        greenlet.Greenlet(print):join()]] }, "", 1)
    end)
  end)

  describe("Ctrl-C", function()
    it("ends a sleep", function()
      local stderr = check({ script = interrupt .. "greenlet.sleep(60) print 'not run'" }, "", 130)
      assert.matches("^lua: KeyboardInterrupt\n", stderr)
    end)

    it("ends a loop", function()
      local stderr = check({ script = interrupt .. "while true do end" }, "", 130)
      assert.matches("^lua: KeyboardInterrupt\n", stderr)
    end)

    it("ends a loop in a greenlet", function()
      check({ script = interrupt .. [[
        greenlet.spawn(function() while true do end end):join()]] }, "", 130)
    end)

    it("ends a loop in a coroutine", function()
      check({ script = interrupt .. "coroutine.wrap(function() while true do end end)()" }, "", 130)
    end)

    it("closes variables and is not stopped by pcall", function()
      check({ script = interrupt .. [[
        print(pcall(function()
          local x <close> = setmetatable({}, { __close = function(_, e) print("closed", e) end })
          greenlet.sleep(60)
        end))]] }, "closed\tKeyboardInterrupt\n", 130)
    end)

    it("can be caught by greenlet.pcall", function()
      check({ script = interrupt .. "print(greenlet.pcall(greenlet.sleep, 60))" },
        "false\tKeyboardInterrupt\n", 0)
    end)

    it("gives 130 for a script on stdin, too", function()
      check({ stdin = interrupt .. "greenlet.sleep(60)" }, "", 130)
    end)
  end)

  describe("the interactive mode", function()
    it("goes on after an error", function()
      local stderr = check({ shell = "lua -i | grep -v '^>'", stdin = "error('x')\nprint(2)\n" },
        greenlua { args = { "-v" } }.stdout .. "2\n", 0)
      assert.matches("^stdin:1: x\nstack traceback:\n", stderr)
    end)

    it("goes on after a KeyboardInterrupt", function()
      local result = greenlua {
        args = { "-i" },
        stdin = interrupt .. "while true do end\nprint('still' .. ' here')\n",
      }
      assert.matches("\nstill here\n", result.stdout)
      assert.matches("^KeyboardInterrupt\n", result.stderr)
      assert.equal(0, result.status)
    end)

    it("runs greenlets while a line waits, and after the last one", function()
      local result = greenlua {
        args = { "-i" },
        stdin = "g = greenlet.spawn(print, 'first')\ng:join()\ng = greenlet.spawn(print, 'last')\n",
      }
      assert.matches("\nfirst\n.*\n> \nlast\n$", result.stdout)
      assert.same({ "", 0 }, { result.stderr, result.status })
    end)

    it("goes on after a deadlock", function()
      local result = greenlua {
        args = { "-i" },
        stdin = "greenlet.Greenlet(print):join()\nprint(1 + 1)\n",
      }
      assert.matches("\n2\n", result.stdout)
      assert.matches("^LoopExit", result.stderr)
      assert.equal(0, result.status)
    end)

    -- Here no library can be loaded by name. AddressSanitizer's must come first of all.
    it("works without readline #asan", function()
      local result = greenlua {
        files = { ["none.c"] = "void *dlopen(void) { return 0; }\n" },
        shell = "${CC:-cc} -w -shared -fPIC -o none.so none.c && LD_PRELOAD=$PWD/none.so lua -i",
        stdin = "x =\n1\nx + 1",
      }
      assert.matches("\n> >> > 2\n> \n$", result.stdout)
      assert.same({ "", 0 }, { result.stderr, result.status })
    end)

    -- Stock 5.4.4 loses the message and prints "(null)", or the second prompt.
    it("says what is wrong with a statement that the input's end cuts off", function()
      local result = greenlua { args = { "-i" }, stdin = "for i = 1, 2 do" }
      assert.equal("stdin:1: 'end' expected near <eof>\n", result.stderr)
      assert.equal(0, result.status)
    end)
  end)
end)
