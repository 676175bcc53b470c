-- convoy.lua: five workers, one behind the other, since each waits with the lock in its hands.
--
-- Shows: a convoy on a lock. Made for a timeline: greenlua --trace=convoy.html convoy.lua
--
-- Wrong: a worker takes the lock to number a line, and still has it while it sends the line, for
-- 3 ms. So one line is sent at a time, and five workers are no faster than one.
-- Remedy: to hold the lock for what it protects, the number, and to send without it: --fixed.
--
-- Usage: greenlua convoy.lua [--fixed]
--
--     $ greenlua convoy.lua --fixed
--     15 lines were sent, at most 5 at a time

local greenlet = require "greenlet"
local Lock = require("greenlet.lock").Lock

local fixed = arg[1] == "--fixed"
if #arg > (fixed and 1 or 0) then
  io.stderr:write("usage: convoy.lua [--fixed]\n")
  os.exit(2)
end

local log = Lock("log")
local number, sending, most = 0, 0, 0

local function send()
  sending = sending + 1
  most = math.max(most, sending)
  greenlet.sleep(0.003) -- stands for the network
  sending = sending - 1
end

local function work()
  for _ = 1, 3 do
    log:acquire()
    number = number + 1
    if fixed then log:release() end
    send()
    if not fixed then log:release() end
  end
end

local workers = {}
for i = 1, 5 do
  workers[i] = greenlet.spawn(work)
  workers[i].name = "worker " .. i
end
greenlet.joinall(workers)
print(("%d lines were sent, at most %d at a time"):format(number, most))
