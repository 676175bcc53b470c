-- pipeline.lua: a pipeline of three stages, in which nobody runs ahead of who comes after.
--
-- Shows: queues of limited size between the stages, so that a slow stage holds up those before it
-- (back-pressure) instead of filling the memory; several workers at one stage; a PriorityQueue that
-- brings their results back into order; shutdown, which ends one stage after the other.
--
-- The source gives numbers, the workers find how many steps each takes to 1 by Collatz's rule (a
-- millisecond for every ten steps, as a slow service might), and the last stage prints them in order.
--
-- Usage: greenlua pipeline.lua [NUMBERS [WORKERS [SIZE]]]     (12 numbers, 3 workers, queues of 2)
--
--     $ greenlua pipeline.lua 5
--     1 takes 0 steps
--     2 takes 1 steps
--     3 takes 7 steps
--     4 takes 2 steps
--     5 takes 5 steps
--     5 numbers, 3 workers; the source was at most 5 numbers ahead

local greenlet = require "greenlet"
local queue = require "greenlet.queue"

local function argument(i, default)
  local value = tonumber(arg[i] or default)
  if #arg > 3 or not value or value < 1 or value % 1 ~= 0 then
    io.stderr:write("usage: pipeline.lua [NUMBERS [WORKERS [SIZE]]], whole numbers from 1 on\n")
    os.exit(2)
  end
  return math.tointeger(value)
end
local count, workers, size = argument(1, 12), argument(2, 3), argument(3, 2)

local numbers = queue.Queue(size)
local results = queue.PriorityQueue(size) -- {number, steps}: the least number first
local given, printed, most_ahead = 0, 0, 0

local function source()
  for number = 1, count do
    numbers:put(number) -- waits while the workers are busy and the queue is full
    given = number
    most_ahead = math.max(most_ahead, given - printed)
  end
  numbers:shutdown() -- the workers get what is left, then their loops end
end

local function steps_of(number)
  local steps = 0
  while number ~= 1 do
    number = number % 2 == 0 and number // 2 or 3 * number + 1
    steps = steps + 1
  end
  greenlet.sleep(steps / 10000)
  return steps
end

local function work()
  for number in numbers:iter() do results:put {number, steps_of(number)} end
end

-- A result that comes too early waits here for those before it.
local function print_in_order()
  local early = {}
  for result in results:iter() do
    early[result[1]] = result[2]
    while early[printed + 1] do
      printed = printed + 1
      print(("%d takes %d steps"):format(printed, early[printed]))
      early[printed] = nil
    end
  end
end

greenlet.spawn(source)
local printer = greenlet.spawn(print_in_order)
local group = {}
for i = 1, workers do group[i] = greenlet.spawn(work) end
greenlet.joinall(group, nil, true) -- an error in a worker ends the program
results:shutdown()
printer:get()
print(("%d numbers, %d workers; the source was at most %d numbers ahead"):format(
  count, workers, most_ahead))
