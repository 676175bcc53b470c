-- Random operations on semaphores, re-entrant locks and events, with timeouts and kills at random
-- moments, against a model.
--
-- The model: permits are conserved, whatever becomes of those who wait for them; waiters are
-- served in the order in which they came; a set event wakes all who wait, in order; links are told
-- once, and of a permit that is there. Each run is a process of its own, with few stacks and many,
-- and with stacks that move. SEED=7 in the environment makes it run with that seed alone.
local random = require "spec.random"

local SCRIPT = [=[
local seed, budget = tonumber(arg[1]), tonumber(arg[2]) -- budget: how many operations
math.randomseed(seed)
local G, random = greenlet, math.random
local lock, event = require "greenlet.lock", require "greenlet.event"
G.get_hub().exception_stream = false
local Stop = G.BaseException:extend("Stop") -- what kills
local counts = { refused = 0, timed_out = 0, waited = 0, killed = 0 }

-- ---- The model of a queue ----

-- Tickets in the order of waiting; whoever is served must be the first of those still there.
local function new_queue() return { first = 1, last = 0 } end

local function enter(queue)
  queue.last = queue.last + 1
  queue[queue.last] = "waits"
  return queue.last
end

local function leave(queue, ticket, served)
  queue[ticket] = "gone"
  while queue[queue.first] == "gone" do
    queue[queue.first] = nil
    queue.first = queue.first + 1
  end
  -- Served in order: all earlier ones have left by now.
  assert(not served or queue.first > ticket, "served out of order")
end

-- ---- Locks ----

local locks = {}
local function model(object, total, reentrant)
  locks[#locks + 1] = { object = object, total = total, held = 0, queue = new_queue(),
                        reentrant = reentrant, owner = nil, depth = 0 }
end
model(lock.Semaphore(1), 1)
model(lock.Semaphore(3), 3)
model(lock.BoundedSemaphore(2), 2)
model(lock.Lock(), 1)
model(lock.RLock(), 1, true)
model(lock.RLock(), 1, true)

local function check(m)
  assert(m.held >= 0 and m.held <= m.total, "more is held than there is")
  -- The rest has been handed to somebody who has not had his turn yet.
  assert(m.object.counter + m.held <= m.total, "a permit too many")
end

local function got(m)
  local me = G.getcurrent()
  if m.reentrant then
    assert(m.owner == nil or m.owner == me, "a lock with two owners")
    assert(m.object.owner == me)
    m.owner, m.depth = me, m.depth + 1
    if m.depth > 1 then return end
  end
  m.held = m.held + 1
  check(m)
end

local function give_back(m)
  if m.reentrant then
    m.depth = m.depth - 1
    if m.depth == 0 then m.owner = nil end
  end
  if m.depth == 0 then m.held = m.held - 1 end
  m.object:release()
  check(m)
end

local function timeout()
  local kind = random(4)
  if kind == 1 then return nil end
  if kind == 2 then return 0 end
  if kind == 3 then return random() * 0.0004 end
  return G.Timeout(random() * 0.0004)
end

-- object:acquire, its outcome as the model wants it. True if it was acquired.
local function acquire(m, block, limit)
  local mine = m.reentrant and m.owner == G.getcurrent()
  if mine or m.object.counter > 0 then
    assert(m.object:acquire(block, limit) == true, "not acquired though it was free")
    return true
  end
  if not block then
    assert(m.object:acquire(false) == false, "acquired though it was not free")
    return false
  end
  local ticket <const> = enter(m.queue)
  local result
  local done <close> = setmetatable({}, { __close = function()
    if result == nil then counts.refused = counts.refused + 1 end
    leave(m.queue, ticket, result)
  end })
  result = m.object:acquire(true, limit)
  assert(result or limit ~= nil, "gave up though there was no limit")
  local count = result and "waited" or "timed_out"
  counts[count] = counts[count] + 1
  return result
end

local function rest()
  if random(6) == 1 then return G.sleep(random() * 0.0001) end
  for _ = 1, random(0, 2) do G.sleep(0) end
end

local function hold(m, level)
  if not acquire(m, random(5) > 1, timeout()) then return end
  got(m)
  local held <close> = setmetatable({}, { __close = function() give_back(m) end })
  rest()
  if m.reentrant and level < 3 and random(2) == 1 then
    hold(m, level + 1)
    rest()
  end
end

local function watch(m)
  local limit = random() * 0.0004
  local free = m.object:wait(limit)
  assert(free == m.object.counter, "not free any more")
end

local function link(m)
  local calls, linked = 0, true
  local function f(object)
    assert(linked and object == m.object and object.counter > 0, "told of nothing")
    calls = calls + 1
    assert(calls == 1, "told twice")
    if random(2) == 1 and object:acquire(false) then object:release() end
  end
  m.object:rawlink(f)
  rest()
  m.object:unlink(f)
  linked = false
end

-- ---- Events ----

local events = {}
for i = 1, 3 do events[i] = { object = event.Event(), queue = new_queue(), generation = 0 } end

local function wait(m)
  if m.object:is_set() then return assert(m.object:wait()) end
  local generation, ticket <const> = m.generation, enter(m.queue)
  local result
  local done <close> = setmetatable({}, { __close = function() leave(m.queue, ticket, result) end })
  local limit = random(3) > 1 and random() * 0.0004 or nil
  result = m.object:wait(limit)
  if limit == nil then assert(result, "gave up though there was no limit") end
  assert(not result or m.generation > generation, "woken though it was not set")
end

local function set(m)
  m.generation = m.generation + 1
  m.object:set()
  assert(not tostring(m.object):find("waiting"), "somebody was not woken")
  if random(3) > 1 then m.object:clear() end
end

-- ---- What greenlets do ----

local operations = {
  function() hold(locks[random(#locks)], 1) end,
  function() hold(locks[random(#locks)], 1) end,
  function() hold(locks[random(#locks)], 1) end,
  function() watch(locks[random(#locks)]) end,
  function() link(locks[random(#locks)]) end,
  function() wait(events[random(#events)]) end,
  function() set(events[random(#events)]) end,
  function() events[random(#events)].object:clear() end,
  function() if random(50) == 1 then collectgarbage("step") end end,
}

local failure
local function operate()
  budget = budget - 1
  local f = operations[random(#operations)]
  local how = random(8)
  if how == 1 then
    coroutine.wrap(f)()
  elseif how == 2 then
    ("x"):gsub("x", f)
  elseif how == 3 then
    local limit <close> = G.Timeout.start_new(random() * 0.0004, Stop)
    f()
  else
    f()
  end
end

local function worker()
  while budget > 0 and not failure do
    local ok, err = G.pcall(operate)
    if not ok then
      if not Stop:class_of(err) then
        failure = failure or tostring(err)
        return
      end
      counts.killed = counts.killed + 1
      if random(4) == 1 then return end -- some die, and others take their place
    end
  end
end

local workers = {}
local WORKERS = 40
while budget > 0 and not failure do
  for i = 1, WORKERS do
    if not workers[i] or workers[i].dead then workers[i] = G.spawn(worker) end
  end
  for _ = 1, random(0, 3) do G.kill(workers[random(WORKERS)], Stop) end
  for _, m in ipairs(locks) do check(m) end
  if random(5) == 1 then G.sleep(0.0001) else G.sleep(0) end
end
if failure then error(failure, 0) end

-- ---- The end: everything has been given back ----

for i = 1, WORKERS do
  while not workers[i].dead do workers[i]:kill(Stop) end
end
G.sleep(0)
assert(not failure, failure)
for i, m in ipairs(locks) do
  assert(m.held == 0 and m.object.counter == m.total, "lost a permit of lock " .. i)
  assert(m.queue.first > m.queue.last)
  assert(not tostring(m.object):find("waiting"), tostring(m.object))
end
for _, m in ipairs(events) do
  assert(m.queue.first > m.queue.last)
  assert(not tostring(m.object):find("waiting"), tostring(m.object))
end
-- It has been what it was meant to be.
for name, count in pairs(counts) do assert(count > 100, name .. " " .. count) end
print("end")
]=]

local OPERATIONS = 100000

describe("random operations on locks and events", function()
  local settings = { "one stack", "64 stacks", "moving stacks" }
  random.it("keep to the model", settings, { 1, 2 }, function(run)
    local out, err = run(SCRIPT, OPERATIONS)
    assert.equal("", err)
    assert.equal("end\n", out)
  end)
end)
