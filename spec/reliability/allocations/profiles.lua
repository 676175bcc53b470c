-- A profile that is begun and ended, of each kind, and what is charged meanwhile.
local file = os.tmpname()
local paths = { file .. ".html", file .. ".folded" }
local cleaner <close> = setmetatable({}, { __close = function()
  os.remove(file)
  for _, path in ipairs(paths) do os.remove(path) end
end })
local function spin(rounds)
  for _ = 1, rounds do end
end
for _, path in ipairs(paths) do
  greenlet.profile.start(path, { interval = 0.0001 })
  local lock = greenlet.lock.Lock("shared")
  local holder = greenlet.spawn(function()
    lock:acquire()
    greenlet.sleep(0.001)
    lock:release()
  end)
  holder.name = "holder"
  local waiter = greenlet.spawn(function() lock:acquire() lock:release() end)
  spin(20000)
  coroutine.wrap(spin)(20000)
  greenlet.joinall { holder, waiter }
  greenlet.profile.stop()
end
