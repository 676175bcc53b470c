--- Functions that are called at a signal, Ctrl-C, and SIGTERM.
-- Ctrl-C raises KeyboardInterrupt in the main greenlet: where it waits, or in the middle of what it
-- computes; if another greenlet computes, that one gives way. `pcall` does not stop it. A second
-- Ctrl-C, 0.2 s after one that was not raised because a C function keeps running, ends the process
-- at once; so does one while the greenlets that are left are being closed, unless it follows another
-- within 0.2 s: keys repeat.
--
-- SIGTERM, and SIGHUP, which a terminal sends that is closed, raise Terminated there in the same
-- way, so that everything is closed; then the process dies by that signal, without a message. One
-- that comes more than 0.2 s later ends it at once, and so does the first if a C function (`io.read`,
-- `os.execute`) does not return for so long. This is greenlua's, and only while a signal is not
-- ignored; in stock lua, and at the [prompt](prompt.md), both end the process at once, the
-- terminal's settings and the history being saved.
--
-- A handler for a signal takes the place of all this, until its `cancel`.
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
-- @usage greenlet.signal("HUP", reload_configuration)
-- @source gevent.signal_handler
function core.signal(signal, f, ...)
  local number = core.handler.number_of(signal)
  if not core.callable(f) then
    core.argerror(2, "signal", "function expected, got " .. core.typename(f))
  end
  local ok, watcher = core.pcall(core.loop.signal, core.loop, number, false)
  if watcher == "not enough memory" then core.raise(watcher) end
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
