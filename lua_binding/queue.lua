--- Queues and channels between greenlets.
-- A queue passes items from those who put to those who get, and makes who is too fast wait.
--
-- | class | which item leaves first |
-- |---|---|
-- | `Queue([maxsize [, items]])` | the one that came first |
-- | `LifoQueue([maxsize [, items]])` | the one that came last |
-- | `PriorityQueue([maxsize [, items [, less]]])` | the least; of equals, the one that came first |
-- | `SimpleQueue([maxsize [, items]])` | as Queue, without tasks |
-- | `UnboundQueue([nil [, items]])` | as Queue, without a size |
-- | `JoinableQueue` | is Queue |
-- | `Channel()` | it has no room: who puts and who gets meet |
--
-- Items are any values, nil and false too. Who waits is served in the order of coming, and nobody
-- gets ahead of who waits. An item is handed over or it is not: a getter that is killed or runs out
-- of time has taken nothing, a putter has put nothing; and what somebody was handed before a kill
-- arrives is returned first, the kill is raised at the next wait.
--
-- ```lua
-- local queue = require "greenlet.queue"
-- local lines = queue.Queue(2) -- at most two are waiting to be printed
--
-- local printer = greenlet.spawn(function()
--   for line in lines:iter() do
--     greenlet.sleep(0.001) -- slow
--     print("printed", line)
--   end
-- end)
-- for i = 1, 4 do
--   lines:put("line " .. i) -- waits while two are there
--   print("put", i)
-- end
-- lines:shutdown()
-- printer:join()
-- print(pcall(lines.get, lines))
-- print(pcall(queue.Queue().get, queue.Queue(), true, 0.01))
-- ```
--
-- ```text
-- put	1
-- put	2
-- put	3
-- printed	line 1
-- put	4
-- printed	line 2
-- printed	line 3
-- printed	line 4
-- false	ShutDown
-- false	Empty
-- ```
--
-- An item may stand for work that is to be done after it was taken out: a *task*. All queues but
-- SimpleQueue and Channel count the tasks that are not done.
--
-- ```lua
-- local queue = require "greenlet.queue"
-- local pages = queue.Queue(nil, {"a", "b", "c"})
-- local sizes = {}
-- for _ = 1, 2 do
--   greenlet.spawn(function()
--     for page in pages:iter() do
--       greenlet.sleep(0.001) -- fetch it
--       sizes[page] = 10 * page:byte()
--       if page == "a" then pages:put("d") end -- found a link
--       pages:task_done()
--     end
--   end)
-- end
-- print(pages:join(), sizes.a, sizes.d)
-- pages:shutdown()
-- ```
--
-- ```text
-- true	970	1000
-- ```
--
-- Queues and channels may be given to `greenlet.wait` and `greenlet.iwait`, which take nothing out,
-- and to `greenlet.select`, which does.
--
-- The methods `put` and `get` lie in each object of these classes, which makes them fast: to
-- replace them in a class, do it before you make objects of it. Objects of derived classes look
-- them up at each call.
-- @module greenlet.queue
-- @order Queue Channel PriorityQueue LifoQueue SimpleQueue UnboundQueue JoinableQueue
-- @source gevent.queue

-- Here are the errors, and what PriorityQueue does about places that it reserves; the
-- rest is in C.

local core = ...
local Queue, PriorityQueue, UnboundQueue = core.Queue, core.PriorityQueue, core.UnboundQueue

--- Raised by a get or peek: no item, or none in time.
-- @class greenlet.queue.Empty
-- @super greenlet.Exception
-- @source queue.Empty
core.Empty = core.Exception:extend("Empty")

--- Raised by a put: no room, or none in time.
-- @class greenlet.queue.Full
-- @super greenlet.Exception
-- @source queue.Full
core.Full = core.Exception:extend("Full")

--- Raised by a put, get or peek when the queue is shut down.
-- @class greenlet.queue.ShutDown
-- @super greenlet.Exception
-- @source gevent.queue.ShutDown
core.ShutDown = core.Exception:extend("ShutDown")

--- Put the class itself into a queue to end a loop over `Queue:iter` there.
-- @class greenlet.queue.StopIteration
-- @super greenlet.Exception
-- @usage lines:put(greenlet.queue.StopIteration)
-- @source StopIteration
core.StopIteration = core.Exception:extend("StopIteration")

