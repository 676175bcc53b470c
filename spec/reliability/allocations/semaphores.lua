-- Every lock: acquire, release, hold, with, waits, timeouts, names.
local L = greenlet.lock
local all = { L.Semaphore(1), L.BoundedSemaphore(1), L.Lock(), L.RLock() }
function invariant()
  for i, lock in ipairs(all) do assert(not lock:locked(), "permit lost: " .. i) end
end
for i, lock in ipairs(all) do
  lock.name = "lock" .. i
  local jobs = {}
  for n = 1, 2 do
    jobs[n] = greenlet.spawn(function()
      do local held <close> = lock:hold() greenlet.sleep(0) end
      lock:with(greenlet.sleep, 0)
      return n
    end)
  end
  for n = 1, 2 do assert(jobs[n]:get() == n) end
  local function try()
    greenlet.spawn(function()
      if lock:acquire(true, 0.001) then lock:release() end
    end):get()
  end
  lock:acquire()
  local ok, err = pcall(try)
  lock:release()
  if not ok then error(err, 0) end
  assert(lock:wait(1) and tostring(lock):find("lock" .. i))
end
local dummy = L.DummySemaphore()
assert(dummy:acquire() and dummy:with(function() return true end))
dummy:release()
