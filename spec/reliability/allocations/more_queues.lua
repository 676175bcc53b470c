-- Bounded queues, peeks, joins, iteration, shutdown; puts that wait; channels; links of queues.
local Q = greenlet.queue
for _, class in ipairs { Q.Queue, Q.SimpleQueue, Q.LifoQueue, Q.PriorityQueue, Q.UnboundQueue } do
  local queue = class ~= Q.UnboundQueue and class(1) or class()
  local maker = greenlet.spawn(function()
    local closing <close> = setmetatable({}, { __close = function() queue:shutdown() end })
    for i = 1, 3 do queue:put(i) end
  end)
  local linked = 0
  queue:rawlink(function() linked = linked + 1 end)
  local sum = 0
  maker:rawlink(function() end)
  while true do
    local ok, item = pcall(queue.get, queue, true, 1)
    if not ok then
      if maker.exception then error(maker.exception, 0) end
      if not Q.ShutDown:class_of(item) then error(item, 0) end
      break
    end
    sum = sum + item
  end
  maker:get()
  assert(sum == 6, sum)
end
local joinable = Q.JoinableQueue()
for i = 1, 2 do joinable:put(i) end
local worker = greenlet.spawn(function()
  for _ = 1, 2 do joinable:get() joinable:task_done() end
end)
worker:get()
joinable:join(1)
assert(joinable:empty() and not pcall(joinable.get_nowait, joinable))
joinable:put("a")
assert(joinable:peek() == "a")
joinable:shutdown()
for item in joinable:iter() do assert(item == "a") end
local channel = Q.Channel()
local giver = greenlet.spawn(function() for i = 1, 3 do channel:put(i) end channel:shutdown() end)
giver:link(function() channel:shutdown() end)
local got = 0
for item in channel:iter() do got = got + item end
giver:get()
assert(got == 6)
