-- Watchers, callbacks, signals, reports.
local hub = greenlet.get_hub()
local loop = hub.loop
local fired = 0
local timer = loop:timer(0.001)
timer:start(function() fired = fired + 1 end)
local handle = loop:run_callback(function() fired = fired + 1 end)
greenlet.sleep(0.01)
timer:stop()
assert(fired == 2, fired)
local text = greenlet.util.format_run_info()
assert(type(text) == "string" or type(text) == "table")
assert(greenlet.util.GreenletTree.current_tree():format():find("main", 1, true))
local closed
local sleeper = greenlet.spawn(function()
  local c <close> = setmetatable({}, { __close = function() closed = true end })
  greenlet.sleep(100)
end)
greenlet.sleep(0)
sleeper:kill()
if type(sleeper.exception) == "string" then error(sleeper.exception, 0) end
assert(closed, "not closed")
