-- Locks: no permit is lost.
local L = greenlet.lock
local lock, rlock, semaphore = L.Lock(), L.RLock(), L.BoundedSemaphore(2)
local function work(n)
  for _ = 1, 2 do
    semaphore:acquire()
    local ok, err = pcall(function()
      rlock:acquire() rlock:acquire()
      greenlet.sleep(0)
      rlock:release() rlock:release()
      return n
    end)
    semaphore:release()
    if not ok then error(err, 0) end
  end
end
local jobs = {}
for i = 1, 4 do jobs[i] = greenlet.spawn(work, i) end
lock:acquire()
assert(not lock:acquire(false))
assert(not lock:acquire(true, 0.001))
lock:release()
greenlet.joinall(jobs)
for _, job in ipairs(jobs) do
  if job.exception then error(job.exception, 0) end
end
assert(semaphore.counter == 2, "a permit is lost")
