-- turn.lua: threads of cqueues that take turns by sleep(0).
--
-- Usage: lua5.4 turn.lua [THREADS [ROUNDS]]

local measure = dofile(arg[0]:match("^.*/") .. "../../measure.lua")
local cqueues = require "cqueues"

local count = measure.argument(1, 2)
local rounds = measure.argument(2, math.max(1, 500000 / count))

local sleep = cqueues.sleep
local function body()
  for _ = 0, rounds do sleep(0) end
end
local queue = cqueues.new()
for _ = 1, count do queue:wrap(body) end
assert(queue:step(0))

local start = os.clock()
assert(queue:loop())
measure.print_each("turn", os.clock() - start, count * rounds, "ns")
