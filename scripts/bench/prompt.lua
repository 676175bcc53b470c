-- prompt.lua: what the prompt costs: the time until it is there, beside stock `lua5.4 -i`, and
-- by how much a background greenlet is late while somebody types.
--
-- Both on a terminal of terminal.c's, which a C compiler makes first. What is compared takes
-- turns: the starts one by one, the greenlets that sleep 10 ms at a time (lateness.lua) by 100
-- sleeps: in a program without a prompt, behind a prompt at which nobody types, and behind one at
-- which somebody types 20 keys a second: names that the Tab key completes, mistakes, statements,
-- expressions whose values are shown. History has as many entries as it keeps.
--
-- Usage: greenlua prompt.lua [--runs N] [--quick] [--write]     (without lua5.4: no ratio)
--   --runs N  how many rounds (10), each of 50 starts and of 100 sleeps of each kind
--   --quick   a round of a few: does it work?
--   --write   replace the table in docs/performance.md

local greenlet = require "greenlet"
local directory = arg[0]:match("^.*/") or "./"
local report = dofile(directory .. "report.lua")

local STOCK = "lua5.4"
local ENTRIES = 10000 -- of the history
local PAUSE_MS, NEVER_MS = 50, 1000000 -- between two keys
local KEYS = "squares = {}\rfor i = 1, 10 do squares[i] = i * i end\rsquares\r"
  .. "print(string.for\t('%d', 42))\r'mistak\127\127\127take'\rtable.concat(squares, ', ')\r"

local function read_options()
  local options = { runs = 10, starts = 50, sleeps = 100 }
  local i = 1
  while arg[i] do
    if arg[i] == "--runs" then
      i = i + 1
      options.runs = math.max(1, (assert(math.tointeger(arg[i]), "--runs needs a number")))
    elseif arg[i] == "--quick" then
      options.quick, options.runs, options.starts, options.sleeps = true, 1, 2, 5
    elseif arg[i] == "--write" then
      options.write = true
    else
      io.stderr:write("usage: prompt.lua [--runs N] [--quick] [--write]\n")
      os.exit(2)
    end
    i = i + 1
  end
  return options
end

-- ---- Running ----

local options = read_options()

-- The driver, what it leaves, and a home directory that is no user's.
local work = os.tmpname()
os.remove(work)
assert(report.capture("mkdir " .. work))
local cleaner <close> = setmetatable({}, { __close = function() os.execute("rm -rf " .. work) end })
local driver = work .. "/terminal"
assert(report.capture(("${CC:-cc} -O1 -o %s %sterminal.c"):format(driver,
  report.quote(directory))))

local function run(...)
  return assert(report.capture(("HOME=%s XDG_STATE_HOME=%s %s"):format(work, work,
    table.concat({ ... }, " "))))
end

local function write_history()
  assert(report.capture("mkdir " .. work .. "/greenlua"))
  local file <close> = assert(io.open(work .. "/greenlua/history", "w"))
  local entry = "squares = {} for i = 1, %d do squares[i] = i * i end\n"
  for i = 1, ENTRIES do file:write(entry:format(i)) end
end

local has_stock = report.capture(STOCK .. " -v 2>/dev/null")

--- Add the times of a round of starts, in microseconds.
local function start(times)
  local text = run(driver, "first", options.starts, report.interpreter(),
    has_stock and ("-- %s -i"):format(STOCK) or "")
  for line in text:gmatch("[^\n]+") do
    local ours, stock = line:match("^(%d+) ?(%d*)$")
    table.insert(times.ours, tonumber(ours))
    table.insert(times.stock, tonumber(stock))
    table.insert(times.ratio, has_stock and ours / stock or nil)
  end
end

--- Add by how much the sleeps of a program are late, in microseconds.
local function sleep(list, option, ...)
  local result = work .. "/late"
  local words = { report.interpreter(), option, report.quote(directory .. "lateness.lua"), result,
    options.sleeps }
  run(table.concat({ ... }, " "), table.concat(words, " "))
  for line in io.lines(result) do table.insert(list, tonumber(line)) end
end

local times = { ours = {}, stock = {}, ratio = {} }
local late = { alone = {}, idle = {}, typing = {} }
local host = report.host(greenlet._VERSION .. (has_stock and ", " .. has_stock:match("^Lua %S+")
  or ""))
write_history()
for _ = 1, options.runs do
  start(times)
  sleep(late.alone, "")
  sleep(late.idle, "-i", driver, "type", NEVER_MS, "x")
  sleep(late.typing, "-i", driver, "type", PAUSE_MS, report.quote(KEYS))
end

-- ---- Telling ----

--- The value that so much of a list does not exceed.
local function quantile(list, part)
  table.sort(list)
  return list[math.max(1, math.ceil(#list * part))]
end

local rows = {}
local function add(what, value, bar)
  local verdict = bar and (value <= bar[1] and ": met" or ": missed")
  rows[#rows + 1] = ("| %s | %s | %s |"):format(what, bar and bar[2]:format(value)
    or ("%.2f ms"):format(value), bar and ("at most " .. bar[2]):format(bar[1]) .. verdict or "")
end

add("from the start to the first prompt", quantile(times.ours, 0.5) / 1e3)
if has_stock then
  add("the same of stock `lua5.4 -i`", quantile(times.stock, 0.5) / 1e3)
  add("... their ratio", quantile(times.ratio, 0.5), { 1.3, "%.2f" })
end
for _, part in ipairs { { "median", 0.5 }, { "99 of 100 at most", 0.99 }, { "most", 1 } } do
  local name, alone = part[1], quantile(late.alone, part[2])
  add(("a sleep of 10 ms is late, without a prompt: %s"):format(name), alone / 1e3)
  add("... behind a prompt", quantile(late.idle, part[2]) / 1e3)
  local typing = quantile(late.typing, part[2])
  add("... while somebody types", typing / 1e3)
  add("... more than without a prompt", (typing - alone) / 1e3, { 5, "%.2f ms" })
end

report.finish("prompt", host, ("Starts of each: %d; sleeps of each kind: %d."):format(#times.ours,
  #late.alone), rows, options)
