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

--- Call `f(...)` under this limit.
-- Starts it, unless it is pending, and closes it in the end. With `exception == false` its own
-- expiry is swallowed, and nothing is returned.
-- @function Timeout:run
-- @tparam function f any callable
-- @tparam any ... its arguments
-- @treturn any what *f* returns
-- @raise itself, or its exception, when it expires
-- @switches where *f* does
-- @usage greenlet.Timeout(0.5, false):run(fetch, "page")
-- @source with gevent.Timeout(...)
function Timeout:run(f, ...)
  if not core.callable(f) then
    core.argerror(1, "run", "function expected, got " .. core.typename(f))
  end
  if not self.pending then self:start() end
  if self.exception == false then return swallow(self, nil, f, ...) end
  local closing <close> = self
  return f(...)
end

--- Call `f(...)` for at most so many seconds.
-- *seconds* may be a table `{seconds, timeout_value = v}`: then its own expiry returns *v*. A
-- Timeout of somebody else's passes.
-- @function greenlet.with_timeout
-- @within timeout
-- @tparam number|Timeout|table seconds nil: no limit
-- @tparam function f any callable
-- @tparam any ... its arguments
-- @treturn any what *f* returns, or *v*
-- @raise Timeout when the time is up
-- @switches where *f* does
-- @usage local page = greenlet.with_timeout({0.5, timeout_value = "too slow"}, fetch, "page")
-- @source gevent.with_timeout
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
