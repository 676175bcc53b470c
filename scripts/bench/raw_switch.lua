-- raw_switch.lua: g:switch() there and back, beside a resume and yield of a coroutine.
--
-- A raw pair is two switches: to the greenlet, and from it to its parent.
--
-- Usage: greenlua raw_switch.lua [ROUNDS]

local greenlet = require "greenlet"
local measure = dofile(arg[0]:match("^.*/") .. "measure.lua")

local rounds = measure.argument(1, 3000000)
local SLICES = rounds >= 100 and 10 or 1
local slice = rounds // SLICES
local clock = os.clock

local function coroutine_pairs()
  local resume, yield = coroutine.resume, coroutine.yield
  local co = coroutine.create(function()
    while true do yield() end
  end)
  local start = clock()
  for _ = 1, slice do resume(co) end
  return clock() - start
end

local parent = greenlet.getcurrent()
local raw = greenlet.greenlet(function()
  while true do parent:switch() end
end)

local function raw_pairs()
  local start = clock()
  for _ = 1, slice do raw:switch() end
  return clock() - start
end

local pair, raw_pair = 0, 0
for _ = 1, SLICES do
  pair = pair + coroutine_pairs()
  raw_pair = raw_pair + raw_pairs()
end

measure.print_each("pair", pair, slice * SLICES, "ns")
measure.print_each("raw_pair", raw_pair, slice * SLICES, "ns")
measure.print("ratio", raw_pair / pair, "x")
