local helper = require "spec.helper"
local greenlet = require "greenlet"
local lock = require "greenlet.lock"
local it = helper.it

local Semaphore, BoundedSemaphore, Lock = lock.Semaphore, lock.BoundedSemaphore, lock.Lock
local RLock, DummySemaphore = lock.RLock, lock.DummySemaphore
local TICK, LATER, NEVER = helper.TICK, helper.LATER, helper.NEVER
local loop = greenlet.get_hub().loop

local function assert_bad(number, name, f)
  local ok, err = pcall(f)
  assert.is_false(ok)
  assert.matches(("lock_spec%%.lua:%%d+: bad argument #%d to '%s'"):format(number, name), err)
end

-- A greenlet that acquires, notes its name, and keeps what it got.
local function acquirer(l, name, log, timeout)
  local g = greenlet.spawn(function()
    local got = l:acquire(true, timeout)
    log[#log + 1] = got and name or name .. "-"
  end)
  g.name = name
  return g
end

-- Those of the names, waiting in this order.
local function acquirers(l, names, log)
  local list = {}
  for name in names:gmatch("%a") do
    list[name] = acquirer(l, name, log)
    list[#list + 1] = list[name]
  end
  greenlet.sleep(0)
  return list
end

local function text(log) return table.concat(log, " ") end

local MAKE = {
  Semaphore = Semaphore, BoundedSemaphore = BoundedSemaphore, Lock = Lock, RLock = RLock,
}

for name, class in pairs(MAKE) do
  describe("greenlet.lock." .. name, function()
    helper.check_leaks()

    it("can be acquired once, and again after a release", function()
      local l = class()
      local other = greenlet.spawn(function()
        assert.is_true(l:acquire())
        greenlet.sleep(TICK)
        assert.is_false(l:ready())
        assert.equal(0, l:release()) -- somebody waits
      end)
      assert.is_false(l:locked())
      assert.is_true(l:ready())
      assert.equal(1, l.counter)
      greenlet.sleep(0)
      assert.is_true(l:locked())
      assert.is_false(l:ready())
      assert.equal(0, l.counter)
      assert.is_false(l:acquire(false))
      assert.is_false(l:acquire(true, 0))
      assert.is_false(l:acquire(nil, 0))
      assert.is_true(l:acquire())
      l:release()
      assert.is_true(l:acquire(false))
      l:release()
      assert.is_true(other:successful())
    end)

    it("returns false when the timeout expires", function()
      local l = class()
      local holder = greenlet.spawn(function() l:with(greenlet.sleep, NEVER) end)
      greenlet.sleep(0)
      assert.is_false(l:acquire(true, TICK))
      assert.is_false(l:acquire(true, greenlet.Timeout(TICK)))
      local t = greenlet.Timeout.start_new(TICK)
      assert.is_true(rawequal(t, helper.raises(l.acquire, l)))
      assert.not_matches("waiting", tostring(l))
      holder:kill()
      assert.is_true(l:acquire())
    end)

    it("goes to those who wait in the order in which they came", function()
      local l, log = class(), {}
      local holder = greenlet.spawn(function() l:with(greenlet.sleep, TICK) end)
      greenlet.sleep(0)
      local list = {}
      for i = 1, 20 do
        list[i] = greenlet.spawn(function()
          local held <close> = l:hold()
          log[#log + 1] = i
          greenlet.sleep(0)
        end)
      end
      greenlet.joinall(list)
      holder:join()
      for i = 1, 20 do assert.equal(i, log[i]) end
    end)

    it("queues whoever releases and acquires again behind those who wait", function()
      local l, log = class(), {}
      local function body(me)
        for _ = 1, 3 do
          local held <close> = l:hold()
          log[#log + 1] = me
          greenlet.sleep(0)
        end
      end
      greenlet.joinall { greenlet.spawn(body, "a"), greenlet.spawn(body, "b"),
                         greenlet.spawn(body, "c") }
      assert.equal("a b c a b c a b c", text(log))
    end)

    it("is handed over at the release: nobody takes it in between", function()
      local l, log = class(), {}
      local holder = greenlet.spawn(function()
        l:acquire()
        greenlet.sleep(TICK)
        l:release()
        log[#log + 1] = l:acquire(false) and "barged" or "no"
      end)
      greenlet.sleep(0)
      local a = acquirer(l, "a", log)
      greenlet.joinall { a, holder }
      assert.equal("no a", text(log))
    end)

    it("goes on to the next when who is handed it is killed before it runs", function()
      local l, log = class(), {}
      l:acquire()
      local list = acquirers(l, "abc", log)
      l:release() -- a has been handed it
      list.a:kill(nil, false)
      list.b:kill(nil, false)
      assert.equal(0, l.counter)
      greenlet.joinall(list)
      assert.equal("c", text(log))
      assert.is_true(list.a.dead and list.b.dead)
      assert.is_true(list.a.value:is_a(greenlet.GreenletExit))
    end)

    it("comes back when all who wait are killed", function()
      local l, log = class(), {}
      local holder = greenlet.spawn(function() l:with(greenlet.sleep, TICK) end)
      greenlet.sleep(0)
      local list = acquirers(l, "abc", log)
      for _, g in ipairs(list) do g:kill(nil, false) end
      greenlet.joinall(list)
      holder:join()
      assert.equal("", text(log))
      assert.equal(1, l.counter)
      assert.is_true(l:acquire(false))
    end)

    it("may be acquired in the hub, if that need not wait", function()
      local l, results = class(), {}
      loop:run_callback(function()
        results[1] = l:acquire()
        results[2] = l:release()
      end)
      greenlet.sleep(0)
      assert.same({ true, 1 }, results)
      local holder = greenlet.spawn(function() l:with(greenlet.sleep, TICK) end)
      greenlet.sleep(0)
      loop:run_callback(function()
        results[3] = select(2, pcall(l.acquire, l))
        results[4] = l:acquire(false)
        results[5] = l:acquire(true, 0)
        results[6] = select(2, pcall(l.wait, l))
        results[7] = l:wait(0)
      end)
      holder:join()
      helper.is_a(greenlet.InvalidSwitchError, results[3])
      assert.is_false(results[4])
      assert.is_false(results[5])
      helper.is_a(greenlet.InvalidSwitchError, results[6])
      assert.equal(0, results[7])
    end)

    it("may be waited for in coroutines and where C has called back", function()
      local l, log = class(), {}
      local holder = greenlet.spawn(function() l:with(greenlet.sleep, TICK) end)
      greenlet.sleep(0)
      local function take(who)
        local held <close> = l:hold()
        log[#log + 1] = who
        greenlet.sleep(0)
      end
      local list = {
        greenlet.spawn(function() coroutine.wrap(take)("coroutine") end),
        greenlet.spawn(function() table.sort({ 2, 1 }, function(a, b) take("sort"); return a < b end) end),
        greenlet.spawn(function() ("x"):gsub("x", function() take("gsub") end) end),
        greenlet.spawn(take, "plain"),
      }
      greenlet.joinall(list)
      holder:join()
      assert.equal("coroutine", log[1])
      assert.equal("plain", log[4])
      assert.is_false(l:locked())
    end)

    describe("hold", function()
      it("acquires, and releases at the end of the scope", function()
        local l = class()
        do
          local held <close> = l:hold()
          assert.is_true(l:locked())
          assert.matches("^<hold of <" .. name, tostring(held))
        end
        assert.is_false(l:locked())
      end)

      it("releases when the scope is left by an error or a kill", function()
        local l = class()
        local function fails()
          local held <close> = l:hold()
          error("on purpose")
        end
        assert.is_false((pcall(fails)))
        assert.is_false(l:locked())
        local g = greenlet.spawn(function()
          local held <close> = l:hold()
          greenlet.sleep(NEVER)
        end)
        greenlet.sleep(0)
        assert.is_true(l:locked())
        g:kill()
        assert.is_false(l:locked())
      end)

      it("holds nothing when it is killed while it waits", function()
        local l = class()
        local other = greenlet.spawn(function() l:with(greenlet.sleep, LATER) end)
        greenlet.sleep(0)
        local g = greenlet.spawn(function() local held <close> = l:hold() end)
        greenlet.sleep(0)
        g:kill()
        assert.is_true(l:locked())
        other:kill()
        assert.is_false(l:locked())
      end)
    end)

    describe("with", function()
      it("calls, returns what is returned, and releases", function()
        local l = class()
        assert.same({ n = 3, true, nil, "x" }, table.pack(l:with(function(...)
          return l:locked(), ...
        end, nil, "x")))
        assert.is_false(l:locked())
      end)

      it("releases after an error, and passes it on", function()
        local l, err = class(), {}
        assert.is_true(rawequal(err, helper.raises(l.with, l, error, err)))
        assert.is_false(l:locked())
      end)

      it("is an error without something to call, and acquires nothing", function()
        local l = class()
        assert_bad(1, "with", function() l:with() end)
        assert_bad(1, "with", function() l:with(42) end)
        assert.is_false(l:locked())
      end)
    end)

    describe("wait", function()
      it("returns the counter, and takes nothing", function()
        local l = class()
        assert.equal(1, l:wait())
        assert.equal(1, l.counter)
      end)

      it("waits until it could be acquired", function()
        local l, log = class(), {}
        local holder = greenlet.spawn(function() l:with(greenlet.sleep, TICK) end)
        greenlet.sleep(0)
        local a = greenlet.spawn(function()
          local counter = l:wait()
          log[#log + 1] = "wait " .. counter
        end)
        local b = greenlet.spawn(function()
          local held <close> = l:hold()
          log[#log + 1] = "b"
          greenlet.sleep(TICK)
        end)
        greenlet.joinall { holder, a, b }
        assert.equal("b wait 1", text(log)) -- b came later, but took it when it was free
      end)

      it("returns 0 when the timeout expires", function()
        local l = class()
        local holder = greenlet.spawn(function() l:with(greenlet.sleep, NEVER) end)
        greenlet.sleep(0)
        assert.equal(0, l:wait(0))
        assert.equal(0, l:wait(TICK))
        assert.equal(0, l:wait(greenlet.Timeout(TICK)))
        local t = greenlet.Timeout.start_new(TICK)
        assert.is_true(rawequal(t, helper.raises(l.wait, l)))
        holder:kill()
        assert.equal(1, l:wait(0))
      end)

      it("waits on when another takes the permit first, until its deadline", function()
        local l = class()
        local function hog()
          for _ = 1, 1000000 do
            l:acquire()
            greenlet.sleep(0)
            l:release()
            l:acquire()  -- before any who waits for a release has its turn
            greenlet.sleep(0)
            l:release()
          end
        end
        local a = greenlet.spawn(hog)
        local b = greenlet.spawn(hog)
        greenlet.sleep(0)
        assert.equal(0, l:wait(TICK))
        assert.equal(0, l:wait(greenlet.Timeout(TICK)))
        greenlet.killall { a, b }
      end)
    end)

    it("tells rawlinks once it is free, and greenlet.wait", function()
      local l, calls = class(), 0
      local function f(source)
        assert.equal(l, source)
        calls = calls + 1
      end
      l:rawlink(f) -- free already
      helper.settle()
      assert.equal(1, calls)
      assert.same({ l }, greenlet.wait { l })
      local holder = greenlet.spawn(function() l:with(greenlet.sleep, TICK) end)
      greenlet.sleep(0)
      l:rawlink(f)
      l:rawlink(f)
      l:unlink(f)
      assert.same({}, greenlet.wait({ l }, 0))
      assert.equal(1, calls)
      assert.same({ l }, greenlet.wait { l })
      helper.settle()
      assert.equal(2, calls)
      holder:join()
    end)

    it("does not tell rawlinks of a permit that somebody else took", function()
      local l, calls = class(), 0
      local function f() calls = calls + 1 end
      local holder = greenlet.spawn(function()
        l:acquire()
        l:rawlink(f)
        l:release()
        l:acquire() -- before the hub's turn
        greenlet.sleep(TICK)
        assert.equal(0, calls)
        l:release()
      end)
      holder:join()
      helper.settle()
      assert.is_true(holder:successful())
      assert.equal(1, calls)
    end)

    it("may be acquired by a rawlink", function()
      local l, log = class(), {}
      local holder = greenlet.spawn(function() l:with(greenlet.sleep, TICK) end)
      greenlet.sleep(0)
      for i = 1, 2 do
        l:rawlink(function() log[#log + 1] = i .. tostring(l:acquire(false)) end)
      end
      holder:join()
      helper.settle()
      assert.equal("1true", log[1])
      if name ~= "RLock" then
        assert.equal(1, #log) -- the second is told at the next release
        l:release()
        helper.settle()
      else
        assert.equal(1, #log)
        loop:run_callback(l.release, l)
        helper.settle()
      end
      assert.equal("2true", log[2])
      loop:run_callback(l.release, l)
      helper.settle()
    end)

    it("makes a deadlock raise LoopExit, which says what is waited for", function()
      local l = class()
      local holder = greenlet.spawn(function()
        l:acquire()
        require "greenlet.event".Event():wait()
      end)
      greenlet.sleep(0)
      local err = helper.raises(function() return (l:acquire()) end)
      helper.is_a(greenlet.LoopExit, err)
      assert.is_not_nil(err.message:find(
        "main waits for " .. name .. " made at spec/", 1, true), err.message)
      err = helper.raises(function() return (l:wait()) end)
      assert.is_not_nil(err.message:find("waits for release of " .. name, 1, true), err.message)
      holder:kill()
    end)

    it("is given back by a holder that is garbage", function()
      local l = class()
      greenlet.spawn(function()
        local held <close> = l:hold()
        require "greenlet.event".Event():wait()
      end)
      greenlet.sleep(0)
      assert.is_true(l:locked())
      assert.is_true(helper.collect_until(function() return not l:locked() end))
    end)

    it("goes with those who wait for it, when nobody can reach it", function()
      local closed = 0
      for _, f in ipairs { "acquire", "wait", "hold" } do
        greenlet.spawn(function()
          local variable <close> = helper.closer(function() closed = closed + 1 end)
          local l = class()
          local holder = greenlet.spawn(function() l:acquire() end)
          greenlet.sleep(0)
          l[f](l)
        end)
      end
      greenlet.sleep(TICK)
      assert.is_true(helper.collect_until(function() return closed == 3 end))
    end)

    it("is not reclaimed from those who wait while it can be reached", function()
      local l, log = class(), {}
      local handles = setmetatable({}, { __mode = "k" })
      local holder = greenlet.spawn(function() l:with(greenlet.sleep, LATER) end)
      greenlet.sleep(0)
      for _, who in ipairs { "a", "b" } do
        handles[greenlet.spawn(function()
          local held <close> = l:hold()
          log[#log + 1] = who
        end)] = true
      end
      greenlet.sleep(0)
      for _ = 1, 5 do
        collectgarbage()
        greenlet.sleep(0)
      end
      assert.equal("", text(log))
      holder:kill()
      helper.settle()
      assert.equal("a b", text(log))
    end)

    it("is an error with wrong arguments", function()
      local l = class()
      assert_bad(2, "acquire", function() l:acquire(true, -1) end)
      assert_bad(2, "acquire", function() l:acquire(true, "x") end)
      assert_bad(2, "acquire", function() l:acquire(false, -1) end)
      assert_bad(1, "wait", function() l:wait(-1) end)
      assert_bad(1, "wait", function() l:wait({}) end)
      for _, method in ipairs { "acquire", "release", "wait", "locked", "ready", "hold",
                                "rawlink", "unlink" } do
        assert.matches("expected, got number", select(2, pcall(class[method], 42)))
        assert.matches("expected, got", select(2, pcall(class[method])))
      end
      assert.is_false((pcall(function() l.counter = 5 end)))
    end)

    it("can be derived from; hold and with use its own acquire and release", function()
      local Logged = class:extend("Logged")
      local log = {}
      function Logged:acquire(...)
        log[#log + 1] = "acquire"
        return Logged.super.acquire(self, ...)
      end
      function Logged:release()
        log[#log + 1] = "release"
        return Logged.super.release(self)
      end
      local l = Logged()
      l:with(function() log[#log + 1] = "f" end)
      do local held <close> = l:hold() end
      assert.equal("acquire f release acquire release", text(log))
      assert.matches("^<Logged at 0x%x+: ", tostring(l))
    end)
  end)
end

describe("greenlet.lock.Semaphore", function()
  helper.check_leaks()

  it("has as many permits as it is made with", function()
    local s = Semaphore(3)
    for left = 2, 0, -1 do
      assert.is_true(s:acquire())
      assert.equal(left, s.counter)
      assert.equal(left == 0, s:locked())
    end
    assert.is_false(s:acquire(false))
    assert.equal("<Semaphore at X: 0 free>", (tostring(s):gsub("0x%x+", "X")))
    for free = 1, 3 do assert.equal(free, s:release()) end
    assert.equal(3, s:wait())
  end)

  it("may be released more often than acquired", function()
    local s = Semaphore(0)
    assert.is_false(s:acquire(true, 0))
    assert.equal(1, s:release())
    assert.equal(2, s:release())
    assert.is_true(s:acquire() and s:acquire())
  end)

  it("tells how many wait", function()
    local s = Semaphore(0)
    local a, b = greenlet.spawn(s.acquire, s), greenlet.spawn(s.acquire, s)
    greenlet.sleep(0)
    assert.matches(": 0 free, 2 waiting>$", tostring(s))
    assert.equal(0, s:release()) -- handed over: none is free
    assert.equal(0, s:release())
    assert.equal(1, s:release())
    greenlet.joinall { a, b }
  end)

  it("hands over by one release each", function()
    local s, log = Semaphore(0), {}
    local list = acquirers(s, "abcd", log)
    s:release()
    s:release()
    helper.settle()
    assert.equal("a b", text(log))
    s:release()
    s:release()
    greenlet.joinall(list)
    assert.equal("a b c d", text(log))
    assert.equal(0, s.counter)
  end)

  it("gives timed-out and killed waiters no permit", function()
    local s, log = Semaphore(0), {}
    local a = acquirer(s, "a", log, TICK)
    local b = acquirer(s, "b", log)
    local c = acquirer(s, "c", log)
    greenlet.sleep(0)
    a:join()
    b:kill()
    s:release()
    c:join()
    assert.equal("a- c", text(log))
    assert.equal(0, s.counter)
  end)

  it("passes on what is handed to one whose time is up before it runs", function()
    local s, log = Semaphore(0), {}
    -- In one poll a timer releases, and then the limits expire.
    local timer <close> = loop:timer(TICK)
    timer:start(function() s:release() end)
    local a = greenlet.spawn(function()
      local got = s:acquire(true, greenlet.Timeout(2 * TICK))
      log[#log + 1] = "a " .. tostring(got)
    end)
    local b = greenlet.spawn(function()
      local limit <close> = greenlet.Timeout.start_new(2 * TICK)
      local err = helper.raises(s.acquire, s)
      log[#log + 1] = rawequal(limit, err) and "b raised"
    end)
    local c = acquirer(s, "c", log)
    greenlet.sleep(0)
    local start = os.clock()
    repeat until os.clock() - start > 4 * TICK
    greenlet.joinall { a, b, c }
    assert.equal("a false b raised c", text(log))
    assert.equal(0, s.counter)
  end)

  it("is fair, or this hangs", function()
    local s, should_quit = Semaphore(), false
    local acquire_then_spawn, release_then_spawn
    function acquire_then_spawn()
      if should_quit then return end
      s:acquire()
      greenlet.spawn(release_then_spawn):join()
    end
    function release_then_spawn()
      s:release()
      if should_quit then return end
      greenlet.spawn(acquire_then_spawn):join()
    end
    local one, two = greenlet.spawn(acquire_then_spawn), greenlet.spawn(acquire_then_spawn)
    local last = greenlet.spawn(function() s:acquire(); should_quit = true end)
    pcall(greenlet.joinall, { one, two, last }) -- LoopExit
    assert.is_true(last.dead)
    greenlet.killall { one, two }
  end)

  it("wakes all who wait for a release by one", function()
    local s, woken = Semaphore(0), 0
    local list = {}
    for i = 1, 3 do list[i] = greenlet.spawn(function()
        local counter = s:wait()
        woken = woken + counter
      end) end
    greenlet.sleep(0)
    s:release()
    greenlet.joinall(list)
    assert.equal(3, woken)
    assert.equal(1, s.counter)
  end)

  it("is an error with a value that is no integer, or negative", function()
    for _, class in ipairs { Semaphore, BoundedSemaphore } do
      local own = tostring(class):match("class (%a+)")
      assert_bad(1, own, function() class(-1) end)
      assert_bad(1, own, function() class("x") end)
      assert_bad(1, own, function() class(1.5) end)
      assert_bad(1, own, function() class({}) end)
      assert.equal(2, class(2.0).counter)
      assert.is_false((pcall(function() class(1):init(2) end)))
    end
  end)

  it("can be acquired in a finalizer, if that need not wait", function()
    local s, results = Semaphore(1), {}
    setmetatable({}, { __gc = function()
      results[1] = s:acquire()
      results[2] = select(2, pcall(s.acquire, s))
      results[3] = s:release()
    end })
    collectgarbage()
    assert.is_true(results[1])
    helper.is_a(greenlet.InvalidSwitchError, results[2])
    assert.equal(1, results[3])
  end)
end)

describe("greenlet.lock.BoundedSemaphore", function()
  helper.check_leaks()

  it("is not released too often", function()
    local s = BoundedSemaphore(2)
    assert.matches("lock_spec%.lua:%d+: the lock was released more often than acquired",
      select(2, pcall(function() s:release() end)))
    s:acquire()
    assert.equal(2, s:release())
    assert.is_false((pcall(s.release, s)))
    assert.equal(2, s.counter)
    assert.matches(": 2 of 2 free>$", tostring(s))
    assert.is_false((pcall(Lock.release, Lock())))
  end)

  it("is a Semaphore, and Lock is one of 1", function()
    helper.is_a(Semaphore, BoundedSemaphore())
    helper.is_a(BoundedSemaphore, Lock())
    assert.equal(1, Lock().counter)
    assert.equal(1, Lock(1).counter)
    assert_bad(1, "Lock", function() Lock(2) end)
  end)
end)

describe("greenlet.lock.RLock", function()
  helper.check_leaks()

  it("may be acquired again by its owner, and is free after as many releases", function()
    local r = RLock()
    assert.is_nil(r.owner)
    assert.matches(": free>$", tostring(r))
    for _ = 1, 3 do assert.is_true(r:acquire()) end
    assert.is_true(r:acquire(false))
    assert.equal(greenlet.getcurrent(), r.owner)
    local other = greenlet.spawn(r.acquire, r, false)
    assert.is_false(other:get())
    for _ = 1, 3 do
      assert.equal(0, r:release())
      assert.is_true(r:locked())
    end
    assert.equal(1, r:release())
    assert.is_nil(r.owner)
  end)

  it("is released by its owner alone", function()
    local r = RLock()
    assert.matches("lock_spec%.lua:%d+: cannot release an RLock that nobody holds",
      select(2, pcall(function() r:release() end)))
    r:acquire()
    local g = greenlet.spawn(function() return select(2, pcall(function() r:release() end)) end)
    assert.matches("lock_spec%.lua:%d+: cannot release an RLock that another greenlet holds", g:get())
    r:release()
  end)

  it("belongs to the greenlet, whatever coroutine it is in", function()
    local r = RLock()
    r:acquire()
    assert.is_true(coroutine.wrap(function() return r:acquire(false) end)())
    coroutine.wrap(function() r:release() end)()
    assert.equal(1, r:release())
  end)

  it("passes to the next as held once", function()
    local r, log = RLock(), {}
    r:acquire()
    local list = {}
    for i = 1, 3 do
      list[i] = greenlet.spawn(function()
        local outer <close> = r:hold()
        local inner <close> = r:hold()
        log[#log + 1] = i
        assert.equal(list[i], r.owner)
        greenlet.sleep(0)
      end)
    end
    greenlet.sleep(0)
    r:release()
    assert.equal(list[1], r.owner) -- at once, though it has not run
    greenlet.joinall(list)
    assert.same({ 1, 2, 3 }, log)
    assert.is_false(r:locked())
    for _, g in ipairs(list) do assert.is_true(g:successful()) end
  end)

  it("stays held by one that died, not by one that came to its memory", function()
    local r = RLock()
    greenlet.spawn(r.acquire, r):join()
    assert.is_true(r:locked())
    assert.is_nil(r.owner)
    assert.matches(": held by a dead greenlet>$", tostring(r))
    for _ = 1, 10 do
      collectgarbage()
      assert.is_false(greenlet.spawn(r.acquire, r, false):get())
    end
  end)

  it("is no Semaphore, and names its owner in tostring", function()
    local r = RLock()
    assert.is_false(Semaphore:class_of(r))
    local g = greenlet.spawn(function() r:with(greenlet.sleep, TICK) end)
    g.name = "holder"
    greenlet.sleep(0)
    assert.matches(': held by <Greenlet "holder" at .*>>$', tostring(r))
    g:join()
  end)
end)

describe("greenlet.lock.DummySemaphore", function()
  helper.check_leaks()

  it("never blocks", function()
    local d = DummySemaphore(0)
    for _ = 1, 3 do
      assert.is_true(d:acquire())
      assert.is_true(d:acquire(true, 1))
    end
    assert.equal(1, d:release())
    assert.equal(1, d:wait())
    assert.equal(1, d.counter)
    assert.is_false(d:locked())
    assert.is_true(d:ready())
    assert.equal(5, d:with(function(...) return ... end, 5))
    do local held <close> = d:hold() end
    assert.same({ d }, greenlet.wait { d })
    assert.matches("^<DummySemaphore at 0x%x+: free for all>$", tostring(d))
    assert_bad(2, "acquire", function() d:acquire(true, -1) end)
    assert_bad(1, "wait", function() d:wait("x") end)
  end)
end)
