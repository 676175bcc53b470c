-- hedged.lua: ask another server when the first one is slow, and take whoever answers first.
--
-- Shows: a channel on which answers come from whoever has one; select with a timeout, where time
-- being up is the reason to do more, not to give up; a kill that ends what is not needed any more, and
-- closes what it holds.
--
-- Most answers of a service are fast, and a few very slow. To ask a second server after a short while
-- costs little, and cuts off the slow ones. Here a server is a greenlet that sleeps.
--
-- Usage: greenlua hedged.lua [--patience SECONDS] LATENCY ...
-- LATENCY is how many seconds a server takes; they are asked in this order. Patience: 0.05 seconds.
--
--     $ greenlua hedged.lua 0.5 0.02 0.01
--     server 1 is asked
--     server 2 is asked
--     server 2 has answered: 42
--     server 1 is told to stop
--     2 of 3 servers were asked

local greenlet = require "greenlet"
local queue = require "greenlet.queue"

local patience, latencies = 0.05, {}
local first = 1
if arg[1] == "--patience" then
  patience, first = tonumber(arg[2]), 3
end
for i = first, #arg do latencies[#latencies + 1] = tonumber(arg[i]) end
local complete = #latencies == #arg - first + 1 and #latencies > 0
if not patience or patience < 0 or not complete or math.min(table.unpack(latencies)) < 0 then
  io.stderr:write("usage: hedged.lua [--patience SECONDS] LATENCY ...\n")
  os.exit(2)
end

local answers = queue.Channel()

local function ask(server)
  local answered = false
  local connection <close> = setmetatable({}, {__close = function()
    if not answered then print(("server %d is told to stop"):format(server)) end
  end})
  print(("server %d is asked"):format(server))
  greenlet.sleep(latencies[server])
  answered = true
  answers:put {server = server, text = "42"}
end

local asked = {}
local which, answer
repeat
  asked[#asked + 1] = greenlet.spawn(ask, #asked + 1)
  -- When all are asked there is no hurry any more.
  which, answer = greenlet.select({{answers, "get"}}, #asked < #latencies and patience or nil)
until which

print(("server %d has answered: %s"):format(answer.server, answer.text))
greenlet.killall(asked)
print(("%d of %d servers were asked"):format(#asked, #latencies))
