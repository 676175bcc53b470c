-- spawn_join.lua: a thread of cqueues with an empty new closure, and the promise that tells of
-- its end: the way in which one thread waits for another.
--
-- Usage: lua5.4 spawn_join.lua [COUNT]

local measure = dofile(arg[0]:match("^.*/") .. "../../measure.lua")
local cqueues = require "cqueues"
local promise = require "cqueues.promise"

local count = measure.argument(1, 100000)

local queue = cqueues.new()
queue:wrap(function()
  for _ = 1, count do promise.new(function() end):wait() end
end)
local start = os.clock()
assert(queue:loop())
measure.print_each("spawn", os.clock() - start, count, "ns")
