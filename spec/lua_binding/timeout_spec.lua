local helper = require "spec.helper"
local greenlet = require "greenlet"
local it = helper.it

local Timeout = greenlet.Timeout
local TICK, SHORT, NEVER = helper.TICK, helper.SHORT, helper.NEVER

local function never() greenlet.sleep(NEVER) end

describe("greenlet.Timeout", function()
  helper.check_leaks()

  describe("Timeout", function()
    it("keeps what it was made with, and is not pending", function()
      local t = Timeout(5, "text")
      assert.equal(5, t.seconds)
      assert.equal("text", t.exception)
      assert.is_false(t.pending)
      assert.is_nil(Timeout().seconds)
      assert.is_nil(Timeout(1).exception)
      assert.is_false(Timeout(1, false).exception)
    end)

    it("is raised without having been started, like any error", function()
      local t = Timeout(5)
      assert.is_true(rawequal(t, helper.raises(error, t)))
      assert.is_false(t.pending)
    end)

    it("is no Exception, so that pcall lets it pass", function()
      helper.is_a(greenlet.BaseException, Timeout(1))
      assert.is_false(greenlet.Exception:class_of(Timeout(1)))
      local handled = false
      local t = Timeout(TICK)
      local caught = helper.raises(function()
        t:start()
        xpcall(function() pcall(never) end, function() handled = true end)
      end)
      assert.is_true(rawequal(t, caught))
      assert.is_false(handled)
    end)

    it("can be subclassed", function()
      local Deadline = Timeout:extend("Deadline")
      local t = Deadline(TICK)
      t.note = "mine"
      t:start()
      local caught = helper.raises(never)
      assert.is_true(rawequal(t, caught))
      assert.equal("mine", caught.note)
      helper.is_a(Deadline, caught)
    end)
  end)

  describe("start", function()
    it("raises the object itself in the wait where the seconds end", function()
      local t = Timeout(TICK)
      assert.equal(0, select("#", t:start()))
      assert.is_true(t.pending)
      assert.is_true(rawequal(t, helper.raises(never)))
      assert.is_false(t.pending)
    end)

    it("raises an instance of an exception class", function()
      local Mine = helper.exception()
      Timeout(TICK, Mine):start()
      helper.is_a(Mine, helper.raises(never))
    end)

    it("raises an exception object, and any other value that is no string", function()
      for _, value in ipairs { helper.exception()("x"), 42, {}, true } do
        Timeout(TICK, value):start()
        assert.is_true(rawequal(value, helper.raises(never)))
      end
    end)

    it("raises the object itself when the exception is a string", function()
      local t = Timeout(TICK, "text")
      t:start()
      assert.is_true(rawequal(t, helper.raises(never)))
    end)

    it("raises the object itself when the exception is false", function()
      local t = Timeout(TICK, false)
      t:start()
      assert.is_true(rawequal(t, helper.raises(never)))
    end)

    it("never expires without seconds", function()
      local t = Timeout()
      t:start()
      greenlet.sleep(TICK)
      t:close()
    end)

    it("expires at the first poll with 0 seconds", function()
      local t = Timeout(0)
      t:start()
      assert.is_true(rawequal(t, helper.raises(never)))
    end)

    it("expires in the greenlet that started it, not in the one that made it", function()
      local t = Timeout(TICK)
      local caught
      local g = greenlet.spawn(function()
        t:start()
        caught = select(2, greenlet.pcall(never))
      end)
      g:join()
      assert.is_true(rawequal(t, caught))
    end)

    it("is an error when pending", function()
      local t = Timeout(NEVER)
      t:start()
      helper.raises(t.start, t)
      assert.is_true(t.pending)
      t:close()
    end)

    it("is an error once closed", function()
      local t = Timeout(NEVER)
      t:close()
      helper.raises(t.start, t)
      assert.is_false(t.pending)
    end)

    it("works again after an expiry", function()
      local t = Timeout(TICK)
      for _ = 1, 3 do
        t:start()
        assert.is_true(rawequal(t, helper.raises(never)))
      end
    end)

    it("expires in a sleep(0) loop too", function()
      local t = Timeout(TICK)
      t:start()
      local limit = os.time() + helper.GENEROUS
      local caught = helper.raises(function()
        while os.time() < limit do greenlet.sleep(0) end
      end)
      assert.is_true(rawequal(t, caught))
    end)

    it("expires inside a coroutine, whose variables are closed", function()
      local t = Timeout(TICK)
      local closed
      t:start()
      local caught = helper.raises(function()
        coroutine.wrap(function()
          local x <close> = helper.closer(function(err) closed = err end)
          never()
        end)()
      end)
      assert.is_true(rawequal(t, caught))
      assert.is_true(rawequal(t, closed))
    end)

    it("expires though nobody holds it", function()
      Timeout(SHORT):start()
      collectgarbage()
      collectgarbage()
      helper.is_a(Timeout, helper.raises(never))
    end)

    it("is silent when its greenlet is dead", function()
      local report = helper.capture(function()
        local t = Timeout(SHORT)
        local g = greenlet.spawn(function() t:start() end)
        g:join()
        greenlet.sleep(SHORT * 2)
        assert.is_true(g:successful())
        t:close()
      end)
      assert.equal("", report)
    end)

    it("does not keep wait() from returning when ref is false", function()
      local t = Timeout(NEVER, nil, false)
      t:start()
      assert.is_true(greenlet.wait())
      assert.is_true(t.pending)
      t:close()
    end)
  end)

  describe("cancel", function()
    it("keeps it from expiring, and it may start again", function()
      local t = Timeout(TICK)
      t:start()
      assert.equal(0, select("#", t:cancel()))
      assert.is_false(t.pending)
      greenlet.sleep(SHORT)
      t:start()
      assert.is_true(t.pending)
      assert.is_true(rawequal(t, helper.raises(never)))
    end)

    it("is no error on one that is not pending", function()
      local t = Timeout(TICK)
      t:cancel()
      t:cancel()
      t:close()
      t:cancel()
    end)
  end)

  describe("close", function()
    it("keeps it from expiring, twice is no error", function()
      local t = Timeout(TICK)
      t:start()
      assert.equal(0, select("#", t:close()))
      t:close()
      assert.is_false(t.pending)
      greenlet.sleep(SHORT)
    end)
  end)

  describe("start_new", function()
    it("makes and starts one", function()
      local t = Timeout.start_new(TICK)
      helper.is_a(Timeout, t)
      assert.is_true(t.pending)
      assert.is_true(rawequal(t, helper.raises(never)))
    end)

    it("passes the exception on", function()
      local e = helper.exception()("x")
      Timeout.start_new(TICK, e)
      assert.is_true(rawequal(e, helper.raises(never)))
    end)

    it("starts an existing one", function()
      local t = Timeout(NEVER)
      assert.is_true(rawequal(t, Timeout.start_new(t)))
      assert.is_true(t.pending)
      t:close()
    end)

    it("returns a pending one as it is", function()
      local t = Timeout.start_new(NEVER)
      assert.is_true(rawequal(t, Timeout.start_new(t)))
      assert.is_true(t.pending)
      t:close()
    end)

    it("without seconds never expires", function()
      local t = Timeout.start_new()
      greenlet.sleep(TICK)
      t:close()
    end)
  end)

  describe("a to-be-closed Timeout", function()
    it("is closed when the scope is left", function()
      local seen
      do
        local t <close> = Timeout.start_new(TICK)
        seen = t
      end
      assert.is_false(seen.pending)
      greenlet.sleep(SHORT)
      helper.raises(seen.start, seen)
    end)

    it("passes its own expiry and other errors", function()
      local seen
      local caught = helper.raises(function()
        local t <close> = Timeout.start_new(TICK)
        seen = t
        never()
      end)
      assert.is_true(rawequal(seen, caught))
      assert.equal("other", helper.raises(function()
        local t <close> = Timeout.start_new(NEVER)
        error("other", 0)
      end))
    end)
  end)

  describe("nested", function()
    it("leaves the inner one to be told from the outer one by identity", function()
      local outer, inner = Timeout(TICK), Timeout(NEVER)
      local caught = helper.raises(function()
        outer:run(function() inner:run(never) end)
      end)
      assert.is_true(rawequal(outer, caught))
      assert.is_false(inner.pending)
      outer, inner = Timeout(NEVER), Timeout(TICK)
      local after
      outer:run(function()
        after = helper.raises(inner.run, inner, never)
        assert.is_true(outer.pending)
      end)
      assert.is_true(rawequal(inner, after))
      assert.is_false(outer.pending)
    end)

    it("has equal deadlines expire in the order of the starts", function()
      local first, second = Timeout(TICK), Timeout(TICK)
      first:start()
      second:start()
      assert.is_true(rawequal(first, helper.raises(never)))
      assert.is_true(rawequal(second, helper.raises(never)))
    end)
  end)

  describe("run", function()
    it("passes arguments and returns every value", function()
      local t = Timeout(NEVER)
      local pending
      local result = table.pack(t:run(function(...) pending = t.pending; return ... end, 1, nil, 3, nil))
      assert.same({ n = 4, 1, nil, 3 }, result)
      assert.is_true(pending)
      assert.is_false(t.pending)
    end)

    it("raises the Timeout and is closed then", function()
      local t = Timeout(TICK)
      assert.is_true(rawequal(t, helper.raises(t.run, t, never)))
      assert.is_false(t.pending)
      helper.raises(t.start, t)
    end)

    it("raises the exception it was given", function()
      local e = helper.exception()("x")
      local t = Timeout(TICK, e)
      assert.is_true(rawequal(e, helper.raises(t.run, t, never)))
    end)

    it("passes an error of the function and is closed then", function()
      local t = Timeout(NEVER)
      assert.equal("text", helper.raises(t.run, t, error, "text", 0))
      assert.is_false(t.pending)
    end)

    it("swallows its own expiry when the exception is false", function()
      local t = Timeout(TICK, false)
      assert.equal(0, select("#", t:run(never)))
      assert.is_false(t.pending)
    end)

    it("swallows nobody else's expiry when the exception is false", function()
      local outer = Timeout.start_new(TICK)
      local inner = Timeout(NEVER, false)
      assert.is_true(rawequal(outer, helper.raises(inner.run, inner, never)))
      local other = Timeout(1, false)
      inner = Timeout(NEVER, false)
      assert.is_true(rawequal(other, helper.raises(inner.run, inner, error, other)))
    end)

    it("returns the values of the function when the exception is false", function()
      assert.same({ n = 2, 1 }, table.pack(Timeout(NEVER, false):run(function() return 1, nil end)))
    end)

    it("lets a kill pass", function()
      local t = Timeout(NEVER, false)
      local g = greenlet.spawn(function() t:run(never) end)
      greenlet.sleep(0)
      g:kill()
      assert.is_true(g.dead)
      assert.is_false(t.pending)
    end)
  end)

  describe("tostring", function()
    local CASES = {
      { "Timeout: 0.5 seconds", 0.5 },
      { "Timeout: 1 second", 1 },
      { "Timeout: 2 seconds", 2 },
      { "Timeout: 5 seconds (text)", 5, "text" },
      { "Timeout: 1 second (silent)", 1, false },
      { "Timeout: 2 seconds (silent)", 2, false },
    }
    for _, case in ipairs(CASES) do
      it("is " .. case[1], function()
        assert.equal(case[1], tostring(Timeout(case[2], case[3])))
      end)
    end

    it("is the name alone without seconds", function()
      assert.equal("Timeout", tostring(Timeout()))
    end)
  end)
end)

