-- bounded_buffer.lua: a producer and a consumer, with a buffer of limited size between them.
--
-- Shows: a class of one's own whose methods block, written with one primitive: a greenlet that
-- is not started yet, a gate. Any number of greenlets may join it, and starting it lets all of
-- them go on.
--
-- Usage: greenlua bounded_buffer.lua [FILE]     (without a file: this script)
-- Copies FILE to standard output; a summary goes to standard error.
--
--     $ greenlua bounded_buffer.lua LICENSE | head -n 3
--     MIT License
--
--     Copyright (c) 2026 the greenlua authors
--     21 lines, at most 4 of them in the buffer

local greenlet = require "greenlet"

local SIZE = 4 -- lines

if #arg > 1 then
  io.stderr:write("usage: bounded_buffer.lua [FILE]\n")
  os.exit(2)
end

local Buffer = greenlet.class:extend("Buffer")

function Buffer:init(size)
  self.size = size
  self.items = {}
  self.fullest = 0
end

-- Waits for the next put or get of somebody else.
function Buffer:wait_for_change()
  self.gate = self.gate or greenlet.Greenlet(function() end)
  self.gate:join()
end

function Buffer:changed()
  if self.gate then self.gate:start() end
  self.gate = nil
end

function Buffer:put(item)
  while #self.items == self.size do self:wait_for_change() end
  table.insert(self.items, item)
  self.fullest = math.max(self.fullest, #self.items)
  self:changed()
end

function Buffer:get()
  while #self.items == 0 do self:wait_for_change() end
  local item = table.remove(self.items, 1)
  self:changed()
  return item
end

local path = arg[1] or arg[0]
local file, problem = io.open(path)
if not file then
  io.stderr:write("bounded_buffer.lua: ", problem, "\n")
  os.exit(1)
end

local buffer = Buffer(SIZE)
local END = {} -- differs from every line

-- Returns nil, or what went wrong.
local function produce()
  local line, trouble
  repeat
    line, trouble = file:read("L")
    buffer:put(line or END)
  until not line
  return trouble
end

-- Returns the number of lines.
local function consume()
  local lines = 0
  while true do
    local line = buffer:get()
    if line == END then return lines end
    io.write(line)
    lines = lines + 1
  end
end

local producer, consumer = greenlet.spawn(produce), greenlet.spawn(consume)
local lines = consumer:get()
local trouble = producer:get()
if trouble then
  io.stderr:write("bounded_buffer.lua: ", path, ": ", trouble, "\n")
  os.exit(1)
end
io.stderr:write(("%d lines, at most %d of them in the buffer\n"):format(lines, buffer.fullest))
