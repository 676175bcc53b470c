-- retry.lua: runs a command until it succeeds.
--
-- Shows: exponential back-off with jitter, a number of tries and a deadline for all of them, and
-- telling errors that may pass from those that will not.
--
-- The pause before the next try doubles each time, up to a second; a random part of up to a half is
-- taken off, so that many who failed at the same time do not come back at the same time. A command
-- that cannot be run at all (status 126 and 127) is not tried again.
--
-- Usage: greenlua retry.lua [--tries N] [--deadline SECONDS] [--pause SECONDS] COMMAND
-- (5 tries, 10 seconds, a first pause of 0.1.) The exit status is that of the last try; 124 if
-- the deadline has passed.
--
--     $ greenlua retry.lua 'test -e ready || { touch ready; false; }'
--     try 1: exit status 1, again in 0.08 s
--     try 2: done

local greenlet = require "greenlet"

local LONGEST_PAUSE = 1 -- second

-- What may pass. All other errors end the retrying.
local Transient = greenlet.Exception:extend("Transient")

--- Call f(...) until it succeeds.
-- @param options tries; deadline and pause in seconds; failed(err, try, pause), called before
--   each pause
-- @return what f returns
-- @raise what f raises, if that is not Transient or it was the last try; Timeout at the deadline
local function retry(options, f, ...)
  local deadline <close> = greenlet.Timeout.start_new(options.deadline)
  local longest = options.pause
  for try = 1, math.huge do
    local result = table.pack(pcall(f, ...)) -- lets the deadline pass
    if result[1] then return table.unpack(result, 2, result.n) end
    local err = result[2]
    if not Transient:class_of(err) or try >= options.tries then error(err, 0) end
    local pause = longest * (1 - math.random() / 2)
    options.failed(err, try, pause)
    greenlet.sleep(pause)
    longest = math.min(2 * longest, LONGEST_PAUSE)
  end
end

local options = { tries = 5, deadline = 10, pause = 0.1 }
local i = 1
while arg[i] and arg[i]:find("^%-%-") do
  local name, value = arg[i]:sub(3), tonumber(arg[i + 1])
  if not options[name] or not value or value < 0 then break end
  options[name], i = value, i + 2
end
local command = arg[i]
if not command or #arg > i or command:find("^%-%-") then
  io.stderr:write("usage: retry.lua [--tries N] [--deadline SECONDS] [--pause SECONDS] COMMAND\n")
  os.exit(2)
end

function options.failed(err, try, pause)
  print(("try %d: %s, again in %.2f s"):format(try, err.message, pause))
end

-- While the command runs nothing else does: the deadline is looked at between the tries.
local tries = 0
local function run()
  tries = tries + 1
  io.stdout:flush()
  local ok, how, code = os.execute(command)
  if ok then return end
  local message = how == "exit" and "exit status " .. code or "signal " .. code
  if how == "exit" and code >= 126 then error(greenlet.Exception(message, code)) end
  error(Transient(message, how == "exit" and code or 128 + code))
end

local ok, err = greenlet.pcall(retry, options, run)
if ok then
  print(("try %d: done"):format(tries))
elseif greenlet.Timeout:class_of(err) then
  print(("given up: %s"):format(err))
  os.exit(124)
else
  print(("try %d: %s, given up"):format(tries, err.message))
  os.exit(err.args[2])
end
