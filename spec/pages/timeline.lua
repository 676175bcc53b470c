--- What the specs of the page of a timeline share.
local traces = require "spec.pages.traces"

local timeline = {}

--- A small trace: hub, main, and what main spawned: a reader, which spawned two parsers, and a
-- writer.
function timeline.small()
  local t = traces.new()
  t:greenlet(2, "hub"):greenlet(1, "main", { ["function"] = "script.lua:0" })
  t:greenlet(3, "reader", { ["function"] = "script.lua:5", spawner = 1, spawned = "script.lua:30" })
  t:greenlet(4, "writer", { ["function"] = "script.lua:9", spawner = 1, spawned = "script.lua:31" })
  t:greenlet(5, "parser a", { spawner = 3, spawned = "script.lua:6" })
  t:greenlet(6, "parser b", { spawner = 3, spawned = "script.lua:6" })
  t:run(1, 0, 100):mark(1, 50, "spawn", { target = 3, line = "script.lua:30" })
  t:mark(1, 60, "spawn", { target = 4, line = "script.lua:31" })
  t:wait(1, 100, 1000, "join of", "join of 2 greenlets", "script.lua:33")
  t:ready(3, 50, 100):run(3, 100, 200):wait(3, 200, 500, "sleep", "sleep", "script.lua:7")
  t:ready(3, 500, 510):run(3, 510, 600):mark(3, 600, "end", { how = "value" })
  t:ready(4, 60, 200):run(4, 200, 300)
  t:wait(4, 300, 560, "get of", "get of queue jobs", "script.lua:12")
  t:ready(4, 560, 600):run(4, 600, 700):mark(4, 700, "end", { how = "error" })
  t:wait(5, 300, 900, "sleep"):mark(4, 650, "kill", { target = 5 })
  t:mark(5, 900, "end", { how = "killed" })
  t:wait(6, 300, 950, "acquire of", "acquire of lock accounts", "script.lua:14")
  t:wake(2, 500, 3, 510):wake(3, 560, 4, 600)
  t:wait(2, 400, 500, "poll"):count(100, 5, 2):count(600, 3, 0)
  t.other.sources["script.lua:12"] = "  local job = jobs:get()"
  t.other.to = 1000
  return t
end

--- Open the page of a trace, or of a text, and wait until it can be used.
function timeline.show(b, trace, fragment)
  local text = type(trace) == "string" and trace or trace:json()
  b:open(traces.page("timeline", text), fragment)
  b:wait_for("window.timeline !== undefined")
end

return timeline
