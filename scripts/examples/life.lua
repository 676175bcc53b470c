-- life.lua: Conway's game of life with a greenlet for each cell.
--
-- Shows: many greenlets that proceed in step, with a barrier written from greenlets.
--
-- Usage: greenlua life.lua [WIDTH HEIGHT GENERATIONS]     a glider (16 8 20)
--        greenlua life.lua FILE [GENERATIONS]             a pattern: O * # live, . space dead,
--                                                         lines that start with ! are comments
-- The field has no border: what leaves it on one side comes in on the other.
--
--     $ greenlua life.lua 8 5 4
--     generation 0
--     .#......
--     ..#.....
--     ###.....
--     ........
--     ........
--     generation 4
--     ........
--     ..#.....
--     ...#....
--     .###....
--     ........

local greenlet = require "greenlet"

local function fail(status, message)
  io.stderr:write(message, "\n")
  os.exit(status)
end

local function whole(text, least)
  local number = math.tointeger(tonumber(text))
  if number and number >= least then return number end
  fail(2, "usage: life.lua [WIDTH HEIGHT GENERATIONS] | FILE [GENERATIONS]\n"
    .. "       (width and height from 3 on)")
end

local width, height, generations = 16, 8, 20
local pattern = {".#.", "..#", "###"}
if arg[1] and not tonumber(arg[1]) then
  local file, problem = io.open(arg[1])
  if file then problem = select(2, file:read(0)) end -- a directory opens, but cannot be read
  if problem then fail(1, ("life.lua: cannot read %s (%s)"):format(arg[1], problem)) end
  width, pattern = 3, {}
  for line in file:lines() do
    if line:sub(1, 1) ~= "!" then
      local bad = line:match("[^O*#. ]")
      if bad then fail(1, ("life.lua: %s: not a cell: %s"):format(arg[1], bad)) end
      pattern[#pattern + 1] = line
      width = math.max(width, #line)
    end
  end
  height = math.max(3, #pattern)
  generations = whole(arg[2] or generations, 0)
elseif arg[1] then
  width, height, generations = whole(arg[1], 3), whole(arg[2], 3), whole(arg[3], 0)
end

local alive = {} -- [y][x]
for y = 1, height do
  alive[y] = {}
  for x = 1, width do
    alive[y][x] = (pattern[y] or ""):sub(x, x):find("[O*#]") ~= nil
  end
end

local function neighbours(x, y)
  local count = 0
  for dy = -1, 1 do
    for dx = -1, 1 do
      local here = dx == 0 and dy == 0
      if not here and alive[(y + dy - 1) % height + 1][(x + dx - 1) % width + 1] then
        count = count + 1
      end
    end
  end
  return count
end

-- The barrier: returns when everybody has called it. The last to come opens the gate at which
-- the others wait: a greenlet that is not started until then.
local everybody = width * height + 1 -- the cells and the main greenlet
local missing, gate = everybody, nil
local function wait_for_all()
  gate = gate or greenlet.Greenlet(function() end)
  missing = missing - 1
  if missing > 0 then return gate:join() end
  gate:start()
  missing, gate = everybody, nil
end

local function live(x, y)
  for _ = 1, generations do
    local count = neighbours(x, y)
    wait_for_all() -- everybody has looked round
    alive[y][x] = count == 3 or count == 2 and alive[y][x]
    wait_for_all() -- everybody has changed
  end
end

local function show(generation)
  print(("generation %d"):format(generation))
  for y = 1, height do
    local row = {}
    for x = 1, width do row[x] = alive[y][x] and "#" or "." end
    print(table.concat(row))
  end
end

show(0)
for y = 1, height do
  for x = 1, width do greenlet.spawn(live, x, y) end
end
for _ = 1, generations do
  wait_for_all()
  wait_for_all()
end
show(generations)
