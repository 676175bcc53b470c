-- slow_consumer.lua: three readers who mostly wait for one writer.
--
-- Shows: a queue that is always full. Made for a timeline:
-- greenlua --trace=slow_consumer.html slow_consumer.lua
--
-- Wrong: to read a line takes 3 ms, to write one 4 ms, and for three readers there is one writer.
-- Soon the queue is full, and all go at the pace of the writer. (Without a size it would be worse:
-- the queue would grow and grow.)
-- Remedy: as many writers as it takes: four, with --fixed. Or a writer that takes several lines at
-- a time.
--
-- Usage: greenlua slow_consumer.lua [--fixed]
--
--     $ greenlua slow_consumer.lua --fixed
--     18 lines, 4 writers; 0 times the queue was full

local greenlet = require "greenlet"
local Queue = require("greenlet.queue").Queue

local fixed = arg[1] == "--fixed"
if #arg > (fixed and 1 or 0) then
  io.stderr:write("usage: slow_consumer.lua [--fixed]\n")
  os.exit(2)
end

local lines = Queue(2, nil, "lines")
local written, full = 0, 0

local function read()
  for _ = 1, 6 do
    greenlet.sleep(0.003) -- a line comes from the network
    if lines:full() then full = full + 1 end
    lines:put "a line"
  end
end

local function write()
  for _ in lines:iter() do
    greenlet.sleep(0.004) -- the line goes to the disk
    written = written + 1
  end
end

local function spawn_all(count, name, run)
  local list = {}
  for i = 1, count do
    list[i] = greenlet.spawn(run)
    list[i].name = name .. " " .. i
  end
  return list
end

local readers = spawn_all(3, "reader", read)
local writers = spawn_all(fixed and 4 or 1, "writer", write)
greenlet.joinall(readers)
lines:shutdown()
greenlet.joinall(writers)
print(("%d lines, %d writers; %d times the queue was full"):format(written, #writers, full))
