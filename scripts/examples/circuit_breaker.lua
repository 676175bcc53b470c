-- circuit_breaker.lua: calls to a service that fails are not made for a while.
--
-- Shows: a Semaphore that bounds how many calls are made at a time, with a limit to the waiting; a
-- Lock that is only tried; errors of one's own classes.
--
-- After FAILURES failures in a row the circuit is open: calls are refused at once, which spares the
-- service and the callers. When it has rested, one call is let through (half open): if that succeeds
-- the circuit is closed, else it is open again.
--
-- Usage: greenlua circuit_breaker.lua [FIRST LAST]     (4 9: those calls fail, of all that are made)
--
--     $ greenlua circuit_breaker.lua
--     call 6 failed: open
--     call 7 failed: open
--     call 8 failed: open
--     call 9 failed: open
--     call 10 succeeded: closed

local greenlet = require "greenlet"
local lock = require "greenlet.lock"
local loop = greenlet.get_hub().loop

local FAILURES, REST = 3, 0.01 -- seconds
local AT_A_TIME, PATIENCE = 2, 0.05

local Refused = greenlet.Exception:extend("Refused")
local Unavailable = greenlet.Exception:extend("Unavailable")

local Breaker = greenlet.class:extend("Breaker")

function Breaker:init(changed)
  self.changed = changed               -- called with the new state and what came of the call
  self.failures, self.open_until = 0, nil
  self.places = lock.Semaphore(AT_A_TIME)
  self.probe = lock.Lock()
end

-- Counts what came of a call. Passes on what f returned.
function Breaker:note(ok, ...)
  if ok then
    if self.open_until then self.changed("closed", ...) end
    self.failures, self.open_until = 0, nil
    return ...
  end
  self.failures = self.failures + 1
  if self.failures >= FAILURES then
    self.open_until = loop:now() + REST
    self.changed("open", ...)
  end
  error(..., 0)
end

--- Calls f(...), or raises Refused at once; raises what f raises.
function Breaker:call(f, ...)
  local open <const> = self.open_until ~= nil
  if open and loop:now() < self.open_until then error(Refused("the circuit is open")) end
  local needed, patience = self.places, PATIENCE
  if open then needed, patience = self.probe, 0 end
  if not needed:acquire(true, patience) then error(Refused("too many calls")) end
  local place <close> = setmetatable({}, { __close = function() needed:release() end })
  if not open and self.open_until then error(Refused("the circuit is open")) end -- by now
  return self:note(pcall(f, ...))
end

local first = math.tointeger(tonumber(arg[1] or 4))
local last = math.tointeger(tonumber(arg[2] or 9))
if #arg > 2 or #arg == 1 or not first or not last then
  io.stderr:write("usage: circuit_breaker.lua [FIRST LAST]\n")
  os.exit(2)
end

local calls = 0
local function service()
  calls = calls + 1
  local mine <const> = calls
  greenlet.sleep(0.001)
  if mine >= first and mine <= last then error(Unavailable(("call %d failed"):format(mine))) end
  return ("call %d succeeded"):format(mine)
end

local breaker = Breaker(function(state, outcome)
  print(("%s: %s"):format(type(outcome) == "string" and outcome or outcome.message, state))
end)

-- Each of them calls again and again, until calls have succeeded for a while after the failures.
local function caller()
  while calls < math.max(last, 0) + 6 do
    local ok, err = pcall(breaker.call, breaker, service)
    if not ok and Refused:class_of(err) then greenlet.sleep(REST / 4) end
  end
end
greenlet.joinall { greenlet.spawn(caller), greenlet.spawn(caller), greenlet.spawn(caller) }
