-- parked.lua: very many greenlets that wait for the same thing, and then all end.
--
-- First round: COUNT greenlets are spawned and wait (spawn); their memory each is what the
-- resident set grows by (bytes); they are woken and end. Then come ROUNDS more, on memory that the
-- process has by then: spawn and wait again (respawn), wake and end (wake).
--
-- PLACE is where they wait: join (for the end of a greenlet, which is started to wake them), event
-- (an Event, which is set), or sleep (for ever: no more than spawn and bytes are measured).
--
-- Usage: greenlua parked.lua [COUNT [ROUNDS [PLACE]]]

local greenlet = require "greenlet"
local measure = dofile(arg[0]:match("^.*/") .. "measure.lua")

local count = measure.argument(1, 1000000)
local rounds = measure.argument(2, 1)
local place = arg[3] or "join"

local spawn, sleep = greenlet.spawn, greenlet.sleep
local ended = 0

-- Each makes a gate: the function that waits at it and then counts, and the one that opens it.
local gates = {}

function gates.join()
  local gate = greenlet.Greenlet(function() end)
  return function() gate:join(); ended = ended + 1 end,
    function() gate:start(); gate:join() end -- main was the last to join: woken last
end

function gates.event()
  local gate = require("greenlet.event").Event()
  return function() gate:wait(); ended = ended + 1 end,
    function() gate:set(); sleep(0) end
end

function gates.sleep()
  return function() sleep(1e6) end
end

local make_gate = assert(gates[place], "unknown place")

local clock_cost = measure.clock_cost()
local function timed(f)
  local start = os.clock()
  f()
  return os.clock() - start - clock_cost
end

local function spawn_all(body)
  for _ = 1, count do spawn(body) end
  sleep(0)
end

local function open_gate(open)
  local used = timed(open)
  assert(ended == count)
  ended = 0
  return used
end

local body, open = make_gate()
collectgarbage()
local before = measure.resident_bytes()
local spawned = timed(function() spawn_all(body) end)
collectgarbage()
measure.print("tasks", count, "n")
measure.print("bytes", (measure.resident_bytes() - before) / count, "B")
measure.print_each("spawn", spawned, count, "ns")
if not open then os.exit(true) end

open_gate(open)
local respawned, woken = 0, 0
for _ = 1, rounds do
  body, open = make_gate()
  respawned = respawned + timed(function() spawn_all(body) end)
  woken = woken + open_gate(open)
end
measure.print_each("respawn", respawned, count * rounds, "ns")
measure.print_each("wake", woken, count * rounds, "ns")
