--- greenlet.signal: functions called at a signal.

local core = ...

-- signal(7): the numbers of this machine's kernel, by name.
local numbers = core.signal_numbers()

local Signal = core.class:extend("signal_handler")

function Signal:init(watcher) rawset(self, "watcher", watcher) end

--- Never again. SIGINT becomes KeyboardInterrupt again.
function Signal:cancel()
  self.watcher:close()
end

-- ref: does the handler keep the program running? Like the watcher's.
function Signal:__index(key)
  if key == "ref" then return rawget(self, "watcher").ref end
  return Signal[key]
end

function Signal:__newindex(key, value)
  if key == "ref" then
    self.watcher.ref = value
  else
    rawset(self, key, value)
  end
end

local function number_of(signal)
  if math.type(signal) == "integer" then return signal end
  if type(signal) ~= "string" then
    core.argerror(1, "signal", "signal name or number expected, got " .. core.typename(signal))
  end
  local number = numbers[signal:upper():gsub("^SIG", "")]
  if not number then core.argerror(1, "signal", ("unknown signal '%s'"):format(signal)) end
  return number
end

--- Call f(...) in a greenlet of its own at each signal.
-- @param signal "INT", "SIGINT" or a number
-- @return an object with cancel() and ref (false)
-- @raise bad argument; an error in f is raised in the main greenlet
function core.signal(signal, f, ...)
  local number = number_of(signal)
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
  local handler = Signal(watcher)
  return handler
end
