-- A trace that is begun and ended, and what is noted meanwhile.
local file = os.tmpname()
local path = file .. ".json"
local cleaner <close> = setmetatable({}, { __close = function()
  os.remove(file)
  os.remove(path)
end })
greenlet.config.flight_recorder = path
greenlet.trace.start(path)
local lock, channel = greenlet.lock.Lock("shared"), greenlet.queue.Channel()
local holder = greenlet.spawn(function()
  lock:acquire()
  greenlet.sleep(0)
  lock:release()
end)
holder.name = "holder"
local waiter = greenlet.spawn(function() lock:acquire() lock:release() end)
local getter = greenlet.spawn(channel.get, channel)
holder:link(function() end)
local sleeper = greenlet.spawn_later(0.01, type, 1)
greenlet.sleep(0)
channel:put("item")
greenlet.joinall { holder, waiter, getter }
greenlet.kill(sleeper)
greenlet.trace.stop()
greenlet.config.flight_recorder = ""
