--- Events and results: what greenlets tell each other by.
-- An `Event` is a flag that any number of greenlets wait for. An `AsyncResult` is a value, or an
-- error, that is still to come: what other systems call a future or a promise.
--
-- ```lua
-- local event = require "greenlet.event"
-- local opened = event.Event()
-- for i = 1, 3 do
--   greenlet.spawn(function()
--     opened:wait()
--     print("customer", i)
--   end)
-- end
-- print(opened:wait(0.01)) -- not yet
-- opened:set()
-- print("open")
-- greenlet.sleep(0)
--
-- local other = event.Event()
-- print(greenlet.wait({other, opened}, 0.01)[1] == opened)
-- ```
--
-- ```text
-- false
-- open
-- customer	1
-- customer	2
-- customer	3
-- true
-- ```
-- @module greenlet.event
-- @order Event AsyncResult
-- @source gevent.event

local core = ...

local Event, AsyncResult = core.Event, core.AsyncResult
local set, wait, is_set = Event.set, Event.wait, Event.is_set

function Event:init(name) core.set_name(self, name, 1, "Event") end

-- ---- AsyncResult ----

--- Make a result that is still to come, for any number of greenlets to wait for.
-- It is given its result once: by `AsyncResult:set`, by `AsyncResult:set_exception`, or by a call
-- `r(source)`, which takes over what came of a greenlet that is dead, or of another AsyncResult
-- that is ready. So it may be linked: `g:link(r)`, which takes the greenlet's error. A second
-- result is an error. It may be given to `greenlet.wait`, `greenlet.iwait` and `greenlet.select`,
-- and has `rawlink` and `unlink` as an Event has.
--
-- ```lua
-- local event = require "greenlet.event"
-- local price = event.AsyncResult()
-- local function buy(name)
--   print(name .. " pays", price:get())
-- end
-- greenlet.spawn(buy, "Ann")
-- greenlet.spawn(buy, "Bob")
-- greenlet.sleep(0)
-- price:set(42)
--
-- local answer = event.AsyncResult()
-- greenlet.spawn(function() error("no answer", 0) end):link(answer)
-- greenlet.get_hub().exception_stream = false -- no report: the error is taken over
-- print(pcall(answer.get, answer))
-- print(answer)
-- ```
--
-- ```text
-- Ann pays	42
-- Bob pays	42
-- false	no answer
-- <AsyncResult at 0x5581e0b04d18: error no answer>
-- ```
-- @class greenlet.event.AsyncResult
-- @order set set_exception get get_nowait wait ready successful result
-- @tparam[opt] string name for reports
-- @usage local result = greenlet.event.AsyncResult()
-- @source gevent.event.AsyncResult
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

--- Give it its values and wake all who wait.
-- @function AsyncResult:set
-- @function AsyncResult:set_result
-- @tparam any ... values, any number
-- @raise an error if it has a result already
-- @usage result:set(200, "OK")
-- @source gevent.event.AsyncResult.set
function AsyncResult:set(...) settle(self, "set", table.pack(...)) end
AsyncResult.set_result = AsyncResult.set

--- Give it an error, which `AsyncResult:get` raises, and wake all who wait.
-- @function AsyncResult:set_exception
-- @tparam any err any value; of a class an instance is made
-- @tparam[opt] string traceback for `exc_info`
-- @raise an error if it has a result already
-- @usage result:set_exception("refused")
-- @source gevent.event.AsyncResult.set_exception
function AsyncResult:set_exception(err, traceback)
  settle(self, "set_exception", { failed = true, core.instantiate(err), traceback })
end

local function give(self)
  local outcome = outcome_of(self)
  if outcome.failed then core.raise(outcome[1]) end
  return table.unpack(outcome, 1, outcome.n)
end

--- Wait for the result; return its values or raise its error, the same at each call.
-- @function AsyncResult:get
-- @tparam[opt=true] boolean block false: do not wait
-- @tparam[opt] number|Timeout timeout seconds; nil waits for ever
-- @treturn any all values that it was given
-- @raise the error that it was given; Timeout when the timeout expires, or at once with
--   `block=false`, without a result
-- @switches yes, unless there is a result or *block* is false
-- @usage local status, text = result:get(true, 5)
-- @source gevent.event.AsyncResult.get
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