describe("greenlet.with_timeout", function()
  helper.check_leaks()

  it("passes arguments and returns every value", function()
    local result = table.pack(greenlet.with_timeout(NEVER, function(...) return ... end, 1, nil, 3, nil))
    assert.same({ n = 4, 1, nil, 3 }, result)
  end)

  it("raises Timeout when the time is over", function()
    helper.is_a(Timeout, helper.raises(greenlet.with_timeout, TICK, never))
  end)

  it("never expires with nil", function()
    assert.equal("v", greenlet.with_timeout(nil, function() greenlet.sleep(TICK); return "v" end))
  end)

  it("returns timeout_value for its own expiry", function()
    assert.equal("late", greenlet.with_timeout({ TICK, timeout_value = "late" }, never))
    assert.is_false(greenlet.with_timeout({ TICK, timeout_value = false }, never))
  end)

  it("returns the values of the function when a timeout_value is given", function()
    assert.same({ n = 2, 1, 2 },
      table.pack(greenlet.with_timeout({ NEVER, timeout_value = "late" }, function() return 1, 2 end)))
  end)

  it("lets a Timeout of somebody else pass", function()
    local outer = Timeout.start_new(TICK)
    assert.is_true(rawequal(outer,
      helper.raises(greenlet.with_timeout, { NEVER, timeout_value = "late" }, never)))
    local other = Timeout(1)
    assert.is_true(rawequal(other,
      helper.raises(greenlet.with_timeout, { NEVER, timeout_value = "late" }, error, other)))
  end)

  it("passes the function's error and leaves no timer behind", function()
    assert.equal("text", helper.raises(greenlet.with_timeout, NEVER, error, "text", 0))
  end)

  it("nests, the shorter one first", function()
    local result = greenlet.with_timeout({ NEVER, timeout_value = "outer" }, function()
      return greenlet.with_timeout({ TICK, timeout_value = "inner" }, never)
    end)
    assert.equal("inner", result)
    result = greenlet.with_timeout({ TICK, timeout_value = "outer" }, function()
      return greenlet.with_timeout({ NEVER, timeout_value = "inner" }, never)
    end)
    assert.equal("outer", result)
  end)
end)
