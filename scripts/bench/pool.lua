-- pool.lua: what the calls of a pool and the children of a scope cost, beside spawn and join.
--
-- spawn: greenlet.spawn of an empty function, and join, one after the other. The rest is per call
-- or child as well, always of an empty function: pool:map in pools of several sizes, pool:spawn
-- and one join for all, pool:imap, and a scope's s:spawn. All are measured in slices that take
-- turns; the collector's work is counted. scope is a scope without children.
--
-- Usage: greenlua pool.lua [COUNT]

local greenlet = require "greenlet"
local Pool = greenlet.pool.Pool

local count = math.tointeger(arg[1] or 100000)
local SLICES = count >= 1000 and 10 or 1
local slice = count // SLICES
local clock = os.clock

local function empty() end
local function identity(x) return x end
local items = {}
for i = 1, slice do items[i] = i end

local function map(size)
  local pool = Pool(size)
  return function() pool:map(empty, items) end
end

local programs = {
  { "spawn", function()
    local spawn = greenlet.spawn
    for _ = 1, slice do spawn(empty):join() end
  end },
  { "map_1", map(1) },
  { "map_10", map(10) },
  { "map_100", map(100) },
  { "map_unlimited", map() },
  { "pool_spawn", function()
    local pool = Pool(10)
    for _ = 1, slice do pool:spawn(empty) end
    pool:join()
  end },
  { "imap", function()
    for _ in Pool(10):imap(identity, items) do end
  end },
  { "scope_spawn", function()
    greenlet.scope(function(s)
      for i = 1, slice do
        s:spawn(empty)
        if i % 64 == 0 then greenlet.sleep(0) end
      end
    end)
  end },
  { "scope", function()
    local scope = greenlet.scope
    for _ = 1, slice do scope(empty) end
  end },
}

local seconds = {}
for round = 0, SLICES do -- the first one warms up
  for _, program in ipairs(programs) do
    local start = clock()
    program[2]()
    local used = clock() - start
    if round > 0 then seconds[program[1]] = (seconds[program[1]] or 0) + used end
  end
end

for _, program in ipairs(programs) do
  local name = program[1]
  print(("%s %.1f ns"):format(name, seconds[name] / (slice * SLICES) * 1e9))
end
for _, name in ipairs { "map_1", "map_10", "map_100", "map_unlimited" } do
  print(("%s_ratio %.3f x"):format(name, seconds[name] / seconds.spawn))
end