--- Return the values or raise the error, without waiting: `result:get(false)`.
-- @function AsyncResult:get_nowait
-- @treturn any all values that it was given
-- @raise the error that it was given; Timeout without a result
-- @usage if result:ready() then print(result:get_nowait()) end
-- @source gevent.event.AsyncResult.get_nowait
function AsyncResult:get_nowait()
  check_self(self, "get_nowait")
  return self:get(false)
end

--- Wait for the result and raise nothing.
-- @function AsyncResult:wait
-- @tparam[opt] number|Timeout timeout seconds; 0 polls, nil waits for ever
-- @treturn any the first value; nil for an error, or when the timeout expires
-- @switches yes, unless there is a result
-- @usage result:wait(5)
--   if result:ready() then print(result.value, result.exception) end
-- @source gevent.event.AsyncResult.wait
function AsyncResult:wait(timeout)
  check_self(self, "wait")
  core.check_time(timeout, 1, "wait")
  wait(self, timeout)
  return self.value
end

--- Tell whether it has a result, be that values or an error.
-- @function AsyncResult:ready
-- @function AsyncResult:done
-- @treturn boolean
-- @usage if result:ready() then print(result:get()) end
-- @source gevent.event.AsyncResult.ready
function AsyncResult:ready()
  check_self(self, "ready")
  return is_set(self)
end

--- Tell whether it has values.
-- @function AsyncResult:successful
-- @treturn boolean false without a result, and for an error
-- @usage if not result:successful() then print(result.exception) end
-- @source gevent.event.AsyncResult.successful
function AsyncResult:successful()
  check_self(self, "successful")
  return is_set(self) and not outcome_of(self).failed
end

local function failure(self)
  local outcome = outcome_of(self)
  return outcome and outcome.failed and outcome or nil
end

--- Its first value; nil for an error, and without a result.
-- @tfield any AsyncResult.value
-- @source gevent.event.AsyncResult.value
core.getter(AsyncResult, "value", function(self)
  local outcome = outcome_of(self)
  if outcome and not outcome.failed then return outcome[1] end
  return nil
end)

--- Its error; nil for values, and without a result.
-- @tfield any AsyncResult.exception
-- @source gevent.event.AsyncResult.exception
core.getter(AsyncResult, "exception", function(self)
  local failed = failure(self)
  return failed and failed[1]
end)

--- Its error and the traceback of that, `{exception, traceback}`; nil for values, and without a
-- result.
-- @tfield table AsyncResult.exc_info
-- @source gevent.event.AsyncResult.exc_info
core.getter(AsyncResult, "exc_info", function(self)
  local failed = failure(self)
  return failed and { failed[1], failed[2] }
end)

-- Take over what came of a greenlet, or of another AsyncResult, that is ready.
function AsyncResult:__call(source)
  if not source:ready() then error("what an AsyncResult takes over must be ready", 2) end
  if source:successful() then
    self:set(source:get(false))
  else
    local info = source.exc_info
    self:set_exception(info[1], info[2])
  end
end

--- Wait for the result, as of a future: `result:get(true, timeout)`.
-- @function AsyncResult:result
-- @tparam[opt] number|Timeout timeout seconds; nil waits for ever
-- @treturn any all values that it was given
-- @raise the error that it was given; Timeout when the timeout expires
-- @switches yes, unless there is a result
-- @usage print(result:result(5))
-- @source concurrent.futures.Future.result
function AsyncResult:result(timeout)
  check_self(self, "result")
  core.check_time(timeout, 1, "result")
  return self:get(true, timeout)
end

AsyncResult.done = AsyncResult.ready

--- Return false: a result cannot be cancelled. Kill the greenlet that works on it instead.
-- @function AsyncResult:cancel
-- @function AsyncResult:cancelled
-- @treturn boolean false
-- @usage assert(not result:cancel())
-- @source concurrent.futures.Future.cancel
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
