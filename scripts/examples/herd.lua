-- herd.lua: eight workers wake up for each job, and seven of them in vain.
--
-- Shows: a thundering herd. Made for a timeline: greenlua --trace=herd.html herd.lua
--
-- Wrong: an event tells that there is a job, and wakes all who wait. Each looks for the job, which
-- takes half a millisecond; the first one finds it, and the others go back to wait.
-- Remedy: what wakes no more of them than there are jobs: a queue, as with --fixed, or a semaphore.
--
-- Usage: greenlua herd.lua [--fixed]
--
--     $ greenlua herd.lua --fixed
--     4 jobs were done, 4 times somebody looked for one

local greenlet = require "greenlet"
local event = require "greenlet.event"
local Queue = require("greenlet.queue").Queue

local fixed = arg[1] == "--fixed"
if #arg > (fixed and 1 or 0) then
  io.stderr:write("usage: herd.lua [--fixed]\n")
  os.exit(2)
end

local list, arrived = {}, event.Event("arrived")
local queue = Queue(nil, nil, "jobs")
local looks = 0

local function look()
  local stop = os.clock() + 0.0005
  repeat until os.clock() >= stop
  looks = looks + 1
end

local function take_from_list()
  local job
  repeat
    arrived:wait()
    look()
    job = table.remove(list)
    arrived:clear()
  until job
  return job
end

local function take_from_queue()
  local job = queue:get()
  look()
  return job
end

local function work()
  while true do
    local job = fixed and take_from_queue() or take_from_list()
    greenlet.sleep(0.004) -- the job
    job:set()
  end
end

for i = 1, 8 do greenlet.spawn(work).name = "worker " .. i end
greenlet.sleep(0.002)
for _ = 1, 4 do
  local job = event.AsyncResult("job")
  if fixed then
    queue:put(job)
  else
    list[1] = job
    arrived:set()
  end
  job:get()
  greenlet.sleep(0.002)
end
print("4 jobs were done, " .. looks .. " times somebody looked for one")
