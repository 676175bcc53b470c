--- What greenlet.signal returns, and the numbers of signals.

local core = ...

-- signal(7): the numbers of this machine's kernel, by name.
local numbers = core.signal_numbers()

--- What `greenlet.signal` returns.
-- @class signal_handler
-- @within signal
-- @tfield boolean signal_handler.ref false: it does not keep the program running; assignable
local Signal = core.class:extend("signal_handler")

function Signal:init(watcher) rawset(self, "watcher", watcher) end

--- Never call its function again.
-- INT raises KeyboardInterrupt again.
-- @function signal_handler:cancel
-- @switches no
-- @source gevent.signal_handler.cancel
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

return { new = Signal, number_of = number_of }
