--- greenlet.signal: functions called at a signal.

local core = ...

--- Call f(...) in a greenlet of its own at each signal.
-- @param signal "INT", "SIGINT" or a number
-- @return an object with cancel() and ref (false)
-- @raise bad argument; an error in f is raised in the main greenlet
function core.signal(signal, f, ...)
  local number = core.handler.number_of(signal)
  if not core.callable(f) then
    core.argerror(2, "signal", "function expected, got " .. core.typename(f))
  end
  local ok, watcher = core.pcall(core.loop.signal, core.loop, number, false)
  if not ok then core.argerror(1, "signal", "no signal that can be watched") end
  local arguments = table.pack(...)
  local function call()
    local done, err = core.pcall(f, table.unpack(arguments, 1, arguments.n))
    if not done and not core.is_exit(err) then core.kill(core.main(), err) end
  end
  watcher:start(core.spawn_raw, call)
  local handler = core.handler.new(watcher)
  return handler
end
