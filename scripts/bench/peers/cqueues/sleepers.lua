-- sleepers.lua: very many threads of cqueues that sleep, for 1,000 different times.
--
-- Usage: lua5.4 sleepers.lua [COUNT]

local measure = dofile(arg[0]:match("^.*/") .. "../../measure.lua")
local cqueues = require "cqueues"

local count = measure.argument(1, 100000)

local sleep = cqueues.sleep
local woken = 0
local queue = cqueues.new()
local start = os.clock()
for i = 1, count do
  local seconds = 0.5 + i * 379 % 1000 / 1000
  queue:wrap(function()
    sleep(seconds)
    woken = woken + 1
  end)
end
assert(queue:loop())
local used = os.clock() - start
assert(woken == count)
measure.print_each("sleeper", used, count, "us")
