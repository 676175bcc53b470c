-- worker_pool.lua: a few workers share the jobs that come on standard input, and a rate limit.
--
-- Shows: workers that pull from one iterator, a rate limiter in four lines, errors that stay
-- inside one job, results in the order in which they come.
--
-- A job is a line with an arithmetic expression. Each takes 10 ms per operator, as a call to
-- some slow service might, so short jobs overtake long ones.
--
-- Usage: greenlua worker_pool.lua [--workers N] [--rate JOBS_PER_SECOND] < JOBS
-- (4 workers, 100 jobs a second.) The exit status is 1 when a job failed.
--
--     $ printf '1 + 2 + 3 + 4\n6 * 7\n1 // 0\n2 ^ 10\n' | greenlua worker_pool.lua
--     worker 2: 6 * 7 = 42
--     worker 1: 1 + 2 + 3 + 4 = 10
--     worker 3: 1 // 0: job:1: attempt to divide by zero
--     worker 4: 2 ^ 10 = 1024.0
--     3 jobs done, 1 failed, 4 workers, 0.04 seconds

local greenlet = require "greenlet"
local loop = greenlet.get_hub().loop

local options = {workers = 4, rate = 100}
for i = 1, #arg, 2 do
  local name, value = arg[i]:match("^%-%-(%a+)$"), tonumber(arg[i + 1])
  if not options[name] or not value or value <= 0 or name == "workers" and value % 1 ~= 0 then
    io.stderr:write("usage: worker_pool.lua [--workers N] [--rate JOBS_PER_SECOND] < JOBS\n")
    os.exit(2)
  end
  options[name] = value
end

-- Returns at most `rate` times a second: each caller books the next free moment and sleeps
-- until then.
local next_free = 0
local function wait_for_turn()
  loop:update_now()
  local now = loop:now()
  local turn = math.max(now, next_free)
  next_free = turn + 1 / options.rate
  greenlet.sleep(turn - now)
end

local function compute(expression)
  if expression:find("[^%d%s.+*/%%^()-]") then error("not arithmetic", 0) end
  local f = assert(load("return " .. expression, "=job", "t", {}))
  local _, operators = expression:gsub("[+*/%%^-]", "")
  greenlet.sleep(0.01 * operators)
  return f()
end

local done, failed = 0, 0
local jobs = io.lines() -- one iterator for all: each line goes to the worker that asks first
local function work(number)
  for job in jobs do
    if job:find("%S") then
      wait_for_turn()
      local ok, result = pcall(compute, job) -- catches errors, but lets a kill pass
      if ok then
        done = done + 1
        print(("worker %d: %s = %s"):format(number, job, result))
      else
        failed = failed + 1
        io.stderr:write(("worker %d: %s: %s\n"):format(number, job, result))
      end
    end
  end
end

local start = loop:now()
local workers = {}
for number = 1, options.workers do
  workers[number] = greenlet.spawn(work, number)
end
greenlet.joinall(workers)

loop:update_now()
print(("%d jobs done, %d failed, %d workers, %.2f seconds"):format(
  done, failed, options.workers, loop:now() - start))
if failed > 0 then os.exit(1) end
