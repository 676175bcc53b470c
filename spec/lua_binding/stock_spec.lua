-- The module greenlet.so in an unchanged lua5.4: small scripts, each in a process of its own. The
-- interpreter is $LUA or lua5.4, the module the one beside the program under test.
local helper = require "spec.helper"
local interrupt = require "spec.interrupt"

local stock = os.getenv("LUA") or "lua5.4"
local directory = helper.program():match("^(.*)/[^/]*$") or "build"
local environment = { LUA_CPATH = directory .. "/?.so;;", LUA_INIT = "", LUA_INIT_5_4 = "" }

local function run(script, flags)
  return helper.run(script, { program = stock, env = environment, flags = flags })
end

-- Runs a script after `local greenlet = require "greenlet"`; it must succeed, without a report.
-- Returns what it printed.
local function output(script)
  local out, err, status = run('local greenlet = require "greenlet"\n' .. script)
  assert.equal("", err)
  assert.equal(0, status)
  return out
end

local function prints(expected, script) assert.equal(expected, output(script)) end

-- A greenlet that catches what pcall can catch is killed, after `before`.
local function killed(before)
  return before .. [[
    local g = greenlet.spawn(function()
      print("caught", pcall(greenlet.sleep, 60))
      return "lived on"
    end)
    greenlet.sleep(0)
    g:kill()
    print(g.dead, g.value)
  ]]
end

