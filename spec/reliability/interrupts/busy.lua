-- Does a little of everything, for interrupts.c: whatever runs when the signal comes, every
-- to-be-closed variable is closed exactly once.
io.stdout:setvbuf("no")

local queue, lock, pool = require "greenlet.queue", require "greenlet.lock", require "greenlet.pool"
local closed, unclosed = {}, {} -- times closed, and what is still to be closed, by number
local opened, wrong = 0, nil

local function close(self)
  closed[self.number] = (closed[self.number] or 0) + 1
  unclosed[self.number] = nil
  if closed[self.number] > 1 then wrong = wrong or ("%d is closed twice"):format(self.number) end
end
local meta = { __close = close }
local function closer()
  opened = opened + 1
  return setmetatable({ number = opened }, meta)
end

-- `f` in a scope of its own. What is noted is declared already: it must be closed.
local function within(f, ...)
  local variable <close> = closer()
  unclosed[variable.number] = variable
  return f(...)
end

-- The last finalizer of the state: objects are finalized in the reverse order of their making.
-- The function that closes one may itself be what the signal ends.
local judge_at_the_end = setmetatable({}, { __gc = function()
  local first = next(unclosed)
  if first and next(unclosed, first) then wrong = wrong or "some are never closed" end
  io.stdout:write(wrong and wrong .. "\n" or "clean\n")
end })
io.stdout:write("start\n")

-- The same in a coroutine, which Lua does not close when whoever resumes it ends.
local function loosely(f, ...)
  local variable <close> = closer()
  return f(...)
end

local function compute()
  local text = {}
  for i = 1, 20 do text[i] = ("%d"):format(i * 7919 % 97) end
  table.sort(text, function(a, b) return a < b end)
  return (table.concat(text, " "):gsub("%d+", function(digits) return #digits end))
end

local function waiting_callbacks()
  local list = { 3, 1, 2 }
  table.sort(list, function(a, b) greenlet.sleep(0) return a < b end)
  return (("abc"):gsub(".", function(letter) greenlet.sleep(0) return letter:upper() end))
end

local function coroutines()
  local generate = coroutine.wrap(function()
    loosely(function() for i = 1, 5 do greenlet.sleep(0) coroutine.yield(i) end end)
  end)
  for _ = 1, 5 do within(generate) end
  local unfinished = coroutine.create(function() loosely(coroutine.yield) end)
  coroutine.resume(unfinished)
  coroutine.close(unfinished)
end

local function protected()
  for i = 1, 5 do
    pcall(within, function() if i % 2 == 0 then error("on purpose") end greenlet.sleep(0) end)
    xpcall(within, debug.traceback, function() compute() end)
  end
end

local function garbage()
  for _ = 1, 20 do setmetatable({}, { __gc = function() compute() end }) end
  collectgarbage("step")
  collectgarbage()
end

local function modules()
  package.preload.made = function() greenlet.sleep(0) return { compute() } end
  package.loaded.made = nil
  return require "made"
end

local items, permits = queue.Queue(2), lock.Semaphore(1)
local function put() for i = 1, 6 do within(items.put, items, i) end end
local function get() for _ = 1, 6 do within(items.get, items) end end
local function hold() within(permits.with, permits, function() greenlet.sleep(0.0005) end) end
local function read_and_write()
  local loop = greenlet.get_hub().loop
  local watcher <close> = loop:io(1, "w")
  local async <close> = loop:async()
  greenlet.get_hub():wait(loop:timer(0.0005))
  greenlet.with_timeout({ 0.001, timeout_value = false }, function() greenlet.get_hub():wait(async) end)
end

local works = { compute, waiting_callbacks, coroutines, protected, garbage, modules, put, get, hold,
                read_and_write }
local workers = pool.Pool(3)
local linked = 0
for _ = 1, 4 do
  local all = {}
  for _, work in ipairs(works) do
    local g = greenlet.spawn(within, work)
    g:link(function() linked = linked + 1 end)
    all[#all + 1] = g
  end
  within(compute)
  within(protected)
  within(coroutines)
  within(waiting_callbacks)
  within(workers.map, workers, function(n) within(greenlet.sleep, n / 10000) return n end,
    { 1, 2, 3, 4, 5 })
  greenlet.scope(function(s) for _ = 1, 3 do s:spawn(within, compute) end end)
  within(garbage)
  within(greenlet.joinall, all)
end
for _ = 1, 3 do greenlet.spawn(within, function() queue.Queue():get() end) end
greenlet.spawn(within, greenlet.sleep, 0.002)
_G.judge_at_the_end = judge_at_the_end -- lives as long as the state
io.stdout:write("end\n")
