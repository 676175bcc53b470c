--- The module's table: what scripts see as `greenlet`.

local core = ...

local greenlet = {
  _VERSION = core.version,
  class = core.class,
  BaseException = core.BaseException, Exception = core.Exception,
  GreenletExit = core.GreenletExit, Timeout = core.Timeout,
  KeyboardInterrupt = core.KeyboardInterrupt, LoopExit = core.LoopExit,
  InvalidSwitchError = core.InvalidSwitchError,
  ConcurrentObjectUseError = core.ConcurrentObjectUseError,
  Greenlet = core.Greenlet, greenlet = core.greenlet,
  spawn = core.Greenlet.spawn, spawn_later = core.Greenlet.spawn_later,
  spawn_raw = core.spawn_raw,
  getcurrent = core.getcurrent, sleep = core.sleep,
  kill = core.kill, killall = core.killall, joinall = core.joinall,
  wait = core.wait, iwait = core.iwait, with_timeout = core.with_timeout,
  get_hub = core.get_hub, signal = core.signal,
  getswitchinterval = core.getswitchinterval, setswitchinterval = core.setswitchinterval,
  settrace = core.settrace, gettrace = core.gettrace,
  pcall = core.pcall, xpcall = core.xpcall, traceback = core.traceback,
}

--- Wait until no events of that priority or a higher one are pending.
-- @param priority int, -2 to 2; default 0
function greenlet.idle(priority)
  if priority ~= nil then
    core.check_integer(1, "idle", priority)
    if priority < -2 or priority > 2 then core.argerror(1, "idle", "priority out of range") end
  end
  local watcher <close> = core.loop:idle(true, priority)
  core.get_hub():wait(watcher)
end

-- ---- Settings ----

local words = { ["0"] = false, ["false"] = false, no = false, off = false,
                ["1"] = true, ["true"] = true, yes = true, on = true }

-- What a setting may be, and who is told.
local settings = {
  track_greenlet_tree = { default = true, type = "boolean" },
}
local values = {}

local function from_environment(name)
  local text = os.getenv("GREENLUA_" .. name:upper())
  if text == nil then return nil end
  local value = words[text:lower()]
  if value == nil then value = tonumber(text) or text end
  return value
end

local config_meta = { __name = "config" }

function config_meta.__index(_, name)
  if values[name] == nil then error(("unknown setting '%s'"):format(core.tostring(name)), 2) end
  return values[name]
end

function config_meta.__newindex(_, name, value)
  local setting = settings[name]
  if not setting then error(("unknown setting '%s'"):format(core.tostring(name)), 2) end
  if type(value) ~= setting.type then
    error(("setting '%s' is a %s (got %s)"):format(name, setting.type, core.typename(value)), 2)
  end
  values[name] = value
  core.set(name, value)
end

greenlet.config = setmetatable({}, config_meta)

for name, setting in pairs(settings) do
  local value = from_environment(name)
  if type(value) ~= setting.type then value = setting.default end
  greenlet.config[name] = value
end

return greenlet
