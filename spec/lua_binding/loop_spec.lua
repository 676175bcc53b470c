local helper = require "spec.helper"
local greenlet = require "greenlet"
local lfs = require "lfs"
local it = helper.it

local TICK, SHORT, NEVER = helper.TICK, helper.SHORT, helper.NEVER
local hub = greenlet.get_hub()
local loop = hub.loop

-- The ids of this process's children.
local function children()
  local found = {}
  local pid = helper.pid()
  local file = io.open(("/proc/%d/task/%d/children"):format(pid, pid))
  if file then
    for child in file:read("a"):gmatch("%d+") do found[tonumber(child)] = true end
    file:close()
    return found
  end
  -- A kernel without CONFIG_PROC_CHILDREN: the parent is the second field after "(name)".
  for entry in lfs.dir("/proc") do
    local stat = entry:find("^%d+$") and io.open("/proc/" .. entry .. "/stat")
    if stat then
      local parent = (stat:read("a") or ""):match("%)%s%S%s(%d+)")
      stat:close()
      if tonumber(parent) == pid then found[tonumber(entry)] = true end
    end
  end
  return found
end

-- Start a shell command that reads a line from the file that is returned; and its pid.
local function start_child(command)
  local before = children()
  local file = assert(io.popen("read line; " .. command, "w"))
  for pid in pairs(children()) do
    if not before[pid] then return file, pid end
  end
  error("the child was not found")
end

local function let_go(file)
  file:write("\n")
  file:flush()
end

