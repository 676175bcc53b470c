-- trace.lua: what tracing costs: a switch without and with it, and how fast its file is written.
--
-- In one process, in turns: two greenlets that take turns, and a channel that hands items over,
-- each alone, with the flight recorder, and with a trace to a file. The time from stop() to its
-- return, which writes the file, tells how many events are written a second.
--
-- Usage: greenlua trace.lua [--quick] [--write]
--   --quick  a round of a few: does it work?
--   --write  replace the table in docs/performance.md

local greenlet = require "greenlet"
local directory = arg[0]:match("^.*/") or "./"
local report = dofile(directory .. "report.lua")

local options = report.flags()
local ROUNDS, SWITCHES = options.quick and 2 or 15, options.quick and 2000 or 200000
local host = report.host(_VERSION .. ", " .. greenlet._VERSION)
local file = os.tmpname() .. ".json"
local now = function() return greenlet.get_hub().loop:now() end

local function seconds()
  greenlet.get_hub().loop:update_now()
  return now()
end

local function turns()
  local function f() for _ = 1, SWITCHES // 2 do greenlet.sleep(0) end end
  greenlet.joinall { greenlet.spawn(f), greenlet.spawn(f) }
end

local function channel()
  local items = greenlet.queue.Channel()
  local g = greenlet.spawn(function() for i = 1, SWITCHES // 2 do items:put(i) end end)
  for _ = 1, SWITCHES // 2 do items:get() end
  g:join()
end

-- Nanoseconds of a switch.
local function time(work)
  collectgarbage()
  local began = seconds()
  work()
  return (seconds() - began) / SWITCHES * 1e9
end

local written = { events = 0, seconds = 0 }

local ways = {
  off = { begin = function() end, stop = function() end },
  flight = {
    begin = function() greenlet.config.flight_recorder = file end,
    stop = function() greenlet.config.flight_recorder = "" end,
  },
  trace = {
    begin = function() greenlet.trace.start(file) end,
    stop = function()
      local began = seconds()
      greenlet.trace.stop()
      written.seconds = written.seconds + seconds() - began
      for _ in io.lines(file) do written.events = written.events + 1 end
    end,
  },
}

-- The least of each is what the machine does when nothing disturbs it.
local least = {}
for _ = 1, ROUNDS do
  for name, work in pairs { turn = turns, channel = channel } do
    for way, steps in pairs(ways) do
      steps.begin()
      local key = name .. " " .. way
      least[key] = math.min(least[key] or math.huge, time(work))
      steps.stop()
    end
  end
end
os.remove(file)
os.remove((file:gsub("%.json$", "")))

local rows = {}
local function add(name, value, form, bar, met)
  rows[#rows + 1] = ("| %s | %s | %s |"):format(name, form:format(value),
    bar and ("%s %s"):format(bar, met and "met" or "**missed**") or "")
end

local BAR_NS, BAR_EVENTS = 120, 1000000
for _, name in ipairs { "turn", "channel" } do
  local off = least[name .. " off"]
  add(name == "turn" and "`sleep(0)`, two take turns: a switch" or "a channel: a switch", off, "%.1f ns")
  for _, way in ipairs { "flight", "trace" } do
    local more = least[name .. " " .. way] - off
    add(way == "flight" and "... more with the flight recorder" or "... more with a trace", more,
      "%.1f ns", ("%d ns"):format(BAR_NS), more < BAR_NS)
  end
end
local rate = written.events / written.seconds
add("events written a second", rate / 1e6, "%.1f million", "1 million", rate >= BAR_EVENTS)

report.finish("trace", host, ("The least of %d rounds of %d switches each."):format(ROUNDS, SWITCHES), rows,
  options)
