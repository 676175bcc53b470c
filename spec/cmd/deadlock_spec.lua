-- Deadlocks: what is reported of them, when, and that nothing else is.
local run = require "spec.cmd.run"
local programs = require "spec.cmd.correct_programs"
local more_programs = require "spec.cmd.more_correct_programs"

-- Runs a script, bank.lua; returns stdout, stderr with times and addresses made alike, and the
-- status.
local function program(script, args)
  local words = table.move(args or {}, 1, args and #args or 0, 1, {})
  words[#words + 1] = "bank.lua"
  local result = run.program(run.greenlua, { files = { ["bank.lua"] = script }, args = words })
  assert.not_equal(run.TIMED_OUT, result.status)
  local text = result.stderr:gsub("%d+%.%d s%f[%s]", "T s"):gsub("at 0x%x+", "at X")
  return result.stdout, text, result.status
end

local HEAD = "lua: LoopExit: this operation would block forever\ngreenlua: deadlock: "
local MANY, ONE = "%d greenlets wait and nothing can wake them\n", "1 greenlet waits and nothing can wake it\n"

local function reports(count, expected, script)
  local out, err, status = program(script)
  assert.equal("", out)
  assert.equal(HEAD .. (count == 1 and ONE or MANY:format(count)) .. expected, err)
  assert.equal(3, status)
end

describe("a deadlock of the whole program", function()
  teardown(run.clean)

  it("AB-BA: begins with the cycle", function()
    reports(3, [[
cycle: "bank-a" -> "bank-b" -> "bank-a"
  bank-a   waits for lock "B" held by bank-b   bank.lua:6 in transfer   T s   holds lock "A" (bank.lua:4)   spawned bank.lua:8
  bank-b   waits for lock "A" held by bank-a   bank.lua:6 in transfer   T s   holds lock "B" (bank.lua:4)   spawned bank.lua:9
also: main waits for join of bank-a   bank.lua:11
]], [[
local Lock = require("greenlet.lock").Lock
local A, B = Lock("A"), Lock("B")
local function transfer(from, to)
  from:acquire()
  greenlet.sleep(0.01)
  to:acquire()
end
local a = greenlet.spawn(transfer, A, B)
local b = greenlet.spawn(transfer, B, A)
a.name, b.name = "bank-a", "bank-b"
a:join()
]])
  end)

  it("AB-BA by scopes, whose locks have no names", function()
    reports(3, [[
cycle: "one" -> "two" -> "one"
  one   waits for RLock made at bank.lua:2 held by two   bank.lua:5 in both   T s   holds RLock made at bank.lua:1 (bank.lua:4)   spawned bank.lua:8
  two   waits for RLock made at bank.lua:1 held by one   bank.lua:5 in both   T s   holds RLock made at bank.lua:2 (bank.lua:4)   spawned bank.lua:9
also: main waits for join of 2 greenlets, 2 of them alive: one, two   bank.lua:11
]], [[
local left = greenlet.lock.RLock()
local right = greenlet.lock.RLock()
local function both(first, second)
  local held <close> = first:hold()
  greenlet.sleep(0) local other <close> = second:hold()
end

local one = greenlet.spawn(both, left, right)
local two = greenlet.spawn(both, right, left)
one.name, two.name = "one", "two"
greenlet.joinall { one, two }
]])
  end)

  it("three in a cycle, and who waits for them", function()
    reports(5, [[
cycle: "p1" -> "p2" -> "p3" -> "p1"
  p1   waits for lock "2" held by p2   bank.lua:6 in eat   T s   holds lock "1" (bank.lua:4)   spawned bank.lua:9
  p2   waits for lock "3" held by p3   bank.lua:6 in eat   T s   holds lock "2" (bank.lua:4)   spawned bank.lua:9
  p3   waits for lock "1" held by p1   bank.lua:6 in eat   T s   holds lock "3" (bank.lua:4)   spawned bank.lua:9
also: main waits for lock "1" held by p1   bank.lua:14
      late waits for lock "2" held by p2   bank.lua:12 in function <bank.lua:12>   T s   spawned bank.lua:12
]], [[
local lock, l = require "greenlet.lock", {}
for i = 1, 3 do l[i] = lock.RLock(tostring(i)) end
local function eat(i)
  l[i]:acquire()
  greenlet.sleep(0)
  l[i % 3 + 1]:acquire()
end
for i = 1, 3 do
  greenlet.spawn(eat, i).name = "p" .. i
end
greenlet.sleep(0)
greenlet.spawn(function() l[2]:acquire() end).name = "late"
greenlet.sleep(0)
l[1]:acquire()
]])
  end)

  it("a lock taken twice", function()
    reports(1, [[
cycle: "main" -> "main"
  main   waits for Lock made at bank.lua:1 held by itself   bank.lua:3   T s   holds Lock made at bank.lua:1 (bank.lua:2)
]], "local l = greenlet.lock.Lock()\nl:acquire()\nl:acquire()\n")
  end)

  it("a join of oneself", function()
    reports(2, [[
cycle: "me" -> "me"
  me   waits for its own end   bank.lua:2 in function <bank.lua:2>   T s   spawned bank.lua:2
also: main waits for join of me   bank.lua:4
]], "local me\nme = greenlet.spawn(function() me:join() end)\nme.name = 'me'\nme:join()\n")
  end)

  it("a cycle of joins", function()
    reports(3, [[
cycle: "lunch" -> "dinner" -> "lunch"
  lunch    waits for join of dinner   bank.lua:2 in function <bank.lua:2>   T s   spawned bank.lua:2
  dinner   waits for join of lunch   bank.lua:3 in function <bank.lua:3>   T s   spawned bank.lua:3
also: main waits for join of lunch   bank.lua:5
]], [[
local lunch, dinner
lunch = greenlet.spawn(function() dinner:get() end)
dinner = greenlet.spawn(function() lunch:join() end)
lunch.name, dinner.name = "lunch", "dinner"
lunch:join()
]])
  end)

  it("a scope whose child waits for what its owner holds", function()
    local out, err, status = program [[
local l = greenlet.lock.Lock("l")
local held <close> = l:hold()
greenlet.scope(function(s)
  s:spawn(function() l:acquire() end).name = "child"
end)
]]
    assert.equal("", out)
    assert.matches('\ncycle: "main" %-> "child" %-> "main"\n  main    waits for the children of a scope ' ..
      '[^\n]* holds lock "l" %(bank.lua:2%)\n  child   waits for lock "l" held by main ', err)
    assert.equal(3, status)
  end)

  it("a channel without a partner", function()
    reports(1, '  main waits for put to channel "c"   bank.lua:1\n', "greenlet.queue.Channel('c'):put(1)")
    reports(1, "  main waits for get from Channel made at bank.lua:1   bank.lua:1\n",
      "greenlet.queue.Channel():get()")
  end)

  it("a queue that nobody fills; equal stacks are one line", function()
    reports(201, [[
  main waits for get from queue "jobs"   bank.lua:4
  w, w, w ... (x200) wait for get from queue "jobs"   bank.lua:2 in work   T s   spawned bank.lua:3
]], [[
local jobs = greenlet.queue.Queue(nil, nil, "jobs")
local function work() return jobs:get() end
for _ = 1, 200 do greenlet.spawn(work).name = "w" end
jobs:get()
]])
  end)

  it("a semaphore whose holder has died", function()
    reports(1, '  main waits for semaphore "db" held by worker, which is dead   bank.lua:4\n', [[
local db = greenlet.lock.Semaphore(1, "db")
greenlet.spawn(function() db:acquire() end).name = "worker"
greenlet.sleep(0)
db:acquire()
]])
  end)

  it("what was never started, an event, a select", function()
    reports(1, "  main waits for join of never, which was not started   bank.lua:3\n",
      "local g = greenlet.Greenlet(print)\ng.name = 'never'\ng:join()")
    reports(1, '  main waits for set of event "go"   bank.lua:1\n', "greenlet.event.Event('go'):wait()")
    reports(1, '  main waits for select of get from channel "c", wait for event "e"   bank.lua:1\n',
      "greenlet.select { { greenlet.queue.Channel('c'), 'get' }, { greenlet.event.Event('e'), 'wait' } }")
  end)

  it("shows hostile names so that a line is a line", function()
    reports(1, '  main waits for set of event "a\\"b\\\\\\010c\\027[1m"   bank.lua:1\n',
      [[greenlet.event.Event('a"b\\\nc\27[1m'):wait()]])
  end)

  it("is a LoopExit in the main greenlet, which may go on", function()
    local out, err, status = program [[
      local l = greenlet.lock.Lock("l")
      local g = greenlet.spawn(function()
        local held <close> = l:hold()
        greenlet.event.Event():wait()
      end)
      greenlet.sleep(0)
      local ok, e = pcall(l.acquire, l)
      print(ok, greenlet.LoopExit:class_of(e), greenlet.DeadlockError:class_of(e))
      g:kill()
      print(l:acquire())]]
    assert.same({ "false\ttrue\tfalse\ntrue\n", "", 0 }, { out, err, status })
  end)
end)

-- A program in which others run until the warning has come, or it ends: `ticks` prints one line
-- for each write to stderr.
local PARTIAL = [[
local Lock = require("greenlet.lock").Lock
local writes = 0
greenlet.get_hub().exception_stream = { write = function(_, ...)
  writes = writes + 1
  io.stderr:write(...)
end }
local function tick_until(count)
  local most = os.time() + 10
  while writes < count and os.time() < most do greenlet.sleep(0.001) end
  for _ = 1, 20 do greenlet.sleep(0) end
  print(writes)
end
]]

local BANK = PARTIAL .. [[
local A, B = Lock("A"), Lock("B")
local function transfer(from, to)
  from:acquire()
  greenlet.sleep(0)
  to:acquire()
end
greenlet.spawn(transfer, A, B).name = "bank-a"
greenlet.spawn(transfer, B, A).name = "bank-b"
]]

local BANK_CYCLE = [[
cycle: "bank-b" -> "bank-a" -> "bank-b"
  bank-b   waits for lock "A" held by bank-a   bank.lua:17 in transfer   T s   holds lock "B" (bank.lua:15)   spawned bank.lua:20
  bank-a   waits for lock "B" held by bank-b   bank.lua:17 in transfer   T s   holds lock "A" (bank.lua:15)   spawned bank.lua:19
]]

describe("a cycle that closes while others run", function()
  teardown(run.clean)

  it("is a warning, once", function()
    local out, err, status = program(BANK .. "tick_until(1)")
    assert.equal("greenlua: warning: deadlock: 2 greenlets wait for each other, while others run\n" ..
      BANK_CYCLE, err)
    assert.same({ "1\n", 0 }, { out, status })
  end)

  it("of joins, and of one with itself", function()
    local out, err = program(PARTIAL .. [[
local a, b, c
a = greenlet.spawn(function() b:join() end)
b = greenlet.spawn(function() a:get() end)
c = greenlet.spawn(function() c:join() end)
a.name, b.name, c.name = "a", "b", "c"
tick_until(2)]])
    assert.matches('^greenlua: warning: deadlock: 2 greenlets wait for each other, while others run\n' ..
      'cycle: "b" %-> "a" %-> "b"\n[^\n]*\n[^\n]*\n' ..
      'greenlua: warning: deadlock: 1 greenlet waits for itself, while others run\n' ..
      'cycle: "c" %-> "c"\n[^\n]*\n$', err)
    assert.equal("2\n", out)
  end)

  it("by a scope that holds a lock, which it acquires again", function()
    local out, err = program(PARTIAL .. [[
local l = Lock("l")
greenlet.spawn(function()
  local one <close> = l:hold()
  local two <close> = l:hold()
end).name = "twice"
tick_until(1)]])
    assert.matches('waits for itself, while others run\ncycle: "twice" %-> "twice"\n' ..
      '  twice   waits for lock "l" held by itself   bank.lua:16 in ', err)
    assert.equal("1\n", out)
  end)

  it("with who holds a lock and joins those who want it; they are told of once", function()
    local out, err = program(PARTIAL .. [[
local l, list = Lock("l"), {}
local held <close> = l:hold()
for i = 1, 3 do list[i] = greenlet.spawn(function() l:acquire() l:release() end) end
greenlet.spawn(tick_until, 1)
greenlet.joinall(list)]])
    local _, warnings = err:gsub("warning", "")
    assert.equal(1, warnings, err)
    assert.equal("1\n", out)
  end)

  it("is an error in the greenlet that closes it, with --deadlock=error", function()
    local out, err, status = program(BANK .. "tick_until(1)", { "--deadlock=error" })
    assert.equal(1, status)
    assert.equal("1\n", out)
    assert.equal("DeadlockError: this wait would never end: 2 greenlets wait for each other\n" ..
      BANK_CYCLE, err:sub(1, #BANK_CYCLE + err:find("\n", 1, true)))
    assert.matches('"bank%-b" at X: [^\n]* failed with DeadlockError\n', err)
  end)

  it("is a LoopExit there, which leaves the locks to the others", function()
    local out, err, status = program([[
      local A, B = greenlet.lock.Lock(), greenlet.lock.Lock()
      local function transfer(from, to)
        local held <close> = from:hold()
        greenlet.sleep(0)
        local other <close> = to:hold()
        return "done"
      end
      local a, b = greenlet.spawn(transfer, A, B), greenlet.spawn(transfer, B, A)
      greenlet.joinall { a, b }
      print(a.value, greenlet.LoopExit:class_of(b.exception), b.exception:is_a(greenlet.DeadlockError))
      greenlet.config.deadlock = "off"
      print(greenlet.config.deadlock, pcall(function() greenlet.config.deadlock = "no" end))]],
      { "--deadlock=error" })
    assert.matches("^done\ttrue\ttrue\noff\tfalse\t[^\n]*setting 'deadlock' is one of off, warn, error", out)
    assert.matches("failed with DeadlockError\n\n$", err)
    assert.equal(0, status)
  end)

  it("is nothing with --deadlock=off", function()
    local out, err, status = program(BANK .. "tick_until(0)", { "--deadlock=off" })
    assert.same({ "0\n", "", 0 }, { out, err, status })
  end)

  it("is refused with another word", function()
    local out, _, status = program("print(1)", { "--deadlock=perhaps" })
    assert.same({ "", 1 }, { out, status })
  end)
end)

describe("nothing is reported of", function()
  teardown(run.clean)

  for _, entry in ipairs(table.move(more_programs, 1, #more_programs, #programs + 1, programs)) do
    it(entry[1], function()
      for _, mode in ipairs { "warn", "error" } do
        local out, err, status = program(entry[2], { "--deadlock=" .. mode })
        assert.same({ "ok\n", "", 0 }, { out, err, status })
      end
    end)
  end
end)
