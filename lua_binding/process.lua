--- Child processes: making them, and waiting for their ends.
-- `greenlet.fork` makes a copy of this process, in which one greenlet goes on, and
-- `greenlet.waitpid` waits for a child while other greenlets run. Commands are run by `io.popen` and
-- `os.execute`, as ever: those block all greenlets.
--
-- ```lua
-- local function double(n) os.exit(2 * n) end
-- local children = {}
-- for n = 1, 3 do
--   children[n] = greenlet.fork()
--   if children[n] == 0 then double(n) end
-- end
-- for n = 1, 3 do print(n, select(3, greenlet.waitpid(children[n]))) end
-- ```
--
-- ```text
-- 1	2
-- 2	4
-- 3	6
-- ```
-- @page process Processes
-- @order fork waitpid

local core = ...
local process = {}

-- As os.execute tells it: the bits that waitpid(2) gives.
local function outcome(status)
  local signal = status & 0x7f
  if signal ~= 0 then return nil, "signal", signal end
  local code = status >> 8 & 0xff
  return code == 0 or nil, "exit", code
end

--- Wait until a child process has ended.
-- Any child of this process, also one that a C library has made, but once only: after that the
-- system has forgotten it.
-- @function greenlet.waitpid
-- @tparam integer pid of a child
-- @tparam[opt] number|Timeout timeout seconds; nil: for ever
-- @treturn boolean true if it has ended well, else nil: also nil, `"timeout"` when the timeout
--   expires, and nil, a message and an error number if there is no such child
-- @treturn string `"exit"` or `"signal"`
-- @treturn integer its exit status, or the signal that has ended it
-- @raise bad argument
-- @switches yes
-- @usage local ok, how, code = greenlet.waitpid(pid, 5)
function process.waitpid(pid, timeout)
  core.check_integer(1, "waitpid", pid)
  if pid <= 0 then core.argerror(1, "waitpid", "pid of a child expected") end
  core.check_time(timeout, 2, "waitpid")
  local watcher <close> = core.loop:child(pid)
  local status, message, number = core.wait_child(watcher, timeout)
  if status then return outcome(status) end
  if number then return nil, message, number end
  return nil, message
end

-- ---- The child of a fork ----

-- A failure of main's own functions at the end: there is nobody else to tell.
local function guarded(g, f)
  local ok, err = core.pcall(f)
  if ok then return 0 end
  local status = core.exit_status(err)
  if status < 256 then core.pcall(core.Hub.print_exception, core.get_hub(), g, err) end
  return status
end

--- The greenlet that has forked has ended. Returns the exit status of the process.
function process.end_child(g)
  local status = 0
  local failed = select("#", core.failure(g)) > 0
  if failed then
    status = core.exit_status((core.failure(g)))
  else
    status = guarded(g, core.join)
  end
  local finished = guarded(g, core.finish)
  core.print_reports()
  if status == 0 then status = finished end
  if status == 0 and core.failures() > 0 then status = 1 end
  return status
end

return process
