-- starving.lua: servers that are ready to answer, and do not get to run, since another computes.
--
-- Shows: what a greenlet that does not give way does to the others. Made for a timeline:
-- greenlua --trace=starving.html starving.lua
--
-- Wrong: the listener hands each of three servers a request, which makes them ready, and then
-- computes statistics for 10 ms. Nobody interrupts a greenlet: the servers run when it is done.
-- Remedy: to give way every millisecond, as with --fixed; or to compute in another process.
--
-- Usage: greenlua starving.lua [--fixed]
--
--     $ greenlua starving.lua --fixed
--     15 of 15 requests were answered before their statistics were done

local greenlet = require "greenlet"
local Queue = require("greenlet.queue").Queue

local fixed = arg[1] == "--fixed"
if #arg > (fixed and 1 or 0) then
  io.stderr:write("usage: starving.lua [--fixed]\n")
  os.exit(2)
end

local requests = Queue(nil, nil, "requests")
local computing, in_time = false, 0

local function compute(seconds)
  local stop = os.clock() + seconds
  repeat until os.clock() >= stop
end

local function make_statistics()
  computing = true
  for _ = 1, 10 do
    compute(0.001)
    if fixed then greenlet.sleep(0) end -- whoever is ready runs
  end
  computing = false
end

local function listen()
  for _ = 1, 5 do
    greenlet.sleep(0.002) -- until three requests come in
    for _ = 1, 3 do requests:put("a request") end
    make_statistics()
  end
  requests:shutdown()
end

local function serve()
  for _ in requests:iter() do
    compute(0.0005)
    if computing then in_time = in_time + 1 end
  end
end

local listener = greenlet.spawn(listen)
listener.name = "listener"
for i = 1, 3 do greenlet.spawn(serve).name = "server " .. i end
greenlet.wait()
print(in_time .. " of 15 requests were answered before their statistics were done")