describe("loop:run_callback", function()
  helper.check_leaks()

  it("calls in the hub, once, with the arguments", function()
    local calls = {}
    local callback = loop:run_callback(function(...)
      calls[#calls + 1] = table.pack(greenlet.getcurrent(), ...)
    end, 1, nil)
    assert.equal(0, #calls)
    assert.is_true(callback.pending)
    helper.settle()
    assert.is_false(callback.pending)
    assert.equal(1, #calls)
    assert.is_true(rawequal(hub, calls[1][1]))
    assert.equal(3, calls[1].n)
    assert.equal(1, calls[1][2])
  end)

  it("keeps the order, also with greenlets", function()
    local log = {}
    loop:run_callback(function() log[#log + 1] = 1 end)
    greenlet.spawn(function() log[#log + 1] = 2 end)
    loop:run_callback(function() log[#log + 1] = 3 end)
    helper.settle()
    assert.same({ 1, 2, 3 }, log)
  end)

  it("does not call after stop", function()
    local called = false
    local callback = loop:run_callback(function() called = true end)
    callback:stop()
    assert.is_false(callback.pending)
    callback:stop()
    helper.settle()
    assert.is_false(called)
  end)

  it("lets one callback stop a later one", function()
    local called, later = false, nil
    loop:run_callback(function() later:stop() end)
    later = loop:run_callback(function() called = true end)
    helper.settle()
    assert.is_false(called)
  end)

  it("runs callbacks that callbacks add", function()
    local log = {}
    loop:run_callback(function()
      log[#log + 1] = 1
      loop:run_callback(function() log[#log + 1] = 3 end)
    end)
    loop:run_callback(function() log[#log + 1] = 2 end)
    helper.settle()
    assert.same({ 1, 2, 3 }, log)
  end)

  it("has an error reported, which does not stop the rest", function()
    local after = false
    local report = helper.capture(function()
      loop:run_callback(error, "in a callback")
      loop:run_callback(function() after = true end)
      helper.settle()
    end)
    assert.matches("in a callback", report)
    assert.is_true(after)
  end)

  it("takes any callable", function()
    local got
    loop:run_callback(helper.callable(function(x) got = x end), 5)
    helper.settle()
    assert.equal(5, got)
  end)

  it("starves no timer when callbacks add callbacks for ever", function()
    local fired, stop = false, false
    local function again() if not stop then loop:run_callback(again) end end
    again()
    local watcher = loop:timer(TICK)
    watcher:start(function() fired = true; stop = true end)
    helper.wait_until(function() return fired end)
    watcher:close()
  end)

  it("works though nobody holds the object", function()
    local called = false
    loop:run_callback(function() called = true end)
    collectgarbage()
    helper.settle()
    assert.is_true(called)
  end)
end)

describe("loop attributes", function()
  helper.check_leaks()

  it("tell the time, which update_now brings up to date", function()
    assert.equal("float", math.type(loop:now()))
    local before = loop:now()
    greenlet.sleep(SHORT)
    assert.is_true(loop:now() > before)
    loop:update_now()
    assert.is_true(loop:now() > before)
  end)

  it("tell the backend, the iteration and the default", function()
    assert.equal("string", type(loop.backend))
    assert.equal("boolean", type(loop.default))
    local before = loop.iteration
    assert.equal("integer", math.type(before))
    greenlet.sleep(TICK)
    assert.is_true(loop.iteration > before)
  end)

  it("count active and pending watchers", function()
    local before = loop.activecnt
    local watcher = loop:timer(NEVER)
    assert.equal(before, loop.activecnt)
    watcher:start(print)
    assert.equal(before + 1, loop.activecnt)
    watcher:stop()
    assert.equal(before, loop.activecnt)
    watcher:close()
    assert.equal("integer", math.type(loop.pendingcnt))
  end)
end)

describe("loop:run", function()
  helper.check_leaks()

  it("runs until nothing is left", function()
    local out, err, status = helper.run([[
      local loop = greenlet.get_hub().loop
      local log = {}
      local timer = loop:timer(0.001)
      timer:start(function() log[#log + 1] = "timer" end)
      loop:run_callback(function() log[#log + 1] = "callback" end)
      loop:run()
      print(table.concat(log, " "))
    ]])
    assert.equal("", err)
    assert.equal("callback timer\n", out)
    assert.equal(0, status)
  end)

  it("does not wait with nowait", function()
    local out, err = helper.run([[
      local loop = greenlet.get_hub().loop
      local called = false
      local timer = loop:timer(1000)
      timer:start(print)
      loop:run_callback(function() called = true end)
      loop:run(true)
      timer:close()
      print(called)
    ]])
    assert.equal("", err)
    assert.equal("true\n", out)
  end)
end)

-- What every watcher does, each kind made by a function of the arguments ref and priority.
local KINDS = {
  { "timer", function(...) return loop:timer(NEVER, 0, ...) end },
  { "io", function(...) return loop:io(0, "r", ...) end },
  { "signal", function(...) return loop:signal(12, ...) end },
  { "child", function(...) return loop:child(helper.pid(), ...) end, never_started = true },
  { "stat", function(...) return loop:stat("/proc/self/stat", NEVER, ...) end },
  { "async", function(...) return loop:async(...) end },
  { "idle", function(...) return loop:idle(...) end },
  { "prepare", function(...) return loop:prepare(...) end },
  { "check", function(...) return loop:check(...) end },
  { "fork", function(...) return loop:fork(...) end },
}

for _, kind in ipairs(KINDS) do
  local name, make = kind[1], kind[2]
  describe("a watcher made by loop:" .. name, function()
    helper.check_leaks()

    it("is new: not active, not pending, ref, without callback and args", function()
      local w = make()
      assert.is_false(w.active)
      assert.is_false(w.pending)
      assert.is_true(w.ref)
      assert.is_nil(w.callback)
      assert.is_nil(w.args)
      assert.equal("string", type(tostring(w)))
      w:close()
    end)

    if not kind.never_started then
      it("is active with callback and args between start and stop", function()
        local w = make()
        local function f() end
        assert.equal(0, select("#", w:start(f, 1, nil, 3)))
        assert.is_true(w.active)
        assert.is_true(rawequal(f, w.callback))
        assert.equal(1, w.args[1])
        assert.equal(3, w.args[3])
        assert.equal(0, select("#", w:stop()))
        assert.is_false(w.active)
        assert.is_nil(w.callback)
        assert.is_nil(w.args)
        w:stop()
        w:close()
      end)

      it("changes its function when started while active", function()
        local w = make()
        local function f() end
        w:start(print, 1)
        w:start(f, 2)
        assert.is_true(w.active)
        assert.is_true(rawequal(f, w.callback))
        assert.equal(2, w.args[1])
        w:close()
      end)

      it("may start again after stop, and ends by close", function()
        local w = make()
        w:start(print)
        w:stop()
        w:start(print)
        assert.is_true(w.active)
        assert.equal(0, select("#", w:close()))
        assert.is_false(w.active)
        w:close()
      end)

      it("has its priority fixed while active", function()
        local w = make()
        w.priority = 1
        assert.equal(1, w.priority)
        w:start(function() end)
        helper.raises(function() w.priority = 2 end)
        assert.equal(1, w.priority)
        w:stop()
        w.priority = -1
        assert.equal(-1, w.priority)
        w:close()
      end)

      it("does not keep wait() from returning with ref=false", function()
        local w = make(false)
        assert.is_false(w.ref)
        w:start(function() end)
        assert.is_true(greenlet.wait())
        w:close()
      end)

      it("may change ref while active", function()
        local w = make()
        w:start(function() end)
        w.ref = false
        assert.is_false(w.ref)
        assert.is_true(greenlet.wait())
        w.ref = true
        assert.is_true(w.ref)
        w:close()
      end)
    end

    it("takes a priority after ref", function()
      local w = make(true, 1)
      assert.is_true(w.ref)
      assert.equal(1, w.priority)
      w:close()
    end)
  end)
end

describe("loop:timer", function()
  helper.check_leaks()

  it("fires once after its time, with the arguments, in the hub", function()
    local calls = {}
    local w = loop:timer(TICK)
    w:start(function(...) calls[#calls + 1] = table.pack(greenlet.getcurrent(), ...) end, 1, nil)
    assert.equal(0, #calls)
    helper.wait_until(function() return #calls > 0 end)
    greenlet.sleep(SHORT)
    assert.equal(1, #calls)
    assert.is_true(rawequal(hub, calls[1][1]))
    assert.equal(3, calls[1].n)
    assert.equal(1, calls[1][2])
    assert.is_false(w.active)
    w:close()
  end)

  it("fires again and again with a repeat", function()
    local count = 0
    local w = loop:timer(TICK, TICK)
    w:start(function() count = count + 1 end)
    helper.wait_until(function() return count >= 3 end)
    assert.is_true(w.active)
    w:close()
    local then_count = count
    greenlet.sleep(SHORT)
    assert.equal(then_count, count)
  end)

  it("begins anew with again", function()
    local count = 0
    local w = loop:timer(NEVER, TICK)
    w:start(function() error("replaced") end)
    w:again(function() count = count + 1 end)
    helper.wait_until(function() return count >= 1 end)
    w:close()
  end)

  it("fires though nobody holds it", function()
    local fired = false
    loop:timer(TICK):start(function() fired = true end)
    collectgarbage()
    collectgarbage()
    helper.wait_until(function() return fired end)
  end)

  it("may be stopped by its own callback", function()
    local count = 0
    local w = loop:timer(0, TICK)
    w:start(function() count = count + 1; w:stop() end)
    helper.wait_until(function() return count > 0 end)
    greenlet.sleep(SHORT)
    assert.equal(1, count)
    assert.is_false(w.active)
    w:close()
  end)

  it("has an error reported and goes on", function()
    local count = 0
    local w = loop:timer(TICK, TICK)
    local report = helper.capture(function()
      w:start(function() count = count + 1; error("in a timer") end)
      helper.wait_until(function() return count >= 2 end)
      w:close()
    end)
    assert.matches("in a timer", report)
  end)

  it("wakes greenlets that spawn in its callback", function()
    local done = false
    local w = loop:timer(TICK)
    w:start(function() greenlet.spawn(function() greenlet.sleep(TICK); done = true end) end)
    helper.wait_until(function() return done end)
    w:close()
  end)
end)

describe("loop:io", function()
  local near, far
  before_each(function() near, far = helper.socket_pair() end)
  after_each(function() near:close(); far:close() end)
  helper.check_leaks()

  it("fires when there is something to read", function()
    local calls = {}
    local w = loop:io(near:getfd(), "r")
    w:start(function(...) calls[#calls + 1] = table.pack(...); w:stop() end, "x")
    greenlet.sleep(TICK)
    assert.equal(0, #calls)
    far:send("data")
    helper.wait_until(function() return #calls > 0 end)
    assert.equal("x", calls[1][1])
    w:close()
  end)

  it("fires as long as there is something to read", function()
    local count = 0
    local w = loop:io(near:getfd(), "r")
    w:start(function() count = count + 1 end)
    far:send("data")
    helper.wait_until(function() return count >= 3 end)
    assert.is_true(w.active)
    w:close()
  end)

  it("fires when there is room to write", function()
    local fired = false
    local w = loop:io(near:getfd(), "w")
    w:start(function() fired = true; w:stop() end)
    helper.wait_until(function() return fired end)
    w:close()
  end)

  it("fires for either with rw", function()
    local count = 0
    local w = loop:io(near:getfd(), "rw")
    w:start(function() count = count + 1; w:stop() end)
    helper.wait_until(function() return count == 1 end)
    w:close()
  end)

  it("lets a reader and a writer watch one descriptor", function()
    local read, written = false, false
    local r, w = loop:io(near:getfd(), "r"), loop:io(near:getfd(), "w")
    r:start(function() read = true; r:stop() end)
    w:start(function() written = true; w:stop() end)
    helper.wait_until(function() return written end)
    assert.is_false(read)
    far:send("data")
    helper.wait_until(function() return read end)
    r:close()
    w:close()
  end)

  it("refuses other events and descriptors", function()
    for _, events in ipairs { "", "x", "rx", 1 } do
      helper.raises(loop.io, loop, near:getfd(), events)
    end
    helper.raises(loop.io, loop, -1, "r")
    helper.raises(loop.io, loop, "x", "r")
  end)
end)

describe("loop:signal", function()
  helper.check_leaks()

  it("fires at the signal, in the hub", function()
    local count, current = 0, nil
    local w = loop:signal(10)
    w:start(function() count = count + 1; current = greenlet.getcurrent() end)
    os.execute("kill -USR1 " .. helper.pid())
    helper.wait_until(function() return count == 1 end)
    assert.equal(hub, current)
    os.execute("kill -USR1 " .. helper.pid())
    helper.wait_until(function() return count == 2 end)
    w:close()
  end)

  it("refuses numbers that are no signals", function()
    for _, number in ipairs { 0, -1, 1000 } do
      helper.raises(loop.signal, loop, number)
    end
  end)
end)

-- Valgrind 3.19 does not know pidfd_open.
describe("loop:child #valgrind", function()
  helper.check_leaks()

  it("fires with the pid and the status of a child that ended", function()
    local file, pid = start_child("exit 7")
    local w = loop:child(pid)
    local fired = 0
    w:start(function() fired = fired + 1 end)
    greenlet.sleep(TICK)
    assert.equal(0, fired)
    let_go(file)
    helper.wait_until(function() return fired == 1 end)
    assert.equal(pid, w.rpid)
    assert.equal(7 * 256, w.rstatus)
    w:close()
    file:close()
  end)

  it("tells a signal from an exit", function()
    local file, pid = start_child("exit 0")
    local w = loop:child(pid)
    local fired = false
    w:start(function() fired = true end)
    os.execute("kill -9 " .. pid)
    helper.wait_until(function() return fired end)
    assert.equal(9, w.rstatus)
    w:close()
    file:close()
  end)

  it("fires for a child that had ended before", function()
    local file, pid = start_child("exit 3")
    let_go(file)
    greenlet.sleep(SHORT)
    local w = loop:child(pid)
    local fired = false
    w:start(function() fired = true end)
    helper.wait_until(function() return fired end)
    assert.equal(3 * 256, w.rstatus)
    w:close()
    file:close()
  end)

  it("leaves other children their exit status", function()
    local watched, pid = start_child("exit 7")
    local other = assert(io.popen("exit 5"))
    local w = loop:child(pid)
    local fired = false
    w:start(function() fired = true end)
    let_go(watched)
    helper.wait_until(function() return fired end)
    assert.same({ nil, "exit", 5 }, { other:close() })
    assert.same({ nil, "exit", 4 }, { os.execute("exit 4") })
    w:close()
    watched:close()
  end)
end)

describe("loop:stat", function()
  helper.check_leaks()

  it("fires when the file changes, and tells what it was before", function()
    local name = os.tmpname()
    local w = loop:stat(name, TICK)
    local fired = false
    w:start(function() fired = true end)
    greenlet.sleep(SHORT)
    local file = assert(io.open(name, "w"))
    file:write("twelve bytes")
    file:close()
    helper.wait_until(function() return fired end)
    assert.is_not_nil(w.attr)
    assert.is_not_nil(w.prev)
    w:close()
    os.remove(name)
  end)

  it("has attr nil when the file is absent", function()
    local name = os.tmpname()
    os.remove(name)
    local w = loop:stat(name)
    w:start(function() end)
    assert.is_nil(w.attr)
    w:close()
  end)
end)

describe("loop:async", function()
  helper.check_leaks()

  it("fires after send", function()
    local count = 0
    local w = loop:async()
    w:start(function() count = count + 1 end)
    greenlet.sleep(TICK)
    assert.equal(0, count)
    assert.equal(0, select("#", w:send()))
    helper.wait_until(function() return count == 1 end)
    w:close()
  end)
end)

describe("loop:prepare and loop:check", function()
  helper.check_leaks()

  it("fire before and after the loop polls", function()
    local log = {}
    local prepare, check = loop:prepare(), loop:check()
    prepare:start(function() if #log < 4 then log[#log + 1] = "prepare" end end)
    check:start(function() if #log < 4 then log[#log + 1] = "check" end end)
    helper.wait_until(function() return #log >= 2 end)
    prepare:close()
    check:close()
    for i = 2, #log do assert.not_equal(log[i - 1], log[i]) end
  end)
end)

describe("loop:idle", function()
  helper.check_leaks()

  it("fires when nothing else is pending", function()
    local count = 0
    local w = loop:idle()
    w:start(function() count = count + 1; w:stop() end)
    helper.wait_until(function() return count == 1 end)
    w:close()
  end)
end)
