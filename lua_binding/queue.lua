--- greenlet.queue: queues and channels between greenlets.
-- Here are the errors, and what PriorityQueue does about places that it reserves; the
-- rest is in C.

local core = ...
local Queue, PriorityQueue, UnboundQueue = core.Queue, core.PriorityQueue, core.UnboundQueue

core.Empty = core.Exception:extend("Empty")
core.Full = core.Exception:extend("Full")
core.ShutDown = core.Exception:extend("ShutDown")
core.StopIteration = core.Exception:extend("StopIteration")

--- A queue that has no limit.
-- @param maxsize must be nil
-- @param items list of what is in it from the start
-- @param name string, for reports
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

--- Put the item where it belongs, for which the place is reserved.
function core.sort_in(place)
  local closing <close> = place
  core.sorted_insert(place.queue, place.item, place)
end

--- Put an item in, if that is possible without waiting.
-- @treturn bool
function core.sorted_try(queue, item)
  local place <close> = core.sorted_place(queue, item)
  local reserved = core.queue_try_place(queue, item, nil, nil, place)
  if reserved then core.sort_in(place) end
  return reserved
end

--- Put an item in, where it belongs.
-- @param item any value
-- @param block wait for room (default true)
-- @param timeout seconds, a Timeout, or nil for ever
-- @raise Full, ShutDown, and what the comparison raises: the queue is as it was then
function PriorityQueue:put(...)
  if select("#", ...) == 0 then core.argerror(1, "put", "value expected") end
  local item, block, timeout = ...
  core.check_time(timeout, 3, "put")
  local place <close> = core.sorted_place(self, item)
  core.queue_place(self, item, block, timeout, place)
  core.sort_in(place)
end
core.sorted_put = PriorityQueue.put

--- The same, without waiting.
function PriorityQueue:put_nowait(...)
  if select("#", ...) == 0 then core.argerror(1, "put_nowait", "value expected") end
  self:put((...), false)
end

--- A queue whose least item leaves first, of equals the one that came first.
-- @param maxsize int, nil for no limit
-- @param items list of what is in it from the start
-- @param less function(a, b): must a leave before b? By default a < b, lists by their
--   first elements.
-- @param name string, for reports; as with other queues it may be the third argument
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
