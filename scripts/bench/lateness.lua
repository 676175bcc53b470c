-- lateness.lua: how much too late a greenlet wakes that sleeps 10 ms at a time, for prompt.lua.
--
-- Usage: greenlua [-i] lateness.lua FILE [SLEEPS]
-- With -i it runs behind the prompt. After so many sleeps it writes how late each was, in
-- microseconds, into FILE, and ends the program.

local greenlet = require "greenlet"

local NAP = 0.01 -- seconds

local path, sleeps = arg[1], math.tointeger(arg[2] or 100)

local loop = greenlet.get_hub().loop
local function now()
  loop:update_now()
  return loop:now()
end

local sleeper = greenlet.spawn(function()
  local late = {}
  greenlet.sleep(0.2) -- the program has started, and somebody types
  for i = 1, sleeps do
    local start = now()
    greenlet.sleep(NAP)
    late[i] = ("%.1f\n"):format((now() - start - NAP) * 1e6)
  end
  local file <close> = assert(io.open(path, "w"))
  file:write(table.concat(late))
  file:close()
  os.exit(0)
end)
if arg[-1] ~= "-i" then sleeper:join() end
