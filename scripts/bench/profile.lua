-- profile.lua: what a profile costs: work that computes, and switches, without and with it.
--
-- In one process, in turns: calls of a function, two greenlets that take turns, and greenlets that
-- sleep, each alone and with a profile.
--
-- Usage: greenlua profile.lua [--quick] [--write]
--   --quick  a round of a few: does it work?
--   --write  replace the table in docs/performance.md

local greenlet = require "greenlet"
local directory = arg[0]:match("^.*/") or "./"
local report = dofile(directory .. "report.lua")

local options = report.flags()
local ROUNDS, COUNT = options.quick and 2 or 15, options.quick and 2000 or 200000
local host = report.host(_VERSION .. ", " .. greenlet._VERSION)
local file = os.tmpname()

local function compute()
  local function f(i) return i % 7 end
  local x = 0
  for i = 1, 50 * COUNT do x = x + f(i) end
end

local function turns()
  local function f() for _ = 1, COUNT // 2 do greenlet.sleep(0) end end
  greenlet.joinall { greenlet.spawn(f), greenlet.spawn(f) }
end

local function sleeps()
  local function f() for _ = 1, 20 do greenlet.sleep(0.002) end end
  for _ = 1, COUNT // 20 do greenlet.spawn(f) end
  greenlet.wait()
end

-- Seconds of CPU; what the profile itself begins and ends with is left out.
local function time(work)
  collectgarbage()
  local began = os.clock()
  work()
  return os.clock() - began
end

-- The least of each is what the machine does when nothing disturbs it.
local least = {}
for _ = 1, ROUNDS do
  for name, work in pairs { compute = compute, turns = turns, sleeps = sleeps } do
    for _, way in ipairs { "off", "on" } do
      if way == "on" then greenlet.profile.start(file .. ".folded") end
      local key = name .. " " .. way
      least[key] = math.min(least[key] or math.huge, time(work))
      if way == "on" then greenlet.profile.stop() end
    end
  end
end
os.remove(file .. ".folded")
os.remove(file)

local rows = {}
local function add(name, form, value, bar)
  local met = bar and (value < bar and "met" or "**missed**")
  rows[#rows + 1] = ("| %s | %s | %s |"):format(name, form:format(value),
    bar and ("%s %s"):format(form:gsub("%%.1f", "%%d"):format(bar), met) or "")
end

local BAR_PERCENT, BAR_NS = 5, 150
add("calls of a function: more with a profile", "%.1f %%",
  100 * (least["compute on"] / least["compute off"] - 1), BAR_PERCENT)
for _, of in ipairs { { "turns", "`sleep(0)`, two take turns: a switch" },
    { "sleeps", "many that sleep for 2 ms: one sleep" } } do
  local off, on = least[of[1] .. " off"] / COUNT * 1e9, least[of[1] .. " on"] / COUNT * 1e9
  add(of[2], "%.1f ns", off)
  add("... more with a profile", "%.1f ns", on - off, of[1] == "turns" and BAR_NS)
end

report.finish("profile", host, ("The least CPU time of %d rounds of %d switches each."):format(ROUNDS, COUNT), rows,
  options)
