--- A long run: rounds of work that use every class, after each of which nothing may be left.
--
-- Usage: greenlua spec/reliability/soak.lua [SECONDS [SEED]]     (an hour, 1)
--
-- A line a minute tells what the process holds between two rounds: resident memory, Lua's memory,
-- open descriptors, living greenlets, active watchers. Status 1 if one of them was more in the last
-- quarter of the run than in the first: Lua's memory by more than a fiftieth, resident memory by
-- more than a tenth, the others at all. Resident memory rises to what was ever needed of blocks of
-- each size at once.

local greenlet = require "greenlet"
local event = require "greenlet.event"
local lock = require "greenlet.lock"
local pool = require "greenlet.pool"
local queue = require "greenlet.queue"
local util = require "greenlet.util"
local fields = require "greenlet.local"
local lfs = require "lfs"

local seconds, seed = tonumber(arg[1] or 3600), math.tointeger(arg[2] or 1)
if not (seconds and seconds > 0 and seed) then
  io.stderr:write("usage: soak.lua [SECONDS [SEED]]\n")
  os.exit(2)
end
math.randomseed(seed)

local hub = greenlet.get_hub()
hub.exception_stream = false -- errors are part of it

local function pause() greenlet.sleep(math.random(0, 3) / 1000) end

local function check(condition, what)
  if not condition then
    io.stderr:write("soak: ", what, "\n")
    os.exit(1)
  end
end

-- ---- Work: each leaves nothing behind ----

local work = {}

