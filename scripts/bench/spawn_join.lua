-- spawn_join.lua: a greenlet's whole life, beside a coroutine's.
--
-- create: coroutine.create of a new, empty closure and the one resume that runs it to its end.
-- spawn: greenlet.spawn of a new, empty closure and the join that waits for its end. Both are
-- measured in slices that take turns. The collector's work is counted, as always in these figures.
--
-- Usage: greenlua spawn_join.lua [COUNT [create|spawn]]     (lua5.4 or luajit
-- spawn_join.lua: create only)

local greenlet = package.loaded.greenlet -- nil in stock Lua
local measure = dofile(arg[0]:match("^.*/") .. "measure.lua")

local count = measure.argument(1, 2000000)
local only = arg[2]
local SLICES = count >= 100 and 10 or 1
local slice = math.floor(count / SLICES)
local clock = os.clock

local function coroutines()
  local create, resume = coroutine.create, coroutine.resume
  local start = clock()
  for _ = 1, slice do resume(create(function() end)) end
  return clock() - start
end

local function greenlets()
  local spawn = greenlet.spawn
  local start = clock()
  for _ = 1, slice do spawn(function() end):join() end
  return clock() - start
end

local create, spawn = 0, 0
for _ = 1, SLICES do
  if only ~= "spawn" then create = create + coroutines() end
  if greenlet and only ~= "create" then spawn = spawn + greenlets() end
end

if create > 0 then measure.print_each("create", create, slice * SLICES, "ns") end
if spawn > 0 then measure.print_each("spawn", spawn, slice * SLICES, "ns") end
if create > 0 and spawn > 0 then measure.print("ratio", spawn / create, "x") end
