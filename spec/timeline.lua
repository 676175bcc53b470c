--- Traces as `greenlua --trace=FILE.json` writes them, read as lanes of slices.
local json = require "cjson"
local run = require "spec.cmd.run"

local timeline = {}

-- No script that is traced takes one second.
local SECONDS = 20 * require "spec.patience"

local Lane = {}
Lane.__index = Lane

--- The slice just before a moment; nil: there is none.
function Lane:before(moment)
  for _, slice in ipairs(self.slices) do
    if slice.ts < moment and moment <= slice.ts + slice.dur then return slice end
  end
  return nil
end

--- The slices of a kind, in their order.
-- @tparam string cat "run", "ready" or "wait"
-- @tparam[opt] string what the name has this in it
function Lane:all(cat, what)
  local found = {}
  for _, slice in ipairs(self.slices) do
    if timeline.is(slice, cat, what) then found[#found + 1] = slice end
  end
  return found
end

--- How long all slices of a kind last, in microseconds.
function Lane:time(cat, what)
  local sum = 0
  for _, slice in ipairs(self:all(cat, what)) do sum = sum + slice.dur end
  return sum
end

--- Tells whether a slice is there and is of a kind.
function timeline.is(slice, cat, what)
  return slice ~= nil and slice.cat == cat and
    (what == nil or slice.name:find(what, 1, true) ~= nil)
end

local function lanes_of(events)
  local by_tid, lanes = {}, {}
  for _, event in ipairs(events) do
    if event.ph == "M" and event.name == "thread_name" then
      local lane = setmetatable({ tid = event.tid, name = event.args.name, slices = {} }, Lane)
      by_tid[event.tid], lanes[lane.name] = lane, lane
    end
  end
  for _, event in ipairs(events) do
    if event.ph == "X" then table.insert(by_tid[event.tid].slices, event) end
  end
  for _, lane in pairs(by_tid) do
    table.sort(lane.slices, function(a, b) return a.ts < b.ts end)
  end
  return lanes
end

local Trace = {}
Trace.__index = Trace

--- What was counted last before a moment: {living =, ready =}.
function Trace:counted(moment)
  local last = { ts = -1 }
  for _, event in ipairs(self.traceEvents) do
    if event.ph == "C" and event.ts < moment and event.ts >= last.ts then last = event end
  end
  return last.args
end

--- Run a script with --trace.
-- @tparam string script its path
-- @tparam[opt] string argument
-- @treturn table the lanes by the names of their greenlets: {tid =, name =, slices =, and methods}
-- @treturn table the trace, which has methods as well
function timeline.of(script, argument)
  local path = run.directory() .. "/trace.json"
  os.execute(("timeout %d %s --trace=%s %s %s >/dev/null 2>&1"):format(SECONDS,
    run.quote(run.greenlua), path, run.quote(script), argument or ""))
  local trace = setmetatable(json.decode(run.read(path)), Trace)
  return lanes_of(trace.traceEvents), trace
end

return timeline
