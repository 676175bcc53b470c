-- Members of groups and pools: guests, derived classes, joins, kills, failures.
local P = greenlet.pool
local pool, group, other = P.Pool(2), P.Group(), P.Group()
function invariant()
  assert(#pool == 0 and pool:free_count() == 2, "a place is lost: " .. #pool .. " " .. pool:free_count())
  assert(#group == 0 and #other == 0, "a member is left")
end
local Mine = greenlet.Greenlet:extend("Mine")
local g = greenlet.Greenlet(greenlet.sleep, 0)
g:start()
group:add(g)
other:add(g) -- a guest
pool:spawn(greenlet.sleep, 0)
pool:spawn(greenlet.sleep, 0)
assert(pool:wait_available(0) == 0)
pool:start(Mine(greenlet.sleep, 0))
local failing = group:spawn(function() greenlet.sleep(0) error("oops", 0) end)
group:join()
if failing.exception ~= "oops" then error(failing.exception, 0) end
other:join()
pool:join()
for _ = 1, 2 do group:spawn(greenlet.sleep, 100) end
greenlet.sleep(0)
group:killone(group:iter()())
group:kill()
assert(#group == 0 and tostring(group))
local full = P.Pool(1)
full.greenlet_class = Mine
full:spawn(greenlet.sleep, 100)
local ok, err = pcall(full.add, full, greenlet.Greenlet(print), false)
if ok or not P.PoolFull:class_of(err) then error(err, 0) end
full:kill()
