local helper = require "spec.helper"
local interrupt = require "spec.interrupt"
local greenlet = require "greenlet"
local it = helper.it

local TICK, NEVER = helper.TICK, helper.NEVER

local function send(name) os.execute("kill -" .. name .. " " .. helper.pid()) end

describe("greenlet.signal", function()
  helper.check_leaks()

  for _, which in ipairs { "USR1", "SIGUSR1", 10 } do
    it("calls the function at the signal " .. which .. ", with the arguments", function()
      local got
      local handler = greenlet.signal(which, function(...) got = table.pack(...) end, 1, nil, 3)
      send("USR1")
      helper.wait_until(function() return got end, "the signal")
      handler:cancel()
      assert.same({ n = 3, 1, nil, 3 }, got)
    end)
  end

  it("calls in a greenlet of its own, which may block", function()
    local main, done, current = greenlet.getcurrent(), false, nil
    local handler = greenlet.signal("USR1", function()
      current = greenlet.getcurrent()
      greenlet.sleep(TICK)
      done = true
    end)
    send("USR1")
    helper.wait_until(function() return done end)
    handler:cancel()
    assert.not_equal(main, current)
    assert.not_equal(greenlet.get_hub(), current)
  end)

  it("calls at each signal", function()
    local count = 0
    local handler = greenlet.signal("USR1", function() count = count + 1 end)
    for i = 1, 3 do
      send("USR1")
      helper.wait_until(function() return count == i end)
    end
    handler:cancel()
  end)

  it("tells signals apart", function()
    local log = {}
    local one = greenlet.signal("USR1", function() log[#log + 1] = "USR1" end)
    local two = greenlet.signal("USR2", function() log[#log + 1] = "USR2" end)
    send("USR2")
    helper.wait_until(function() return #log == 1 end)
    send("USR1")
    helper.wait_until(function() return #log == 2 end)
    one:cancel()
    two:cancel()
    assert.same({ "USR2", "USR1" }, log)
  end)

  it("calls every handler of a signal, without those cancelled", function()
    local one, two = 0, 0
    local first = greenlet.signal("USR1", function() one = one + 1 end)
    local second = greenlet.signal("USR1", function() two = two + 1 end)
    send("USR1")
    helper.wait_until(function() return one == 1 and two == 1 end)
    first:cancel()
    send("USR1")
    helper.wait_until(function() return two == 2 end)
    helper.settle()
    second:cancel()
    assert.equal(1, one)
  end)

  it("does not keep wait() from returning, unless ref is set", function()
    local handler = greenlet.signal("USR1", print)
    assert.is_false(handler.ref)
    assert.is_true(greenlet.wait())
    handler.ref = true
    assert.is_true(handler.ref)
    assert.is_false(greenlet.wait(nil, TICK))
    handler:cancel()
    assert.is_true(greenlet.wait())
  end)

  it("has cancel return nothing, and twice is no error", function()
    local handler = greenlet.signal("USR1", print)
    assert.equal(0, select("#", handler:cancel()))
    handler:cancel()
  end)

  it("raises an error of the function in the main greenlet", function()
    local e = helper.exception()("x")
    local handler = greenlet.signal("USR1", error, e)
    local caught
    helper.capture(function()
      send("USR1")
      caught = helper.raises(greenlet.sleep, NEVER)
    end)
    handler:cancel()
    assert.is_true(rawequal(e, caught))
  end)

  it("refuses unknown signals", function()
    for _, which in ipairs { "NONE", "", 0, -1, 1000 } do
      assert.matches("bad argument #1 to 'signal'",
        helper.raises(function() greenlet.signal(which, print) end))
    end
  end)

  it("refuses what cannot be called", function()
    assert.matches("bad argument #2 to 'signal'",
      helper.raises(function() greenlet.signal("USR1") end))
    assert.matches("bad argument #2 to 'signal'",
      helper.raises(function() greenlet.signal("USR1", {}) end))
  end)

  it("takes the place of KeyboardInterrupt", function()
    local got = false
    local handler = greenlet.signal("INT", function() got = true end)
    assert(load(interrupt))()
    helper.wait_until(function() return got end)
    handler:cancel()
  end)
end)

-- A script in which INT arrives while `body` runs.
local function interrupted(body)
  return helper.run([[
    function interrupt() ]] .. interrupt .. [[ end
    -- A script for sh, during all of which we are in a C function: that sends the line.
    function in_c(script)
      local pipe = io.popen("read line; " .. script, "w")
      pipe:write("\n")
      pipe:close()
    end
    function closer(text)
      return setmetatable({}, { __close = function(_, err) print(text, err) end })
    end
  ]] .. body)
end

describe("KeyboardInterrupt", function()
  helper.check_leaks()

  it("is raised in the main greenlet, where it waits", function()
    local out, err, status = interrupted [[
      local ok, e = greenlet.pcall(function() interrupt() greenlet.sleep(10) end)
      print(ok, greenlet.KeyboardInterrupt:class_of(e))
      print(greenlet.spawn(function() return "hub works" end):get())
    ]]
    assert.equal("", err)
    assert.equal("false\ttrue\nhub works\n", out)
    assert.equal(0, status)
  end)

  it("passes pcall, ends the program with 130 and has variables closed", function()
    local out, _, status = interrupted [[
      greenlet.spawn(function()
        local x <close> = closer("spawned")
        greenlet.sleep(10)
      end)
      greenlet.sleep(0)
      local y <close> = closer("main")
      pcall(function()
        local z <close> = closer("inner")
        interrupt()
        greenlet.sleep(10)
      end)
      print "not reached"
    ]]
    assert.equal(130, status)
    assert.matches("inner\tKeyboardInterrupt", out)
    assert.matches("main\tKeyboardInterrupt", out)
    assert.matches("spawned\tGreenletExit", out)
    assert.is_nil(out:find("not reached", 1, true))
  end)

  it("ends a main greenlet that never waits", function()
    local _, _, status = interrupted [[
      interrupt()
      local x <close> = closer("main")
      while true do end
    ]]
    assert.equal(130, status)
  end)

  it("ends a program that only waits for its greenlets", function()
    local out, _, status = interrupted [[
      greenlet.spawn(function()
        local x <close> = closer("spawned")
        interrupt()
        greenlet.sleep(10)
      end)
    ]]
    assert.equal(130, status)
    assert.matches("spawned\tGreenletExit", out)
  end)

  it("may come several times at once: a key that is held down repeats", function()
    local out, err, status = interrupted [[
      print(greenlet.pcall(function()
        in_c("for i in 1 2 3; do kill -INT $PPID; done")
        greenlet.sleep(10)
      end))
    ]]
    assert.equal("", err)
    assert.equal("false\tKeyboardInterrupt\n", out)
    assert.equal(0, status)
  end)

  it("ends a program in a C function that keeps running, the second time", function()
    local out = interrupted [[
      local guard <close> = closer("not closed")
      in_c("while kill -INT $PPID; do sleep 0.05; done")
    ]]
    assert.equal("", out)
  end)

  it("gives way to a handler for INT", function()
    local out, err, status = interrupted [[
      local got = false
      local handler = greenlet.signal("INT", function() got = true end)
      interrupt()
      for i = 1, 1000 do
        if got then break end
        greenlet.sleep(0.01)
      end
      handler:cancel()
      print(got)
    ]]
    assert.equal("", err)
    assert.equal("true\n", out)
    assert.equal(0, status)
  end)
end)
