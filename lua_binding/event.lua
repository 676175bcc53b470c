--- greenlet.event: what greenlets tell each other by.

local core = ...

local Event, AsyncResult = core.Event, core.AsyncResult
local set, wait, is_set = Event.set, Event.wait, Event.is_set

--- Event([name]): a flag, not set at first.
function Event:init(name) core.set_name(self, name, 1, "Event") end

-- ---- AsyncResult ----

--- AsyncResult([name]): without a result at first.
function AsyncResult:init(name) core.set_name(self, name, 1, "AsyncResult") end

-- In C it is a flag, as an Event. What came of it is core.kept(self).outcome:
-- {n = how many values, values ...} or {failed = true, error, traceback}.
local function outcome_of(self) return is_set(self) and core.kept(self).outcome or nil end

local function check_self(self, name)
  if not AsyncResult:class_of(self) then
    core.argerror(0, name, "AsyncResult expected, got " .. core.typename(self))
  end
end

local function settle(self, name, outcome)
  check_self(self, name)
  if is_set(self) then error("the AsyncResult has its result already", 3) end
  core.kept(self).outcome = outcome
  set(self)
end

--- Give it its values; all who wait go on.
-- @raise an error if it has a result already
function AsyncResult:set(...) settle(self, "set", table.pack(...)) end
AsyncResult.set_result = AsyncResult.set

--- Give it an error instead, which `get` raises.
-- @param err the error: any value, or a class, of which an instance is made
-- @param traceback string: for exc_info; default nil
-- @raise an error if it has a result already
function AsyncResult:set_exception(err, traceback)
  settle(self, "set_exception", { failed = true, core.instantiate(err), traceback })
end

local function give(self)
  local outcome = outcome_of(self)
  if outcome.failed then core.raise(outcome[1]) end
  return table.unpack(outcome, 1, outcome.n)
end

--- The values, or the error raised; waits for them.
-- @param block default true; false: do not wait
-- @param timeout seconds, a Timeout, or nil for ever
-- @raise Timeout when there is no result, or not in time
function AsyncResult:get(block, timeout)
  check_self(self, "get")
  core.check_time(timeout, 2, "get")
  if not is_set(self) then
    if block == nil then block = true end
    if not block then core.raise_expired(0) end
    if not wait(self, timeout) then core.raise_expired(timeout) end
  end
  return give(self)
end

--- The same without waiting.
function AsyncResult:get_nowait()
  check_self(self, "get_nowait")
  return self:get(false)
end

--- Wait for the result, but do not raise its error.
-- @param timeout seconds, a Timeout, or nil for ever
-- @return the first value; nil after an error, or when the timeout expires
function AsyncResult:wait(timeout)
  check_self(self, "wait")
  core.check_time(timeout, 1, "wait")
  wait(self, timeout)
  return self.value
end

--- Has it a result, be that an error?
function AsyncResult:ready()
  check_self(self, "ready")
  return is_set(self)
end

--- Has it values?
function AsyncResult:successful()
  check_self(self, "successful")
  return is_set(self) and not outcome_of(self).failed
end

local function failure(self)
  local outcome = outcome_of(self)
  return outcome and outcome.failed and outcome or nil
end

core.getter(AsyncResult, "value", function(self)
  local outcome = outcome_of(self)
  if outcome and not outcome.failed then return outcome[1] end
  return nil
end)

core.getter(AsyncResult, "exception", function(self)
  local failed = failure(self)
  return failed and failed[1]
end)

core.getter(AsyncResult, "exc_info", function(self)
  local failed = failure(self)
  return failed and { failed[1], failed[2] }
end)

--- Take over what came of a greenlet, or of another AsyncResult, that is ready:
-- g:link(result).
function AsyncResult:__call(source)
  if not source:ready() then error("what an AsyncResult takes over must be ready", 2) end
  if source:successful() then
    self:set(source:get(false))
  else
    local info = source.exc_info
    self:set_exception(info[1], info[2])
  end
end

-- What a future is asked.
function AsyncResult:result(timeout)
  check_self(self, "result")
  core.check_time(timeout, 1, "result")
  return self:get(true, timeout)
end

AsyncResult.done = AsyncResult.ready
function AsyncResult.cancel() return false end
function AsyncResult.cancelled() return false end

local function state(self)
  if not is_set(self) then return "no result" end
  local outcome = outcome_of(self)
  if outcome.failed then return "error " .. core.safe_text(outcome[1]) end
  return "value " .. core.safe_text(outcome[1])
end

function AsyncResult:__tostring()
  check_self(self, "tostring")
  return core.state_text(self, state(self))
end

return { Event = Event, AsyncResult = AsyncResult }
