-- start.lua: how long a program takes that does next to nothing, beside stock lua5.4.
--
-- Wall time of whole processes, from the fork to the end: of `-e ''`, and of the README's example,
-- which in stock Lua calls its functions in turn. A shell runs a batch of each in turn, so that
-- what disturbs one disturbs the others; a batch of nothing is subtracted. Medians count.
--
-- Usage: greenlua start.lua [RUNS]     (without lua5.4: no ratios)

local greenlet = require "greenlet"
local report = dofile((arg[0]:match("^.*/") or "./") .. "report.lua")

local STOCK = "lua5.4"
local BATCH = 20 -- runs

local rounds = math.max(1, math.tointeger(arg[1] or 500) // BATCH)

local example = [[
local function say(text) print(text) return #text end
local a, b = %s
local both = {a = a, b = b}
print((("a + b"):gsub("%%a", function(name) return %s end)))]]
local hello = example:format([[greenlet.spawn(say, "second"), greenlet.spawn(say, "first")]],
  "both[name]:get()")
local stock_hello = example:format([[say("second"), say("first")]], "both[name]")

local function command(interpreter, code)
  return ("%s -e %s"):format(interpreter, report.quote(code))
end

-- Stock beside ours, as close in time as can be.
local programs = { { "shell", ":" }, { "empty", command(report.interpreter(), "") },
                   { "hello", command(report.interpreter(), hello) } }
if report.capture(STOCK .. " -v 2>/dev/null") then
  table.insert(programs, 3, { "stock_empty", command(STOCK, "") })
  table.insert(programs, { "stock_hello", command(STOCK, stock_hello) })
end

local loop = greenlet.get_hub().loop
local function now()
  loop:update_now()
  return loop:now()
end

--- Seconds that one batch takes.
local function batch(program)
  local start = now()
  assert(report.capture(("i=0; while [ $i -lt %d ]; do %s || exit; i=$((i+1)); done")
    :format(BATCH, program)))
  return now() - start
end

local times = {}
for _, program in ipairs(programs) do
  times[program[1]] = {}
  batch(program[2]) -- from now on its files are in memory
end
for round = 1, rounds do
  for _, program in ipairs(programs) do times[program[1]][round] = batch(program[2]) end
end

local function median(list)
  list = table.move(list, 1, #list, 1, {})
  table.sort(list)
  return (list[(#list + 1) // 2] + list[#list // 2 + 1]) / 2
end

local shell = median(times.shell)
for _, program in ipairs(programs) do
  local name = program[1]
  for round, seconds in ipairs(times[name]) do times[name][round] = (seconds - shell) / BATCH end
  if name ~= "shell" then print(("%s %.0f us"):format(name, median(times[name]) * 1e6)) end
end

--- The median of the rounds' ratios: a busy minute harms both alike.
local function ratio(name, ours, stock)
  local list = {}
  for round = 1, rounds do list[round] = ours[round] / stock[round] end
  print(("%s %.3f x"):format(name, median(list)))
end

if times.stock_empty then
  ratio("ratio", times.empty, times.stock_empty)
  ratio("hello_ratio", times.hello, times.stock_hello)
end
