-- Kills, deadlocks, garbage, errors in handlers, traces.
local closed = 0
local function hold()
  local c <close> = setmetatable({}, { __close = function() closed = closed + 1 greenlet.sleep(0) end })
  greenlet.sleep(100)
end
local a, b = greenlet.spawn(hold), greenlet.spawn(hold)
greenlet.sleep(0)
greenlet.killall({ a, b }, greenlet.GreenletExit)
for _, g in ipairs { a, b } do
  if g.exception then error(g.exception, 0) end
end
assert(closed == 2, closed)
do
  local event = greenlet.event.Event()
  greenlet.spawn(function() event:wait() end)
  greenlet.sleep(0)
end
collectgarbage()
local ok, err = pcall(function() greenlet.event.Event():wait() end)
if ok or not greenlet.LoopExit:class_of(err) then error(err, 0) end
local late <close> = greenlet.Timeout.start_new(0.001, "late")
ok, err = greenlet.pcall(greenlet.sleep, 100)
late:close()
if ok or err ~= late then error(err, 0) end
assert(greenlet.with_timeout(1, function() return 1 end) == 1)
local switches = 0
greenlet.settrace(function() switches = switches + 1 end)
greenlet.spawn(greenlet.sleep, 0):join()
greenlet.settrace(nil)
ok, err = pcall(greenlet.kill, nil)
assert(not ok)
local kept = greenlet.spawn(function()
  local ok, what = greenlet.pcall(greenlet.sleep, 100)
  return what
end)
greenlet.sleep(0)
kept:kill("please", false)
local got = kept:get()
if got ~= "please" then error(got, 0) end
