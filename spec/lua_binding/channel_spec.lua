-- greenlet.queue.Channel: who puts and who gets meet.
local helper = require "spec.helper"
local greenlet = require "greenlet"
local queue = require "greenlet.queue"
local it = helper.it

local TICK, NEVER = helper.TICK, helper.NEVER
local Channel, Empty, Full, ShutDown = queue.Channel, queue.Empty, queue.Full, queue.ShutDown

local function raises(class, f, ...) return helper.is_a(class, helper.raises(f, ...)) end

local function started(f, ...)
  local g = greenlet.spawn(f, ...)
  greenlet.sleep(0)
  return g
end

describe("Channel", function()
  helper.check_leaks()

  it("lets put and get wait for each other", function() -- the order is gevent's
    local channel, log = Channel(), {}
    local function note(text) log[#log + 1] = text end
    local sender = greenlet.spawn(function()
      note("sending")
      channel:put("hello")
      note("sent hello")
      channel:put("world")
      note("sent world")
    end)
    local receiver = greenlet.spawn(function()
      note("receiving")
      note(channel:get())
      note(channel:get())
    end)
    greenlet.joinall { sender, receiver }
    assert.same({ "sending", "receiving", "hello", "sent hello", "sent world", "world" }, log)
  end)

  it("lets a put return at once when a get waits", function()
    local channel = Channel()
    local getter = started(channel.get, channel)
    channel:put("item")
    assert.is_false(getter:ready()) -- it has not run yet
    assert.equal("item", getter:get())
  end)

  it("is empty and full, always", function()
    local channel = Channel()
    local putter = started(channel.put, channel, 1)
    assert.equal(0, channel:qsize())
    assert.equal(0, #channel)
    assert.is_true(channel:empty())
    assert.is_true(channel:full())
    channel:get()
    putter:get()
  end)

  it("knows who waits: putters are positive, getters negative", function()
    local channel = Channel()
    assert.equal(0, channel.balance)
    local putters = { started(channel.put, channel, 1), started(channel.put, channel, 2) }
    assert.equal(2, channel.balance)
    assert.matches("^<Channel at 0x%x+: 2 putting>$", tostring(channel))
    channel:get()
    channel:get()
    greenlet.joinall(putters, nil, true)
    local getter = started(channel.get, channel)
    assert.equal(-1, channel.balance)
    assert.matches("^<Channel at 0x%x+: 1 getting>$", tostring(channel))
    channel:put(3)
    assert.equal(0, channel.balance)
    getter:get()
  end)

  it("passes things on without waiting, if the other side waits", function()
    local channel = Channel()
    raises(Full, channel.put_nowait, channel, 1)
    raises(Full, channel.put, channel, 1, true, TICK)
    raises(Empty, channel.get_nowait, channel)
    raises(Empty, channel.get, channel, true, TICK)
    local getter = started(channel.get, channel)
    channel:put_nowait("item")
    assert.equal("item", getter:get())
    local putter = started(channel.put, channel, "other")
    assert.equal("other", channel:get_nowait())
    putter:get()
  end)

  it("serves both sides in the order in which they came", function()
    local channel = Channel()
    local putters, getters = {}, {}
    for i = 1, 3 do putters[i] = started(channel.put, channel, i) end
    for i = 1, 3 do assert.equal(i, channel:get()) end
    greenlet.joinall(putters, nil, true)
    for i = 1, 3 do getters[i] = started(channel.get, channel) end
    for i = 1, 3 do channel:put(i) end
    for i = 1, 3 do assert.equal(i, getters[i]:get()) end
  end)

  it("forgets who is killed or has run out of time", function()
    local channel = Channel()
    local killed, last = started(channel.put, channel, 1), started(channel.put, channel, 2)
    killed:kill()
    assert.equal(1, channel.balance)
    assert.equal(2, channel:get())
    last:get()
    killed, last = started(channel.get, channel), started(channel.get, channel)
    killed:kill()
    channel:put(3)
    assert.equal(3, last:get())
    assert.equal(0, channel.balance)
  end)

  it("has handed over what it has handed over, kills or not", function()
    local channel, got, put = Channel(), nil, nil
    local getter = started(function()
      got = channel:get()
      greenlet.sleep(NEVER)
    end)
    channel:put("item")
    getter:kill()
    assert.equal("item", got)
    local putter = started(function()
      channel:put("other")
      put = true
      greenlet.sleep(NEVER)
    end)
    assert.equal("other", channel:get())
    putter:kill()
    assert.is_true(put)
  end)

  it("takes nil and false as items", function()
    local channel = Channel()
    local putter = started(function()
      channel:put(nil)
      channel:put(false)
    end)
    assert.same({ n = 1 }, table.pack(channel:get()))
    assert.is_false(channel:get())
    putter:get()
    local getter = started(channel.get, channel)
    channel:put(nil)
    assert.is_nil(getter:get())
  end)

  it("raises ShutDown on both sides after shutdown, also where they wait", function()
    local channel, other = Channel(), Channel()
    local waiting = { started(channel.get, channel), started(other.put, other, 1) }
    channel:shutdown()
    other:shutdown()
    helper.capture(greenlet.joinall, waiting)
    for _, g in ipairs(waiting) do raises(ShutDown, g.get, g) end
    raises(ShutDown, channel.get, channel)
    raises(ShutDown, channel.put, channel, 1)
    raises(ShutDown, channel.put_nowait, channel, 1)
    assert.matches("^<Channel at 0x%x+: shut down>$", tostring(channel))
  end)

  it("is iterated until StopIteration or shutdown", function()
    local channel, items = Channel(), {}
    local function read()
      for item in channel:iter() do items[#items + 1] = item end
    end
    local first, second = started(read), started(read)
    for i = 1, 3 do channel:put(i) end
    channel:put(queue.StopIteration)
    channel:shutdown()
    greenlet.joinall({ first, second }, nil, true)
    table.sort(items) -- each of the two took some
    assert.same({ 1, 2, 3 }, items)
  end)

  it("holds no items, and has no size", function()
    assert.matches("bad argument #1 to '.*' %(.*Queue", tostring(helper.raises(Channel, 3)))
    local channel = Channel()
    assert.is_nil(channel.maxsize)
    assert.is_nil(channel.task_done)
    assert.is_nil(channel.peek)
    for _, method in ipairs { "join", "copy", "peek", "peek_nowait", "task_done", "init" } do
      assert.matches("queue expected", tostring(helper.raises(queue.Queue[method], channel)))
    end
    assert.matches("PriorityQueue expected", tostring(helper.raises(queue.PriorityQueue.put, channel, 1)))
    assert.matches("'balance' is read%-only", tostring(helper.raises(function() channel.balance = 1 end)))
  end)

  it("is ready for links and wait when somebody puts", function()
    local channel, told = Channel(), 0
    channel:rawlink(function() told = told + 1 end)
    helper.settle()
    assert.equal(0, told)
    local putter = started(channel.put, channel, 1)
    helper.settle()
    assert.equal(1, told)
    assert.same({ channel }, greenlet.wait({ channel }))
    assert.equal(1, channel:get())
    putter:get()
    assert.same({}, greenlet.wait({ channel }, 0))
  end)

  it("can be put into by the link that it tells", function()
    local channel, log = Channel(), {}
    channel:rawlink(function(object)
      log[1] = object:get(false)
      log[2] = select(2, pcall(object.put, object, 2, false))
    end)
    channel:put(1)
    assert.equal(1, log[1])
    helper.is_a(Full, log[2])
  end)

  it("lets who waits in one that nobody can reach be garbage", function()
    for _, method in ipairs { "put", "get" } do
      local closed = false
      do
        local channel = Channel()
        started(function()
          local variable <close> = helper.closer(function() closed = true end)
          channel[method](channel, 1)
        end)
      end
      assert.is_true(helper.collect_until(function() return closed end))
    end
  end)

  it("is collected with all that hang on it, in a chain", function()
    local ended = 0
    do
      local from = Channel()
      for _ = 1, 20 do
        local input, output = from, Channel()
        greenlet.spawn(function()
          local variable <close> = helper.closer(function() ended = ended + 1 end)
          for item in input:iter() do output:put(item) end
        end)
        from = output
      end
      greenlet.sleep(0)
    end
    assert.is_true(helper.collect_until(function() return ended == 20 end))
  end)

  it("passes a hundred thousand items between a hundred greenlets", function()
    local first = Channel()
    local from = first
    for _ = 1, 100 do
      local input, output = from, Channel()
      greenlet.spawn(function()
        for item in input:iter() do output:put(item + 1) end
        output:shutdown()
      end)
      from = output
    end
    greenlet.spawn(function()
      for i = 1, 1000 do first:put(i) end
      first:shutdown()
    end)
    local expected = 1
    for item in from:iter() do
      assert(item == expected + 100)
      expected = expected + 1
    end
    assert.equal(1001, expected)
  end)
end)
