-- Spawn, join, get, kill, links, names, values; each ends, whatever fails.
local done = {}
local function body(n) greenlet.sleep(0) done[n] = true return n, n * 2 end
local jobs = {}
for i = 1, 3 do jobs[i] = greenlet.spawn(body, i) end
jobs[1].name = "first"
jobs[2]:link(function(g) done.link = g end)
greenlet.joinall(jobs)
for i = 1, 3 do
  local first, second = jobs[i]:get()
  assert(first == i and second == 2 * i and done[i])
end
local sleeper = greenlet.spawn(greenlet.sleep, 100)
greenlet.sleep(0)
sleeper:kill()
assert(sleeper.dead)
local later = greenlet.spawn_later(0.001, body, 4)
later:join()
assert(done[4] and tostring(jobs[1]):find("first"))
