-- Coroutines in greenlets, waits in metamethods and callbacks, require, locals, patches.
local Local = require "greenlet.local".new(function(self) self.count = 0 end)
local function count()
  for _ = 1, 2 do Local.count = Local.count + 1 greenlet.sleep(0) end
  return Local.count
end
local a, b = greenlet.spawn(count), greenlet.spawn(count)
assert(a:get() == 2 and b:get() == 2)
local slow = setmetatable({}, { __index = function(_, key) greenlet.sleep(0) return key end })
assert(slow.x == "x")
local list = { 3, 1, 2 }
table.sort(list, function(x, y) greenlet.sleep(0) return x < y end)
assert(list[3] == 3)
assert(("ab"):gsub("%a", function(c) greenlet.sleep(0) return c:upper() end) == "AB")
package.preload.waiting = function() greenlet.sleep(0) return { value = 7 } end
local wants = greenlet.spawn(function() return require("waiting").value end)
assert(wants:get() == 7 and require("waiting").value == 7)
local co = coroutine.create(function() greenlet.sleep(0) coroutine.yield(1) error("oops", 0) end)
local ok, value = coroutine.resume(co)
if not ok then error(value, 0) end
assert(value == 1)
ok, value = coroutine.resume(co)
if ok or value ~= "oops" then error(value, 0) end
local closed = false
co = coroutine.wrap(function()
  local c <close> = setmetatable({}, { __close = function() greenlet.sleep(0) closed = true end })
end)
co()
assert(closed)
