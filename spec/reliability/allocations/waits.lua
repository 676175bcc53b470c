-- Waits for objects of several kinds: wait, iwait, joinall, select; own objects with rawlink.
local E, Q, L = greenlet.event, greenlet.queue, greenlet.lock
local event, result, queue = E.Event(), E.AsyncResult(), Q.Queue()
local channel, lock = Q.Channel(), L.Semaphore(0)
local own = { links = {} }
local asked = E.Event()
function own:rawlink(f) asked:set() self.links[#self.links + 1] = f end
function own:unlink() end
local job = greenlet.spawn(greenlet.sleep, 0)
local giver = greenlet.spawn(function()
  event:set() greenlet.sleep(0)
  result:set("value") greenlet.sleep(0)
  queue:put("item") greenlet.sleep(0)
  lock:release() greenlet.sleep(0)
  asked:wait(1)
  for _, f in ipairs(own.links) do f(own) end
  channel:put("last", true, 1)
end)
local function check()
  if giver.exception then error(giver.exception, 0) end
end
giver:rawlink(function() end)
-- Should the giver fail, its death ends the waits.
local ready = greenlet.wait({ event, giver }, nil, 1)
check()
assert(ready[1] == event)
for object in greenlet.iwait({ result, queue, giver }, nil, 2) do
  check()
  assert(object == result or object == queue)
end
local index = greenlet.select({ { giver, "wait" }, { lock, "wait" } })
check()
assert(index == 2)
index = greenlet.select({ { giver, "wait" }, { own, "wait" } })
check()
assert(index == 2)
local which, item = greenlet.select({ { giver, "wait" }, { channel, "get" } })
check()
assert(which == 2 and item == "last", which)
greenlet.joinall({ giver, job, event }, nil, true)
assert(#greenlet.wait({ event, channel }, 0.001) == 1)
