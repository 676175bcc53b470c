--- Greenlets: light threads that take turns, and what to do with them.
--
-- A greenlet runs until it waits, and nothing else takes its turn away; ready greenlets run in the
-- order in which they became ready. [The life of a greenlet](life.md) tells more. `greenlet` is a
-- global, and `require "greenlet"` gives the same table.
--
-- ```lua
-- local function say(name)
--   for i = 1, 2 do
--     print(name, i)
--     greenlet.sleep(0) -- the others' turn
--   end
-- end
-- greenlet.spawn(say, "a")
-- greenlet.spawn(say, "b")
-- print("both are spawned")
-- ```
--
-- ```text
-- both are spawned
-- a	1
-- b	1
-- a	2
-- b	2
-- ```
-- @module greenlet
-- @order spawn spawn_later sleep getcurrent joinall wait iwait kill killall

local core = ...

local greenlet = {
  _VERSION = core.version,
  class = core.class,
  BaseException = core.BaseException, Exception = core.Exception,
  GreenletExit = core.GreenletExit, Timeout = core.Timeout,
  KeyboardInterrupt = core.KeyboardInterrupt, Terminated = core.Terminated,
  LoopExit = core.LoopExit,
  DeadlockError = core.DeadlockError,
  InvalidSwitchError = core.InvalidSwitchError,
  ConcurrentObjectUseError = core.ConcurrentObjectUseError,
  Greenlet = core.Greenlet, greenlet = core.greenlet,
  spawn = core.Greenlet.spawn, spawn_later = core.Greenlet.spawn_later,
  spawn_raw = core.spawn_raw,
  getcurrent = core.getcurrent, sleep = core.sleep,
  kill = core.kill, killall = core.killall, joinall = core.joinall,
  wait = core.wait, iwait = core.iwait, with_timeout = core.with_timeout,
  get_hub = core.get_hub, signal = core.signal, fork = core.fork,
  getswitchinterval = core.getswitchinterval, setswitchinterval = core.setswitchinterval,
  settrace = core.settrace, gettrace = core.gettrace,
  pcall = core.pcall, xpcall = core.xpcall, traceback = core.traceback,
}

--- Wait until no events of that priority or a higher one are pending.
-- @function greenlet.idle
-- @tparam[opt=0] integer priority -2 to 2
-- @switches yes
-- @source gevent.idle
function greenlet.idle(priority)
  if priority ~= nil then
    core.check_integer(1, "idle", priority)
    if priority < -2 or priority > 2 then core.argerror(1, "idle", "priority out of range") end
  end
  local watcher <close> = core.loop:idle(true, priority)
  core.get_hub():wait(watcher)
end

-- process.lua is loaded when it is needed.
function greenlet.waitpid(pid, timeout) return core.process.waitpid(pid, timeout) end

--- @tfield table greenlet.config the [settings](config.md)
-- @tfield string greenlet._VERSION `"greenlet "` and the version
greenlet.config = setmetatable({}, {
  __name = "config",
  __index = function(_, name) return core.settings.get(name) end,
  __newindex = function(_, name, value) return core.settings.set(name, value) end,
})

return greenlet
