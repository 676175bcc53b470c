--- Programs without a fault, of which no deadlock may be reported: {what they do, script}.
-- Each prints ok, and nothing else.

local HEAD = [[
local lock, queue, event, pool = greenlet.lock, greenlet.queue, greenlet.event, greenlet.pool
local spawn, sleep = greenlet.spawn, greenlet.sleep
]]

local list = {}

local function program(name)
  return function(script) list[#list + 1] = { name, HEAD .. script .. "\nprint('ok')\n" } end
end

program "a lock used as a signal" [[
local l = lock.Lock()
l:acquire()
spawn(function() sleep(0.01) l:release() end)
l:acquire()]]

program "a condition, as of a lock for each who waits" [[
local waiters = {}
local function wait()
  local l = lock.Lock()
  l:acquire()
  waiters[#waiters + 1] = l
  l:acquire()
end
local list = {}
for i = 1, 5 do list[i] = spawn(wait) end
spawn(function() for _ = 1, 5 do sleep(0.002) table.remove(waiters, 1):release() end end)
greenlet.joinall(list)]]

program "two locks taken in the same order" [[
local a, b = lock.Lock("a"), lock.Lock("b")
local function both() a:acquire() sleep(0) b:acquire() sleep(0.001) b:release() a:release() end
greenlet.joinall { spawn(both), spawn(both), spawn(both) }]]

program "two locks the wrong way round, with patience" [[
local a, b = lock.Lock("a"), lock.Lock("b")
local function both(x, y)
  while true do
    x:acquire()
    sleep(0)
    local got = y:acquire(true, 0.001 * math.random(5))
    x:release()
    if got then y:release() return end
    sleep(0.001 * math.random(5))
  end
end
greenlet.joinall { spawn(both, a, b), spawn(both, b, a) }]]

program "two locks the wrong way round, ended by a Timeout" [[
local a, b = lock.RLock("a"), lock.RLock("b")
local function both(x, y)
  local one <close> = x:hold()
  sleep(0)
  local t <close> = greenlet.Timeout.start_new(0.01)
  local two <close> = y:hold()
end
local ab, ba = spawn(greenlet.pcall, both, a, b), spawn(greenlet.pcall, both, b, a)
greenlet.joinall { ab, ba }]]

program "two locks the wrong way round in a scope with a time limit" [[
local a, b = lock.RLock("a"), lock.RLock("b")
local function both(x, y)
  local one <close> = x:hold()
  sleep(0)
  local two <close> = y:hold()
end
local ok, err = greenlet.pcall(greenlet.scope, function(s) s:spawn(both, a, b) s:spawn(both, b, a) end,
  { timeout = 0.02 })
assert(not ok and greenlet.Timeout:class_of(err))]]

program "greenlets in a cycle that a supervisor kills" [[
local a, b = lock.RLock("a"), lock.RLock("b")
local function both(x, y)
  local one <close> = x:hold()
  sleep(0)
  local two <close> = y:hold()
end
local pair = { spawn(both, a, b), spawn(both, b, a) }
greenlet.joinall(pair, 0.02)
greenlet.killall(pair)]]

program "a join with a limit in a cycle" [[
local a, b
a = spawn(function() b:join(0.01) end)
b = spawn(function() a:join() end)
greenlet.joinall { a, b }]]

program "a lock that another one releases, held in a cycle" [[
local a, b = lock.Lock("a"), lock.Lock("b")
local function both(x, y) x:acquire() sleep(0) y:acquire() y:release() if x == b then b:release() end end
a:acquire() spawn(function() a:release() end):join() -- who is no owner
local one, two = spawn(both, a, b), spawn(both, b, a)
spawn(function() sleep(0.005) a:release() end)
greenlet.joinall { one, two }]]

program "semaphores in a cycle that a third one releases" [[
local a, b = lock.Semaphore(1), lock.Semaphore(1)
local function both(x, y) x:acquire() sleep(0) y:acquire() end
local one, two = spawn(both, a, b), spawn(both, b, a)
spawn(function() sleep(0.005) a:release() b:release() end)
greenlet.joinall { one, two }]]

program "a semaphore that counts what producers make" [[
local s, sum = lock.Semaphore(0), 0
local consumer = spawn(function() for _ = 1, 10 do s:acquire() sum = sum + 1 end end)
for _ = 1, 10 do sleep(0) s:release() end
consumer:join()
assert(sum == 10)]]

program "a lock that goes from hand to hand" [[
local l, n = lock.Lock(), 0
local function work() for _ = 1, 20 do local held <close> = l:hold() n = n + 1 sleep(0) end end
local list = {}
for i = 1, 10 do list[i] = spawn(work) end
greenlet.joinall(list)
assert(n == 200)]]

program "an RLock taken again and again" [[
local r = lock.RLock()
local function nested(n) local held <close> = r:hold() sleep(0) if n > 0 then nested(n - 1) end end
greenlet.joinall { spawn(nested, 10), spawn(nested, 10) }]]

program "a chain of joins" [[
local before = spawn(sleep, 0.005)
for _ = 1, 100 do local last = before before = spawn(function() last:join() end) end
before:join()]]

program "a star of joins, while one holds a lock" [[
local l = lock.Lock()
l:acquire()
local g = spawn(function() sleep(0.005) return 5 end)
local list = {}
for i = 1, 10 do list[i] = spawn(function() return g:get() end) end
local waiting = spawn(function() l:acquire() l:release() end)
greenlet.joinall(list)
l:release()
waiting:join()]]

program "an owner that joins those who need its lock, but for one" [[
local l = lock.Lock()
l:acquire()
local wanting = spawn(function() l:acquire() l:release() end)
local other = spawn(sleep, 0.002)
greenlet.joinall({ wanting, other }, nil, false, 1)
l:release()
wanting:join()]]

program "pipelines of channels" [[
local a, b, sum = queue.Channel("a"), queue.Channel("b"), 0
spawn(function() for i = 1, 50 do a:put(i) end a:shutdown() end)
spawn(function() for i in a:iter() do b:put(i * 2) end b:shutdown() end)
for i in b:iter() do sum = sum + i end
assert(sum == 2550)]]

program "ping and pong by two channels" [[
local there, back = queue.Channel(), queue.Channel()
spawn(function() for i in there:iter() do back:put(i + 1) end end)
local n = 0
for _ = 1, 100 do there:put(n) n = back:get() end
there:shutdown()
assert(n == 100)]]

program "a bounded queue with slow consumers" [[
local q, done = queue.Queue(2, nil, "jobs"), 0
for _ = 1, 3 do spawn(function() for _ in q:iter() do sleep(0) done = done + 1 q:task_done() end end) end
for i = 1, 60 do q:put(i) end
q:join()
q:shutdown()
assert(done == 60)]]

program "select between a queue and an event" [[
local q, stop = queue.Queue(), event.Event("stop")
local g = spawn(function()
  local n = 0
  while true do
    local i = greenlet.select { { q, "get" }, { stop, "wait" } }
    if i == 2 then return n end
    n = n + 1
  end
end)
for i = 1, 5 do q:put(i) sleep(0) end
sleep(0)
stop:set()
assert(g:get() == 5)]]

program "a select with a limit that nothing ends" [[
assert(greenlet.select({ { queue.Queue(), "get" } }, 0.01) == nil)]]

program "a pool that is full" [[
local p, n = pool.Pool(2), 0
for _ = 1, 20 do p:spawn(function() sleep(0.001) n = n + 1 end) end
p:join()
assert(n == 20)]]

program "a map whose calls use a lock" [[
local l, p = lock.Lock(), pool.Pool(3)
local values = p:map(function(x) local held <close> = l:hold() sleep(0) return x * x end, { 1, 2, 3, 4 })
assert(values[4] == 16)]]

program "scopes in scopes" [[
local n = 0
greenlet.scope(function(s)
  for _ = 1, 3 do
    s:spawn(function() greenlet.scope(function(t) for _ = 1, 3 do t:spawn(function() sleep(0.001) n = n + 1 end) end end) end)
  end
end)
assert(n == 9)]]

program "a scope whose owner lets go of its lock" [[
local l = lock.Lock()
l:acquire()
greenlet.scope(function(s)
  s:spawn(function() l:acquire() l:release() end)
  sleep(0.002)
  l:release()
end)]]

program "an event that is set again and again" [[
local e, woken = event.Event(), 0
for _ = 1, 10 do spawn(function() e:wait() woken = woken + 1 end) end
sleep(0)
e:set()
e:clear()
sleep(0)
assert(woken == 10)]]

program "an AsyncResult for many" [[
local r = event.AsyncResult("answer")
local list = {}
for i = 1, 5 do list[i] = spawn(function() return r:get() end) end
spawn(function() sleep(0.002) r:set(42) end)
greenlet.joinall(list)
assert(list[5].value == 42)]]

program "two who hand over by two locks" [[
local a, b, log = lock.Lock("a"), lock.Lock("b"), {}
b:acquire()
local one = spawn(function() for i = 1, 5 do a:acquire() log[#log + 1] = "1" b:release() end end)
local two = spawn(function() for i = 1, 5 do b:acquire() log[#log + 1] = "2" a:release() end end)
greenlet.joinall { one, two }
assert(table.concat(log) == "1212121212")]]

program "readers and a writer" [[
local gate, readers, count = lock.Lock("gate"), lock.Lock("readers"), 0
local function read()
  readers:acquire() count = count + 1 if count == 1 then gate:acquire() end readers:release()
  sleep(0)
  readers:acquire() count = count - 1 if count == 0 then gate:release() end readers:release()
end
local function write() local held <close> = gate:hold() sleep(0) end
local list = {}
for i = 1, 10 do list[i] = spawn(i % 3 == 0 and write or read) end
greenlet.joinall(list)]]

program "a barrier of semaphores" [[
local n, arrived, turnstile = 4, 0, lock.Semaphore(0)
local function meet()
  arrived = arrived + 1
  if arrived == n then for _ = 1, n do turnstile:release() end end
  turnstile:acquire()
end
local list = {}
for i = 1, n do list[i] = spawn(meet) end
greenlet.joinall(list)]]

program "coroutines that wait in a greenlet that holds a lock" [[
local l = lock.Lock()
local function body()
  local co = coroutine.wrap(function() for _ = 1, 3 do
    do local held <close> = l:hold() sleep(0) end
    coroutine.yield()
  end end)
  for _ = 1, 3 do co() end
end
greenlet.joinall { spawn(body), spawn(body) }]]

program "raw greenlets that switch to each other" [[
local main = greenlet.getcurrent()
local a, b
a = greenlet.greenlet(function() b:switch() main:switch() end)
b = greenlet.greenlet(function() a:switch() end)
a:switch()]]

program "a greenlet that joins one that was killed in its wait" [[
local l = lock.Lock()
l:acquire()
local waits = spawn(function() l:acquire() end)
local joins = spawn(function() waits:join() end)
sleep(0)
waits:kill()
joins:join()]]

program "those who still wait when the main greenlet has ended" [[
local q = queue.Queue()
spawn(function() q:get() end)
spawn(function() event.Event():wait() end)
sleep(0)]]

return list
