local helper = require "spec.helper"
local greenlet = require "greenlet"
local it = helper.it

local pool, queue = greenlet.pool, greenlet.queue
local Group, Pool, PoolFull = pool.Group, pool.Pool, pool.PoolFull
local sleep, spawn = greenlet.sleep, greenlet.spawn
local TICK, SHORT, NEVER = helper.TICK, helper.SHORT, helper.NEVER
local raises = helper.raises

local Mine = helper.exception("Mine")
local Sub = greenlet.Greenlet:extend("Sub")

local function never() sleep(NEVER) end
local function square(x) return x * x end
local function square_in_turn(x) sleep(0) return x * x end

local function range(n, f)
  local list = {}
  for i = 1, n do list[i] = f and f(i) or i end
  return list
end

-- What a generic for gets, errors as {error}.
local function drain(iterator)
  local list = {}
  while true do
    local result = table.pack(pcall(iterator))
    if not result[1] then
      list[#list + 1] = { result[2] }
    elseif result.n < 2 or result[2] == nil then
      return list
    else
      list[#list + 1] = result[2]
    end
  end
end

local function collect(...)
  local list = {}
  for value in ... do list[#list + 1] = value end
  return list
end

-- An iterator over 1 to n that waits.
local function slowly(n)
  local i = 0
  return function()
    sleep(0)
    i = i + 1
    return i <= n and i or nil
  end
end

describe("greenlet.pool", function()
  helper.check_leaks()

  describe("Pool", function()
    it("is a Group with a size", function()
      local p = Pool(2)
      assert.is_true(Group:class_of(p))
      assert.equal(2, p.size)
      assert.is_nil(Pool().size)
      assert.matches("^<Pool at 0x%x+: 0 members>$", tostring(p))
    end)

    it("refuses a size or class that is none", function()
      assert.matches("pool_spec.lua:%d+: bad argument #1 to 'Pool' %(size must not be negative%)",
        raises(function() Pool(-1) end))
      assert.matches("bad argument #1 to 'Pool' %(number expected, got string%)",
        raises(Pool, "2x"))
      assert.matches("bad argument #1 to 'Pool' %(number has no integer representation%)",
        raises(Pool, 1.5))
      for _, class in ipairs { 5, {}, greenlet.Timeout, greenlet.greenlet } do
        assert.matches("bad argument #2 to 'Pool' %(Greenlet class expected, got ",
          raises(Pool, 1, class))
      end
      Pool(1, Sub)
      Pool(1, greenlet.Greenlet)
    end)

    it("makes what greenlet_class says", function()
      local p = Pool(1, Sub)
      for _ = 1, 2 do helper.is_a(Sub, p:spawn(sleep)) end
      assert.same({ 1, 4, n = 2 }, p:map(square, { 1, 2 }))
      p:join()
    end)

    it("can be derived from", function()
      local Small = Pool:extend("Small")
      function Small:init() Small.super.init(self, 1) end
      assert.equal(1, Small():free_count())
    end)

    it("without a size has always room", function()
      local p = Pool()
      for _ = 1, 100 do p:spawn(never) end
      assert.equal(1, p:free_count())
      assert.is_false(p:full())
      assert.equal(1, p:wait_available())
      p:kill()
    end)

    it("of size 0 has never room", function()
      local p = Pool(0)
      assert.equal(0, p:free_count())
      assert.is_true(p:full())
      assert.equal(0, p:wait_available(TICK))
      local g = greenlet.Greenlet(never)
      helper.is_a(PoolFull, raises(p.add, p, g, false))
      helper.is_a(PoolFull, raises(p.start, p, g, true, TICK))
      helper.is_a(greenlet.Timeout, raises(greenlet.with_timeout, TICK, p.spawn, p, never))
      helper.is_a(greenlet.Timeout, raises(greenlet.with_timeout, TICK, p.map, p, never, { 1 }))
      assert.same({ n = 0 }, p:map(never, {}))
      helper.is_a(greenlet.LoopExit, raises(p.spawn, p, never))
    end)
  end)

  it("PoolFull is a queue.Full", function()
    assert.is_true(queue.Full:class_of(PoolFull()))
    assert.equal("PoolFull", tostring(PoolFull()))
  end)

  describe("free_count and full", function()
    it("count places", function()
      local p = Pool(2)
      assert.equal(2, p:free_count())
      local first = p:spawn(never)
      assert.equal(1, p:free_count())
      assert.is_false(p:full())
      p:spawn(never)
      assert.equal(0, p:free_count())
      assert.is_true(p:full())
      first:kill()
      assert.equal(1, p:free_count())
      p:kill()
      assert.equal(2, p:free_count())
    end)

    it("see that members have died at once", function()
      local p = Pool(3)
      p:spawn(square, 1)
      p:spawn(error, greenlet.GreenletExit)
      local g = p:spawn(never)
      g:kill() -- it never ran
      assert.equal(1, p:free_count())
      assert.equal(2, #p)
      sleep(0)
      assert.equal(3, p:free_count())
      assert.equal(0, #p)
      assert.is_false(p:contains(g))
    end)
  end)

  describe("spawn", function()
    it("waits for a place", function()
      local p, log = Pool(1), {}
      p:spawn(function() sleep(TICK) log[1] = "first" end)
      assert.equal(1, #p)
      p:spawn(function() log[#log + 1] = "second" end)
      assert.same({ "first" }, log)
      assert.equal(1, #p)
      p:join()
      assert.same({ "first", "second" }, log)
    end)

    it("serves in the order of coming, and who comes again queues behind", function()
      local p, log = Pool(1), {}
      p:spawn(sleep, TICK)
      for i = 1, 3 do
        spawn(function()
          for _ = 1, 2 do
            p:spawn(function() log[#log + 1] = i end)
          end
        end)
      end
      helper.wait_until(function() return #log == 6 end)
      assert.same({ 1, 2, 3, 1, 2, 3 }, log)
    end)

    it("takes no place when it is killed or out of time while it waits", function()
      local p = Pool(1)
      p:spawn(never)
      local spawner = spawn(p.spawn, p, error)
      sleep(0)
      spawner:kill()
      helper.is_a(greenlet.Timeout, raises(greenlet.with_timeout, TICK, p.spawn, p, error))
      p:kill()
      assert.equal(1, p:free_count())
      assert.equal(0, #p)
    end)

    it("passes a place on that was handed to one that is killed", function()
      local p, ran = Pool(1), false
      local first = p:spawn(never)
      sleep(0)
      local killed = spawn(p.spawn, p, error)
      local other = spawn(p.spawn, p, function() ran = true end)
      sleep(0)
      first:kill(nil, false)
      sleep(0)
      first:rawlink(function() greenlet.kill(killed) end)
      helper.wait_until(function() return other.dead end)
      p:join()
      assert.is_true(ran)
      assert.equal(1, p:free_count())
    end)

    it("refuses what it cannot call before it waits", function()
      local p = Pool(0)
      assert.matches("bad argument #1 to 'spawn' %(function expected, got nil%)",
        raises(p.spawn, p, nil))
    end)

    it("in the hub raises when the pool is full", function()
      local p = Pool(1)
      p:spawn(never)
      local err
      greenlet.get_hub().loop:run_callback(function() err = raises(p.spawn, p, never) end)
      sleep(0)
      helper.is_a(greenlet.InvalidSwitchError, err)
      p:kill()
      assert.equal(1, p:free_count())
    end)

    it("gives the place back when a class's init fails", function()
      local Bad = greenlet.Greenlet:extend("Bad")
      function Bad.init() error("bad init", 0) end
      local p = Pool(1, Bad)
      assert.equal("bad init", raises(p.spawn, p, never))
      assert.equal(1, p:free_count())
      assert.equal("bad init", raises(p.map, p, never, { 1, 2, 3 }))
      assert.same({ { "bad init" } }, drain((p:imap(never, { 1, 2, 3 }))))
      assert.equal(1, p:free_count())
    end)

    it("keeps its books when a spawn callback fails or kills", function()
      local p = Pool(2)
      for _, callback in ipairs { function() error("callback", 0) end, greenlet.kill } do
        greenlet.Greenlet.add_spawn_callback(callback)
        pcall(p.spawn, p, sleep)
        pcall(p.map, p, sleep, { 0, 0, 0 })
        greenlet.Greenlet.remove_spawn_callback(callback)
        p:join()
        assert.equal(2, p:free_count())
      end
    end)
  end)

  describe("add and start", function()
    it("take a place", function()
      local p, first, second = Pool(1), spawn(never), spawn(never)
      p:add(first)
      assert.equal(0, p:free_count())
      helper.is_a(greenlet.Timeout, raises(greenlet.with_timeout, TICK, p.add, p, second))
      helper.is_a(PoolFull, raises(p.add, p, second, false))
      helper.is_a(PoolFull, raises(p.add, p, second, true, TICK))
      helper.is_a(PoolFull, raises(p.add, p, second, true, 0))
      helper.is_a(PoolFull, raises(p.add, p, second, nil, greenlet.Timeout(TICK)))
      assert.equal(1, #p)
      first:kill()
      p:add(second, false)
      assert.is_true(p:contains(second))
      p:kill()
    end)

    it("wait for a place", function()
      local p = Pool(1)
      p:spawn(sleep, TICK)
      local g = greenlet.Greenlet(never)
      p:start(g)
      assert.is_true(p:contains(g))
      assert.equal(1, #p)
      p:kill()
    end)

    it("start nothing when there is no place", function()
      local p = Pool(0)
      local g = greenlet.Greenlet(never)
      raises(p.start, p, g, false)
      raises(p.start, p, g, true, TICK)
      assert.is_false(g.started)
    end)

    it("of a member, or of a dead one, take no place", function()
      local p = Pool(2)
      local g = p:spawn(sleep)
      p:add(g)
      p:start(g)
      assert.equal(1, p:free_count())
      g:join()
      p:add(g)
      p:start(g)
      assert.equal(2, p:free_count())
    end)

    it("of one that dies while they wait take no place", function()
      local p, g = Pool(1), spawn(never)
      p:spawn(sleep, SHORT)
      local adder = spawn(p.add, p, g)
      sleep(0)
      g:kill()
      adder:join()
      assert.equal(1, p:free_count())
      assert.equal(0, #p)
    end)

    it("of one that two add at once take one place", function()
      local p, g = Pool(2), spawn(never)
      p:spawn(sleep, TICK)
      p:spawn(sleep, TICK)
      local adders = { spawn(p.add, p, g), spawn(p.add, p, g) }
      greenlet.joinall(adders)
      assert.equal(1, #p)
      assert.equal(1, p:free_count())
      g:kill()
      assert.equal(2, p:free_count())
    end)

    it("of another pool's member take a place in both", function()
      local one, two = Pool(1), Pool(1)
      local g = one:spawn(never)
      two:add(g)
      assert.same({ 0, 0 }, { one:free_count(), two:free_count() })
      two:discard(g)
      assert.same({ 0, 1 }, { one:free_count(), two:free_count() })
      two:add(g)
      g:kill()
      assert.same({ 1, 1 }, { one:free_count(), two:free_count() })
    end)

    it("refuse bad arguments", function()
      local p, g = Pool(1), greenlet.Greenlet(never)
      for _, name in ipairs { "add", "start" } do
        assert.matches("bad argument #3 to '" .. name .. "' %(seconds must not be negative%)",
          raises(p[name], p, g, true, -1))
        assert.matches("bad argument #1 to '" .. name .. "' %(.reenlet expected, got nil%)",
          raises(p[name], p))
      end
    end)
  end)

  describe("discard", function()
    it("frees the place of a member, once", function()
      local p = Pool(1)
      local g = p:spawn(never)
      p:discard(g)
      assert.equal(1, p:free_count())
      p:discard(g)
      g:kill()
      assert.equal(1, p:free_count())
    end)

    it("of a stranger does not free a place", function()
      local p, stranger = Pool(1), spawn(never)
      p:discard(stranger)
      assert.equal(1, p:free_count())
      p:spawn(never)
      p:discard(stranger)
      assert.equal(0, p:free_count())
      stranger:kill()
      p:kill()
    end)
  end)

  describe("wait_available", function()
    it("returns how many places there are, without waiting if there are", function()
      local p = Pool(3)
      p:spawn(sleep)
      assert.equal(2, p:wait_available())
      p:join()
    end)

    it("waits for a place and takes none", function()
      local p = Pool(1)
      p:spawn(sleep, TICK)
      assert.equal(1, p:wait_available())
      assert.equal(1, p:free_count())
    end)

    it("returns 0 when the timeout expires", function()
      local p = Pool(1)
      p:spawn(never)
      assert.equal(0, p:wait_available(TICK))
      assert.equal(0, p:wait_available(0))
      assert.matches("bad argument #1 to 'wait_available' %(seconds must not be negative%)",
        raises(p.wait_available, p, -1))
      p:kill()
    end)
  end)

  describe("kill", function()
    it("also ends those whose spawn was waiting for a place", function()
      local p, ran = Pool(1), 0
      p:spawn(never)
      local function member()
        ran = ran + 1
        never()
      end
      local spawners = range(3, function() return spawn(p.spawn, p, member) end)
      sleep(0)
      p:kill()
      assert.equal(0, #p)
      assert.equal(1, p:free_count())
      for _, spawner in ipairs(spawners) do assert.is_true(spawner.value.dead) end
    end)

    it("ends the calls of a map, and so the map", function()
      local p = Pool(2)
      local map = p:map_async(never, range(10))
      sleep(0)
      sleep(0)
      p:kill()
      map:join()
      assert.is_true(map:successful())
      assert.equal(10, map.value.n)
      helper.is_a(greenlet.GreenletExit, map.value[1])
    end)
  end)

  describe("apply", function()
    it("takes a place for the call", function()
      local p = Pool(2)
      assert.equal("value", p:apply(function()
        assert.equal(1, p:free_count())
        return "value"
      end))
      assert.equal(2, p:free_count())
      local report = helper.capture(function()
        assert.equal("failed", raises(p.apply, p, error, { "failed", 0 }))
      end)
      assert.matches("^failed", report)
      assert.equal(2, p:free_count())
    end)

    it("called by a member of a full pool runs in it", function()
      local p = Pool(1)
      assert.equal(6, p:apply(p.apply, { p, function(a) return a + 1 end, { 5 } }))
      local done = greenlet.event.Event()
      p:apply_async(done.set, { done })
      assert.is_true(done:wait())
    end)
  end)

  describe("apply_async", function()
    it("never waits; what is too much for the pool is no member until there is room", function()
      local p, log = Pool(2), {}
      local function call(i) log[#log + 1] = i sleep(TICK) return i end
      local list = range(5, function(i) return p:apply_async(call, { i }) end)
      assert.same({}, log)
      assert.equal(0, p:free_count())
      assert.is_false(p:contains(list[3]))
      sleep(0)
      assert.same({ 1, 2 }, log)
      for i, g in ipairs(list) do assert.equal(i, g:get()) end
    end)

    it("calls back, also what had to wait", function()
      local p, got = Pool(1), {}
      for i = 1, 3 do p:apply_async(square, { i }, function(v) got[#got + 1] = v end) end
      helper.wait_until(function() return #got == 3 end)
      assert.same({ 1, 4, 9 }, got)
    end)
  end)

  for _, size in ipairs { 1, 2, 3, 10, "unlimited" } do
    local function new_pool() return Pool(math.type(size) and size or nil) end

    describe("a pool of size " .. size, function()
      it("maps in order", function()
        local p = new_pool()
        for _, n in ipairs { 0, 1, 10, 100, 1000 } do
          local expected = range(n, square)
          expected.n = n
          assert.same(expected, p:map(square, range(n)))
          assert.same(expected, p:map(square_in_turn, range(n)))
          assert.same(expected, p:map(square, slowly(n)))
        end
        assert.equal(0, #p)
      end)

      it("iterates in order", function()
        local p = new_pool()
        for _, n in ipairs { 0, 1, 10, 1000 } do
          assert.same(range(n, square), collect(p:imap(square, range(n))))
        end
        assert.same(range(10, square), collect(p:imap(function(x)
          sleep((10 - x) * TICK)
          return x * x
        end, range(10))))
      end)

      it("iterates in the order in which the calls end", function()
        local p = new_pool()
        assert.same({}, collect(p:imap_unordered(square, {})))
        local list = collect(p:imap_unordered(square_in_turn, range(1000)))
        table.sort(list)
        assert.same(range(1000, square), list)
        local seconds = { 10 * SHORT, SHORT, 2 * SHORT }
        local function slow(s) sleep(s) return s end
        local expected = { seconds[2], seconds[3], seconds[1] }
        if size == 1 then expected = seconds end
        if size == 2 then expected = { seconds[2], seconds[3], seconds[1] } end
        assert.same(expected, collect(p:imap_unordered(slow, seconds)))
      end)

      it("takes items from iterators that wait", function()
        local p = new_pool()
        assert.same({ 1, 4, 9 }, collect(p:imap(square, slowly(3))))
        assert.same({ 1, 4, 9 }, collect(p:imap_unordered(square, slowly(3))))
        local q = queue.Queue()
        greenlet.spawn_later(TICK, function()
          q:put(5)
          q:put(queue.StopIteration)
        end)
        assert.same({ 25 }, collect(p:imap(square, q:iter())))
      end)

      it("holds no more values than maxsize says", function()
        local p = new_pool()
        for _, name in ipairs { "imap", "imap_unordered" } do
          local started, read = 0, 0
          local function call(i, j)
            started = started + 1
            assert.equal(i, j)
            return i
          end
          for value in p[name](p, { call, maxsize = 1 }, range(50), range(60)) do
            assert.equal(read + 1, value)
            assert.is_true(started <= read + 2)
            read = read + 1
            sleep(0)
            sleep(0)
            sleep(0)
            assert.is_true(started <= read + 1)
          end
          assert.equal(50, read)
        end
      end)

      it("never has more members than its size", function()
        local p, most, inside = new_pool(), 0, 0
        local function call(x)
          inside = inside + 1
          most = math.max(most, inside)
          sleep(TICK)
          inside = inside - 1
          return x
        end
        p:map(call, range(30))
        collect(p:imap(call, range(30)))
        collect(p:imap_unordered(call, range(30)))
        assert.equal(math.min(30, math.type(size) and size or 30), most)
      end)
    end)
  end

  describe("map", function()
    it("makes each call in a greenlet of its own, a member, with its item", function()
      local p, seen = Pool(3), {}
      p:map(function(x)
        local me = greenlet.getcurrent()
        assert.is_nil(seen[me])
        seen[me] = true
        assert.is_true(p:contains(me))
        assert.equal(x, me.args[1])
        assert.equal(1, me.args.n)
        helper.is_a(greenlet.Greenlet, me)
        if x % 2 == 0 then sleep(0) end
      end, range(100))
    end)

    it("keeps nil where a call returns or gets nil", function()
      local p = Pool(2)
      assert.same({ n = 3 }, p:map(function() end, { 1, 2, 3 }))
      local function with_more(x) return x, "more" end
      assert.same({ n = 3, 1, nil, 3 }, p:map(with_more, { n = 3, 1, nil, 3 }))
      assert.same({ n = 2, "nil", "nil" }, p:map(tostring, { n = 2 }))
    end)

    it("takes lists with metamethods that wait", function()
      local list = setmetatable({}, {
        __len = function() sleep(0) return 3 end,
        __index = function(_, i) sleep(0) return i end,
      })
      assert.same({ n = 3, 1, 4, 9 }, Pool(2):map(square, list))
    end)

    it("raises the error of the first item that fails, in the order of the items", function()
      local p = Pool(3)
      helper.capture(function()
        local err = raises(p.map, p, function(x)
          sleep((4 - x) * TICK)
          if x > 1 then error(Mine(x)) end
        end, { 1, 2, 3 })
        assert.equal(2, err.message)
        p:join()
      end)
      assert.equal(3, p:free_count())
    end)

    it("raises it as soon as all calls before are done", function()
      local p, rest = Pool(3), nil
      helper.capture(function()
        raises(p.map, p, function(x)
          if x == 2 then error("failed") end
          if x == 3 then rest = true never() end
        end, { 1, 2, 3 })
      end)
      assert.is_true(rest)
      assert.equal(1, #p)
      p:kill()
    end)

    it("starts no more calls after that, nor when it is killed or out of time", function()
      local p, started = Pool(2), 0
      helper.capture(function()
        raises(p.map, p, function(x)
          started = started + 1
          sleep(TICK)
          error("failed")
        end, range(100))
        p:join()
      end)
      assert.is_true(started <= 4)
      started = 0
      helper.is_a(greenlet.Timeout, raises(greenlet.with_timeout, SHORT, p.map, p, function()
        started = started + 1
        never()
      end, range(100)))
      assert.equal(2, started)
      assert.equal(2, #p)
      p:kill()
      local mapper = p:map_async(never, range(10))
      sleep(0)
      sleep(0)
      mapper:kill()
      p:kill()
      assert.equal(2, p:free_count())
    end)

    it("takes the errors of all its calls", function()
      local _, _, status = helper.run [[
        local pool = greenlet.pool.Pool(3)
        assert(not pcall(pool.map, pool, error, { "a", "b", "c" }))
        assert(not pcall(pool.map, pool, error, string.gmatch("a b c", "%a")))
      ]]
      assert.equal(0, status)
    end)

    it("raises errors of the iterator", function()
      local p, i = Pool(3), 0
      local function failing()
        i = i + 1
        if i == 3 then error(Mine("source")) end
        return i
      end
      assert.equal("source", raises(p.map, p, square, failing).message)
      p:join()
    end)

    it("goes on when a call is killed, whose value is the exit", function()
      local p = Pool(2)
      local values = p:map(function(x)
        if x == 2 then greenlet.getcurrent():kill() end
        return x
      end, { 1, 2, 3 })
      assert.equal(1, values[1])
      helper.is_a(greenlet.GreenletExit, values[2])
      assert.equal(3, values[3])
    end)

    it("goes on when a call is discarded from the pool", function()
      local p = Pool(1)
      local list = p:map(function(x)
        if x == 2 then p:discard(greenlet.getcurrent()) end
        sleep(TICK)
        return x
      end, range(4))
      assert.same({ n = 4, 1, 2, 3, 4 }, list)
      assert.equal(1, p:free_count())
    end)

    it("lets others have places as they come", function()
      local p, log = Pool(1), {}
      local map = p:map_async(function(x) log[#log + 1] = x sleep(0) end, range(4))
      sleep(0)
      sleep(0)
      spawn(p.spawn, p, function() log[#log + 1] = "other" end)
      map:join()
      assert.same({ 1, 2, "other", 3, 4 }, log)
    end)

    it("gives turns to others while it starts many", function()
      local turns, stop = 0, false
      spawn(function()
        while not stop do
          turns = turns + 1
          sleep(0)
        end
      end)
      Group():map(square, range(1000))
      stop = true
      sleep(0)
      assert.is_true(turns > 10)
    end)

    it("works with several at once, and inside its own calls", function()
      local p = Pool(10)
      local maps = range(5, function(i)
        return p:map_async(function(x) sleep(0) return x + i end, range(20))
      end)
      for i, map in ipairs(maps) do
        local expected = range(20, function(x) return x + i end)
        expected.n = 20
        assert.same(expected, map:get())
      end
      local nested = p:map(function(x) return #p:map(square, range(x)) end, range(3))
      assert.same({ n = 3, 1, 2, 3 }, nested)
    end)

    it("map_cb calls back before it returns", function()
      local got
      local result = Pool(2):map_cb(square, { 1, 2 }, function(list) got = list end)
      assert.equal(got, result)
      assert.same({ n = 2, 1, 4 }, Pool(2):map_cb(square, { 1, 2 }))
    end)

    it("map_async returns a greenlet, which calls back and is no member", function()
      local p, got = Pool(2), nil
      local g = p:map_async(square_in_turn, { 1, 2 }, function(list) got = list end)
      assert.is_false(p:contains(g))
      assert.same({ n = 2, 1, 4 }, g:get())
      assert.equal(got, g.value)
    end)

    it("refuses what it cannot call, what is no list, and the hub", function()
      local p, err = Pool(2), nil
      for _, name in ipairs { "map", "map_async", "map_cb", "imap", "imap_unordered" } do
        local said = name == "map_cb" and "map" or name
        assert.matches("bad argument #1 to '" .. said .. "' %(function expected, got nil%)",
          raises(p[name], p))
        assert.matches("bad argument #2 to '" .. said
          .. "' %(list or function expected, got number%)", raises(p[name], p, square, 5))
      end
      greenlet.get_hub().loop:run_callback(function() err = raises(p.map, p, square, { 1 }) end)
      sleep(0)
      helper.is_a(greenlet.InvalidSwitchError, err)
      assert.equal(0, #p)
    end)
  end)

  describe("imap", function()
    it("starts calls whether somebody iterates or not", function()
      local p, started = Pool(2), 0
      local values = p:imap(function(x) started = started + 1 return x end, range(10))
      helper.wait_until(function() return started == 10 end)
      assert.same(range(10), drain(values))
    end)

    it("gives all values of a call; a nil ends the loop", function()
      local p, list = Pool(2), {}
      for a, b in p:imap(function(x) return x, -x end, { 1, 2 }) do list[#list + 1] = a + 2 * b end
      assert.same({ -1, -2 }, list)
      assert.same({}, collect(p:imap(function() end, { 1, 2 })))
    end)

    it("takes several lists, to the end of the shortest", function()
      local p = Pool(2)
      local function list(...) return table.concat({ ... }, " ") end
      assert.same({ "1 a x", "2 b y" },
        collect(p:imap(list, { 1, 2, 3 }, { "a", "b" }, { "x", "y" })))
      assert.same({ 3, 3 }, collect(p:imap(function(...) return select("#", ...) end,
        { n = 2 }, { n = 5 }, { n = 2, 1 })))
    end)

    it("takes queues, which end with StopIteration or a shutdown", function()
      local p, q = Pool(2), queue.Queue()
      spawn(function()
        for i = 1, 3 do q:put(i) end
        q:shutdown()
      end)
      assert.same({ 11, 22, 33 }, collect(p:imap(function(a, b) return a + b end, q, { 10, 20, 30 })))
    end)

    it("takes what a generic for takes, all values of it, and closes it", function()
      local p = Pool(2)
      local list = p:map(function(k, v) return k .. "=" .. v end, ipairs { "a", "b" })
      assert.same({ n = 2, "1=a", "2=b" }, list)
      local list_of_pairs = collect(p:imap_unordered(function(k, v) return k .. v end, pairs { x = 1 }))
      assert.same({ "x1" }, list_of_pairs)
      local closed = 0
      local closing = helper.closer(function() closed = closed + 1 end)
      assert.equal(3, #p:map(square, slowly(3), nil, nil, closing))
      assert.equal(1, closed)
      assert.equal(3, #collect(p:imap(square, slowly(3), nil, nil, closing)))
      assert.equal(2, closed)
      for _ in p:imap(square, slowly(1000), nil, nil, closing) do break end
      helper.wait_until(function() return closed == 3 end)
      local lines = p:map(string.len, io.lines("LICENSE"))
      assert.equal(21, lines.n)
      p:join()
    end)

    it("raises an item's error at that item and goes on", function()
      for _, name in ipairs { "imap", "imap_unordered" } do
        local p = Pool(1)
        helper.capture(function()
          local values = p[name](p, function(x) return x > 0 and 1 // x or error("zero", 0) end,
            { 1, 0, 1 })
          assert.same({ 1, { "zero" }, 1 }, drain(values))
        end)
      end
    end)

    it("raises an error of a source at its place, and ends", function()
      for _, name in ipairs { "imap", "imap_unordered" } do
        local p, i = Pool(3), 0
        local function failing()
          i = i + 1
          if i == 3 then error("source", 0) end
          return i
        end
        local values = p[name](p, function(x) sleep(TICK) return x end, failing)
        local list = drain(values)
        assert.equal(3, #list)
        if name == "imap" then assert.same({ 1, 2, { "source" } }, list) end
        assert.is_nil(values())
      end
    end)

    it("ends for good, for all who iterate", function()
      local p, sum = Pool(3), 0
      local values = p:imap(square_in_turn, range(10))
      local list = range(3, function()
        return spawn(function()
          for value in values do sum = sum + value end
        end)
      end)
      greenlet.joinall(list)
      assert.equal(385, sum)
      assert.is_nil(values())
      assert.is_nil(values())
    end)

    it("loses nothing when who waits for a value is killed or out of time", function()
      local p = Pool(1)
      local values = p:imap({ function(x) sleep(TICK) return x end, maxsize = 1 }, range(5))
      local list = {}
      for _ = 1, 3 do
        local killed = spawn(values)
        sleep(0)
        killed:kill()
        if killed:successful() and not greenlet.GreenletExit:class_of(killed.value) then
          list[#list + 1] = killed.value
        end
      end
      for value in values do list[#list + 1] = value end
      assert.same(range(5), list)
    end)

    it("that is left starts no more calls", function()
      local p, started = Pool(2), 0
      for value in p:imap(function(x) started = started + 1 return x end, slowly(1000)) do
        if value == 3 then break end
      end
      local before = started
      p:join()
      helper.settle()
      assert.is_true(started <= before + 2)
      assert.equal(2, p:free_count())
    end)

    it("that is abandoned is garbage, wherever it waits", function()
      local function source() sleep(0) return 1 end
      local full = Pool(1)
      full:spawn(never)
      local blocked_source = function() greenlet.event.Event():wait() end
      for _, make in ipairs {
        function() return Pool(2):imap({ square, maxsize = 1 }, source) end,
        function() return Pool(2):imap(square, source) end,
        function() return full:imap(square, source) end,
        function() return full:imap_unordered(square, blocked_source) end,
      } do
        local spawners = setmetatable({}, { __mode = "k" })
        local function note(g) spawners[g] = true end
        greenlet.Greenlet.add_spawn_callback(note)
        make()
        greenlet.Greenlet.remove_spawn_callback(note)
        sleep(0)
        sleep(0)
        assert.is_true(helper.collect_until(function()
          for g in pairs(spawners) do
            if g.active then return false end
          end
          return true
        end))
      end
      full:kill()
      assert.equal(1, full:free_count())
    end)

    it("with maxsize 0 starts a call when its value is asked for", function()
      local p, started = Pool(3), 0
      local values = p:imap({ function(x) started = started + 1 return x end, maxsize = 0 }, range(3))
      helper.settle()
      assert.equal(0, started)
      for i = 1, 3 do
        assert.equal(i, values())
        helper.settle()
        assert.equal(i, started)
      end
      assert.is_nil(values())
    end)

    it("refuses wrong options", function()
      local p = Pool(1)
      assert.matches("pool_spec.lua:%d+: bad argument #1 to 'imap' %(maxsize must not be negative%)",
        raises(function() p:imap({ square, maxsize = -1 }, {}) end))
      assert.matches("bad argument #1 to 'imap' %(number expected, got string%)",
        raises(p.imap, p, { square, maxsize = "x" }, {}))
      assert.matches("bad argument #1 to 'imap' %(unknown option 'size'%)",
        raises(p.imap, p, { square, size = 1 }, {}))
      assert.matches("bad argument #1 to 'imap_unordered' %(function expected, got nil%)",
        raises(p.imap_unordered, p, {}, {}))
      assert.matches("bad argument #3 to 'imap' %(list expected, got string%)",
        raises(p.imap, p, square, {}, "x"))
      assert.matches("bad argument #2 to 'imap' %(list or function expected, got nil%)",
        raises(p.imap, p, square))
    end)

    it("waits in no hub", function()
      local p = Pool(1)
      local values, err = p:imap(square_in_turn, { 1 }), nil
      greenlet.get_hub().loop:run_callback(function() err = raises(values) end)
      sleep(0)
      assert.is_truthy(err)
      assert.same({ 1 }, drain(values))
    end)
  end)

  it("is found in a deadlock by name", function()
    local p = Pool(1)
    local err = raises(p.map, p, function() greenlet.event.Event():wait() end, { 1 })
    assert.matches("waits for the calls of a map", err.message)
    p:kill()
  end)

  it("works in a stock Lua #stock", function()
    local directory = helper.program():match("^(.*)/[^/]*$") or "build"
    local out = helper.run([[
      local pool = require "greenlet.pool"
      local greenlet = require "greenlet"
      local p = pool.Pool(2)
      local function square(x) greenlet.sleep(0.001) return x * x end
      print(table.unpack(p:map(square, { 1, 2, 3 })))
      for value in p:imap(square, { 4, 5 }) do io.write(value, " ") end
      print(p:apply(square, { 6 }), #p, rawequal(pool, greenlet.pool))
    ]], { program = os.getenv("LUA") or "lua5.4",
          env = { LUA_CPATH = directory .. "/?.so;;", LUA_INIT = "", LUA_INIT_5_4 = "" } })
    assert.equal("1\t4\t9\n16 25 36\t0\ttrue\n", out)
  end)
end)