--- Make a queue whose first item leaves first.
-- `#q` is how many items there are.
-- @class greenlet.queue.Queue
-- @order put put_nowait get get_nowait peek peek_nowait iter shutdown task_done join qsize
-- @tparam[opt] integer maxsize how many items fit, 1 or more; nil: any number. 0 is an error: what
--   holds no items is a `Channel`
-- @tparam[opt] table items list of what is in it from the start, which may be more than fit
-- @tparam[opt] string name for reports
-- @raise bad argument
-- @usage local lines = greenlet.queue.Queue(10)
-- @source gevent.queue.Queue

--- Make a queue as Queue, but without tasks.
-- It has the methods of a `Queue` but `task_done` and `join`.
-- @class greenlet.queue.SimpleQueue
-- @tparam[opt] integer maxsize how many items fit, 1 or more; nil: any number
-- @tparam[opt] table items list of what is in it from the start
-- @tparam[opt] string name for reports
-- @raise bad argument
-- @usage local lines = greenlet.queue.SimpleQueue(10)
-- @source gevent.queue.SimpleQueue

--- Make a queue: another name of Queue.
-- @class greenlet.queue.JoinableQueue
-- @super greenlet.queue.Queue
-- @source gevent.queue.JoinableQueue

--- Make a queue whose last item leaves first.
-- @class greenlet.queue.LifoQueue
-- @super greenlet.queue.Queue
-- @tparam[opt] integer maxsize how many items fit, 1 or more; nil: any number
-- @tparam[opt] table items list of what is in it from the start
-- @tparam[opt] string name for reports
-- @raise bad argument
-- @usage local stack = greenlet.queue.LifoQueue()
-- @source gevent.queue.LifoQueue

--- Make a queue without room for anything: who puts and who gets meet.
-- A put waits until a get has been handed the item; if one waits already, it returns at once. A
-- channel has the methods of a `Queue` but `peek`, `copy` and those for tasks. It is always empty
-- and full, and its size is 0.
--
-- ```lua
-- local queue = require "greenlet.queue"
-- local channel = queue.Channel()
-- greenlet.spawn(function()
--   for _, word in ipairs {"hello", "world"} do
--     print("sending", word)
--     channel:put(word)
--     print("sent", word)
--   end
--   channel:shutdown()
-- end)
-- for word in channel:iter() do print("received", word) end
-- ```
--
-- ```text
-- sending	hello
-- sent	hello
-- sending	world
-- received	hello
-- received	world
-- sent	world
-- ```
--
-- A stage of a pipeline is a greenlet that iterates over one channel and puts into the next; it
-- ends when the channel before it is shut down, and shuts down its own. Who waits at a queue or
-- channel that nobody else can reach any more is [garbage](garbage.md), and so are stages that were
-- abandoned.
-- @class greenlet.queue.Channel
-- @tparam[opt] string name for reports
-- @usage local channel = greenlet.queue.Channel()
-- @source gevent.queue.Channel

--- Make a queue without a size.
-- @class greenlet.queue.UnboundQueue
-- @super greenlet.queue.Queue
-- @tparam[opt] nil maxsize nil
-- @tparam[opt] table items list of what is in it from the start
-- @tparam[opt] string name for reports
-- @raise bad argument when *maxsize* is not nil
-- @usage local log = greenlet.queue.UnboundQueue()
-- @source gevent.queue.UnboundQueue
function UnboundQueue:init(maxsize, items, name)
  if maxsize ~= nil then
    core.argerror(1, "UnboundQueue", "nil expected, got " .. core.typename(maxsize))
  end
  Queue.init(self, nil, items, name)
end

-- ---- PriorityQueue ----

-- A place that is reserved and not used is given up.
local Place = {}

function Place:__close()
  if self.reserved then core.queue_give_up(self.queue, self) end
end

function core.sorted_place(queue, item)
  return setmetatable({ queue = queue, item = item, reserved = false }, Place)
end

-- Put the item where it belongs, for which the place is reserved.
function core.sort_in(place)
  local closing <close> = place
  core.sorted_insert(place.queue, place.item, place)
end

