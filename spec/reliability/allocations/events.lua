-- Event, AsyncResult, wait and iwait.
local event, result = greenlet.event.Event(), greenlet.event.AsyncResult()
local waiters = {}
for i = 1, 3 do waiters[i] = greenlet.spawn(function() event:wait() return i end) end
local taker = greenlet.spawn(function() return result:get() end)
greenlet.sleep(0)
event:set()
result:set("value")
greenlet.joinall(waiters)
if taker.exception then error(taker.exception, 0) end
local value = taker:get()
assert(value == "value")
for i = 1, 3 do
  if waiters[i].exception then error(waiters[i].exception, 0) end
  assert(waiters[i].value == i)
end
local a, b = greenlet.spawn(greenlet.sleep, 0.001), greenlet.spawn(greenlet.sleep, 0.002)
local count = 0
for _ in greenlet.iwait({ a, b }) do count = count + 1 end
assert(count == 2)
assert(#greenlet.wait({ a, b, event }) == 3)
