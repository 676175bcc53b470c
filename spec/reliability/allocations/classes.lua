-- Classes of one's own, and the names and settings of greenlets.
local Counter = greenlet.Greenlet:extend("Counter")
function Counter:init(n) greenlet.Greenlet.init(self) self.n = n end
function Counter:_run() for _ = 1, self.n do greenlet.sleep(0) end return self.n end
local a, b = Counter.spawn(2), Counter(3)
b:start_later(0.001)
assert(a:get() == 2 and b:get() == 3)
local Problem = greenlet.Exception:extend("Problem")
local g = greenlet.spawn(function() error(Problem("why")) end)
local ok, err = pcall(g.get, g)
if ok or not Problem:class_of(err) then error(err, 0) end
assert(tostring(err):find("why"))
local Point = greenlet.class:extend("Point")
function Point:init(x) self.x = x end
assert(Point(3).x == 3 and Point(1):is_a(Point))
local pinned = greenlet.Greenlet(function() greenlet.sleep(0) return 1 end)
pinned.pinned = true
pinned:start()
assert(pinned:get() == 1)
local added
local function note() added = true end
greenlet.Greenlet.add_spawn_callback(note)
local noted = greenlet.spawn(greenlet.sleep, 0)
greenlet.Greenlet.remove_spawn_callback(note)
noted:join()
assert(added)
