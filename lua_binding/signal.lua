--- Functions that are called at a signal, and Ctrl-C.
-- Ctrl-C raises KeyboardInterrupt in the main greenlet: where it waits, or in the middle of what it
-- computes; if another greenlet computes, that one gives way. `pcall` does not stop it. A second
-- Ctrl-C, 0.2 s after one that was not raised because a C function keeps running, ends the process
-- at once. A handler for INT takes the place of all this, until its `cancel`.
--
-- ```lua
-- local handler = greenlet.signal("USR1", function(text) print(text) end, "got it")
-- os.execute("kill -USR1 $PPID")
-- greenlet.sleep(0.05)
-- handler:cancel()
-- ```
--
-- ```text
-- got it
-- ```
-- @page signal Signals

local core = ...

--- Have `f(...)` called in a greenlet of its own at each arrival of a signal.
-- An error in *f* is raised in the main greenlet.
-- @function greenlet.signal
-- @tparam string|integer signal `"INT"`, `"SIGINT"` or a number
-- @tparam function f any callable; it may wait
-- @tparam any ... its arguments
-- @treturn signal_handler to cancel it with
-- @raise bad argument: an unknown signal, KILL and STOP
-- @switches no
-- @usage greenlet.signal("TERM", os.exit, 0)
-- @source gevent.signal_handler
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