function work.produce_and_consume()
  local classes = { queue.Queue, queue.LifoQueue, queue.PriorityQueue, queue.SimpleQueue }
  local q, sent, taken = classes[math.random(#classes)](3), 0, 0
  local consumers = {}
  for i = 1, 3 do
    consumers[i] = greenlet.spawn(function()
      for item in q:iter() do taken = taken + item; if math.random(4) == 1 then pause() end end
    end)
  end
  for i = 1, 40 do q:put(i); sent = sent + i end
  q:shutdown()
  greenlet.joinall(consumers, nil, true)
  check(sent == taken, "items of a queue were lost")
end

function work.rendezvous_and_select()
  local left, right, stop = queue.Channel(), queue.Channel(), event.Event()
  local got = 0
  local reader = greenlet.spawn(function()
    while true do
      local index, item = greenlet.select({ { left, "get" }, { right, "get" }, { stop, "wait" } })
      if index == 3 then return end
      got = got + item
    end
  end)
  for _ = 1, 20 do
    greenlet.select({ { left, "put", 1 }, { right, "put", 1 } })
  end
  check(greenlet.select({ { queue.Queue(), "get" } }, 0.001) == nil, "select did not time out")
  stop:set()
  reader:get()
  check(got == 20, "items of a channel were lost")
end

function work.kill_at_random()
  local closed, list = 0, {}
  for i = 1, 30 do
    list[i] = greenlet.spawn(function()
      local _ <close> = setmetatable({}, { __close = function() closed = closed + 1; pause() end })
      greenlet.sleep(math.random() / 50)
      if i % 5 == 0 then error("failed", 0) end
    end)
  end
  greenlet.sleep(0)
  for _, g in ipairs(list) do
    if math.random(2) == 1 then g:kill(nil, math.random(2) == 1) end
  end
  greenlet.joinall(list)
  check(closed == #list, "variables were not closed")
end

function work.locks_with_timeouts()
  local held, semaphore, rlock = 0, lock.Semaphore(2), lock.RLock()
  local list = {}
  for i = 1, 10 do
    list[i] = greenlet.spawn(function()
      for _ = 1, 5 do
        if semaphore:acquire(true, math.random() / 100) then
          held = held + 1
          check(held <= 2, "a semaphore let in too many")
          pause()
          held = held - 1
          semaphore:release()
        end
        rlock:with(function() rlock:with(pause) end)
      end
    end)
  end
  greenlet.joinall(list, nil, true)
  check(semaphore.counter == 2, "a permit was lost")
end

function work.pools()
  local members, sum = pool.Pool(4), 0
  local function double(x) pause(); return 2 * x end
  for x in members:imap({ double, maxsize = 2 }, { 1, 2, 3, 4, 5 }) do sum = sum + x end
  for x in members:imap_unordered(double, { 1, 2, 3 }) do sum = sum + x end
  check(sum == 42, "results of a pool were lost")
  pcall(members.map, members, function(x) error(x, 0) end, { 1, 2 })
  members:spawn(greenlet.sleep, 60)
  members:kill()
  check(#members == 0, "a pool has kept members")
end

function work.scopes()
  local ok = pcall(greenlet.scope, function(s)
    for i = 1, 5 do
      s:spawn(function() greenlet.sleep(i / 1000); if i == 3 then error("third", 0) end end)
    end
  end)
  check(not ok, "the error of a scope was lost")
  local late, err = greenlet.pcall(greenlet.scope, function(s) s:spawn(greenlet.sleep, 60) end,
    { timeout = 0.002 })
  check(not late and greenlet.Timeout:class_of(err), "a scope did not time out")
end

function work.links_and_results()
  local result, called = event.AsyncResult(), 0
  local g = greenlet.spawn(function() pause(); return "value" end)
  g:link(result)
  g:rawlink(function() called = called + 1 end)
  local unlinked = function() check(false, "an unlinked function was called") end
  g:link(unlinked)
  g:unlink(unlinked)
  check(result:get() == "value" and called == 1, "a link was not called")
  for o in greenlet.iwait({ greenlet.spawn(pause), result, greenlet.spawn(pause) }, 1) do
    check(o, "nothing came")
    if math.random(3) == 1 then break end
  end
end

function work.timeouts()
  local t <close> = greenlet.Timeout.start_new(60)
  local v = greenlet.with_timeout({ 0.001, timeout_value = "late" }, greenlet.sleep, 60)
  check(v == "late", "a timeout did not fire")
end

function work.coroutines_and_raw()
  local co = coroutine.wrap(function()
    for i = 1, 5 do pause(); coroutine.yield(i) end
  end)
  for i = 1, 5 do check(co() == i, "a coroutine lost its place") end
  local other
  other = greenlet.greenlet(function(x)
    while x do x = other.parent:switch(x + 1) end
  end)
  check(other:switch(1) == 2 and other:switch(2) == 3, "a switch lost its value")
  other:switch(nil)
  table.sort({ 3, 1, 2 }, function(a, b) pause(); return a < b end)
end

function work.garbage()
  local stored = fields.new()
  for _ = 1, 5 do
    greenlet.spawn(function()
      stored.x = {}
      event.Event():wait() -- which nobody can reach: GreenletExit
    end)
  end
  greenlet.greenlet(function() greenlet.getcurrent().parent:switch() end):switch()
end

function work.watchers()
  local done, loop = event.Event(), hub.loop
  local async = loop:async()
  async:start(function() done:set() end)
  local timer = loop:timer(0.001, 0.001)
  timer:start(function() async:send() end)
  done:wait()
  timer:close()
  async:close()
  local watcher = loop:stat(arg[0])
  watcher:start(print)
  watcher:close()
end

function work.children()
  if math.random(10) > 1 then return end -- a fork costs as much as all the rest
  local pipe <close> = io.popen("echo child")
  check(pipe:read("l") == "child", "a child said something else")
  local pid = greenlet.fork()
  if pid == 0 then os.exit(7, false) end
  local _, how, status = greenlet.waitpid(pid)
  check(how == "exit" and status == 7, "a child ended otherwise")
end

function work.reports()
  check(#util.format_run_info() > 0, "no report")
  util.graph()
  util.waits()
end

local names = {}
for name in pairs(work) do names[#names + 1] = name end
table.sort(names) -- the same run for the same seed

-- ---- What is held ----

local function count(tree)
  local n = 1
  for _, child in ipairs(tree.child_trees) do n = n + count(child) end
  return n
end

local function hold()
  -- Those that nobody can reach get GreenletExit in a later turn of the loop.
  for _ = 1, 10 do
    collectgarbage()
    greenlet.sleep(0.001)
  end
  local descriptors = 0
  for _ in lfs.dir("/proc/self/fd") do descriptors = descriptors + 1 end
  local file <close> = io.open("/proc/self/statm")
  local _, pages = file:read("n", "n")
  return {
    resident = pages * 4,
    lua = collectgarbage("count"),
    descriptors = descriptors,
    greenlets = count(util.GreenletTree.current_tree()),
    watchers = hub.loop.activecnt,
  }
end

local LINE = "%7.0f s %8d rounds: resident %d KiB, Lua %.0f KiB, %d descriptors, %d greenlets, "
  .. "%d watchers"

local function tell(elapsed, rounds, held)
  print(LINE:format(elapsed, rounds, held.resident, held.lua, held.descriptors, held.greenlets,
    held.watchers))
end

-- ---- The run ----

local MAY_GROW = { resident = 1.1, lua = 1.02 }

local function run_round()
  local list = {}
  for i = 1, 40 do list[i] = greenlet.spawn(work[names[math.random(#names)]]) end
  greenlet.joinall(list, nil, true)
end

-- What is held is that of the quiet moment between two rounds: the most of it in each quarter.
local most, rounds, told = { {}, {}, {}, {} }, 0, 0
local start = hub.loop:now()
io.stdout:setvbuf("line")
repeat
  run_round()
  rounds = rounds + 1
  local elapsed = hub.loop:now() - start
  if rounds % 20 == 0 or elapsed >= seconds then
    local held = hold()
    local quarter = most[math.min(4, 1 + math.floor(4 * elapsed / seconds))]
    for what, amount in pairs(held) do quarter[what] = math.max(quarter[what] or 0, amount) end
    if elapsed >= told then
      tell(elapsed, rounds, held)
      told = told + 60
    end
  end
until elapsed >= seconds

local grown = false
for what, amount in pairs(most[4]) do
  local before = most[1][what] or amount
  local limit = before * (MAY_GROW[what] or 1)
  print(("%s: at most %.0f in the first quarter, %.0f in the last"):format(what, before, amount))
  if amount > limit then
    print(what .. " has grown")
    grown = true
  end
end
os.exit(not grown)