describe("greenlet.so in a stock Lua #stock", function()
  it("runs greenlets", function()
    prints("1\n2\nab\t3\n", [[
      local function f(seconds, ...) greenlet.sleep(seconds) print((...)) return ... end
      local a, b = greenlet.spawn(f, 0.04, 2), greenlet.spawn(f, 0.01, 1)
      greenlet.joinall {a, b}
      local c = greenlet.spawn(function() return "ab", 3 end)
      c:join()
      print(c:get())
    ]])
  end)

  it("blocks in callbacks, metamethods, coroutines and require", function()
    prints("1 2 3\nABC\t3\nindexed x\n1\t2\nmodule\n", [[
      local function nap() greenlet.sleep(0.001) end
      greenlet.spawn(function()
        local list = {3, 1, 2}
        table.sort(list, function(a, b) nap() return a < b end)
        print(table.concat(list, " "))
        print(("abc"):gsub("%a", function(c) nap() return c:upper() end))
        print(setmetatable({}, {__index = function(_, key) nap() return "indexed " .. key end}).x)
        local co = coroutine.wrap(function() nap() coroutine.yield(1) nap() return 2 end)
        print(co(), co())
        package.preload.slow = function() nap() return "module" end
        print((require "slow"))
      end):join()
    ]])
  end)

  it("kills, and closes to-be-closed variables", function()
    prints("closed\ntrue\ttrue\tGreenletExit\n", [[
      local g = greenlet.spawn(function()
        local x <close> = setmetatable({}, {__close = function() print("closed") end})
        greenlet.sleep(60)
      end)
      greenlet.sleep(0)
      g:kill()
      print(g.dead, g:successful(), g.value)
    ]])
  end)

  it("calls links", function()
    prints("1\tvalue\n2\tvalue\n3\tvalue\n", [[
      local g = greenlet.spawn(function() return "value" end)
      g:link(function(d) greenlet.sleep(0) print(3, d.value) end)
      g:rawlink(function(d) print(1, d.value) end)
      g:link_value(function(d) print(2, d.value) end)
      g:link_exception(print)
      greenlet.wait()
    ]])
  end)

  it("raises errors in get, and reports them", function()
    local out, err, status = run([[
      local greenlet = require "greenlet"
      local e = {}
      print(select(2, pcall(greenlet.spawn(error, e).get, greenlet.spawn(error, e))) == e)
      greenlet.spawn(error, "no luck"):join()
      greenlet.sleep(0.01)
    ]])
    assert.equal("true\n", out)
    assert.matches("no luck\nstack traceback:\n.*failed with error\n", err)
    assert.equal(0, status) -- the interpreter is not ours
  end)

  it("has timeouts", function()
    prints("false\tTimeout: 0.01 seconds\ntoo slow\ntrue\n", [[
      print(greenlet.pcall(greenlet.with_timeout, 0.01, greenlet.sleep, 60))
      print(greenlet.with_timeout({0.01, timeout_value = "too slow"}, greenlet.sleep, 60))
      local t <close> = greenlet.Timeout.start_new(0.01)
      print(select(2, pcall(greenlet.sleep, 60)) == t)
    ]])
  end)

  it("has raw greenlets and watchers", function()
    prints("1\t2\ntick\n", [[
      local main = greenlet.getcurrent()
      local g = greenlet.greenlet(function(a) main:switch(a, main:switch()) end)
      g:switch(1)
      print(g:switch(2))
      greenlet.get_hub().loop:timer(0.01):start(print, "tick")
      greenlet.wait()
    ]])
  end)

  it("leaves the globals alone", function()
    local out, err, status = run([[
      local before = {}
      local function note(name, t)
        for key, value in pairs(t) do
          if value ~= _G and value ~= package.loaded and value ~= package.preload then
            before[name .. key] = value
          end
        end
      end
      local tables = {[""] = _G}
      for _, name in ipairs {"coroutine", "table", "string", "os", "io", "debug", "math"} do
        tables[name .. "."] = _G[name]
      end
      for name, t in pairs(tables) do note(name, t) end
      require "greenlet"
      require "greenlet.monkey"
      local count = 0
      for name, t in pairs(tables) do
        for key, value in pairs(t) do
          count = count + 1
          if before[name .. key] ~= value and value ~= _G then print("changed", name .. key) end
        end
      end
      print(count > 100, greenlet)
    ]])
    assert.equal("true\tnil\n", out)
    assert.equal("", err)
    assert.equal(0, status)
  end)

  it("gives the same table at every require", function()
    prints("true\ttrue\ttrue\n", [[
      local monkey = require "greenlet.monkey"
      local again = require "greenlet"
      package.loaded.greenlet = nil
      print(greenlet == again, greenlet == require "greenlet", monkey == greenlet.monkey)
    ]])
  end)

  describe("pcall", function()
    it("stops a kill, as the globals are the interpreter's", function()
      prints("caught\tfalse\tGreenletExit\ntrue\tlived on\n", killed "")
    end)

    it("does not stop one after greenlet.monkey.patch_all()", function()
      prints("true\tGreenletExit\n", killed 'require "greenlet.monkey".patch_all()')
      prints("true\tGreenletExit\n", killed 'greenlet.monkey.patch_all()')
    end)

    it("is patched for greenlets that exist, too", function()
      prints("true\tGreenletExit\tfalse\n", [[
        local g = greenlet.spawn(function()
          print(coroutine.isyieldable())
          greenlet.sleep(0)
          print("caught", pcall(greenlet.sleep, 60))
        end)
        local write, printed = print, {}
        print = function(...) for _, v in ipairs {...} do printed[#printed + 1] = tostring(v) end end
        greenlet.sleep(0)
        greenlet.monkey.patch_all()
        greenlet.sleep(0)
        greenlet.sleep(0)
        g:kill()
        write(g.dead, g.value, printed[2] ~= nil)
      ]])
    end)

    it("goes on with other errors after patch_all", function()
      prints("false\tplain\nfalse\tHplain\nfalse\tcoplain\n", [[
        greenlet.monkey.patch_all()
        print(pcall(error, "plain"))
        print(xpcall(error, function(m) return "H" .. m end, "plain"))
        print(coroutine.resume(coroutine.create(error), "coplain"))
      ]])
    end)
  end)

  it("can be patched through greenlet.monkey alone", function()
    local out, err, status = run([[
      local monkey = require "greenlet.monkey"
      print(package.loaded.greenlet)
      monkey.patch_all()
      local greenlet = require "greenlet"
      print(monkey == greenlet.monkey)
      print(greenlet.pcall(pcall, error, greenlet.GreenletExit()))
    ]])
    assert.equal("", err)
    assert.equal("nil\ntrue\nfalse\tGreenletExit\n", out)
    assert.equal(0, status)
  end)

  it("refuses a yield where there is no coroutine", function()
    -- The error may have a position before it: it is raised after the C function has yielded.
    local out = output [[
      local g = greenlet.spawn(function()
        print(pcall(function() coroutine.yield(1) end))
        greenlet.sleep(0)
        return "went on"
      end)
      print(g:get())
    ]]
    assert.matches("^false\t[^\n]*attempt to yield from outside a coroutine\nwent on\n$", out)
  end)

  it("refuses a yield that nobody catches", function()
    local out, err = run([[
      local greenlet = require "greenlet"
      local g = greenlet.spawn(function() coroutine.yield(1) end)
      print(pcall(g.get, g))
      print("on")
    ]])
    assert.matches("^false\t[^\n]*attempt to yield from outside a coroutine\non\n$", out)
    assert.matches("attempt to yield from outside a coroutine\nstack traceback:\n", err)
  end)

  it("raises KeyboardInterrupt at Ctrl-C, where the main greenlet waits", function()
    prints("closed\nfalse\tKeyboardInterrupt\ttrue\n", interrupt .. [[
      local ok, err = pcall(function()
        local x <close> = setmetatable({}, {__close = function() print("closed") end})
        greenlet.sleep(15)
      end)
      print(ok, err, greenlet.KeyboardInterrupt:class_of(err))
    ]])
  end)

  it("raises KeyboardInterrupt at Ctrl-C, where a greenlet computes", function()
    prints("false\tKeyboardInterrupt\n", interrupt .. [[
      greenlet.spawn(function() while true do end end)
      print(pcall(greenlet.sleep, 15))
      os.exit(0) -- or the greenlet would compute on
    ]])
  end)

  it("ends with status 1 after Ctrl-C that nobody catches", function()
    local _, err, status = run(interrupt .. [[
      local greenlet = require "greenlet"
      greenlet.sleep(15)
    ]])
    assert.matches("KeyboardInterrupt\n$", err)
    assert.equal(1, status)
  end)

  it("raises LoopExit at a deadlock", function()
    prints("false\tLoopExit: this operation would block forever\ttrue\n", [[
      local g = greenlet.spawn(function() greenlet.Greenlet(print):join() end)
      local ok, err = pcall(g.join, g)
      print(ok, tostring(err):match("^[^\n]*"), greenlet.LoopExit:class_of(err))
    ]])
  end)

  it("loads inside a coroutine", function()
    local out, err, status = run([[
      local co = coroutine.wrap(function()
        local greenlet = require "greenlet"
        local g = greenlet.spawn(function() greenlet.sleep(0.01) return "inside" end)
        coroutine.yield(g:get())
        greenlet.sleep(0.01)
        return "again"
      end)
      print(co())
      collectgarbage()
      print(co())
      co = nil
      collectgarbage()
      local greenlet = require "greenlet"
      print(greenlet.getcurrent().name, greenlet.spawn(function() return "outside" end):get())
    ]])
    assert.equal("", err)
    assert.equal("inside\nagain\nmain\toutside\n", out)
    assert.equal(0, status)
  end)

  it("closes the state with greenlets still blocked", function()
    prints("end\n", [[
      for _ = 1, 100 do
        greenlet.spawn(greenlet.sleep, 60)
        greenlet.spawn(function() greenlet.Greenlet(print):join() end)
        greenlet.spawn(function() table.sort({1, 2}, function() greenlet.sleep(60) end) end)
        greenlet.spawn(function() coroutine.wrap(greenlet.sleep)(60) end)
      end
      local raw = greenlet.greenlet(function() greenlet.getcurrent().parent:switch() end)
      raw:switch()
      greenlet.Timeout.start_new(60)
      greenlet.get_hub().loop:timer(60):start(print)
      greenlet.sleep(0.01)
      print("end")
    ]])
  end)

  it("closes the state with greenlets that never ran", function()
    prints("end\n", [[
      for _ = 1, 100 do greenlet.spawn(print, "never") end
      greenlet.spawn_later(60, print)
      print("end")
    ]])
  end)

  it("closes the state by os.exit in a greenlet", function()
    for _, close in ipairs { "false", "true" } do
      local out, err, status = run(([[
        local greenlet = require "greenlet"
        greenlet.spawn(greenlet.sleep, 60)
        greenlet.spawn(function() os.exit(5, %s) end)
        greenlet.sleep(15)
      ]]):format(close))
      assert.same({ "", "", 5 }, { out, err, status })
    end
  end)

  it("ends greenlets on demand", function()
    prints("closed\nend\n", [[
      greenlet.spawn(function()
        local x <close> = setmetatable({}, {__close = function() print("closed") end})
        greenlet.sleep(60)
      end)
      greenlet.sleep(0)
      greenlet.get_hub():destroy()
      print("end")
    ]])
  end)

  it("can be a global by -l", function()
    local out, err, status = run([[print(greenlet.spawn(function() return 1 end):get())]], "-lgreenlet")
    assert.same({ "1\n", "", 0 }, { out, err, status })
  end)
end)
