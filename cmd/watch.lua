--- :watch and :unwatch: values that are printed when they change.

local cmd = ...
local greenlet = require "greenlet"
local text = cmd.text

local INTERVAL = 1    -- seconds between two looks
local MOST_WIDE = 120 -- columns of a value

local watch, commands = {}, {}
local watches, last = {}, 0 -- by number: {expression=, seconds=, greenlet=}
local greenlets = setmetatable({}, { __mode = "k" })

--- Is this the greenlet of a watch?
function watch.is_watch(g) return greenlets[g] == true end

local function values_text(...)
  local list = table.pack(...)
  for i = 1, list.n do list[i] = cmd.inspect.line(list[i], MOST_WIDE) end
  return table.concat(list, ", ")
end

-- What the expression is now, as text: also its error.
local function look(chunk)
  local result = table.pack(pcall(chunk))
  if not result[1] then return "error: " .. text.clean(result[2]) end
  return values_text(table.unpack(result, 2, result.n))
end

-- Does not keep the program running: sleeps without ref.
local function follow(console, n, chunk)
  local shown, seen = text.clean(watches[n].expression), nil
  while true do
    local now = look(chunk)
    if now ~= seen then console:print(("[watch %d] %s = %s"):format(n, shown, now)) end
    seen = now
    greenlet.sleep(watches[n].seconds, false)
  end
end

-- "q:qsize() 0.5": an expression, and seconds if what is left without them is one, too.
local function parse(argument)
  local expression, seconds = argument:match("^(.-)%s+(%d*%.?%d+)$")
  if expression and not load("return " .. argument) and load("return " .. expression) then
    return expression, tonumber(seconds)
  end
  return argument, INTERVAL
end

local function list(console)
  local numbers, rows = {}, {}
  for n in pairs(watches) do numbers[#numbers + 1] = n end
  table.sort(numbers)
  for i, n in ipairs(numbers) do
    local one = watches[n]
    rows[i] = { tostring(n), ("%g s"):format(one.seconds), text.clean(one.expression) }
  end
  if #rows == 0 then return console:print("nothing is watched") end
  console:print(table.concat(text.columns({ "watch", "every", "expression" }, rows), "\n"))
end

local function start(console, argument)
  local expression, seconds = parse(argument)
  if seconds <= 0 then cmd.commands.fail("the seconds of :watch must be more than 0") end
  if not load("return " .. expression) then
    cmd.commands.fail("%s", select(2, load("return " .. expression, "=stdin")))
  end
  last = last + 1
  local n, chunk = last, console.session:load(expression, "=stdin")
  local g = greenlet.Greenlet(follow, console, n, chunk)
  watches[n] = { expression = expression, seconds = seconds, greenlet = g }
  g.name = "watch " .. n
  greenlets[g] = true
  g:rawlink(function() watches[n] = nil end)
  g:start()
end

commands.watch = {
  usage = "[expression [seconds]]", brief = "print a value whenever it changes; alone: list",
  help = [[
Looks at the expression every so many seconds (1), in a greenlet of its own, and prints it above
the prompt when it is another than before. :watch alone lists; :unwatch 1 ends the first.]],
  run = function(console, argument)
    if argument == "" then return list(console) end
    start(console, argument)
  end,
}

local function stop(n)
  local one = watches[n] or cmd.commands.fail("no watch %d; :watch lists them", n)
  one.greenlet:kill()
end

commands.unwatch = {
  usage = "[n]", brief = "end a watch, or all",
  run = function(_, argument)
    if argument ~= "" then
      if not argument:find("^%d+$") then cmd.commands.usage("unwatch") end
      return stop(math.tointeger(argument))
    end
    local numbers = {}
    for n in pairs(watches) do numbers[#numbers + 1] = n end
    for _, n in ipairs(numbers) do stop(n) end
  end,
}

watch.commands = commands
return watch
