-- greenlet.select: exactly one of several things.
local helper = require "spec.helper"
local greenlet = require "greenlet"
local queue = require "greenlet.queue"
local it = helper.it

local TICK, NEVER = helper.TICK, helper.NEVER
local Queue, Channel, ShutDown = queue.Queue, queue.Channel, queue.ShutDown
local select = greenlet.select

local function raises(class, f, ...) return helper.is_a(class, helper.raises(f, ...)) end

local function complains(pattern, f, ...)
  assert.matches(pattern, tostring(helper.raises(f, ...)))
end

local function started(f, ...)
  local g = greenlet.spawn(f, ...)
  greenlet.sleep(0)
  return g
end

-- A select in a greenlet of its own: what it returned, packed.
local function selecting(cases, timeout)
  return started(function() return table.pack(select(cases, timeout)) end)
end

describe("greenlet.select", function()
  helper.check_leaks()

  it("is a module as well", function()
    assert.equal(select, require "greenlet.select")
  end)

  it("does what can be done at once", function()
    local a, b = Queue(nil, { "item" }), Channel()
    assert.same({ 1, "item" }, { select({ { a, "get" }, { b, "get" } }) })
    local full = Queue(1, { 1 })
    assert.same({ n = 1, 2 }, table.pack(select({ { full, "put", 2 }, { a, "put", "x" }, { b, "get" } })))
    assert.equal("x", a:get())
    local putter = started(b.put, b, "rendezvous")
    assert.same({ 2, "rendezvous" }, { select({ { a, "get" }, { b, "get" } }) })
    putter:get()
    local getter = started(b.get, b)
    assert.equal(2, (select({ { a, "get" }, { b, "put", "given" } })))
    assert.equal("given", getter:get())
  end)

  it("waits for the first that can be done", function()
    local a, b, full = Channel(), Channel(), Queue(1, { 1 })
    local cases = { { a, "get" }, { b, "put", "given" }, { full, "put", 2 } }
    local g = selecting(cases)
    a:put("item")
    assert.same({ n = 2, 1, "item" }, g:get())
    g = selecting(cases)
    assert.equal("given", b:get())
    assert.same({ n = 1, 2 }, g:get())
    g = selecting(cases)
    assert.equal(1, full:get())
    assert.same({ n = 1, 3 }, g:get())
    assert.equal(2, full:get())
  end)

  it("leaves no trace in the others", function()
    local a, b, q = Channel(), Channel(), Queue(1, { 1 })
    local g = selecting({ { a, "get" }, { a, "put", 1 }, { b, "get" }, { q, "put", 2 } })
    assert.equal(0, a.balance) -- one of each
    assert.equal(-1, b.balance)
    b:put("item")
    assert.equal(0, a.balance)
    assert.equal(0, b.balance)
    g:get()
    assert.equal(1, q:get())
    assert.equal(0, #q)
    g = selecting({ { a, "get" }, { b, "put", 1 } }, TICK)
    assert.same({ n = 1 }, g:get())
    assert.equal(0, a.balance)
    assert.equal(0, b.balance)
    g = selecting({ { a, "get" }, { b, "put", 1 } })
    g:kill()
    assert.equal(0, a.balance)
    assert.equal(0, b.balance)
  end)

  it("returns nil when the time is up", function()
    local channel = Channel()
    local cases = { { channel, "get" } }
    assert.same({ n = 1 }, table.pack(select(cases, 0)))
    assert.same({ n = 1 }, table.pack(select(cases, TICK)))
    local timeout = greenlet.Timeout(TICK)
    assert.same({ n = 1 }, table.pack(select(cases, timeout)))
    assert.is_false(timeout.pending)
    timeout = greenlet.Timeout(NEVER)
    greenlet.spawn(channel.put, channel, "item")
    assert.same({ 1, "item" }, { select(cases, timeout) })
    assert.is_false(timeout.pending)
  end)

  it("lets a Timeout of somebody else's pass", function()
    local timeout = greenlet.Timeout.start_new(TICK)
    assert.equal(timeout, helper.raises(select, { { Channel(), "get" } }))
    timeout = greenlet.Timeout.start_new(TICK)
    assert.equal(timeout, helper.raises(select, { { Channel(), "get" } }, NEVER))
  end)

  it("passes nil and false", function()
    local channel = Channel()
    local g = selecting({ { channel, "get" } })
    channel:put(nil)
    assert.same({ n = 2, 1 }, g:get())
    g = selecting({ { channel, "put", nil }, { Queue(), "get" } })
    assert.is_nil(channel:get())
    assert.same({ n = 1, 1 }, g:get())
    g = selecting({ { channel, "put", false }, { Queue(), "get" } })
    assert.is_false(channel:get())
    g:get()
    assert.same({ n = 2, 1, false }, table.pack(select({ { Queue(nil, { false }), "get" } })))
  end)

  it("works between two selects", function()
    local a, b = Channel(), Channel()
    local first = selecting({ { a, "get" }, { b, "put", "from the first" } })
    local second = selecting({ { a, "put", "from the second" }, { b, "get" } })
    local got, put = first:get(), second:get()
    if got[1] == 1 then
      assert.same({ n = 2, 1, "from the second" }, got)
      assert.same({ n = 1, 1 }, put)
    else
      assert.same({ n = 1, 2 }, got)
      assert.same({ n = 2, 2, "from the first" }, put)
    end
    assert.equal(0, a.balance)
    assert.equal(0, b.balance)
  end)

  it("never meets itself on one channel", function()
    local channel = Channel()
    local cases = { { channel, "get" }, { channel, "put", 1 } }
    assert.is_nil(select(cases, 0))
    assert.is_nil(select(cases, TICK))
    local first, second = selecting(cases), selecting(cases)
    local sum = first:get()[1] + second:get()[1]
    assert.equal(3, sum) -- one has put, the other has got
    assert.equal(0, channel.balance)
  end)

  it("takes a channel twice the same way", function()
    local channel = Channel()
    local g = selecting({ { channel, "get" }, { channel, "get" } })
    assert.equal(-2, channel.balance)
    channel:put("item")
    assert.equal("item", g:get()[2])
    assert.equal(0, channel.balance)
  end)

  it("serves selects and others in the order in which they came", function()
    local channel = Channel()
    local first, second, third = started(channel.get, channel), selecting({ { channel, "get" } }),
      started(channel.get, channel)
    for i = 1, 3 do channel:put(i) end
    assert.equal(1, first:get())
    assert.equal(2, second:get()[2])
    assert.equal(3, third:get())
  end)

  -- How often each of the cases is chosen in 100 selects, and how long one is left out.
  local function count(cases)
    local chosen, left_out, longest = {}, {}, 0
    for i = 1, #cases do chosen[i], left_out[i] = 0, 0 end
    for _ = 1, 100 do
      local index = select(cases)
      for i = 1, #cases do
        left_out[i] = i == index and 0 or left_out[i] + 1
        longest = math.max(longest, left_out[i])
      end
      chosen[index] = chosen[index] + 1
    end
    return chosen, longest
  end

  it("chooses fairly among those that are ready", function()
    local cases = {}
    for i = 1, 4 do cases[i] = { Queue(), "put", i } end
    local chosen, longest = count(cases)
    for i = 1, 4 do
      assert.is_true(chosen[i] >= 20 and chosen[i] <= 30, table.concat(chosen, " "))
    end
    assert.is_true(longest <= 12, longest .. " in a row without one")
  end)

  it("chooses fairly when others are not ready", function()
    local never = { Channel(), "get" }
    local cases = { { Queue(), "put", 1 }, never, never, never, { Queue(), "put", 2 } }
    local chosen = count(cases)
    assert.is_true(chosen[1] >= 40 and chosen[5] >= 40, table.concat(chosen, " "))
  end)

  it("chooses fairly in greenlets that take turns", function()
    local a, b, chosen = Queue(), Queue(), {}
    local function body(name)
      chosen[name] = { 0, 0 }
      for _ = 1, 50 do
        local index = select({ { a, "put", 1 }, { b, "put", 1 } })
        chosen[name][index] = chosen[name][index] + 1
        greenlet.sleep(0)
      end
    end
    greenlet.joinall({ greenlet.spawn(body, "x"), greenlet.spawn(body, "y") }, nil, true)
    for _, counts in pairs(chosen) do
      assert.is_true(counts[1] >= 15 and counts[2] >= 15, table.concat(counts, " "))
    end
  end)

  it("chooses fairly between queues and objects", function()
    local done = greenlet.spawn(function() end)
    done:join()
    local chosen = count({ { Queue(), "put", 1 }, { done, "wait" } })
    assert.is_true(chosen[1] >= 40 and chosen[2] >= 40, table.concat(chosen, " "))
  end)

  it("raises ShutDown of a queue that is shut down, before or while it waits", function()
    local a, b = Channel(), Queue(1, { 1 })
    a:shutdown()
    raises(ShutDown, select, { { Channel(), "get" }, { a, "get" } })
    raises(ShutDown, select, { { Channel(), "get" }, { a, "put", 1 } })
    raises(ShutDown, select, { { a, "get" } }, 0)
    local putting, getting = Channel(), Channel()
    local waiting = { selecting({ { getting, "get" }, { putting, "put", 1 } }),
      selecting({ { b, "put", 2 }, { getting, "get" } }) }
    putting:shutdown()
    b:shutdown()
    helper.capture(greenlet.joinall, waiting)
    for _, g in ipairs(waiting) do raises(ShutDown, g.get, g) end
    assert.equal(0, getting.balance)
    assert.equal(1, b:get())
  end)

  it("puts into a queue whose maxsize is raised", function()
    local q = Queue(1, { 1 })
    local g = selecting({ { q, "put", 2 }, { Channel(), "get" } })
    q.maxsize = 2
    assert.equal(1, g:get()[1])
    assert.equal(2, #q)
  end)

  it("sorts into a PriorityQueue", function()
    local q, channel = queue.PriorityQueue(2, { 5 }), Channel()
    assert.equal(1, (select({ { q, "put", 3 }, { channel, "get" } })))
    local g = selecting({ { q, "put", 4 }, { channel, "get" } })
    assert.equal(3, q:get())
    assert.same({ n = 1, 1 }, g:get())
    assert.equal(4, q:get())
    assert.same({ 1, 5 }, { select({ { q, "get" } }) })
    local getter = started(q.get, q)
    assert.equal(2, (select({ { channel, "get" }, { q, "put", 9 } })))
    assert.equal(9, getter:get())
  end)

  it("raises the error of a comparison, and gives the place to the next", function()
    local q = queue.PriorityQueue(2, { 1 })
    complains("attempt to compare", select, { { q, "put", "text" } })
    q:put(2)
    local g, next_one = selecting({ { q, "put", {} }, { Channel(), "get" } }), started(q.put, q, 3)
    assert.equal(1, q:get())
    helper.capture(g.join, g)
    complains("attempt to compare", g.get, g)
    next_one:get()
    assert.equal(2, q:get())
    assert.equal(3, q:get())
  end)

  -- ---- Objects ----

  it("waits for greenlets", function()
    local g = greenlet.spawn(function() greenlet.sleep(TICK) end)
    assert.same({ n = 1, 2 }, table.pack(select({ { Channel(), "get" }, { g, "wait" } })))
    assert.is_true(g.dead)
    assert.equal(1, (select({ { g, "wait" }, { Channel(), "get" } })))
    assert.equal(1, (select({ { g, "wait" } }, 0)))
    local never = greenlet.Greenlet(function() end)
    assert.is_nil((select({ { never, "wait" } }, 0)))
    assert.is_nil((select({ { never, "wait" } }, TICK)))
    assert.equal(0, never:has_links())
    never:kill()
  end)

  it("does not take the error of a greenlet", function()
    local out, _, status = helper.run([[
      greenlet.get_hub().exception_stream = false
      local g = greenlet.spawn(error, "an error")
      print(greenlet.select({ { g, "wait" } }))
    ]])
    assert.equal("1\n", out)
    assert.equal(1, status)
  end)

  it("waits for queues, without taking anything", function()
    local q, channel = Queue(), Channel()
    local g = selecting({ { q, "wait" }, { channel, "wait" } })
    q:put("item")
    assert.same({ n = 1, 1 }, g:get())
    assert.equal(1, #q)
    assert.equal(1, (select({ { q, "wait" } }, 0)))
    q:get()
    g = selecting({ { q, "wait" }, { channel, "wait" } })
    local putter = started(channel.put, channel, 1)
    assert.same({ n = 1, 2 }, g:get())
    channel:get()
    putter:get()
  end)

  it("waits for events", function()
    local event = require "greenlet.event".Event()
    local channel = Channel()
    local g = selecting({ { channel, "get" }, { event, "wait" } })
    event:set()
    assert.same({ n = 1, 2 }, g:get())
    assert.equal(0, channel.balance)
    assert.equal(2, (select({ { channel, "get" }, { event, "wait" } }, 0)))
    event:clear()
    assert.is_nil((select({ { channel, "get" }, { event, "wait" } }, 0)))
  end)

  -- Tells its links when it is told to; `ready` only if asked for.
  local function object(has_ready)
    local it_is, links = false, {}
    local self = {}
    function self:rawlink(f)
      links[#links + 1] = f
      if it_is then greenlet.get_hub().loop:run_callback(f, self) end
    end
    function self:unlink(f)
      for i, link in ipairs(links) do
        if link == f then return table.remove(links, i) end
      end
    end
    if has_ready then function self:ready() return it_is end end
    function self:tell()
      it_is = true
      for _, f in ipairs(links) do f(self) end
    end
    function self:links() return #links end
    return self
  end

  for _, has_ready in ipairs { true, false } do
    it("waits for any object " .. (has_ready and "with ready" or "without ready"), function()
      local one, channel = object(has_ready), Channel()
      local cases = { { channel, "get" }, { one, "wait" } }
      assert.is_nil((select(cases, 0)))
      local g = selecting(cases)
      assert.equal(1, one:links())
      one:tell()
      assert.same({ n = 1, 2 }, g:get())
      assert.equal(0, one:links())
      assert.equal(0, channel.balance)
      assert.equal(2, (select(cases, 0)))
      assert.equal(2, (select(cases)))
      local putter = started(channel.put, channel, 1)
      while select(cases) == 2 do greenlet.sleep(0) end
      putter:get()
      assert.equal(0, one:links())
    end)
  end

  it("unlinks objects when a queue was first, at a timeout and at a kill", function()
    local one, channel = object(true), Channel()
    local cases = { { one, "wait" }, { channel, "get" } }
    local g = selecting(cases)
    channel:put("item")
    assert.same({ n = 2, 2, "item" }, g:get())
    assert.equal(0, one:links())
    assert.is_nil((select(cases, TICK)))
    assert.equal(0, one:links())
    g = selecting(cases)
    g:kill()
    assert.equal(0, one:links())
    one:tell() -- nobody minds
  end)

  it("takes an object twice, and is told once", function()
    local one = object(false)
    local g = selecting({ { one, "wait" }, { one, "wait" } })
    assert.equal(2, one:links())
    one:tell()
    assert.equal(1, g:get()[1])
    assert.equal(0, one:links())
  end)

  -- ---- Wrong use ----

  it("refuses wrong arguments, with the number of the case", function()
    local q = Queue(nil, { 1 })
    complains("bad argument #1 to '.*' %(table expected, got n", select)
    complains("bad argument #1 to '.*' %(no cases%)", select, {})
    complains("bad argument #1 to '.*' %(case 2: list expected, got number%)",
      select, { { q, "get" }, 42 })
    complains("bad argument #1 to '.*' %(case 2: queue expected, got nil%)",
      select, { { q, "get" }, { nil, "get" } })
    complains("bad argument #1 to '.*' %(case 1: queue expected, got table%)",
      select, { { {}, "put", 1 }, { q, "get" } })
    complains("bad argument #1 to '.*' %(case 2: 'get', 'put' or 'wait' expected, got take%)",
      select, { { q, "get" }, { q, "take" } })
    complains("bad argument #1 to '.*' %(case 2: 'get', 'put' or 'wait' expected, got nil%)",
      select, { { q, "get" }, { q } })
    complains("bad argument #1 to 'select' %(case 2: object with rawlink expected, got number%)",
      select, { { q, "get" }, { 42, "wait" } })
    complains("bad argument #2 to '.*' %(seconds must not be negative%)",
      select, { { q, "get" } }, -1)
    complains("bad argument #2 to '.*' %(number expected, got string%)",
      select, { { q, "get" } }, "x")
    assert.equal(1, #q) -- nothing has been done
  end)

  it("does not wait in the hub", function()
    local q, log = Queue(nil, { 1 }), {}
    local done = greenlet.Greenlet(function() end)
    done:kill()
    greenlet.get_hub().loop:run_callback(function()
      log[1] = table.pack(select({ { q, "get" } }))
      log[2] = table.pack(select({ { q, "get" } }, 0))
      log[3] = select({ { done, "wait" } })
      log[4] = { pcall(select, { { q, "get" } }) }
    end)
    helper.settle()
    assert.same({ n = 2, 1, 1 }, log[1])
    assert.same({ n = 1 }, log[2])
    helper.is_a(greenlet.InvalidSwitchError, log[4][2])
    assert.equal(1, log[3])
  end)

  it("does not mind when its cases are changed while it waits", function()
    local a, b, c = Channel(), Channel(), Channel()
    local cases = { { a, "get" }, { b, "put", "as it was" } }
    local g = selecting(cases)
    cases[1], cases[2][3], cases[2][1] = nil, "changed", c
    collectgarbage()
    assert.equal("as it was", b:get())
    assert.equal(2, g:get()[1])
  end)

  it("works in a coroutine and inside a C function", function()
    local channel, got = Channel(), {}
    local g = started(function()
      got[1] = coroutine.wrap(function() return (select({ { channel, "get" } })) end)()
      string.gsub("x", ".", function() got[2] = { select({ { channel, "get" } }) } end)
    end)
    channel:put("a")
    greenlet.sleep(0)
    channel:put("b")
    g:get()
    assert.same({ 1, { 1, "b" } }, got)
  end)

  it("takes a thousand cases", function()
    local cases = {}
    for i = 1, 1000 do cases[i] = { Channel(), i % 2 == 0 and "get" or "put", i } end
    local g = selecting(cases)
    cases[500][1]:put("item")
    assert.same({ n = 2, 500, "item" }, g:get())
    for i = 1, 1000 do assert(cases[i][1].balance == 0) end
  end)

  -- ---- Reports and garbage ----

  it("is described in a deadlock report", function()
    local many = {}
    for i = 1, 15 do many[i] = { Channel(), "get" } end
    assert.matches("get from Channel made at [^\n,]*, or 5 more ", tostring(helper.raises(select, many)))
    local report = tostring(helper.raises(select,
      { { Channel(), "get" }, { Queue(1, { 1 }), "put", 2 }, { greenlet.Greenlet(print), "wait" } }))
    assert.matches("select of get from Channel made at [^\n,]*, put to Queue made at [^\n,]*, " ..
      "wait for Greenlet%-%d+, which was not started", report)
  end)

  it("lets who waits for what nobody can reach be garbage", function()
    local closed = 0
    local function waits(cases)
      started(function()
        local variable <close> = helper.closer(function() closed = closed + 1 end)
        select(cases)
      end)
    end
    do
      waits({ { Channel(), "get" }, { Queue(1, { 1 }), "put", 2 } })
      waits({ { Channel(), "get" }, { Queue(), "wait" } })
      waits({ { greenlet.Greenlet(print), "wait" } })
    end
    assert.is_true(helper.collect_until(function() return closed == 3 end))
  end)

  it("goes on when one of its queues can be reached", function()
    local held = Channel()
    local g
    do
      g = selecting({ { Channel(), "get" }, { held, "get" }, { Queue(), "wait" } })
    end
    for _ = 1, 4 do
      collectgarbage()
      greenlet.sleep(0)
    end
    held:put("item")
    assert.same({ n = 2, 2, "item" }, g:get())
  end)

  it("goes on when one of its objects can be reached", function()
    local event = require "greenlet.event".Event()
    local result
    do
      started(function() result = select({ { Channel(), "get" }, { event, "wait" } }) end)
    end
    for _ = 1, 4 do
      collectgarbage()
      greenlet.sleep(0)
    end
    event:set()
    helper.settle()
    assert.equal(2, result)
  end)
end)
