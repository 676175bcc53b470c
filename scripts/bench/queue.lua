-- queue.lua: what it costs to pass an item from one greenlet to another, and through a queue.
--
-- handover: an item from Channel:put in one greenlet to Channel:get in another. switch: the bare
-- switch that it contains, by sleep(0); ratio is one in terms of the other. queue: Queue:put and
-- Queue:get of one item where nobody waits; table: t[#t + 1] = x and t[#t] = nil in its place;
-- queue_ratio is one in terms of the other. bounded: an item through a queue of 10 between two
-- greenlets. select: an item from a put to a select of two channels, in turn. All are measured in
-- slices that take turns, so that what disturbs one disturbs the others. The loops are counted.
--
-- Usage: greenlua queue.lua [ROUNDS [handover|switch|queue|table|bounded|select]]

local greenlet = require "greenlet"
local queue = require "greenlet.queue"

local rounds = math.tointeger(arg[1] or 2000000)
local only = arg[2]
local SLICES = rounds >= 100 and 10 or 1
local slice = rounds // SLICES
local clock = os.clock

local function two(a, b)
  a, b = greenlet.spawn(a), greenlet.spawn(b)
  local start = clock()
  a:join()
  b:join()
  return clock() - start
end

-- One greenlet puts, another gets, as many items as a slice has rounds.
local function pass(items)
  return two(function()
    for i = 1, slice do items:put(i) end
  end, function()
    for _ = 1, slice do items:get() end
  end)
end

local measured = {}

function measured.handover() return pass(queue.Channel()) end

function measured.bounded() return pass(queue.Queue(10)) end

function measured.switch()
  local sleep = greenlet.sleep
  local function body()
    for _ = 1, slice // 2 do sleep(0) end
  end
  return two(body, body)
end

function measured.queue()
  local items = queue.Queue()
  local start = clock()
  for i = 1, slice do
    items:put(i)
    items:get()
  end
  return clock() - start
end

function measured.table()
  local t = {}
  local start = clock()
  for i = 1, slice do
    t[#t + 1] = i
    t[#t] = nil
  end
  return clock() - start
end

function measured.select()
  local a, b = queue.Channel(), queue.Channel()
  local cases = { { a, "get" }, { b, "get" } }
  local select = greenlet.select
  return two(function()
    for i = 1, slice // 2 do
      a:put(i)
      b:put(i)
    end
  end, function()
    for _ = 1, slice // 2 * 2 do select(cases) end
  end)
end

local names = { "handover", "switch", "queue", "table", "bounded", "select" }
local seconds = {}
for _ = 1, SLICES do
  for _, name in ipairs(names) do
    if not only or only == name then seconds[name] = (seconds[name] or 0) + measured[name]() end
  end
end

for _, name in ipairs(names) do
  if seconds[name] then
    print(("%s %.1f ns"):format(name, seconds[name] / (slice * SLICES) * 1e9))
  end
end
if not only then
  print(("ratio %.3f x"):format(seconds.handover / seconds.switch))
  print(("queue_ratio %.3f x"):format(seconds.queue / seconds.table))
end
