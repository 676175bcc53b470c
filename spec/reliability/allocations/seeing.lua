-- What reports, graphs, trees and texts show.
local U = greenlet.util
local event = greenlet.event.Event("opened")
local lock = greenlet.lock.Lock()
lock:acquire()
local all = {
  greenlet.spawn(event.wait, event), greenlet.spawn(greenlet.sleep, 100),
  greenlet.spawn(function() lock:acquire() end),
  greenlet.spawn(function() coroutine.wrap(function() greenlet.sleep(100) end)() end),
}
all[5] = greenlet.spawn(greenlet.joinall, { all[1], all[2] })
all[6] = greenlet.spawn(greenlet.wait, { all[1], event })
all[1].name = "first"
greenlet.sleep(0)
assert(U.format_run_info())
assert(U.waits() and U.graph())
for _, g in ipairs(all) do assert(U.describe(g) and tostring(g) and greenlet.traceback(g)) end
assert(U.GreenletTree.current_tree():format() and U.GreenletTree.forest())
assert(all[2].spawning_stack and all[2].spawning_greenlet and all[1].minimal_ident)
greenlet.killall(all)
lock:release()
