-- work_stealing.lua: workers that take each other's work; here, to sort the lines of a file.
--
-- Shows: fork and join: a task makes tasks of its own and waits for them, and whoever waits works;
-- a deque for each worker, who takes his newest task, while thieves take the oldest, the largest;
-- an event for those who find nothing to do.
--
-- Greenlets run on one processor, so this does not sort faster. It pays where tasks wait.
--
-- Usage: greenlua work_stealing.lua [--workers N] FILE     (4 workers)
-- The sorted lines go to standard output; who did how much goes to standard error.
--
--     $ greenlua work_stealing.lua LICENSE >/dev/null
--     worker 1: 1 tasks, 0 of them stolen
--     worker 2: 1 tasks, 1 of them stolen
--     worker 3: 1 tasks, 1 of them stolen
--     worker 4: 1 tasks, 1 of them stolen

local greenlet = require "greenlet"
local event = require "greenlet.event"

local GRAIN = 8 -- lines that are sorted without further tasks

local function usage()
  io.stderr:write("usage: work_stealing.lua [--workers N] FILE\n")
  os.exit(2)
end
local number, path = 4, arg[1]
if path == "--workers" then number, path = math.tointeger(tonumber(arg[2])), arg[3] end
if not path or not number or number < 1 or #arg > 3 or #arg == 2 then usage() end

-- ---- Workers ----

local workers = {}
local news = event.Event() -- there is a new task, or one is done
local finished = false

local function tell()
  news:set()
  news:clear() -- wakes those who wait now
end

local Worker = greenlet.class:extend("Worker")

function Worker:init()
  self.tasks, self.first, self.last = {}, 1, 0 -- a deque
  self.done, self.stolen = 0, 0
end

function Worker:push(task)
  self.last = self.last + 1
  self.tasks[self.last] = task
  tell()
end

-- The newest task: what belongs to it is at hand still.
function Worker:pop()
  if self.first > self.last then return nil end
  local task = self.tasks[self.last]
  self.tasks[self.last] = nil
  self.last = self.last - 1
  return task
end

-- The oldest task of the worker, for another one.
function Worker:lose()
  if self.first > self.last then return nil end
  local task = self.tasks[self.first]
  self.tasks[self.first] = nil
  self.first = self.first + 1
  return task
end

function Worker:steal()
  for _, other in ipairs(workers) do
    local task = other:lose()
    if task then
      self.stolen = self.stolen + 1
      return task
    end
  end
end

-- Do one task, or wait for news if there is none.
function Worker:step()
  local task = self:pop() or self:steal()
  if not task then
    news:wait()
    return
  end
  self.done = self.done + 1
  task.result = task.f(self, table.unpack(task))
  task.ready = true
  tell()
end

--- Have f(worker, ...) done by whoever has time.
function Worker:fork(f, ...)
  local task = { f = f, ... }
  self:push(task)
  return task
end

--- Wait for a task, working meanwhile. Returns its result.
function Worker:join(task)
  while not task.ready do self:step() end
  return task.result
end

function Worker:run()
  while not finished do self:step() end
end

-- ---- Sorting ----

local function merge(a, b)
  local list, i, j = {}, 1, 1
  while a[i] and b[j] do
    if b[j] < a[i] then
      list[#list + 1], j = b[j], j + 1
    else
      list[#list + 1], i = a[i], i + 1
    end
  end
  table.move(a, i, #a, #list + 1, list)
  return table.move(b, j, #b, #list + 1, list)
end

local function sort(worker, list, first, last)
  greenlet.sleep(0) -- as if it had to wait for something
  if last - first < GRAIN then
    local part = table.move(list, first, last, 1, {})
    table.sort(part)
    return part
  end
  local middle = (first + last) // 2
  local left = worker:fork(sort, list, first, middle)
  local right = sort(worker, list, middle + 1, last)
  return merge(worker:join(left), right)
end

local file, problem = io.open(path)
if file then problem = select(2, file:read(0)) end -- a directory opens, but cannot be read
if problem then
  io.stderr:write("work_stealing.lua: cannot read ", path, " (", problem, ")\n")
  os.exit(1)
end
local lines = {}
for line in file:lines() do lines[#lines + 1] = line end

greenlet.scope(function(s)
  for i = 1, number do
    workers[i] = Worker()
    s:spawn(Worker.run, workers[i])
  end
  s:spawn(function()
    local task = workers[1]:fork(sort, lines, 1, #lines)
    while not task.ready do news:wait() end
    finished = true
    tell()
    for _, line in ipairs(task.result) do io.write(line, "\n") end
  end)
end)
for i, worker in ipairs(workers) do
  io.stderr:write(("worker %d: %d tasks, %d of them stolen\n"):format(
    i, worker.done, worker.stolen))
end
