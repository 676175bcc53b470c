-- Every class of queue: nothing is lost.
local Q = greenlet.queue
for _, class in ipairs { Q.Queue, Q.SimpleQueue, Q.LifoQueue, Q.PriorityQueue, Q.JoinableQueue } do
  local queue, sum = class(), 0
  local maker = greenlet.spawn(function()
    for i = 1, 5 do queue:put(i) greenlet.sleep(0) end
  end)
  greenlet.spawn(function() maker:join() if maker.exception then queue:put(-1000) end end)
  for _ = 1, 5 do
    local item = queue:get()
    if item == -1000 then error(maker.exception, 0) end
    sum = sum + item
  end
  maker:join()
  assert(sum == 15, sum)
end
local queue = Q.Queue(1)
queue:put(1)
local ok = pcall(queue.put, queue, 2, true, 0.001)
assert(not ok and queue:get() == 1)
