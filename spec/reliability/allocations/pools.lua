-- Groups, pools, map, scopes.
local pool = greenlet.pool.Pool(2)
local function double(x) greenlet.sleep(0) return 2 * x end
local list = pool:map(double, { 1, 2, 3, 4 })
assert(#list == 4 and list[4] == 8)
assert(pool:apply(double, { 21 }) == 42)
local group = greenlet.pool.Group()
for _ = 1, 3 do group:spawn(greenlet.sleep, 100) end
greenlet.sleep(0)
group:kill()
assert(#group == 0)
local value = greenlet.scope(function(s)
  local a = s:spawn(double, 1)
  s:spawn(greenlet.sleep, 0.001)
  return a:get()
end)
assert(value == 2)
