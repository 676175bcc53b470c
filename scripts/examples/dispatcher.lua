-- dispatcher.lua: one greenlet gives out jobs and collects the results, with select.
--
-- Shows: fan-out and fan-in over two channels; a select that puts and gets in one loop, so that the
-- dispatcher never waits for the one while the other could go on; a case for a limit of time.
--
-- A job is a number to be split into its prime factors. Each division takes 0.1 ms, as a call to some
-- slow service might, so results come in the order in which they are ready.
--
-- Usage: greenlua dispatcher.lua [--workers N] [--seconds S] NUMBER ...     (3 workers, 5 seconds)
-- The exit status is 1 when time was up before all was done.
--
--     $ greenlua dispatcher.lua 1009 12 35
--     12 = 2 * 2 * 3
--     35 = 5 * 7
--     1009 = 1009
--     3 of 3 numbers, 3 workers

local greenlet = require "greenlet"
local queue = require "greenlet.queue"

local function usage()
  io.stderr:write("usage: dispatcher.lua [--workers N] [--seconds S] NUMBER ...\n")
  os.exit(2)
end

local options, numbers = {workers = 3, seconds = 5}, {}
local i = 1
while arg[i] do
  local name, value = arg[i]:match("^%-%-(%a+)$"), tonumber(arg[i + 1])
  if name then
    local whole = name ~= "workers" or value and value % 1 == 0
    if not options[name] or not value or value <= 0 or not whole then usage() end
    options[name] = value
    i = i + 2
  else
    local number = math.tointeger(tonumber(arg[i]))
    if not number or number < 2 then usage() end
    numbers[#numbers + 1] = number
    i = i + 1
  end
end
if #numbers == 0 then usage() end

local jobs, results = queue.Channel(), queue.Channel()

local function factors_of(number)
  local factors, divisor, divisions = {}, 2, 0
  while number > 1 do
    while number % divisor == 0 do
      factors[#factors + 1] = divisor
      number = number // divisor
    end
    divisor = divisor * divisor > number and math.max(number, divisor + 1) or divisor + 1
    divisions = divisions + 1
  end
  greenlet.sleep(divisions / 10000)
  return factors
end

local function work()
  for number in jobs:iter() do results:put {number, factors_of(number)} end
end
for _ = 1, options.workers do greenlet.spawn(work) end

-- A list of cases may be changed between selects: the job goes when all are given out.
local time_is_up = greenlet.spawn_later(options.seconds, function() end)
local RESULT, TIME, JOB = 1, 2, 3
local cases = {{results, "get"}, {time_is_up, "wait"}, {jobs, "put", numbers[1]}}
local given, done = 0, 0
while done < #numbers do
  local which, result = greenlet.select(cases)
  if which == JOB then
    given = given + 1
    cases[JOB] = numbers[given + 1] and {jobs, "put", numbers[given + 1]}
  elseif which == RESULT then
    done = done + 1
    print(("%d = %s"):format(result[1], table.concat(result[2], " * ")))
  elseif which == TIME then
    break
  end
end

print(("%d of %d numbers, %d workers"):format(done, #numbers, options.workers))
if done < #numbers then os.exit(1) end
time_is_up:kill() -- or the program would wait for it
jobs:shutdown()
