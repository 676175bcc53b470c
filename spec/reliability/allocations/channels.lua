-- Channels and select.
local channel, other = greenlet.queue.Channel(), greenlet.queue.Channel()
local maker = greenlet.spawn(function()
  for i = 1, 3 do channel:put(i) end
  other:put("end")
end)
local sum = 0
while true do
  local index, item = greenlet.select({ { channel, "get" }, { other, "get" }, { maker, "wait" } }, 10)
  if index == 1 then sum = sum + item
  elseif index == 2 then break
  else
    if maker.exception then error(maker.exception, 0) end
    break
  end
end
assert(sum == 6, sum)
assert(greenlet.select({ { channel, "get" } }, 0) == nil)
assert(greenlet.select({ { channel, "get" } }, 0.001) == nil)
