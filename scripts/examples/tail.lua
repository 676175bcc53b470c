-- tail.lua: print a file and whatever is appended to it while we look.
--
-- Shows: a watcher of the loop, whose callback runs in the hub whenever the file changes,
-- while other greenlets go about their business.
--
-- Usage: greenlua tail.lua [FILE [SECONDS]]     (1 second)
-- Without FILE: a demonstration, in which another greenlet appends to a temporary file.
--
--     $ greenlua tail.lua
--     13:48:04: line 1
--     13:48:04: line 2
--     13:48:04: line 3
--     13:48:05: line 4
--     13:48:05: line 5

local greenlet = require "greenlet"
local loop = greenlet.get_hub().loop

local path, seconds = arg[1], tonumber(arg[2] or 1)
if #arg > 2 or not seconds or seconds < 0 then
  io.stderr:write("usage: tail.lua [FILE [SECONDS]]\n")
  os.exit(2)
end

local writer
if not path then
  path = os.tmpname()
  writer = greenlet.spawn(function()
    local file <close> = assert(io.open(path, "a"))
    file:setvbuf("no")
    for number = 1, 5 do
      file:write(("%s: line %d\n"):format(os.date("!%H:%M:%S"), number))
      greenlet.sleep(0.15)
    end
  end)
end

local file, problem = io.open(path)
if file then problem = select(2, file:read(0)) end -- a directory opens, but cannot be read
if problem then
  io.stderr:write(("tail.lua: cannot read %s (%s)\n"):format(path, problem))
  os.exit(1)
end

-- Prints the lines that are complete; the beginning of one that is not is kept for next time.
local partial = ""
local function print_new_lines()
  for line in file:lines("L") do
    partial = partial .. line
    if partial:sub(-1) == "\n" then
      io.write(partial)
      partial = ""
    end
  end
  io.flush()
end

-- The watcher starts before the first look at the file, so that no change is missed.
local watcher = loop:stat(path, 0.1)
watcher:start(print_new_lines)
print_new_lines()

greenlet.sleep(seconds)
if writer then writer:join() end

watcher:close()
print_new_lines()
io.write(partial)
file:close()
if writer then os.remove(path) end
