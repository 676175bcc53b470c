-- living.lua: very many greenlets alive at once, each blocked somewhere, then all killed.
--
-- Memory is what the process's resident set (VmRSS) grows by, divided by their number; the
-- closures, arguments and coroutines that a greenlet uses are in it. The kill is CPU time, from
-- killall until all are dead.
--
-- Usage: greenlua living.lua [COUNT [PLACE]]     (PLACE: one of those below; without: all in turn)

local greenlet = require "greenlet"
local measure = dofile(arg[0]:match("^.*/") .. "measure.lua")

local count = measure.argument(1, 100000)

local sleep, spawn = greenlet.sleep, greenlet.spawn
local FOREVER = 1e6 -- seconds
local gate = greenlet.Greenlet(function() end) -- never started

local function forever() sleep(FOREVER) end
local waiting = setmetatable({}, { __index = forever, __concat = forever })

local places = {
  { "sleep", forever },
  { "join", function() gate:join() end },
  { "get", function() return gate:get(true, FOREVER) end },
  { "pcall", function() pcall(forever) end },
  { "coroutine", function() coroutine.wrap(forever)() end },
  { "gsub", function() return (("x"):gsub("x", forever)) end },
  { "sort", function() table.sort({ 2, 1 }, forever) end },
  { "metamethod", function() return waiting .. waiting.field end },
  { "iterator", function() for _ in forever do end end },
  { "tostring", function() return tostring(setmetatable({}, { __tostring = forever })) end },
}
if arg[2] then
  for _, place in ipairs(places) do
    if place[1] == arg[2] then places = { place } end
  end
  assert(#places == 1, "unknown place")
end

local list = {}
for i = 1, count do list[i] = false end -- its own memory is not theirs
collectgarbage()
local before = measure.resident_bytes()
for i = 1, count do list[i] = spawn(places[i % #places + 1][2]) end
sleep(0.01)
collectgarbage()
local after = measure.resident_bytes()

local start = os.clock()
greenlet.killall(list)
local used = os.clock() - start
for i = 1, count do assert(list[i].dead) end

measure.print("bytes", (after - before) / count, "B")
measure.print_each("kill", used, count, "us")
