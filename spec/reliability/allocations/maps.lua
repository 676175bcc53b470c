-- What pools map, in every way; no place is lost.
local pool, group = greenlet.pool.Pool(2), greenlet.pool.Group()
function invariant()
  assert(#pool == 0 and pool:free_count() == 2, "a place is lost: " .. #pool .. " " .. pool:free_count())
  assert(#group == 0)
end
local function double(x) greenlet.sleep(0) return 2 * x end
local sum = 0
for value in pool:imap(double, { 1, 2, 3 }) do sum = sum + value end
assert(sum == 12, sum)
for value in pool:imap_unordered({ double, maxsize = 1 }, { 1, 2, 3 }) do sum = sum + value end
assert(sum == 24, sum)
for value in group:imap(double, function(_, last) return (last or 0) < 3 and (last or 0) + 1 or nil end) do
  sum = sum + value
  if value == 4 then break end
end
assert(sum == 30, sum)
local ok, err = pcall(group.map, group, error, { "oops" })
if ok or err ~= "oops" then error(err, 0) end
assert(pool:map_async(double, { 1, 2 }):get()[2] == 4)
assert(group:apply_async(double, { 4 }):get() == 8)
local list = pool:map(double, ipairs({ 5, 6 }))
assert(list[2] == 4)
