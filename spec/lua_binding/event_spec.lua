local helper = require "spec.helper"
local greenlet = require "greenlet"
local event = require "greenlet.event"
local it = helper.it

local Event, AsyncResult = event.Event, event.AsyncResult
local TICK, SHORT, LATER, NEVER = helper.TICK, helper.SHORT, helper.LATER, helper.NEVER
local loop = greenlet.get_hub().loop

-- Greenlets that wait for the object, each noting its number and what wait returned.
local function waiters(object, count, log)
  local list = {}
  for i = 1, count do
    list[i] = greenlet.spawn(function()
      log[#log + 1] = i
      log[-i] = object:wait()
    end)
  end
  greenlet.sleep(0)
  for i = #log, 1, -1 do log[i] = nil end
  for i, g in ipairs(list) do
    g:rawlink(function() log[#log + 1] = i end)
  end
  return list
end

-- `bad argument #number to 'name'` at the line of the call.
local function assert_bad(number, name, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.matches(("bad argument #%d to '%s'"):format(number, name), err)
end

describe("greenlet.event.Event", function()
  helper.check_leaks()

  it("is clear at first, set by set, cleared by clear", function()
    local e = Event()
    assert.is_false(e:is_set())
    assert.is_false(e:ready())
    assert.equal(0, select("#", e:set()))
    assert.is_true(e:is_set())
    assert.is_true(e:ready())
    e:set()
    assert.is_true(e:is_set())
    assert.equal(0, select("#", e:clear()))
    assert.is_false(e:is_set())
  end)

  it("is an object of a class, which can be derived from", function()
    assert.matches("^<Event at 0x%x+: clear>$", tostring(Event()))
    helper.is_a(greenlet.class, Event())
    local Bell = Event:extend("Bell")
    function Bell:init(tone) Bell.super.init(self); self.tone = tone end
    function Bell:set() self.rung = true; return Bell.super.set(self) end
    local bell = Bell("low")
    local g = greenlet.spawn(bell.wait, bell)
    greenlet.sleep(0)
    assert.matches("^<Bell at 0x%x+: clear, 1 waiting>$", tostring(bell))
    bell:set()
    assert.is_true(g:get())
    assert.is_true(bell.rung)
    assert.equal("low", bell.tone)
    assert.matches("^<Bell at 0x%x+: set>$", tostring(bell))
  end)

  describe("wait", function()
    it("returns true at once when it is set, without switching", function()
      local e, ran = Event(), false
      e:set()
      greenlet.spawn(function() ran = true end)
      assert.is_true(e:wait())
      assert.is_true(e:wait(0))
      assert.is_false(ran)
      greenlet.sleep(0)
    end)

    it("wakes all waiters, in order, each once, the setter going on first", function()
      local e, log = Event(), {}
      local list = waiters(e, 5, log)
      e:set()
      log[#log + 1] = "setter"
      greenlet.joinall(list)
      helper.settle()
      assert.same({ "setter", 1, 2, 3, 4, 5 }, { table.unpack(log) })
      for i = 1, 5 do assert.is_true(log[-i]) end
    end)

    for _, count in ipairs { 1, 100, 1000 } do
      it(("wakes %d waiters with true when clear follows at once"):format(count), function()
        local e = Event()
        local list = {}
        for i = 1, count do list[i] = greenlet.spawn(e.wait, e) end
        greenlet.sleep(0)
        e:set()
        e:clear()
        assert.is_false(e:is_set())
        for i = 1, count do assert.is_true(list[i]:get()) end
      end)
    end

    it("returns false when the timeout expires first", function()
      local e = Event()
      assert.is_false(e:wait(0))
      assert.is_false(e:wait(TICK))
      assert.is_false(e:is_set())
    end)

    it("returns true when set in time", function()
      local e = Event()
      greenlet.spawn_later(TICK, e.set, e)
      assert.is_true(e:wait(helper.GENEROUS))
    end)

    it("takes a Timeout, which ends the wait and is not raised", function()
      local e = Event()
      local t = greenlet.Timeout(TICK)
      assert.is_false(e:wait(t))
      assert.is_false(t.pending)
      t = greenlet.Timeout(NEVER)
      greenlet.spawn(e.set, e)
      assert.is_true(e:wait(t))
      assert.is_false(t.pending)
    end)

    it("lets another Timeout pass", function()
      local e = Event()
      local t = greenlet.Timeout.start_new(TICK)
      assert.is_true(rawequal(t, helper.raises(e.wait, e)))
      assert.is_true(rawequal(greenlet.Timeout.start_new(TICK):is_a(greenlet.Timeout), true))
      helper.is_a(greenlet.Timeout, helper.raises(e.wait, e, NEVER))
      assert.matches("clear>$", tostring(e)) -- nobody is left behind
    end)

    it("can be ended by a kill; the others wait on", function()
      local e, log = Event(), {}
      local list = waiters(e, 3, log)
      list[2]:kill()
      assert.same({ 2 }, { table.unpack(log) })
      e:set()
      greenlet.joinall(list)
      helper.settle()
      assert.same({ 2, 1, 3 }, { table.unpack(log) })
    end)

    it("of one that is killed when it has been woken raises the kill", function()
      local e = Event()
      local raised
      local g = greenlet.spawn(function() raised = helper.raises(e.wait, e) end)
      greenlet.sleep(0)
      e:set()
      g:kill("stop", false)
      g:join()
      assert.equal("stop", raised)
    end)

    it("cannot be used in the hub, unless it need not wait", function()
      local e, results = Event(), {}
      loop:run_callback(function()
        results[1] = select(2, pcall(e.wait, e))
        results[2] = select(2, pcall(e.wait, e, TICK))
        results[3] = e:wait(0)
        e:set()
        results[4] = e:wait()
      end)
      greenlet.sleep(0)
      helper.is_a(greenlet.InvalidSwitchError, results[1])
      helper.is_a(greenlet.InvalidSwitchError, results[2])
      assert.is_false(results[3])
      assert.is_true(results[4])
    end)

    it("may be called in a coroutine, and where C has called back", function()
      local e, found = Event(), {}
      local function in_coroutine() coroutine.wrap(function() found[1] = e:wait() end)() end
      local function in_callback() ("x"):gsub("x", function() found[2] = e:wait() end) end
      local list = { greenlet.spawn(in_coroutine), greenlet.spawn(in_callback) }
      greenlet.sleep(0)
      assert.matches("2 waiting", tostring(e))
      e:set()
      greenlet.joinall(list)
      assert.same({ true, true }, found)
    end)

    it("waits again after a clear by one that was woken", function()
      local e, log = Event(), {}
      local g = greenlet.spawn(function()
        for i = 1, 3 do
          e:wait()
          e:clear()
          log[i] = i
        end
      end)
      greenlet.sleep(0)
      for i = 1, 3 do
        assert.equal(i - 1, #log)
        e:set()
        greenlet.sleep(0)
      end
      g:join()
      assert.equal(3, #log)
    end)

    it("is refused a switch from elsewhere", function()
      local e = Event()
      local err
      local g = greenlet.spawn(function() err = helper.raises(e.wait, e) end)
      greenlet.sleep(0)
      local other = greenlet.spawn(g.switch, g)
      g:join()
      other:kill()
      helper.is_a(greenlet.InvalidSwitchError, err)
      assert.matches("clear>$", tostring(e))
    end)

    it("raises LoopExit in the main greenlet when nobody can set it", function()
      local e = Event()
      local err = helper.raises(e.wait, e)
      helper.is_a(greenlet.LoopExit, err)
      assert.is_not_nil(err.message:find("main waits for set of Event made at spec/", 1, true))
    end)

    it("is an error with a bad timeout or self", function()
      local e = Event()
      assert_bad(1, "wait", function() e:wait(-1) end)
      assert_bad(1, "wait", function() e:wait("x") end)
      assert_bad(1, "wait", function() e:wait(0 / 0) end)
      for _, name in ipairs { "set", "clear", "wait", "is_set", "ready", "rawlink", "unlink" } do
        assert.matches("expected, got", select(2, pcall(Event[name], 42)))
        assert.matches("expected, got", select(2, pcall(Event[name], greenlet.getcurrent())))
        assert.matches("expected, got", select(2, pcall(Event[name])))
      end
      assert.matches("Event expected, got Semaphore",
        select(2, pcall(Event.set, require "greenlet.lock".Semaphore())))
    end)
  end)

  describe("set", function()
    it("works in the hub, in finalizers and in trace functions", function()
      local a, b = Event(), Event()
      local first = greenlet.spawn(a.wait, a)
      local second = greenlet.spawn(b.wait, b)
      greenlet.sleep(0)
      loop:run_callback(a.set, a)
      setmetatable({}, { __gc = function() b:set() end })
      assert.is_true(first:get())
      collectgarbage()
      assert.is_true(second:get())
    end)

    it("by a greenlet that was woken by another event's", function()
      local a, b = Event(), Event()
      local g = greenlet.spawn(function() a:wait(); b:set() end)
      greenlet.sleep(0)
      a:set()
      assert.is_true(b:wait())
      g:join()
    end)
  end)

  describe("rawlink", function()
    it("calls in the hub, once, with the event, when it is set", function()
      local e, calls = Event(), {}
      e:rawlink(function(...) calls[#calls + 1] = { greenlet.getcurrent(), ... } end)
      helper.settle()
      assert.equal(0, #calls)
      e:set()
      assert.equal(0, #calls)
      helper.settle()
      assert.same({ { greenlet.get_hub(), e } }, calls)
      e:clear()
      e:set()
      helper.settle()
      assert.equal(1, #calls)
    end)

    it("calls soon when it is set already", function()
      local e, called = Event(), false
      e:set()
      e:rawlink(function() called = true end)
      assert.is_false(called)
      helper.settle()
      assert.is_true(called)
    end)

    it("calls though clear follows at once, in order, twice what was linked twice", function()
      local e, log = Event(), {}
      local function a() log[#log + 1] = "a" end
      local function b() log[#log + 1] = "b" end
      e:rawlink(a)
      e:rawlink(b)
      e:rawlink(a)
      e:set()
      e:clear()
      helper.settle()
      assert.same({ "a", "b", "a" }, log)
    end)

    it("does not call what is linked after the set and clear", function()
      local e, log = Event(), {}
      e:rawlink(function() log[#log + 1] = "before" end)
      e:set()
      e:clear()
      local function after() log[#log + 1] = "after" end
      e:rawlink(after)
      helper.settle()
      assert.same({ "before" }, log)
      e:unlink(after)
    end)

    it("reports an error and calls the others", function()
      local e, called = Event(), 0
      local report = helper.capture(function()
        e:rawlink(function() called = called + 1 end)
        e:rawlink(function() error("failed on purpose") end)
        e:rawlink(function() error(greenlet.GreenletExit) end)
        e:rawlink(function() called = called + 1 end)
        e:set()
        helper.settle()
      end)
      assert.equal(2, called)
      assert.matches("failed on purpose", report)
      assert.matches("stack traceback", report)
    end)

    it("may set and clear the event that it is told of", function()
      local e, log = Event(), {}
      e:rawlink(function() e:clear(); log[#log + 1] = 1; e:set() end)
      e:rawlink(function() log[#log + 1] = 2; e:clear() end)
      e:set()
      helper.settle()
      assert.same({ 1, 2 }, log)
      assert.is_false(e:is_set())
    end)

    it("may link itself again without keeping the hub", function()
      local e, calls, go_on = Event(), 0, true
      local function again()
        calls = calls + 1
        if go_on then e:rawlink(again) end
      end
      e:rawlink(again)
      e:set()
      greenlet.sleep(TICK) -- returns though the event stays set
      assert.is_true(calls >= 1)
      go_on = false
      helper.settle()
    end)

    it("must not block", function()
      local e, err = Event(), nil
      e:rawlink(function() err = helper.raises(greenlet.sleep, 0) end)
      e:set()
      helper.settle()
      helper.is_a(greenlet.InvalidSwitchError, err)
    end)

    it("is an error with what cannot be called", function()
      assert_bad(1, "rawlink", function() Event():rawlink(nil) end)
      assert_bad(1, "rawlink", function() Event():rawlink(42) end)
    end)

    it("calls a callable that is no function", function()
      local e, source = Event(), nil
      e:rawlink(helper.callable(function(s) source = s end))
      e:set()
      helper.settle()
      assert.equal(e, source)
    end)

    it("tells many in linear time and in order", function()
      local e, COUNT = Event(), 20000
      local last, sorted = 0, true
      for i = 1, COUNT do
        e:rawlink(function()
          sorted = sorted and last == i - 1
          last = i
        end)
      end
      e:set()
      helper.wait_until(function() return last == COUNT end, "the links")
      assert.is_true(sorted)
    end)
  end)

  describe("unlink", function()
    it("removes one of the same, and none without complaint", function()
      local e, calls = Event(), 0
      local function f() calls = calls + 1 end
      e:unlink(f)
      e:unlink(nil)
      e:rawlink(f)
      e:rawlink(f)
      e:unlink(f)
      e:set()
      helper.settle()
      assert.equal(1, calls)
      e:unlink(f)
    end)

    it("holds when notification has begun", function()
      local e, log = Event(), {}
      local function late() log[#log + 1] = "late" end
      e:rawlink(function() log[#log + 1] = "first"; e:unlink(late) end)
      e:rawlink(late)
      e:rawlink(function() log[#log + 1] = "last" end)
      e:set()
      helper.settle()
      assert.same({ "first", "last" }, log)
      e:rawlink(late)
      e:unlink(late) -- it is set, so late was due
      helper.settle()
      assert.same({ "first", "last" }, log)
    end)

    it("leaves nothing that grows", function()
      local e = Event()
      local keep = function() end
      e:rawlink(keep)
      collectgarbage()
      collectgarbage()
      local before = collectgarbage("count")
      for _ = 1, 2000 do
        local function f() end
        e:rawlink(f)
        e:unlink(f)
      end
      collectgarbage()
      collectgarbage()
      assert.is_true(collectgarbage("count") - before < 20)
      e:unlink(keep)
    end)
  end)

  describe("with greenlet.wait", function()
    it("is ready when set, and can be waited for twice", function()
      local e = Event()
      e:set()
      assert.same({ e }, greenlet.wait { e })
      assert.same({ e }, greenlet.wait({ e }, 0))
      assert.same({ e, e }, greenlet.wait { e, e })
    end)

    it("comes in the order of readiness, without those that are not", function()
      local a, b, c = Event(), Event(), Event()
      local g = greenlet.spawn(function()
        b:set()
        greenlet.sleep(TICK)
        a:set()
      end)
      assert.same({ b, a }, greenlet.wait({ a, b, c }, LATER))
      assert.same({ a }, greenlet.wait({ a, b, c }, LATER, 1))
      g:join()
    end)

    it("is not reported when a set before the wait was cleared", function()
      local e, result = Event(), nil
      greenlet.spawn(function()
        local setter = greenlet.spawn(e.set, e)
        e:wait()
        setter:join()
        e:clear()
        result = greenlet.wait({ e }, SHORT)
      end):join()
      assert.same({}, result)
    end)

    it("mixes with greenlets and results in an iwait", function()
      local e, result = Event(), AsyncResult()
      local g = greenlet.spawn(function() result:set(1); e:set() end)
      local seen = {}
      for object in greenlet.iwait({ e, result, g }, LATER) do seen[object] = true end
      assert.same({ [e] = true, [result] = true, [g] = true }, seen)
    end)

    it("is unlinked when an iwait is left early", function()
      local a, b = Event(), Event()
      a:set()
      for object in greenlet.iwait { a, b } do
        assert.equal(a, object)
        break
      end
      collectgarbage()
      b:set()
      helper.settle()
    end)
  end)

  describe("as garbage", function()
    it("goes with those who wait for it", function()
      local closed = 0
      local function waits(f)
        greenlet.spawn(function()
          local variable <close> = helper.closer(function() closed = closed + 1 end)
          f(Event())
        end)
      end
      waits(function(e) e:wait() end)
      waits(function(e) coroutine.wrap(function() e:wait() end)() end)
      waits(function(e) ("x"):gsub("x", function() e:wait() end) end)
      waits(function(e) greenlet.wait { e, Event() } end)
      greenlet.sleep(0)
      assert.is_true(helper.collect_until(function() return closed == 4 end))
    end)

    it("does not go while it can be reached", function()
      local e, woken = Event(), 0
      local handles = setmetatable({}, { __mode = "k" })
      for _ = 1, 3 do
        handles[greenlet.spawn(function()
          e:wait()
          woken = woken + 1
        end)] = true
      end
      greenlet.sleep(0)
      assert.is_false(helper.collect_until(function() return next(handles) == nil end))
      assert.equal(0, woken)
      e:set()
      helper.settle()
      assert.equal(3, woken)
      -- Nor does it keep those that have gone on.
      assert.is_true(helper.collect_until(function() return next(handles) == nil end))
    end)

    it("keeps nobody that has left by a kill", function()
      local e = Event()
      local handles = setmetatable({}, { __mode = "k" })
      local g = greenlet.spawn(e.wait, e)
      handles[g] = true
      greenlet.sleep(0)
      helper.collect_until(function() return false end)
      g:kill()
      g = nil
      assert.is_true(helper.collect_until(function() return next(handles) == nil end))
    end)

    it("does not go while a timeout runs", function()
      local result
      greenlet.spawn(function() result = Event():wait(SHORT) end)
      greenlet.sleep(0)
      collectgarbage()
      collectgarbage()
      helper.wait_until(function() return result ~= nil end, "the timeout")
      assert.is_false(result)
    end)

    it("may catch the kill and wait on, until it is set", function()
      local e, log = nil, {}
      greenlet.spawn(function()
        local mine = Event()
        log[1] = select(2, greenlet.pcall(mine.wait, mine))
        e = mine
        log[2] = mine:wait()
      end)
      greenlet.sleep(0)
      assert.is_true(helper.collect_until(function() return e ~= nil end))
      collectgarbage()
      e:set()
      helper.settle()
      helper.is_a(greenlet.GreenletExit, log[1])
      assert.is_true(log[2])
    end)
  end)
end)

describe("greenlet.event.AsyncResult", function()
  helper.check_leaks()

  it("holds nothing at first", function()
    local r = AsyncResult()
    assert.is_false(r:ready())
    assert.is_false(r:done())
    assert.is_false(r:successful())
    assert.is_nil(r.value)
    assert.is_nil(r.exception)
    assert.is_nil(r.exc_info)
    assert.matches("^<AsyncResult at 0x%x+: no result>$", tostring(r))
  end)

  it("takes values, all of them, nil and false too", function()
    local r = AsyncResult()
    assert.equal(0, select("#", r:set("a", nil, "c", nil)))
    assert.is_true(r:ready())
    assert.is_true(r:done())
    assert.is_true(r:successful())
    assert.equal("a", r.value)
    assert.is_nil(r.exception)
    assert.is_nil(r.exc_info)
    for _ = 1, 2 do
      assert.same({ n = 4, "a", nil, "c", nil }, table.pack(r:get()))
    end
    assert.matches("value a>$", tostring(r))
    local empty, falsy = AsyncResult(), AsyncResult()
    empty:set()
    falsy:set(false)
    assert.equal(0, select("#", empty:get()))
    assert.is_true(empty:successful())
    assert.is_false(falsy:get())
    assert.is_false(falsy.value)
    assert.is_false(falsy:wait())
  end)

  it("takes an error, which get raises, the same each time", function()
    for _, err in ipairs { helper.exception()("x"), "text", 42, false, {} } do
      local r = AsyncResult()
      r:set_exception(err)
      assert.is_true(r:ready())
      assert.is_false(r:successful())
      assert.is_nil(r.value)
      assert.is_true(rawequal(err, r.exception))
      assert.is_true(rawequal(err, r.exc_info[1]))
      for _ = 1, 2 do assert.is_true(rawequal(err, helper.raises(r.get, r))) end
    end
    local r = AsyncResult()
    r:set_exception(nil)
    assert.is_false(r:successful())
    assert.same({ false, n = 2 }, table.pack(greenlet.pcall(r.get, r)))
  end)

  it("makes an instance of a class, and keeps a traceback", function()
    local Mine = helper.exception()
    local r = AsyncResult()
    r:set_exception(Mine, "a traceback")
    helper.is_a(Mine, r.exception)
    assert.equal(r.exception, helper.raises(r.get, r))
    assert.same({ r.exception, "a traceback" }, r.exc_info)
    assert.matches("error Mine>$", tostring(r))
  end)

  it("is set once", function()
    local r = AsyncResult()
    r:set(1)
    assert.matches("event_spec.lua:%d+: the AsyncResult has its result already",
      select(2, pcall(function() r:set(2) end)))
    assert.matches("already", select(2, pcall(function() r:set_exception("x") end)))
    assert.equal(1, r:get())
    local failed = AsyncResult()
    failed:set_exception("x")
    assert.is_false((pcall(failed.set, failed, 1)))
    assert.equal("x", failed.exception)
  end)

  it("has read-only attributes", function()
    local r = AsyncResult()
    assert.is_false((pcall(function() r.value = 1 end)))
    assert.is_false((pcall(function() r.exception = 1 end)))
    r.mine = 1
    assert.equal(1, r.mine)
  end)

  describe("get", function()
    it("waits for the values", function()
      local r = AsyncResult()
      greenlet.spawn_later(TICK, r.set, r, "x", "y")
      assert.same({ "x", "y" }, { r:get() })
    end)

    it("waits for the error", function()
      local r, caught = AsyncResult(), nil
      local err = helper.exception()("x")
      local g = greenlet.spawn(function() caught = helper.raises(r.get, r) end)
      greenlet.sleep(0)
      r:set_exception(err)
      g:join()
      assert.is_true(rawequal(err, caught))
    end)

    it("serves many, in order", function()
      local r, log = AsyncResult(), {}
      local list = {}
      for i = 1, 10 do
        list[i] = greenlet.spawn(function()
          local value = r:get()
          log[#log + 1] = { i, value }
        end)
      end
      greenlet.sleep(0)
      r:set("v")
      greenlet.joinall(list)
      for i = 1, 10 do assert.same({ i, "v" }, log[i]) end
    end)

    it("raises Timeout at once without block", function()
      local r = AsyncResult()
      for _, f in ipairs { function() r:get(false) end, function() r:get_nowait() end } do
        helper.is_a(greenlet.Timeout, helper.raises(f))
      end
      r:set(5)
      assert.equal(5, r:get(false))
      assert.equal(5, r:get_nowait())
    end)

    it("raises Timeout when the timeout expires", function()
      local r = AsyncResult()
      assert.equal("Timeout: 0 seconds", tostring(helper.raises(r.get, r, true, 0)))
      assert.equal(TICK, helper.raises(r.get, r, nil, TICK).seconds)
    end)

    it("raises the Timeout that it was given, or what that raises", function()
      local r = AsyncResult()
      local t = greenlet.Timeout(TICK)
      assert.is_true(rawequal(t, helper.raises(r.get, r, true, t)))
      local err = helper.exception()("x")
      assert.is_true(rawequal(err, helper.raises(r.get, r, true, greenlet.Timeout(TICK, err))))
    end)

    it("lets another's Timeout pass", function()
      local r, mark = AsyncResult(), {}
      assert.equal(mark, (greenlet.with_timeout({ TICK, timeout_value = mark }, r.get, r)))
    end)

    it("is an error with wrong arguments", function()
      local r = AsyncResult()
      assert_bad(2, "get", function() r:get(true, -1) end)
      assert_bad(2, "get", function() r:get(true, "x") end)
      assert_bad(1, "wait", function() r:wait(-1) end)
      assert_bad(1, "result", function() r:result({}) end)
      for _, name in ipairs { "set", "set_exception", "get", "get_nowait", "wait", "ready", "result",
                              "successful", "done", "rawlink", "unlink" } do
        assert.matches("expected, got number", select(2, pcall(AsyncResult[name], 42)))
        assert.matches("expected, got", select(2, pcall(AsyncResult[name])))
      end
    end)
  end)

  it("raises what get raises from result, and cannot be cancelled", function()
    local r = AsyncResult()
    helper.is_a(greenlet.Timeout, helper.raises(r.result, r, 0))
    assert.is_false(r:cancel())
    assert.is_false(r:cancelled())
    greenlet.spawn(r.set_result, r, 3)
    assert.equal(3, r:result())
    assert.equal(3, r:result(0))
  end)

  it("wait returns the first value, nil after an error or the timeout", function()
    local r = AsyncResult()
    assert.is_nil(r:wait(0))
    assert.is_nil(r:wait(TICK))
    assert.is_nil(r:wait(greenlet.Timeout(TICK)))
    greenlet.spawn(r.set, r, "first", "second")
    assert.same({ n = 1, "first" }, table.pack(r:wait()))
    local failed = AsyncResult()
    greenlet.spawn(failed.set_exception, failed, "x")
    assert.is_nil(failed:wait())
    assert.is_nil(failed:wait())
  end)

  describe("as a link", function()
    it("takes over what a greenlet returned", function()
      local all, value, exception = AsyncResult(), AsyncResult(), AsyncResult()
      local g = greenlet.spawn(function() return 1, 2 end)
      g:link(all)
      g:link_value(value)
      g:link_exception(exception)
      assert.same({ 1, 2 }, { all:get() })
      assert.same({ 1, 2 }, { value:get() })
      assert.is_nil(exception:wait(0))
      local raw = AsyncResult()
      g:rawlink(raw) -- on a dead one
      assert.same({ 1, 2 }, { raw:get() })
    end)

    it("takes over the error of a greenlet, and its traceback", function()
      local all, value, exception = AsyncResult(), AsyncResult(), AsyncResult()
      local err = helper.exception()("on purpose")
      helper.capture(function()
        local g = greenlet.spawn(error, err)
        g:link(all)
        g:link_value(value)
        g:link_exception(exception)
        assert.is_true(rawequal(err, helper.raises(all.get, all)))
        assert.is_true(rawequal(err, helper.raises(exception.get, exception)))
        assert.matches("stack traceback", all.exc_info[2])
        assert.is_false(value:ready())
      end)
    end)

    it("takes over a kill as a value", function()
      local r = AsyncResult()
      local g = greenlet.spawn(greenlet.sleep, NEVER)
      g:link(r)
      greenlet.sleep(0)
      g:kill()
      helper.is_a(greenlet.GreenletExit, r:get())
      assert.is_true(r:successful())
    end)

    it("takes over another result", function()
      local from, to, failed, other = AsyncResult(), AsyncResult(), AsyncResult(), AsyncResult()
      from:rawlink(to)
      failed:rawlink(other)
      from:set(7, 8)
      failed:set_exception("x")
      assert.same({ 7, 8 }, { to:get() })
      assert.equal("x", helper.raises(other.get, other))
    end)

    it("is an error for what is not ready", function()
      assert.matches("must be ready", select(2, pcall(AsyncResult(), AsyncResult())))
    end)

    it("reports when it has a result already", function()
      local r = AsyncResult()
      r:set(1)
      local report = helper.capture(function()
        greenlet.spawn(print):link(r)
        helper.settle()
      end)
      assert.matches("has its result already", report)
      assert.equal(1, r:get())
    end)
  end)

  it("tells rawlinks, also when it is ready", function()
    local r, calls = AsyncResult(), 0
    local function f(source) calls = calls + (source == r and 1 or 100) end
    r:rawlink(f)
    r:rawlink(f)
    r:unlink(f)
    r:set()
    helper.settle()
    assert.equal(1, calls)
    r:rawlink(f)
    helper.settle()
    assert.equal(2, calls)
    assert.same({ r }, greenlet.wait { r })
  end)

  it("says in a deadlock what the greenlet waits for", function()
    local r = AsyncResult()
    local err = helper.raises(function() return (r:get()) end)
    helper.is_a(greenlet.LoopExit, err)
    assert.matches("main waits for set of AsyncResult made at [^\n]*event_spec%.lua:831", err.message)
    assert.matches("event_spec%.lua", err.message)
  end)

  it("goes with those who wait for it, when nobody can reach it", function()
    local closed = false
    greenlet.spawn(function()
      local variable <close> = helper.closer(function() closed = true end)
      AsyncResult():get()
    end)
    greenlet.sleep(0)
    assert.is_true(helper.collect_until(function() return closed end))
  end)

  it("can be derived from", function()
    local Future = AsyncResult:extend("Future")
    function Future:init(f)
      Future.super.init(self)
      greenlet.spawn(f):link(self)
    end
    local future = Future(function() return "kept" end)
    assert.equal("kept", future:get())
    assert.matches("^<Future at 0x%x+: value kept>$", tostring(future))
  end)
end)
