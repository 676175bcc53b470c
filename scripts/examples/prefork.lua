-- prefork.lua: prime numbers are counted by several processes, one for each core, say.
--
-- Shows: greenlet.fork in greenlets of their own, greenlet.waitpid beside other work, workers that
-- are started again when they crash, and that all end when the program gets SIGTERM or Ctrl-C.
--
-- Each worker counts its share and writes the result to a file of its own. In the parent a
-- greenlet looks after each.
--
-- Usage: greenlua prefork.lua [--workers N] [--upto N] [--crash N]
-- (2 workers, up to 100000; with --crash worker N dies at its first attempt.)
--
--     $ greenlua prefork.lua --workers 3 --crash 2
--     worker 2: killed by signal 9, started again
--     9592 primes up to 100000, 3 workers, 1 crash

local greenlet = require "greenlet"

local options = {workers = 2, upto = 100000, crash = 0}
for i = 1, #arg, 2 do
  local name, value = arg[i]:match("^%-%-(%a+)$"), math.tointeger(tonumber(arg[i + 1]))
  if not options[name] or not value or value < 1 then
    io.stderr:write("usage: prefork.lua [--workers N] [--upto N] [--crash N]\n")
    os.exit(2)
  end
  options[name] = value
end

local function is_prime(n)
  for divisor = 2, math.floor(n ^ 0.5) do
    if n % divisor == 0 then return false end
  end
  return n > 1
end

-- In the child: every so-many-th number, so that the shares take equally long.
local function work(number, path)
  local count = 0
  for n = number, options.upto, options.workers do
    if is_prime(n) then count = count + 1 end
  end
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(count))
end

-- A variable of this ends the worker when it is closed, however that comes.
local Process = {__close = function(self)
  if self.running then
    os.execute("kill -TERM " .. self.pid)
    greenlet.waitpid(self.pid)
  end
end}

local crashes = 0

-- Returns once the worker has ended: was it well?
local function run_once(number, path)
  local pid = assert(greenlet.fork())
  if pid == 0 then
    if number == options.crash and crashes == 0 then os.execute("kill -KILL $PPID") end
    work(number, path)
    os.exit(true)
  end
  local process <close> = setmetatable({pid = pid, running = true}, Process)
  local ok, how, code = greenlet.waitpid(pid)
  process.running = false
  if not ok then
    print(("worker %d: %s %d, started again"):format(number,
      how == "signal" and "killed by signal" or "exit status", code))
  end
  return ok
end

local function look_after(number)
  local path = os.tmpname()
  local file <close> = setmetatable({}, {__close = function() os.remove(path) end})
  while not run_once(number, path) do crashes = crashes + 1 end
  local result <close> = assert(io.open(path))
  return result:read("n")
end

local workers = {}
for number = 1, options.workers do workers[number] = greenlet.spawn(look_after, number) end
local total = 0
for _, worker in ipairs(workers) do total = total + worker:get() end
print(("%d primes up to %d, %d workers, %d crash%s"):format(total, options.upto, options.workers,
  crashes, crashes == 1 and "" or "es"))
