--- Tracing a part of a program.
-- A trace tells what each greenlet did at each moment: it ran, was ready, or waited, for what and
-- where; who woke, spawned, killed and linked whom. The name of the file says what it becomes:
-- `*.html` is a page for a browser, `*.json` are Chrome trace events, for Perfetto or programs.
-- [Reading a timeline](timeline.md) tells what one sees; `--trace=FILE` traces a whole program.
--
-- ```lua
-- greenlet.trace.start("part.json")
-- local g = greenlet.spawn(greenlet.sleep, 0.01)
-- print(greenlet.trace.file():match("[^/]*$"))
-- g:join()
-- greenlet.trace.stop()
-- print(greenlet.trace.file())
-- ```
--
-- ```text
-- part.json
-- nil
-- ```
--
-- While it traces, a switch takes about three times as long. What happened is kept in a file
-- without a name beside that file, and written when the trace stops, or the program ends: also by
-- an error, `os.exit` or a signal, but not by SIGKILL. The child of a fork does not trace.
-- @module greenlet.trace
-- @order start stop file

local core = ...
local trace = core.datafile("trace", function(file) return core.set("trace", file) end)

--- Begin to trace; the file is made at once, and has the trace when that stops.
-- @function greenlet.trace.start
-- @tparam string file its name: `*.html` or `*.json`; `%p` in it is the number of the process
-- @raise bad argument: another name; a file that cannot be written; there is a trace already
-- @switches no
-- @usage greenlet.trace.start("startup.html")

--- End the trace and write its file.
-- @function greenlet.trace.stop
-- @raise there is no trace; the file cannot be written
-- @switches no
-- @usage greenlet.trace.stop()

--- Return the file of the trace that is under way, with its directory; nil if there is none.
-- @function greenlet.trace.file
-- @treturn string or nil
-- @switches no

return trace
