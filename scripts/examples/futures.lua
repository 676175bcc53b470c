-- futures.lua: names defined by formulas, computed at the same time, each as soon as it can be.
--
-- Shows: AsyncResults as futures, which many may wait for and which take over what a greenlet comes
-- to, its error as well; a wait inside a metamethod; a deadlock that is noticed and resolved.
--
-- Each line of the input defines a name: NAME = EXPRESSION. An expression is Lua with numbers, the
-- functions of math, other names, in any order, and after(SECONDS, VALUE), which takes its time.
--
-- Usage: greenlua futures.lua [FILE]     (- : standard input; without a file: a sample)
-- The results are printed as they come. The exit status is 1 if there was an error.
--
--     $ greenlua futures.lua
--     width = 6
--     height = 7
--     area = 42
--     chicken: defined in a circle
--     egg: defined in a circle
--     perimeter: nothing called depth

local greenlet = require "greenlet"
local AsyncResult = require "greenlet.event".AsyncResult

local SAMPLE = [[
perimeter = after(0.02, 2) * (width + depth)
area = width * height
height = after(0.01, width + 1)
width = 6
egg = chicken + 1
chicken = egg - 1
]]

local function fail(status, message)
  io.stderr:write(message, "\n")
  os.exit(status)
end

local function read(path)
  if not path then return SAMPLE end
  local file, problem = io.stdin, nil
  if path ~= "-" then file, problem = io.open(path) end
  local text = file and file:read("a")
  return text or fail(1, ("futures.lua: cannot read %s (%s)"):format(path, problem or "a directory"))
end

if #arg > 1 then fail(2, "usage: futures.lua [FILE]") end

local names, formulas, futures = {}, {}, {}
for line in read(arg[1]):gmatch("[^\n]+") do
  local name, formula = line:match("^%s*([%a_][%w_]*)%s*=%s*(.-)%s*$")
  if not name then fail(1, "futures.lua: not a definition: " .. line) end
  if not futures[name] then names[#names + 1] = name end
  formulas[name], futures[name] = formula, AsyncResult()
end

-- What formulas see. To read a name is to wait for its result, or to fail as it has failed.
local scope = setmetatable({
  after = function(seconds, value)
    greenlet.sleep(seconds)
    return value
  end,
}, {
  __index = function(_, name)
    if futures[name] then return futures[name]:get() end
    return math[name] or error("nothing called " .. name, 0)
  end,
})

local function compute(name)
  local formula = assert(load("return " .. formulas[name], "=" .. name, "t", scope))
  local value = formula()
  print(("%s = %s"):format(name, value))
  return value
end

greenlet.get_hub().exception_stream = false -- errors are printed below
local computing = {}
for _, name in ipairs(names) do
  computing[name] = greenlet.spawn(compute, name)
  computing[name]:link(futures[name])
end

-- Those that wait for each other wait for ever: when nothing else goes on, that is an error here.
local all = {}
for i, name in ipairs(names) do all[i] = computing[name] end
if not pcall(greenlet.joinall, all) then
  for _, name in ipairs(names) do
    if not computing[name].dead then computing[name]:kill("defined in a circle", false) end
  end
  greenlet.joinall(all)
end

local failed = {}
for _, name in ipairs(names) do
  local problem = computing[name].exception
  if problem then failed[#failed + 1] = ("%s: %s"):format(name, problem) end
end
table.sort(failed)
for _, line in ipairs(failed) do print(line) end
if #failed > 0 and arg[1] then os.exit(1) end
