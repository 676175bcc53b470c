local greenlet = require "greenlet"
local helper = require "spec.helper"
local lock, queue, event = greenlet.lock, greenlet.queue, greenlet.event
local util = require "greenlet.util"

local function line() return debug.getinfo(2, "l").currentline end
local function at(number) return "spec/lua_binding/waits_spec.lua:" .. number end

-- Greenlets that the tests leave waiting.
local living = {}
local function spawn(...)
  local g = greenlet.spawn(...)
  living[#living + 1] = g
  greenlet.sleep(0)
  return g
end

local function end_living()
  greenlet.killall(living)
  living = {}
end

local function edge_of(g)
  for _, edge in ipairs(util.waits()) do
    if edge.greenlet == g then return edge end
  end
end

local function complains(pattern, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.matches(pattern, err)
end

describe("greenlet.util.waits", function()
  after_each(end_living)
  helper.check_leaks()

  it("tells who holds a lock, and where it was taken", function()
    local l, taken, waited = lock.Lock("A"), nil, nil
    local holder = spawn(function()
      taken = line() + 1
      l:acquire()
      greenlet.sleep(helper.NEVER)
    end)
    local waiter = spawn(function()
      waited = line() + 1
      l:acquire()
    end)
    local edge = edge_of(waiter)
    assert.same({ "lock", 'lock "A"', at(waited) }, { edge.what, edge.name, edge.where })
    assert.equal(l, edge.object)
    assert.equal(1, #edge.holders)
    assert.equal(holder, edge.holders[1].greenlet)
    assert.equal(at(taken), edge.holders[1].where)
    assert.is_true(edge.since >= 0 and edge.since < helper.GENEROUS)
    assert.same({}, { edge.timeout, edge.ends_by })
    local sleep = edge_of(holder)
    assert.same({ "sleep", "timer" }, { sleep.what, sleep.ends_by })
    assert.is_true(sleep.timeout > helper.NEVER / 2)
    assert.is_nil(edge_of(greenlet.getcurrent()))
  end)

  it("tells who has a permit that was handed over, and that by a scope", function()
    local l, taken = lock.Semaphore(2), nil
    l:acquire()
    local function hold()
      taken = line() + 1
      local held <close> = l:hold()
      greenlet.sleep(helper.NEVER)
    end
    local first, second = spawn(hold), spawn(hold)
    l:release()
    greenlet.sleep(0)
    local edge = edge_of(spawn(function() l:acquire() end))
    assert.equal("semaphore", edge.what)
    assert.same({ first, second }, { edge.holders[1].greenlet, edge.holders[2].greenlet })
    assert.same({ at(taken), at(taken) }, { edge.holders[1].where, edge.holders[2].where })
  end)

  it("names no holders of a semaphore that others release", function()
    local s = lock.Semaphore(1)
    spawn(function() s:acquire() end)
    s:release()
    s:acquire()
    local waiter = spawn(function() s:acquire() end)
    assert.same({ others = 1 }, edge_of(waiter).holders)
  end)

  it("knows some of many, and counts the others", function()
    local s = lock.Semaphore(20)
    for _ = 1, 20 do spawn(function() s:acquire() greenlet.sleep(helper.NEVER) end) end
    local edge = edge_of(spawn(function() s:acquire() end))
    assert.equal(20, #edge.holders + edge.holders.others)
    assert.is_true(#edge.holders >= 8)
  end)

  it("tells that a holder is dead, by its name", function()
    local s = lock.Lock()
    local holder = spawn(function() s:acquire() end)
    holder.name = "too late"
    local edge = edge_of(spawn(function() s:acquire() end))
    assert.is_nil(edge.holders[1].greenlet)
    assert.matches("^function <.*waits_spec", edge.holders[1].dead)
    s = lock.Lock()
    spawn(function()
      greenlet.getcurrent().name = "worker"
      s:acquire()
    end)
    edge = edge_of(spawn(function() s:acquire() end))
    assert.equal("worker", edge.holders[1].dead)
  end)

  it("tells what all kinds of waits are for", function()
    local target = spawn(greenlet.sleep, helper.NEVER)
    target.name = "target"
    local q, c, e = queue.Queue(1, { 1 }, "q"), queue.Channel("c"), event.Event("e")
    local function check(what, name, f, ...)
      local edge = edge_of(spawn(f, ...))
      assert.same({ what, name }, { edge.what, edge.name })
      return edge
    end
    check("queue put", 'put to queue "q"', q.put, q, 2)
    check("queue join", 'tasks of queue "q"', q.join, q)
    check("channel get", 'get from channel "c"', c.get, c)
    check("event", 'set of event "e"', e.wait, e)
    check("result", 'set of result "r"', function() event.AsyncResult("r"):get() end)
    check("lock", 'release of lock "r"', function()
      local r = lock.RLock("r")
      r:acquire()
      r:wait()
    end)
    assert.equal(target, check("join", "join of target", target.join, target).holders[1].greenlet)
    assert.equal(target, check("joinall", "join of target", greenlet.joinall, { target })
      .holders[1].greenlet)
    local cases = check("select", 'select of get from channel "d", wait for event "e"', greenlet.select,
      { { queue.Channel("d"), "get" }, { e, "wait" } }).cases
    assert.same({ "get", "wait" }, { cases[1].kind, cases[2].kind })
    assert.equal(e, cases[2].object)
    assert.equal(2, #check("scope", "the children of a scope", greenlet.scope, function(s)
      for _ = 1, 2 do s:spawn(greenlet.sleep, helper.NEVER) end
    end).holders)
    check("wait", '2 objects: target, event "e"', greenlet.wait, { target, e })
  end)

  it("knows limits", function()
    local e = event.Event()
    local edge = edge_of(spawn(e.wait, e, helper.NEVER))
    assert.equal("timer", edge.ends_by)
    edge = edge_of(spawn(function()
      local t <close> = greenlet.Timeout.start_new(helper.NEVER)
      e:wait()
    end))
    assert.is_true(edge.timeout > helper.NEVER / 2 and edge.timeout <= helper.NEVER)
  end)

  it("finds the names of functions that were spawned", function()
    local e = event.Event()
    local function named() e:wait() end
    assert.equal("named", edge_of(spawn(named))["in"])
    assert.matches("^function <", edge_of(spawn(function() e:wait() end))["in"])
  end)

  it("lets a greenlet be garbage that holds a lock", function()
    local l = lock.Lock()
    local seen = setmetatable({ greenlet.spawn(function() l:acquire() end) }, { __mode = "v" })
    greenlet.sleep(0)
    assert.is_true(helper.collect_until(function() return seen[1] == nil end))
    assert.is_true(l:locked())
  end)
end)

describe("greenlet.util.graph", function()
  after_each(end_living)

  it("is valid with hostile names", function()
    local l = lock.Lock('a"\\\n\255->{}')
    l:acquire()
    spawn(function() l:acquire() end).name = '"]; evil [label="\\'
    local text = util.graph()
    assert.matches("^digraph waits {\n", text)
    assert.matches("\n}\n$", text)
    assert.is_truthy(utf8.len(text))
    for one in text:gmatch("\n  ([^\n]+)") do
      local bare = one:gsub("\\.", ""):gsub('"[^"]*"', "S")
      assert.is_truthy(bare:match("^%a%d+ %[[%w=S, ]+%];$") or bare:match("^%a%d+ %-> %a%d+ %[[%w=S, ]+%];$")
        or bare == "node [shape=box];", one)
    end
  end)
end)

describe("names of", function()
  local all = {
    Lock = function(...) return lock.Lock(...) end,
    RLock = function(...) return lock.RLock(...) end,
    Semaphore = function(...) return lock.Semaphore(1, ...) end,
    BoundedSemaphore = function(...) return lock.BoundedSemaphore(1, ...) end,
    DummySemaphore = function(...) return lock.DummySemaphore(nil, ...) end,
    Event = function(...) return event.Event(...) end,
    AsyncResult = function(...) return event.AsyncResult(...) end,
    Queue = function(...) return queue.Queue(nil, nil, ...) end,
    SimpleQueue = function(...) return queue.SimpleQueue(nil, nil, ...) end,
    UnboundQueue = function(...) return queue.UnboundQueue(nil, nil, ...) end,
    LifoQueue = function(...) return queue.LifoQueue(nil, { 1 }, ...) end,
    PriorityQueue = function(...) return queue.PriorityQueue(nil, nil, nil, ...) end,
    Channel = function(...) return queue.Channel(...) end,
  }
  for class, make in pairs(all) do
    it(class, function()
      local o = make("the name")
      assert.equal("the name", o.name)
      assert.matches("^<" .. class .. ' "the name" at 0x%x+', tostring(o))
      o.name = 'x"\n'
      assert.matches('^<%a+ "x\\"\\010" at 0x', tostring(o))
      o.name = nil
      assert.is_nil(o.name)
      assert.matches("^<" .. class .. " at 0x%x+", tostring(o))
      assert.is_nil(make().name)
      complains("waits_spec.lua:%d+: bad argument #%d to '.*' %(a name must not be empty", make, "")
      if class ~= "Channel" and class ~= "Lock" and class ~= "PriorityQueue" then
        complains("waits_spec.lua:%d+: bad argument #%d to '.*' %(string expected, got boolean", make, true)
      end
      complains("waits_spec.lua:%d+: bad argument #2 to 'name' %(string expected, got number",
        function() o.name = 5 end)
    end)
  end

  it("a Lock may come after its number", function()
    assert.equal("A", lock.Lock(1, "A").name)
    assert.equal("A", lock.Lock(nil, "A").name)
    complains("bad argument #1 to 'Lock' %(a Lock has one permit", lock.Lock, "A", "B")
    complains("bad argument #1 to 'Lock' %(a Lock has one permit", lock.Lock, 2, "B")
  end)
end)
