-- Random puts, gets and selects on queues and channels, with timeouts and kills at any moment.
--
-- What is pinned: an item that was put is got once or is still there; one whose put failed is
-- never seen; and of each queue the nth that was asked to give (of those who got something) got
-- the nth that was put in (of those who did), in the order of the calls.
--
-- Each run is a process of its own and prints its seed. From the environment: SEED=7 runs with
-- that seed alone, OPERATIONS=1000000 makes the runs longer.
local random = require "spec.random"

local SCRIPT = [=[
local seed, budget = tonumber(arg[1]), tonumber(arg[2])
math.randomseed(seed)
collectgarbage(seed % 2 == 0 and "incremental" or "generational")
local G, queue, random = greenlet, require "greenlet.queue", math.random
local calls = 0

-- The queues, and for each what was put and got: {call, item}.
local queues = {}
for i = 1, 6 do
  local q = i <= 3 and queue.Channel() or queue.Queue(i - 3)
  queues[i] = { q = q, put = {}, got = {} }
end

local function call()
  calls = calls + 1
  return calls
end

-- An item says who it is and where it went.
local function new_item(to, number) return { to = to, number = number } end

local function note_put(to, number, item)
  to.put[#to.put + 1] = { number, item }
end

local function note_got(from, number, item)
  assert(item.to == from, "an item of another queue")
  assert(not item.got, "an item twice")
  item.got = true
  from.got[#from.got + 1] = { number, item }
end

local function patience()
  local kind = random(4)
  if kind == 1 then return 0 end
  if kind == 2 then return random() * 0.0005 end
  if kind == 3 then return G.Timeout(random() * 0.0005) end
  return nil
end

local function put()
  local to, number = queues[random(#queues)], call()
  local item = new_item(to, number)
  to.q:put(item, random(5) > 1, patience())
  note_put(to, number, item)
end

local function get()
  local from, number = queues[random(#queues)], call()
  note_got(from, number, from.q:get(random(5) > 1, patience()))
end

local function select()
  local cases, chosen, number = {}, {}, call()
  for i = 1, random(4) do
    local one = queues[random(#queues)]
    chosen[i] = one
    if random(2) == 1 then
      cases[i] = { one.q, "get" }
    else
      cases[i] = { one.q, "put", new_item(one, number) }
    end
  end
  if random(10) == 1 then cases[#cases + 1] = { G.getcurrent(), "wait" } end
  local index, item = G.select(cases, patience())
  if not index then return end
  if cases[index][2] == "get" then
    note_got(chosen[index], number, item)
  else
    note_put(chosen[index], number, cases[index][3])
  end
end

local function peek()
  local one = queues[random(4, #queues)]
  assert(one.q:peek(random(3) > 1, patience()).to == one, "an item of another queue")
end

local function resize()
  queues[random(4, #queues)].q.maxsize = random(4)
end

-- In the hub, where nothing may wait.
local function link()
  local one = queues[random(#queues)]
  one.q:rawlink(function()
    if random(2) == 1 then
      local ok, item = pcall(one.q.get, one.q, false)
      if ok then note_got(one, call(), item) end
    else
      local number = call()
      local item = new_item(one, number)
      if pcall(one.q.put, one.q, item, false) then note_put(one, number, item) end
    end
  end)
end

local function collect() collectgarbage("step", 10) end

-- Also in a coroutine, and inside a C function: then the stack cannot be set aside.
local function deep(f)
  local kind = random(6)
  if kind == 1 then
    local co = coroutine.create(function() return G.pcall(f) end)
    local ok, done, err = coroutine.resume(co)
    assert(ok, done)
    if not done then error(err, 0) end
  elseif kind == 2 then
    string.gsub("x", ".", function() f() end)
  else
    f()
  end
end

local operations = { put, put, put, get, get, get, select, select, select, peek, resize, link,
  collect }
local running, workers, errors = true, {}, 0
local function work()
  while running do
    local ok, err = G.pcall(deep, operations[random(#operations)])
    if not ok and (type(err) == "string" and err ~= "killed") then error(err, 0) end
    if random(3) == 1 then G.pcall(G.sleep, 0) end
  end
end
for i = 1, 20 do workers[i] = G.spawn(work) end
G.sleep(0) -- one that never ran would just die of a kill

local failed
while calls < budget and not failed do
  for _ = 1, random(5) do
    local victim = workers[random(#workers)]
    if victim:ready() then failed = victim else victim:kill("killed", false) end
  end
  G.sleep(random(3) == 1 and 0.0002 or 0)
end
running = false
for _, worker in ipairs(workers) do
  while not worker:ready() do
    worker:kill("killed", false)
    worker:join(0.0001)
  end
  worker:get()
end

for i, one in ipairs(queues) do
  assert(i > 3 or one.q.balance == 0, "somebody is left in a channel")
  while #one.q > 0 do
    note_got(one, call(), one.q:get(false)) end
  local function by_call(a, b) return a[1] < b[1] end
  table.sort(one.put, by_call)
  table.sort(one.got, by_call)
  assert(#one.put == #one.got, ("%d items put, %d got"):format(#one.put, #one.got))
  for n, put in ipairs(one.put) do
    assert(rawequal(put[2], one.got[n][2]), "the order is broken at " .. n)
  end
  assert(#one.put > 0 or budget < 1000, "nothing happened")
end
print("end")
]=]

-- The same of PriorityQueues, whose comparisons wait and fail, in greenlets whose debug hooks give
-- way at any instruction, also in the middle of this library.
local SORTED = [=[
local seed, budget = tonumber(arg[1]), tonumber(arg[2])
math.randomseed(seed)
local G, queue, random = greenlet, require "greenlet.queue", math.random

local function less(a, b)
  if random(10) == 1 then G.sleep(0) end
  if random(50) == 1 then error("no comparison", 0) end
  return a.rank < b.rank
end
local function by_rank(a, b) return a.rank < b.rank end
local queues = { queue.PriorityQueue(3, nil, by_rank), queue.PriorityQueue(nil, nil, by_rank),
  queue.PriorityQueue(5, nil, less) }

-- "putting" until its put has returned, then "put" or "failed"; `got` is apart, since an item may be
-- got before its putter runs on.
local items, calls = {}, 0

local function new_item()
  calls = calls + 1
  local item = { rank = random(20), state = "putting" }
  items[#items + 1] = item
  return item
end

local function note_got(item)
  assert(not item.got, "an item twice")
  assert(item.state ~= "failed", "an item whose put has failed")
  item.got = true
end

local function patience() return ({ 0, random() * 0.0005, false })[random(3)] or nil end

local function fine(err)
  return queue.Full:class_of(err) or err == "killed" or err == "no comparison"
end

local function put()
  local item = new_item()
  local ok, err = G.pcall(queues[random(#queues)].put, queues[random(#queues)], item,
    random(3) > 1, patience())
  item.state = ok and "put" or "failed"
  assert(ok or fine(err), err)
end

local function get()
  calls = calls + 1
  note_got(queues[random(#queues)]:get(random(3) > 1, patience()))
end

local function select()
  local item = new_item()
  local ok, index, got = G.pcall(G.select,
    { { queues[1], "put", item }, { queues[3], "put", item }, { queues[2], "get" } }, patience())
  item.state = ok and (index == 1 or index == 2) and "put" or "failed"
  if ok and index == 3 then note_got(got) end
  assert(ok or fine(index), index)
end

local operations = { put, put, get, get, select }
local running, workers = true, {}
local function hook()
  if random(3) == 1 then G.pcall(G.sleep, 0) end
end
local function work()
  debug.sethook(hook, "", 50)
  while running do
    local ok, err = G.pcall(operations[random(#operations)])
    assert(ok or err == "killed" or queue.Empty:class_of(err), err)
  end
  debug.sethook()
end
for i = 1, 12 do workers[i] = G.spawn(work) end
G.sleep(0)
while calls < budget do
  for _ = 1, random(3) do
    local worker = workers[random(#workers)]
    if worker:ready() then worker:get() end
    worker:kill("killed", false)
  end
  G.sleep(random(3) == 1 and 0.0001 or 0)
end
running = false
for _, worker in ipairs(workers) do
  while not worker:ready() do
    worker:kill("killed", false)
    worker:join(0.0001)
  end
  if worker.exception ~= "killed" then worker:get() end
end

for _, q in ipairs(queues) do
  local last
  while #q > 0 do
    local item = q:get(false)
    assert(not last or last.rank <= item.rank, "the order is broken")
    note_got(item)
    last = item
  end
  assert(not q:full(), "a place is reserved for nobody")
end
for _, item in ipairs(items) do
  assert(item.state ~= "put" or item.got, "an item is lost")
end
print("end")
]=]

local OPERATIONS = math.tointeger(tonumber(os.getenv("OPERATIONS") or 100000))
local SEEDS = { os.time() % 100000 }

local function it_runs(what, script, operations)
  local settings = { "one stack", "four stacks", "64 stacks", "moving stacks" }
  random.it(what, settings, SEEDS, function(run, how)
    local out, err = run(script, operations)
    assert.equal("end\n", out, err .. " " .. how)
  end)
end

describe("random puts, gets and selects", function()
  it_runs("lose nothing", SCRIPT, OPERATIONS)
  it_runs("lose nothing in PriorityQueues", SORTED, OPERATIONS // 10)
end)