-- Put an item in, if that is possible without waiting: returns whether it was.
function core.sorted_try(queue, item)
  local place <close> = core.sorted_place(queue, item)
  local reserved = core.queue_try_place(queue, item, nil, nil, place)
  if reserved then core.sort_in(place) end
  return reserved
end

--- Put an item in where it belongs; if there is no room, wait for it.
-- @function PriorityQueue:put
-- @tparam any item any value that can be compared with the others
-- @tparam[opt=true] boolean block false: do not wait
-- @tparam[opt] number|Timeout timeout seconds; nil waits for ever
-- @raise Full, ShutDown; and what a comparison raises: the queue is as it was then
-- @switches yes, if there is no room and *block* is not false; and where a comparison does
-- @usage todo:put {2, "drink"}
-- @source gevent.queue.PriorityQueue.put
function PriorityQueue:put(...)
  if select("#", ...) == 0 then core.argerror(1, "put", "value expected") end
  local item, block, timeout = ...
  core.check_time(timeout, 3, "put")
  local place <close> = core.sorted_place(self, item)
  core.queue_place(self, item, block, timeout, place)
  core.sort_in(place)
end
core.sorted_put = PriorityQueue.put

--- Put an item in without waiting for room: `q:put(item, false)`.
-- @function PriorityQueue:put_nowait
-- @tparam any item any value that can be compared with the others
-- @raise Full, ShutDown; and what a comparison raises
-- @usage todo:put_nowait {1, "eat"}
-- @source gevent.queue.PriorityQueue.put_nowait
function PriorityQueue:put_nowait(...)
  if select("#", ...) == 0 then core.argerror(1, "put_nowait", "value expected") end
  self:put((...), false)
end

--- Make a queue whose least item leaves first; of equals, the one that came first.
-- Items are compared by `<`, lists by their first elements unless they have an `__lt` of their own,
-- and with *less* by that. Only a put compares. An error in a comparison is raised in that put, and
-- the queue is as it was. A comparison may do anything, even wait: the place of its item is
-- reserved meanwhile.
--
-- ```lua
-- local queue = require "greenlet.queue"
-- local todo = queue.PriorityQueue(nil, {{3, "sleep"}, {1, "eat"}})
-- todo:put {2, "drink"}
-- todo:put {1, "wash up"}
-- while #todo > 0 do print(table.unpack(todo:get())) end
-- print((pcall(todo.put, todo, 1)), (pcall(todo.put, todo, "one")), #todo)
-- ```
--
-- ```text
-- 1	eat
-- 1	wash up
-- 2	drink
-- 3	sleep
-- true	false	1
-- ```
-- @class greenlet.queue.PriorityQueue
-- @super greenlet.queue.Queue
-- @tparam[opt] integer maxsize how many items fit, 1 or more; nil: any number
-- @tparam[opt] table items list of what is in it from the start
-- @tparam[opt] function less `less(a, b)`: must *a* leave before *b*?
-- @tparam[opt] string name for reports; as with other queues it may be the third argument
-- @raise bad argument; what a comparison of *items* raises
-- @usage local function less(a, b) return a.due < b.due end
--   local todo = greenlet.queue.PriorityQueue(nil, nil, less)
-- @source gevent.queue.PriorityQueue
function PriorityQueue:init(maxsize, items, less, name)
  if type(less) == "string" and name == nil then less, name = nil, less end
  if less ~= nil and not core.callable(less) then
    core.argerror(3, "PriorityQueue", "function expected, got " .. core.typename(less))
  end
  if items ~= nil and type(items) ~= "table" then
    core.argerror(2, "PriorityQueue", "table expected, got " .. core.typename(items))
  end
  Queue.init(self, maxsize, nil, name)
  core.sorted_by(self, less)
  if not items then return end
  self.maxsize = nil
  for i = 1, #items do PriorityQueue.put(self, items[i]) end
  self.maxsize = maxsize
end

return {
  Queue = Queue, JoinableQueue = Queue, SimpleQueue = core.SimpleQueue,
  UnboundQueue = UnboundQueue, LifoQueue = core.LifoQueue, PriorityQueue = PriorityQueue,
  Channel = core.Channel,
  Empty = core.Empty, Full = core.Full, ShutDown = core.ShutDown,
  StopIteration = core.StopIteration,
}
