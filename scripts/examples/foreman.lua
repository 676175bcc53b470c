-- foreman.lua: who keeps whom waiting in a workshop.
--
-- Shows: greenlet.util.waits, which tells who waits for what and who has it; names for locks and
-- greenlets.
--
-- There is one lathe. Whoever has it works on until the foreman has looked round, who says who waits
-- for it, and then lets go. The same can be seen from outside, of any program: `greenlua ps PID`
-- prints what its greenlets do, and so does the program itself at SIGUSR1.
--
-- Usage: greenlua foreman.lua [WORKERS]     (2 to 1000; without: 3)
--
--     $ greenlua foreman.lua 3
--     worker 2, worker 3 wait for lock "lathe", which worker 1 has
--     worker 3 waits for lock "lathe", which worker 2 has
--     nobody waits: worker 3 has the lathe

local greenlet = require "greenlet"
local event = require "greenlet.event"
local lock = require "greenlet.lock"

local WORKERS = math.tointeger(tonumber(arg[1] or 3))
if not WORKERS or WORKERS < 2 or WORKERS > 1000 then
  io.stderr:write("usage: foreman.lua [WORKERS]\n")
  os.exit(2)
end

local lathe = lock.Lock()
lathe.name = "lathe"
local turn_over, looked = event.Event(), event.Event()

local function work()
  local held <close> = lathe:hold()
  turn_over:set()
  looked:wait()
  looked:clear()
end

-- Who waits for a lock, and the one who has it.
local function look(wanted)
  local waiting, holder = {}, nil
  for _, wait in ipairs(greenlet.util.waits()) do
    if wait.object == wanted then
      waiting[#waiting + 1] = wait.greenlet.name
      holder = wait.holders[1].greenlet.name
    end
  end
  return waiting, holder
end

local workers = {}
for i = 1, WORKERS do
  workers[i] = greenlet.spawn(work)
  workers[i].name = "worker " .. i
end

for i = 1, WORKERS do
  turn_over:wait()
  turn_over:clear()
  greenlet.sleep(0) -- the others are at the lathe by then
  local waiting, holder = look(lathe)
  if #waiting == 0 then
    print(("nobody waits: worker %d has the lathe"):format(i))
  else
    print(("%s %s for lock \"%s\", which %s has"):format(table.concat(waiting, ", "),
      #waiting == 1 and "waits" or "wait", lathe.name, holder))
  end
  looked:set()
end
greenlet.joinall(workers)
