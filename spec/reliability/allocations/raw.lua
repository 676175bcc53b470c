-- Raw greenlets, parents, throws, locals, coroutines inside.
local raw = greenlet.greenlet
local child
local main = greenlet.getcurrent()
child = raw(function(a)
  local b = main:switch(a + 1)
  return b + 1
end)
assert(child:switch(1) == 2)
assert(child:switch(10) == 11)
assert(child.dead)
local thrown = raw(function() main:switch() end)
thrown:switch()
local ok, err = pcall(thrown.throw, thrown, "boom")
assert(not ok)
if not tostring(err):find("boom") then error(err, 0) end
local wrapped = coroutine.wrap(function() for i = 1, 3 do greenlet.sleep(0) coroutine.yield(i) end end)
for i = 1, 3 do assert(wrapped() == i) end
