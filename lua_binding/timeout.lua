--- Timeout.run and with_timeout.

local core = ...
local Timeout = core.Timeout

-- Its own expiry ends the call quietly; anything else passes.
local function swallow(self, value, ...)
  local results = table.pack(core.pcall(...))
  self:close()
  if results[1] then return table.unpack(results, 2, results.n) end
  if rawequal(results[2], self) then
    if value then return value[1] end
    return
  end
  core.raise(results[2])
end

--- Start it, call f(...), close it.
-- @return f's values; nothing when it has expired and its exception is false
-- @raise what it raises when it expires
function Timeout:run(f, ...)
  if not core.callable(f) then
    core.argerror(1, "run", "function expected, got " .. core.typename(f))
  end
  if not self.pending then self:start() end
  if self.exception == false then return swallow(self, nil, f, ...) end
  local closing <close> = self
  return f(...)
end

--- Call f(...) for at most so many seconds.
-- @param seconds number or nil, or {seconds, timeout_value = v}: then its own
--   expiry returns v
-- @return f's values
-- @raise Timeout
function core.with_timeout(seconds, f, ...)
  local value
  if type(seconds) == "table" and not Timeout:class_of(seconds) then
    if seconds.timeout_value ~= nil then value = { seconds.timeout_value } end
    seconds = seconds[1]
  end
  core.check_time(seconds, 1, "with_timeout")
  if not core.callable(f) then
    core.argerror(2, "with_timeout", "function expected, got " .. core.typename(f))
  end
  local timeout = Timeout.start_new(seconds)
  if value then return swallow(timeout, value, f, ...) end
  local closing <close> = timeout
  return f(...)
end

--- What is left of a timeout that several waits share.
-- @param timeout seconds, a Timeout, or nil for ever
-- @return a function that returns it, in seconds, as a Timeout or nil
function core.time_left(timeout)
  if Timeout:class_of(timeout) and not timeout.pending then timeout = timeout.seconds end
  if not math.type(timeout) then return function() return timeout end end
  local deadline = core.clock() + timeout
  return function() return math.max(0, deadline - core.clock()) end
end
