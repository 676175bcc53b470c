-- Functions of the classes, called with what is no class or is of another one.
--
-- Cause: what makes an object took any value for a class, and read its metatable from where there
-- was none; DummySemaphore's tostring took a queue, which is a table, for a userdata; Queue's init put
-- the items of a PriorityQueue where they did not belong, and left them on the stack.
-- Fix: l_push_meta checks the class; l_push_state finds what a table hides; the items of a new
-- queue go through put_nowait.
local greenlet = require "greenlet"
local helper = require "spec.helper"
local it = helper.it
local queue, lock, event = greenlet.queue, greenlet.lock, greenlet.event

describe("classes called with other values", function()
  helper.check_leaks()

  local classes = {
    greenlet.Greenlet, greenlet.greenlet, greenlet.Timeout, event.Event, event.AsyncResult,
    queue.Queue, queue.LifoQueue, queue.PriorityQueue, queue.Channel, lock.Semaphore, lock.RLock,
  }
  local others = {
    1, "x", print, {}, { __meta = 1 }, io.stdout,
    setmetatable({}, { __index = function() return 5 end }),
  }

  it("make no object", function()
    for _, class in ipairs(classes) do
      local new = class.__new
      assert.is_false(pcall(new))
      for _, other in ipairs(others) do assert.is_false(pcall(new, other)) end
    end
    assert.is_false(pcall(getmetatable(greenlet.class).__call, { __meta = 5 }))
  end)

  it("describe an object of another class", function()
    assert.matches("^<Queue at .*free for all>$", lock.DummySemaphore.__tostring(queue.Queue()))
    assert.matches("^<Channel at ", lock.DummySemaphore.__tostring(queue.Channel()))
    assert.is_false(pcall(event.AsyncResult.__tostring, queue.Queue()))
  end)
end)

describe("the items of a new queue", function()
  helper.check_leaks()

  it("of a sorted queue are refused by another class's init", function()
    local q = queue.PriorityQueue()
    assert.matches("for its own init", helper.raises(function() queue.Queue.init(q, nil, { 1 }) end))
    assert.equal(0, q:qsize())
  end)

  it("may be read from a list that shuts the queue down", function()
    local Sub, q = queue.Queue:extend("Sub"), nil
    function Sub:init(items)
      q = self
      Sub.super.init(self, nil, items)
    end
    local items = setmetatable({}, {
      __len = function() return 100000 end,
      __index = function(_, i)
        if i == 3 then q:shutdown() end
        return i
      end,
    })
    local ok, err = pcall(Sub, items)
    assert.is_false(ok)
    assert.is_true(queue.ShutDown:class_of(err))
    assert.equal(2, q:qsize())
  end)
end)
