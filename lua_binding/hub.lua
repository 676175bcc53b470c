--- How the hub reports errors.
-- Every error that ends a greenlet, a link or a callback comes to
-- hub:handle_error, which prints it or, for system errors, raises it in the
-- main greenlet. Both it and hub:print_exception may be replaced.

local core = ...
local Hub = core.Hub

core.reports = {}

local NO_MEMORY = "not enough memory"

Hub.NOT_ERROR = { core.GreenletExit }
Hub.SYSTEM_ERROR = { core.KeyboardInterrupt, core.Terminated }

core.getter(Hub, "exception_stream", function(hub)
  local stream = core.exception_stream
  if stream == nil then return io.stderr end
  return stream
end)
core.setter(Hub, "exception_stream", function(hub, stream) core.exception_stream = stream end)

local function one_of(classes, err)
  for _, class in ipairs(classes) do
    if class:class_of(err) then return true end
  end
  return false
end

-- tostring that never fails: a report must survive any error object.
local function text(value)
  local ok, result = core.pcall(core.tostring, value)
  if ok then return result end
  return ("(error object is a %s value whose __tostring fails)"):format(core.typename(value))
end

-- The same, short enough for the middle of a line.
function core.safe_text(value)
  local ok, result = core.pcall(core.tostring, value)
  return ok and result or "(?)"
end

local function message(err)
  if type(err) == "string" or type(err) == "number" then return core.tostring(err) end
  local meta = core.rawmetatable(err)
  if meta and rawget(meta, "__tostring") then return text(err) end
  return ("(error object is a %s value)"):format(core.typename(err))
end

-- What an error is called in the last line: its class, or its message.
local function title(err)
  local meta = core.rawmetatable(err)
  local class = type(meta) == "table" and rawget(meta, "__class")
  if class then return class.__name end
  return "error"
end

--- Print an error to `hub.exception_stream`.
-- May be replaced by assignment; assigning nil brings the usual one back.
-- @function Hub:print_exception
-- @tparam any context the greenlet, watcher or callback that failed, or a string to be printed, or
--   nil
-- @tparam any err the error
-- @tparam[opt] string traceback
-- @switches no
-- @source gevent.hub.Hub.print_exception
function Hub:print_exception(context, err, traceback)
  local stream = self.exception_stream
  if not stream then return end
  local lines = message(err)
  if traceback then lines = lines .. "\n" .. text(traceback) end
  lines = lines .. "\n"
  if context ~= nil then
    lines = ("%s%s %s failed with %s\n\n"):format(lines, os.date("!%Y-%m-%dT%H:%M:%SZ"),
      text(context), title(err))
  end
  local ok, failure = core.pcall(function() stream:write(lines) end)
  if not ok and failure == NO_MEMORY then core.raise(failure) end
end

--- Deal with an error that ended a greenlet, a link or a callback.
-- It is called in the hub. The usual one raises those of `hub.SYSTEM_ERROR` in the main greenlet,
-- and has `print_exception` print the others, but not those of `hub.NOT_ERROR`. May be replaced by
-- assignment; assigning nil brings the usual one back. One that fails is reported as well.
-- @function Hub:handle_error
-- @tparam any context the greenlet, watcher or callback that failed, or a string to be printed, or
--   nil
-- @tparam any err the error
-- @tparam[opt] string traceback
-- @switches no: it must not wait
-- @source gevent.hub.Hub.handle_error
function Hub:handle_error(context, err, traceback)
  if one_of(self.SYSTEM_ERROR, err) and context ~= core.main() then
    core.kill(core.main(), err)
  elseif not one_of(self.NOT_ERROR, err) and not core.Terminated:class_of(err) then
    self:print_exception(context, err, traceback)
  end
end

-- A replaced handle_error may fail itself: then the error is printed as usual,
-- and so is its own.
-- @param may_raise if there was no memory for it, as an error of Lua's: it is done again
local function handle(context, err, traceback, may_raise)
  local hub = core.get_hub()
  local ok, failure = core.pcall(function() hub:handle_error(context, err, traceback) end)
  if ok then return end
  if failure == NO_MEMORY and may_raise then core.raise(failure) end
  core.pcall(Hub.print_exception, hub, context, err, traceback)
  core.pcall(Hub.print_exception, hub, "hub:handle_error", failure)
end
core.handle_error = handle

-- Is the error one that counts for the exit status?
local function counts(err)
  local hub = core.get_hub()
  return not one_of(Hub.NOT_ERROR, err) and not one_of(Hub.SYSTEM_ERROR, err)
    and not one_of(hub.NOT_ERROR, err)
end

--- A callback in the hub, or a rawlink, has failed.
function core.callback_failed(context, err, traceback)
  err = core.instantiate(err)
  if counts(err) then core.count_failure() end
  handle(context, err, traceback)
end

--- LoopExit for the main greenlet, which nothing can wake: report.lua has it.
-- @param object what it waits for, where only a Lua part knows
function core.loop_exit(object)
  local exit = core.report.loop_exit(object)
  core.flight_write("deadlock") -- which calls greenlets what the report calls them
  return exit
end

--- Print the failures of greenlets. In the hub, before their links are told.
local function print_report(g, may_raise)
  local err, traceback = core.failure(g)
  if not counts(err) then
    core.take(g)
  elseif core.get("report") == "unobserved" and core.unobserved.keep(g) then
    return
  else
    core.flight_write("failure")
  end
  handle(g, err, traceback, may_raise)
end

-- A handle_error of the user's may need memory that there never is.
local MOST_TRIES = 1000

-- Those that are being printed, and how many have been: when there was no memory it
-- goes on where it was.
local printing, printed, tries = {}, 0, 0

function core.print_reports()
  repeat
    while printed < #printing do
      tries = tries + 1
      print_report(printing[printed + 1], tries < MOST_TRIES)
      printed, tries = printed + 1, 0
    end
    local list = core.reports
    core.reports = {}
    printing, printed = list, 0
  until #list == 0
end

--- Kill every other greenlet and wait for their ends, so that their to-be-closed variables close.
-- In the main greenlet only. While it lasts Ctrl-C ends the process at once. One that catches the
-- kill gets another, and is left alone after a hundred.
-- @function Hub:destroy
-- @raise InvalidSwitchError in another greenlet
-- @switches yes
-- @source gevent.hub.Hub.destroy
function Hub:destroy()
  if core.getcurrent() ~= core.main() then
    core.raise(core.InvalidSwitchError("only the main greenlet may end all others"))
  end
  core.finish()
  core.install_interrupt()
end

-- Those that wait while they close their variables may take as long as they
-- need, unless nothing can wake them. Those that catch the kill get another,
-- and are left alone after a hundred.
function core.finish()
  core.default_interrupt()
  for _ = 1, 100 do
    if core.end_all() == 0 then return end
    repeat
      core.loop:run(true)
      if core.ending() == 0 then break end
      if core.alive() then core.loop:run(false, true) else core.ending(true) end
    until core.ending() == 0
  end
end
