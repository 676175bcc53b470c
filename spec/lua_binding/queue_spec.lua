-- greenlet.queue: Queue and its kin. Channels have a spec of their own; so have random operations.
local helper = require "spec.helper"
local greenlet = require "greenlet"
local queue = require "greenlet.queue"
local it = helper.it

local TICK, SHORT, NEVER = helper.TICK, helper.SHORT, helper.NEVER
local Queue, SimpleQueue = queue.Queue, queue.SimpleQueue
local Empty, Full, ShutDown = queue.Empty, queue.Full, queue.ShutDown

-- What `f(...)` raises is an object of `class`.
local function raises(class, f, ...) return helper.is_a(class, helper.raises(f, ...)) end

-- Matches the message that a call raises.
local function complains(pattern, f, ...)
  assert.matches(pattern, tostring(helper.raises(f, ...)))
end

-- A greenlet that runs f(...) until it waits.
local function started(f, ...)
  local g = greenlet.spawn(f, ...)
  greenlet.sleep(0)
  return g
end

-- Takes all that is in a queue.
local function drain(q)
  local items = {}
  while #q > 0 do items[#items + 1] = q:get(false) end
  return items
end

local CLASSES = { "SimpleQueue", "Queue", "LifoQueue", "PriorityQueue" }

describe("greenlet.queue", function()
  helper.check_leaks()

  it("is a field and a module, and the same", function()
    assert.equal(queue, greenlet.queue)
    assert.equal(queue.Queue, queue.JoinableQueue)
  end)

  it("is loaded when it is asked for, not before", function()
    local out = helper.run([[
      print(rawget(greenlet, "queue"), rawget(greenlet, "select"))
      print(require "greenlet.queue" == greenlet.queue)
    ]])
    assert.equal("nil\tnil\ntrue\n", out)
  end)

  it("has errors that are Exceptions", function()
    for _, name in ipairs { "Empty", "Full", "ShutDown" } do
      assert.is_true(greenlet.Exception:class_of(queue[name]()))
      assert.equal(name, tostring(queue[name]()))
    end
  end)

  -- ---- What all queues have in common ----

  for _, name in ipairs(CLASSES) do
    local Class = queue[name]
    describe(name, function()
      it("gives back what was put in", function()
        local q = Class()
        assert.is_true(q:empty())
        q:put(1)
        assert.equal(1, #q)
        assert.equal(1, q:qsize())
        assert.is_false(q:empty())
        assert.equal(1, q:get())
        assert.equal(0, #q)
      end)

      it("is unbounded by default", function()
        local q = Class()
        for i = 1, 3000 do q:put(i) end
        assert.is_false(q:full())
        assert.is_nil(q.maxsize)
        assert.equal(3000, #q)
        assert.equal(3000, #drain(q))
      end)

      it("takes items to begin with, more than fit, too", function()
        local q = Class(2, { 1, 2, 3 })
        assert.equal(3, #q)
        assert.is_true(q:full())
        raises(Full, q.put, q, 4, false)
        assert.equal(2, q.maxsize)
        local items = drain(q)
        table.sort(items)
        assert.same({ 1, 2, 3 }, items)
      end)

      it("raises Full when it is full", function()
        local q = Class(1)
        q:put("item")
        assert.is_true(q:full())
        raises(Full, q.put_nowait, q, "another")
        raises(Full, q.put, q, "another", false)
        raises(Full, q.put, q, "another", false, NEVER)
        raises(Full, q.put, q, "another", true, 0)
        raises(Full, q.put, q, "another", true, TICK)
        assert.same({ "item" }, drain(q))
      end)

      it("raises Empty when it is empty", function()
        local q = Class()
        for _, method in ipairs { "get", "peek" } do
          raises(Empty, q[method .. "_nowait"], q)
          raises(Empty, q[method], q, false)
          raises(Empty, q[method], q, false, NEVER)
          raises(Empty, q[method], q, true, 0)
          raises(Empty, q[method], q, true, TICK)
        end
      end)

      it("raises a Timeout object that is given", function()
        local q = Class(1, { "item" })
        local timeout = greenlet.Timeout(TICK)
        assert.equal(timeout, helper.raises(q.put, q, "another", true, timeout))
        assert.is_false(timeout.pending)
        assert.equal("mine", helper.raises(q.put, q, 1, true, greenlet.Timeout(TICK, helper.callable(function() end))) and "mine")
        q:get()
        local Mine = helper.exception()
        raises(Mine, q.get, q, true, greenlet.Timeout(TICK, Mine))
        local unused = greenlet.Timeout(NEVER)
        greenlet.spawn(q.put, q, "late")
        assert.equal("late", q:get(true, unused))
        assert.is_false(unused.pending)
      end)

      it("wakes who waits for an item", function()
        local q = Class()
        local getter = started(q.get, q)
        assert.is_false(getter:ready())
        q:put("item")
        assert.equal(0, #q) -- handed over already
        assert.equal("item", getter:get())
      end)

      it("wakes who waits for room", function()
        local q = Class(1, { 1 })
        local putter = started(q.put, q, 2)
        assert.is_false(putter:ready())
        assert.equal(1, q:get())
        putter:get()
        assert.equal(2, q:get())
      end)

      it("lets look at the next item without taking it", function()
        local q = Class(1, { "item" })
        assert.equal("item", q:peek())
        assert.equal("item", q:peek_nowait())
        assert.equal(1, #q)
        raises(Full, q.put_nowait, q, 1) -- a peek frees no room
        q:get()
        local peeker, second, getter = greenlet.spawn(q.peek, q), greenlet.spawn(q.peek, q),
          started(q.get, q)
        q:put("next")
        assert.equal("next", peeker:get())
        assert.equal("next", second:get())
        assert.equal("next", getter:get())
        peeker = started(q.peek, q)
        q:put("stays")
        assert.equal("stays", peeker:get())
        assert.equal("stays", q:get())
      end)

      it("serves in the order in which greenlets came", function()
        local q, log = Class(), {}
        for i = 1, 3 do
          greenlet.spawn(function()
            local item = q:get()
            log[#log + 1] = i .. item
          end)
        end
        greenlet.sleep(0)
        for _, item in ipairs { "a", "b", "c" } do q:put(item) end
        helper.settle()
        assert.same({ "1a", "2b", "3c" }, log)

        q = Class(1, { 0 })
        local putters = {}
        for i = 1, 3 do putters[i] = greenlet.spawn(q.put, q, i) end
        greenlet.sleep(0)
        local items = {}
        for i = 1, 4 do items[i] = q:get() end
        assert.same({ 0, 1, 2, 3 }, items)
        greenlet.joinall(putters)
      end)

      it("lets nobody push ahead of who waits", function()
        local q = Class(1, { 1 })
        local putter = started(q.put, q, 2)
        q:get()
        if name ~= "PriorityQueue" then assert.equal(1, #q) end -- that sorts it in itself
        raises(Full, q.put_nowait, q, 3)
        putter:get()
        assert.equal(2, q:get())
        local getter = started(q.get, q)
        q:put(4)
        raises(Empty, q.get_nowait, q)
        assert.equal(4, getter:get())
      end)

      it("leaves the item when a getter is killed or times out", function()
        local q = Class()
        local killed, late, last = started(q.get, q), started(q.get, q, true, TICK), started(q.get, q)
        killed:kill()
        helper.capture(late.join, late)
        q:put("item")
        assert.equal("item", last:get())
        raises(Empty, late.get, late)
      end)

      it("puts nothing in when a putter is killed or times out", function()
        local q = Class(1, { 1 })
        local killed, late, last = started(q.put, q, 2), started(q.put, q, 3, true, TICK),
          started(q.put, q, 4)
        killed:kill()
        helper.capture(late.join, late)
        raises(Full, late.get, late)
        assert.equal(1, q:get())
        last:get()
        assert.same({ 4 }, drain(q))
      end)

      it("delivers what was handed to one that is killed then", function()
        local q, got = Class(), nil
        local getter = started(function()
          got = q:get()
          greenlet.sleep(NEVER)
        end)
        q:put("item")
        getter:kill()
        assert.equal("item", got)
        assert.is_true(getter.dead)
      end)

      it("has put what was taken from one that is killed then", function()
        local q, put = Class(1, { 1 }), false
        local putter = started(function()
          q:put(2)
          put = true
          greenlet.sleep(NEVER)
        end)
        q:get()
        putter:kill()
        assert.is_true(put)
        assert.same({ 2 }, drain(q))
      end)

      it("takes nil and false as items", function()
        local q = Class()
        q:put(nil)
        assert.equal(1, #q)
        assert.is_nil(q:peek())
        assert.is_nil(q:get())
        q:put(false)
        assert.is_false(q:get())
        local getter = started(function() return "got", q:get() end)
        q:put(nil)
        assert.same({ "got", nil }, { getter:get() })
        assert.equal(0, #q)
      end)

      it("is iterated until StopIteration", function()
        local q = Class()
        local items = {}
        local reader = started(function()
          for item in q:iter() do items[#items + 1] = item end
        end)
        q:put(1)
        greenlet.sleep(0)
        q:put(2)
        greenlet.sleep(0)
        q:put(queue.StopIteration)
        reader:get()
        assert.same({ 1, 2 }, items)
        q:put(3)
        assert.equal(3, q:get()) -- nobody reads on
      end)

      it("raises ShutDown after shutdown, in gets when it is empty", function()
        local q = Class(nil, { 1, 2 })
        q:shutdown()
        raises(ShutDown, q.put, q, 3)
        raises(ShutDown, q.put_nowait, q, 3)
        assert.equal(1, math.min(q:get(), q:get()))
        raises(ShutDown, q.get, q)
        raises(ShutDown, q.get_nowait, q)
        raises(ShutDown, q.peek, q)
        q:shutdown()
      end)

      it("drops its items at an immediate shutdown", function()
        local q = Class(nil, { 1, 2 })
        q:shutdown(true)
        assert.equal(0, #q)
        raises(ShutDown, q.get, q)
      end)

      it("wakes who waits at a shutdown", function()
        local q, full = Class(), Class(1, { 1 })
        local waiting = { started(q.get, q), started(q.peek, q), started(full.put, full, 2) }
        local reader = started(function() for _ in q:iter() do error("an item") end end)
        q:shutdown()
        full:shutdown()
        helper.capture(greenlet.joinall, waiting)
        for _, g in ipairs(waiting) do raises(ShutDown, g.get, g) end
        reader:get()
        assert.same({ 1 }, drain(full))
      end)

      it("ends an iteration when it is shut down and empty", function()
        local q, count = Class(nil, { 1, 2 }), 0
        q:shutdown()
        for _ in q:iter() do count = count + 1 end
        assert.equal(2, count)
      end)

      it("lets waiting putters in when maxsize is raised", function()
        local q = Class(1, { 1 })
        local putters = { started(q.put, q, 2), started(q.put, q, 3), started(q.put, q, 4) }
        q.maxsize = 3
        greenlet.joinall(putters, nil, true, 2)
        assert.equal(3, #q)
        assert.is_false(putters[3]:ready())
        q.maxsize = nil
        putters[3]:get()
        assert.equal(4, #q)
        drain(q)
      end)

      it("lets no more in than there is room when maxsize is lowered", function()
        local q = Class(3, { 1, 2, 3 })
        q.maxsize = 1
        assert.is_true(q:full())
        local putter = started(q.put, q, 4)
        q:get()
        q:get()
        greenlet.sleep(0)
        assert.is_false(putter:ready())
        q:get()
        putter:get()
        assert.same({ 4 }, drain(q))
      end)

      it("is copied with its items", function()
        local q = Class(2, { 1, 2 })
        local copy = q:copy()
        assert.is_true(copy:is_a(Class))
        assert.equal(2, copy.maxsize)
        local first = q:get()
        assert.equal(2, #copy)
        assert.equal(first, copy:get())
        copy:put(5)
        assert.equal(1, #q)
      end)

      it("refuses wrong arguments", function()
        complains("bad argument #1 to '.*' %(.*Channel", Class, 0)
        complains("bad argument #1 to '.*' %(size must not be negative", Class, -1)
        complains("bad argument #1 to '.*' %(number expected, got table", Class, {})
        complains("bad argument #1 to '.*' %(number has no integer", Class, 1.5)
        complains("bad argument #2 to '.*' %(table expected, got string", Class, 1, "items")
        local q = Class(1, { 1 })
        complains("bad argument #1 to 'put' %(value expected", function() q:put() end)
        complains("bad argument #1 to 'put_nowait' %(value expected", function() q:put_nowait() end)
        complains("bad argument #3 to 'put' %(seconds must not be negative",
          function() q:put(1, true, -1) end)
        complains("bad argument #3 to 'put' %(number expected", function() q:put(1, true, "x") end)
        complains("bad argument #2 to 'get' %(seconds must not be negative",
          function() q:get(true, -1) end)
        complains("bad argument #2 to 'peek' %(number expected", function() q:peek(true, {}) end)
        complains("must not be negative", function() q.maxsize = -1 end)
        complains("Channel", function() q.maxsize = 0 end)
        complains("expected, got string", function() q.maxsize = "x" end)
        complains("queue expected, got no value", function() q.get() end)
        complains("expected, got table", function() q.get({}) end)
        complains("in use", function() q:init(5) end)
        if name == "PriorityQueue" then complains("own init", Queue.init, Class(), 1, { 1 }) end
        assert.same({ 1 }, drain(q))
      end)

      it("takes the methods of other classes", function()
        local q = Class()
        Queue.put(q, 2)
        queue.LifoQueue.put_nowait(q, 1)
        assert.equal(2, Queue.qsize(q))
        assert.equal(3, SimpleQueue.get(q) + queue.Channel.get(q))
        if name ~= "PriorityQueue" then
          complains("PriorityQueue expected", queue.PriorityQueue.put, q, 1)
        end
        assert.equal(0, #q)
      end)

      it("does not wait in the hub, but passes things on", function()
        local q, full, log = Class(), Class(1, { 1 }), {}
        local getter, putter = started(q.get, q), started(full.put, full, 2)
        greenlet.get_hub().loop:run_callback(function()
          q:put("from the hub")
          log[1] = full:get()
          log[2] = select(2, pcall(q.get, q))
          log[3] = select(2, pcall(q.get, q, false))
          log[4] = select(2, pcall(q.get, q, true, 0))
          log[5] = select(2, pcall(full.put, full, 3, true, NEVER))
          log[6] = select(2, pcall(full.put, full, 3, false))
        end)
        assert.equal("from the hub", getter:get())
        putter:get()
        assert.equal(1, log[1])
        helper.is_a(greenlet.InvalidSwitchError, log[2])
        helper.is_a(Empty, log[3])
        helper.is_a(Empty, log[4])
        helper.is_a(greenlet.InvalidSwitchError, log[5])
        helper.is_a(Full, log[6])
        assert.same({ 2 }, drain(full))
      end)

      it("works in coroutines and in callbacks of C functions", function()
        local q = Class()
        local got = {}
        local getter = started(function()
          got[1] = coroutine.wrap(function() return q:get() end)()
          string.gsub("x", ".", function() got[2] = q:get() end)
          local put = coroutine.wrap(function() q:put("back") end)
          put()
        end)
        q:put(1)
        greenlet.sleep(0)
        q:put(2)
        getter:get()
        assert.same({ 1, 2 }, got)
        assert.equal("back", q:get())
      end)

      it("tells links when a get would not block", function()
        local q, told = Class(), {}
        local function link(object) told[#told + 1] = object end
        q:rawlink(link)
        helper.settle()
        assert.same({}, told)
        q:put(1)
        assert.same({}, told) -- it is told in the hub
        helper.settle()
        assert.same({ q }, told)
        q:put(2)
        helper.settle()
        assert.same({ q }, told) -- once
        q:rawlink(link)
        helper.settle()
        assert.equal(2, #told)
        drain(q)
        q:rawlink(link)
        q:unlink(link)
        q:rawlink(link)
        q:shutdown()
        helper.settle()
        assert.equal(3, #told)
      end)

      it("does not tell links of an item that a getter gets", function()
        local q, told = Class(), false
        q:rawlink(function() told = true end)
        local getter = started(q.get, q)
        q:put(1)
        getter:get()
        helper.settle()
        assert.is_false(told)
        q:put(2)
        q:get()
        helper.settle()
        assert.is_false(told) -- it is not there any more
        q:put(3)
        helper.settle()
        assert.is_true(told)
        drain(q)
      end)

      it("may be put into by a link that it tells", function()
        local q, rounds = Class(), 0
        local function link(object)
          rounds = rounds + 1
          if rounds < 5 then
            object:put(rounds)
            object:rawlink(link)
          end
        end
        q:rawlink(link)
        q:put(0)
        helper.wait_until(function() return rounds == 5 end, "five rounds")
        assert.equal(5, #drain(q))
      end)

      it("can be waited for", function()
        local a, b = Class(), Class()
        greenlet.spawn(b.put, b, 1)
        assert.same({ b }, greenlet.wait({ a, b }, nil, 1))
        assert.same({ b }, greenlet.wait({ a, b }, TICK))
        assert.same({ b }, greenlet.wait({ a, b }, 0))
        assert.equal(1, b:get())
        for object in greenlet.iwait({ a, b }, TICK) do error(tostring(object)) end
      end)

      it("shows what is in it and who waits", function()
        local q = Class()
        assert.matches("^<" .. name .. " at 0x%x+: 0 items>$", tostring(q))
        q:put(1)
        assert.matches(": 1 item>$", tostring(q))
        q.maxsize = 1
        local putter = started(q.put, q, 2)
        assert.matches(": 1 of 1 items, 1 putting>$", tostring(q))
        q:shutdown(true)
        helper.capture(putter.join, putter)
        raises(ShutDown, putter.get, putter)
        assert.matches("shut down>$", tostring(q))
        q = Class()
        local getter = started(q.get, q)
        assert.matches(": 0 items, 1 getting>$", tostring(q))
        q:put(1)
        getter:get()
      end)

      it("takes fields of the user's, and lets itself be derived from", function()
        local q = Class()
        q.field = 1
        assert.equal(1, q.field)
        local Sub = Class:extend("Sub")
        function Sub:init(...)
          Sub.super.init(self, ...)
          self.count = 0
        end
        local sub = Sub(2, { 1 })
        assert.matches("^<Sub at 0x%x+: 1 of 2 items>$", tostring(sub))
        function Sub:put(...) -- later than the object
          self.count = self.count + 1
          Sub.super.put(self, ...)
        end
        sub:put(2)
        assert.equal(1, sub.count)
        assert.equal(2, #sub)
        local copy = sub:copy()
        assert.is_true(copy:is_a(Sub))
        assert.equal(2, #copy)
        local spied
        function sub.get(self) spied = self return Sub.get(self) end
        sub:get()
        assert.equal(sub, spied)
      end)
    end)
  end

  -- ---- Order ----

  it("Queue is first in, first out, whatever its size has been", function()
    local q, put, got = Queue(), 0, 0
    for round = 1, 60 do
      for _ = 1, round * 7 % 50 do
        put = put + 1
        q:put(put)
      end
      for _ = 1, math.min(#q, round * 11 % 60) do
        got = got + 1
        assert.equal(got, q:get())
      end
    end
    while #q > 0 do
      got = got + 1
      assert.equal(got, q:get())
    end
    assert.equal(put, got)
  end)

  it("Queue gives its memory back when it is empty", function()
    local q = Queue()
    local function kilobytes()
      collectgarbage()
      return collectgarbage("count")
    end
    local before = kilobytes()
    for i = 1, 100000 do q:put(i) end
    assert.is_true(kilobytes() - before > 1000)
    for _ = 1, 100000 do q:get() end
    assert.is_true(kilobytes() - before < 100)
    q:put("works")
    assert.equal("works", q:get())
  end)

  it("Queue does not keep what was taken", function()
    local q, weak = Queue(), setmetatable({}, { __mode = "v" })
    weak[1] = {}
    q:put(weak[1])
    q:put("stays")
    q:get()
    collectgarbage()
    assert.is_nil(weak[1])
  end)

  it("LifoQueue is last in, first out", function()
    local q = queue.LifoQueue(nil, { 1, 2 })
    q:put(3)
    assert.equal(3, q:peek())
    assert.same({ 3, 2, 1 }, drain(q))
    for i = 1, 40 do q:put(i) end
    for i = 40, 1, -1 do assert.equal(i, q:get()) end
  end)

  it("UnboundQueue has no size", function()
    local q = queue.UnboundQueue(nil, { 1 })
    q:put(2)
    assert.same({ 1, 2 }, drain(q))
    complains("bad argument #1 to 'UnboundQueue'", queue.UnboundQueue, 3)
  end)

  it("SimpleQueue knows no tasks", function()
    local q = SimpleQueue()
    assert.is_nil(q.task_done)
    assert.is_nil(q.join)
    assert.is_nil(q.unfinished_tasks)
  end)

  -- ---- PriorityQueue ----

  describe("PriorityQueue", function()
    local PriorityQueue = queue.PriorityQueue

    it("gives the least first", function()
      local numbers, state = {}, 1
      for i = 1, 1000 do
        state = state * 1103515245 % 2147483648 + 12345
        numbers[i] = state % 300
      end
      local q = PriorityQueue(nil, numbers)
      table.sort(numbers)
      assert.same(numbers, drain(q))
    end)

    it("compares lists by their first elements, and keeps the order of equals", function()
      local q = PriorityQueue()
      for i = 1, 200 do q:put({ i % 3, i }) end
      local last = { -1, 0 }
      for _ = 1, 200 do
        local item = q:get()
        assert.is_true(last[1] < item[1] or last[1] == item[1] and last[2] < item[2])
        last = item
      end
    end)

    it("compares as it is told, and objects as they say", function()
      local q = PriorityQueue(nil, { "pear", "fig", "banana" }, function(a, b) return #a > #b end)
      assert.same({ "banana", "pear", "fig" }, drain(q))
      q = PriorityQueue(nil, { 1, 2 }, helper.callable(function(a, b) return b < a end))
      assert.same({ 2, 1 }, drain(q))
      local Thing = greenlet.class:extend("Thing")
      function Thing:init(rank) self.rank = rank end
      function Thing.__lt(a, b) return a.rank < b.rank end
      local low, high = Thing(1), Thing(2)
      q = PriorityQueue(nil, { high, low })
      assert.same({ low, high }, drain(q))
      complains("bad argument #3 to 'PriorityQueue' %(function expected, got number",
        PriorityQueue, nil, nil, 1)
    end)

    it("is as it was after an error in a comparison, which is the putter's", function()
      local q = PriorityQueue(4, { 1, 3 })
      complains("attempt to compare", q.put, q, "text")
      assert.equal(2, #q)
      assert.equal(2, q.unfinished_tasks)
      q:put(2)
      q:put(4)
      local putter = started(q.put, q, {})
      local waiting = started(q.put, q, 5)
      assert.equal(1, q:get())
      helper.capture(putter.join, putter)
      complains("attempt to compare", putter.get, putter)
      waiting:get() -- its place went to the next
      assert.same({ 2, 3, 4, 5 }, drain(q))
      complains("attempt to compare", PriorityQueue, nil, { 1, "text" })
      local raise_nil = PriorityQueue(1, nil, function() error(nil) end)
      raise_nil:put(1)
      raise_nil.maxsize = 2
      assert.is_nil((select(2, pcall(raise_nil.put, raise_nil, 2))))
      assert.equal(1, raise_nil:get())
      raise_nil:put(3)
      assert.same({ 3 }, drain(raise_nil))
    end)

    it("lets a comparison do anything", function()
      local q
      local function less(a, b)
        greenlet.sleep(0)
        return a < b
      end
      q = PriorityQueue(nil, nil, less)
      local putters = {}
      for i = 1, 30 do putters[i] = greenlet.spawn(q.put, q, i * 17 % 31) end
      local got = {}
      greenlet.spawn(function() for i = 1, 5 do got[i] = q:get() end end)
      greenlet.joinall(putters, nil, true)
      assert.equal(25, #q)
      local items = drain(q)
      local sorted = table.move(items, 1, #items, 1, {})
      table.sort(sorted)
      assert.same(sorted, items)
      for _, item in ipairs(got) do items[#items + 1] = item end
      table.sort(items)
      for i = 1, 30 do assert.equal(i, items[i]) end

      local inner = 0
      q = PriorityQueue(nil, nil, function(a, b)
        if inner < 3 then
          inner = inner + 1
          local number = inner
          q:put(100 + number)
          if number == 2 then assert.equal(5, q:get()) end
        end
        return a < b
      end)
      q:put(5)
      q:put(6)
      assert.equal(4, #q)
      items = drain(q)
      assert.equal(103, items[4])
    end)

    it("gives up a place when its putter is killed while it compares", function()
      local block = false
      local q = PriorityQueue(2, { 1 }, function(a, b)
        if block then greenlet.sleep(NEVER) end
        return a < b
      end)
      block = true
      local killed, waiting = started(q.put, q, 2), started(q.put, q, 3)
      assert.is_true(q:full())
      assert.equal(1, #q)
      block = false
      killed:kill()
      waiting:get()
      assert.same({ 1, 3 }, drain(q))
    end)

    it("keeps its getters when it is shut down while an item is compared", function()
      local gate = greenlet.Greenlet(function() end)
      local q = PriorityQueue(nil, { 1 }, function(a, b)
        gate:join()
        return a < b
      end)
      local putter = started(q.put, q, 2)
      assert.equal(1, q:get())
      q:shutdown()
      local getter, late = started(q.get, q), started(q.get, q)
      assert.is_false(getter:ready())
      gate:start()
      helper.capture(greenlet.joinall, { putter, getter, late })
      putter:get()
      assert.equal(2, getter:get())
      raises(ShutDown, late.get, late)
    end)
  end)

  -- ---- Tasks ----

  describe("join", function()
    it("returns at once when there were no tasks", function()
      assert.is_true(Queue():join())
    end)

    it("waits until all tasks are done", function()
      local q, done = Queue(nil, { 1, 2 }), {}
      assert.equal(2, q.unfinished_tasks)
      q:put(3)
      local joiners = { started(q.join, q), started(q.join, q) }
      for _ = 1, 2 do
        greenlet.spawn(function()
          for item in q:iter() do
            greenlet.sleep(TICK)
            done[#done + 1] = item
            q:task_done()
          end
        end)
      end
      assert.is_true(q:join())
      assert.equal(3, #done)
      assert.equal(0, q.unfinished_tasks)
      for _, joiner in ipairs(joiners) do assert.is_true(joiner:get()) end
      q:shutdown()
    end)

    it("counts what is handed to one that waits, and what waits for room", function()
      local q = Queue(1)
      local getter = started(q.get, q)
      q:put(1)
      getter:get()
      assert.equal(1, q.unfinished_tasks)
      q:put(2)
      local putter = started(q.put, q, 3)
      assert.equal(2, q.unfinished_tasks)
      q:get()
      assert.equal(3, q.unfinished_tasks)
      putter:get()
      q:get()
      for _ = 1, 3 do q:task_done() end
      assert.is_true(q:join(0))
    end)

    it("is false when the timeout expires", function()
      local q = Queue(nil, { 1 })
      assert.is_false(q:join(0))
      assert.is_false(q:join(TICK))
      assert.is_false(q:join(greenlet.Timeout(TICK)))
      complains("bad argument #1 to 'join'", function() q:join(-1) end)
    end)

    it("is true after an immediate shutdown, but not after another", function()
      local q = Queue(nil, { 1, 2 })
      q:shutdown()
      assert.is_false(q:join(0))
      q = Queue(nil, { 1, 2 })
      q:get()
      local joiner = started(q.join, q)
      q:shutdown(true)
      assert.equal(1, q.unfinished_tasks)
      q:task_done()
      assert.is_true(joiner:get())
    end)
  end)

  it("task_done is an error when there is no task left", function()
    local q = Queue()
    complains("task_done was called too often", q.task_done, q)
    q:put(1)
    q:task_done()
    complains("too often", q.task_done, q)
    q:shutdown(true)
    assert.equal(0, q.unfinished_tasks)
  end)

  it("attributes that are counted cannot be assigned", function()
    complains("'unfinished_tasks' is read%-only", function() Queue().unfinished_tasks = 1 end)
  end)

  -- ---- Reports and garbage ----

  it("a deadlock report says what is waited for", function()
    local q = Queue(1, { 1 })
    local putter = started(q.put, q, 2)
    local report = tostring(helper.raises(q.join, q))
    assert.matches("main waits for tasks of Queue made at [^\n]*queue_spec%.lua:846", report)
    assert.matches("waits for put to Queue made at [^\n]*queue_spec%.lua:846", report)
    putter:kill()
    q:get()
    assert.matches("main waits for get from Queue made at ",
      tostring(helper.raises(q.get, q)))
    assert.matches("waits for peek at Queue", tostring(helper.raises(q.peek, q)))
  end)

  -- Runs f(q, note) in a greenlet, lets it go, and waits until note was called.
  local function becomes_garbage(q, f)
    local closed = false
    do
      started(function()
        local variable <close> = helper.closer(function() closed = true end)
        f(q)
      end)
    end
    return helper.collect_until(function() return closed end)
  end

  it("who waits in a queue that nobody can reach is garbage", function()
    assert.is_true(becomes_garbage(Queue(), function(q) q:get() end))
    assert.is_true(becomes_garbage(Queue(), function(q) q:peek() end))
    assert.is_true(becomes_garbage(Queue(1, { 1 }), function(q) q:put(2) end))
    assert.is_true(becomes_garbage(Queue(1, { 1 }), function(q) q:join() end))
    assert.is_true(becomes_garbage(Queue(), function(q) for _ in q:iter() do end end))
    assert.is_true(becomes_garbage(Queue(), function(q) greenlet.wait({ q }) end))
  end)

  it("who waits in a queue that somebody holds is none, and goes on", function()
    local q = Queue()
    local got
    started(function() got = q:get() end)
    for _ = 1, 5 do
      collectgarbage()
      greenlet.sleep(TICK)
    end
    assert.matches("1 getting", tostring(q))
    q:put("item")
    greenlet.sleep(0)
    assert.equal("item", got)
  end)

  it("a queue does not hold who waited in it once", function()
    local q, other = Queue(), Queue()
    local closed = false
    do
      local private = Queue()
      started(function()
        local variable <close> = helper.closer(function() closed = true end)
        q:get()
        private:get()
      end)
    end
    for _ = 1, 3 do -- it is found waiting in q
      collectgarbage()
      greenlet.sleep(0)
    end
    q:put(1)
    assert.is_true(helper.collect_until(function() return closed end))
    assert.equal(0, #other)
  end)

  it("refuses to be made of what is no class", function()
    complains("table expected", Queue.__new, "text")
    complains("class expected", Queue.__new, {})
    complains("class expected", Queue.__new, { __meta = 1 })
  end)

  it("does no harm when a script takes everything out of it", function()
    local function clear(q)
      for key in next, q do rawset(q, key, nil) end
    end
    for _, Class in ipairs { Queue, queue.Channel, Queue:extend("Sub"), queue.PriorityQueue } do
      local q, full = Class(), Class(Class ~= queue.Channel and 1 or nil)
      if Class ~= queue.Channel then full:put(1) end
      local waiting = {
        started(function() q:get() end), started(function() full:put(2) end),
        started(function() for _ in q:iter() do end end),
        started(function() greenlet.select({ { q, "get" }, { full, "put", 1 } }) end),
        started(function() if q.join then full:join() end end),
        started(function() if q.peek then q:peek(true, SHORT) end end),
      }
      clear(q)
      clear(full)
      for _ = 1, 3 do
        collectgarbage()
        greenlet.sleep(0)
      end
      complains("queue expected", q.get, q)
      complains("queue expected", greenlet.select, { { q, "get" } })
      greenlet.killall(waiting)
    end
    local q, other = Queue(nil, { 1 }), Queue(nil, { 2, 3 })
    for key, value in next, other do
      if type(key) == "userdata" then rawset(q, key, value) end
    end
    assert.equal(1, q:get()) -- as it was bound
    assert.equal(2, Queue.get(q))
    assert.equal(1, #other)
  end)

  it("finalizers may put and get, but not wait", function()
    local q, full, log = Queue(), Queue(1, { 1 }), {}
    local getter, putter = started(q.get, q), started(full.put, full, 2)
    setmetatable({}, { __gc = function()
      q:put("from __gc")
      log[1] = full:get()
      log[2] = select(2, pcall(q.get, q))
    end })
    collectgarbage()
    assert.equal("from __gc", getter:get())
    putter:get()
    assert.equal(1, log[1])
    helper.is_a(greenlet.InvalidSwitchError, log[2])
  end)

  it("finalizers that run when the state is closed do no harm #leaks", function()
    local out, err, status = helper.run([[
      local queue = require "greenlet.queue"
      local q, full = queue.Queue(), queue.Queue(1, {1})
      greenlet.spawn(function() greenlet.pcall(q.get, q) greenlet.pcall(q.get, q) end)
      greenlet.spawn(function() greenlet.pcall(full.put, full, 2) greenlet.pcall(full.put, full, 2) end)
      greenlet.sleep(0)
      KEPT = setmetatable({}, { __gc = function()
        pcall(q.put, q, 1)
        pcall(full.get, full)
        pcall(full.get, full)
        pcall(q.shutdown, q)
        full.maxsize = 5
      end })
      os.exit(0, true)
    ]])
    assert.equal("", err:gsub("warning: [^\n]*\n?", ""))
    assert.equal("", out)
    assert.equal(0, status)
  end)

  it("works in a stock Lua #stock", function()
    local directory = helper.program():match("^(.*)/[^/]*$") or "build"
    local out, err = helper.run([[
      local queue = require "greenlet.queue"
      local select = require "greenlet.select"
      local greenlet = require "greenlet"
      assert(greenlet.queue == queue and greenlet.select == select)
      local q, channel = queue.Queue(1), queue.Channel()
      greenlet.spawn(function()
        for i = 1, 3 do q:put(i) end
        q:shutdown()
        channel:put("done")
      end)
      for item in q:iter() do print(item) end
      print(select({ { channel, "get" }, { queue.Channel(), "get" } }))
      print(pcall(select, { { q, "put", 1 } }))
    ]], { program = os.getenv("LUA") or "lua5.4",
          env = { LUA_CPATH = directory .. "/?.so;;", LUA_INIT = "", LUA_INIT_5_4 = "" } })
    assert.equal("", err)
    assert.equal("1\n2\n3\n1\tdone\nfalse\tShutDown\n", out)
  end)
end)
