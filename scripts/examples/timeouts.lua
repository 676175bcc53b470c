-- timeouts.lua: limits on how long things take.
--
-- Shows: with_timeout, a value in place of an error, Timeouts inside Timeouts, kill with
-- cleaning up by <close>, and trying again until a deadline.
--
-- Usage: greenlua timeouts.lua [FILE]
-- The last part waits until FILE can be read, at most half a second; the exit status is 1 if
-- it cannot. Without FILE, a greenlet makes one after a while.
--
--     $ greenlua timeouts.lua
--     one call:       Timeout: 0.02 seconds
--     a value:        no answer
--     nested:         Timeout: 0.02 seconds   the inner one
--     nested:         Timeout: 0.02 seconds   the outer one
--     kill:           cleaned up
--     kill:           dead    GreenletExit
--     ...

local greenlet = require "greenlet"
local Timeout = greenlet.Timeout

if #arg > 1 then
  io.stderr:write("usage: timeouts.lua [FILE]\n")
  os.exit(2)
end

local function slow_answer()
  greenlet.sleep(10)
  return "the answer"
end

-- A limit on one call. Like a kill, a Timeout passes through pcall, so that code which guards
-- against errors cannot swallow it by accident; greenlet.pcall catches everything.
local _, err = greenlet.pcall(greenlet.with_timeout, 0.02, slow_answer)
print("one call:", err)

-- The same with a value in place of the error.
print("a value:", (greenlet.with_timeout({0.02, timeout_value = "no answer"}, slow_answer)))

-- Limits inside limits: each is an object of its own, and the error tells which one expired.
local function nested(outer_seconds, inner_seconds)
  local outer, inner = Timeout(outer_seconds), Timeout(inner_seconds)
  local _, expired = greenlet.pcall(function()
    return outer:run(function()
      return inner:run(slow_answer)
    end)
  end)
  print("nested:", expired, expired == outer and "the outer one" or "the inner one")
end
nested(10, 0.02)
nested(0.02, 10)

-- A killed greenlet closes its to-be-closed variables, and whoever kills it waits for that.
local victim = greenlet.spawn(function()
  local guard <close> = setmetatable({}, {__close = function()
    greenlet.sleep(0.01) -- cleaning up may block
    print("kill:", "cleaned up")
  end})
  slow_answer()
end)
greenlet.sleep(0) -- let it start
victim:kill()
print("kill:", victim.dead and "dead", victim.value)

-- Tries again, with growing pauses, until f succeeds; raises Timeout after `seconds`.
local function retry(seconds, f, ...)
  local limit <close> = Timeout.start_new(seconds) -- closed when retry is left
  local pause, tries = 0.01, 1
  while true do
    local result, problem = f(...)
    if result then return result, tries end
    print("retry:", problem)
    greenlet.sleep(pause)
    pause, tries = pause * 2, tries + 1
  end
end

local path = arg[1]
if not path then
  path = os.tmpname()
  os.remove(path)
  greenlet.spawn_later(0.05, function() io.open(path, "w"):close() end)
end
local ok, file, tries = greenlet.pcall(retry, 0.5, io.open, path)
if ok then
  print(("retry:\topened after %d tries"):format(tries))
  file:close()
else
  io.stderr:write("timeouts.lua: gave up: ", tostring(file), "\n")
end
if not arg[1] then os.remove(path) end
if not ok then os.exit(1) end
