local helper = require "spec.helper"
local greenlet = require "greenlet"
local it = helper.it

local TICK, SHORT, NEVER = helper.TICK, helper.SHORT, helper.NEVER

-- The process lives, the hub works, and other greenlets run on.
local function all_is_well()
  greenlet.sleep(TICK)
  assert.equal("well", greenlet.spawn(function() greenlet.sleep(0); return "well" end):get())
end

-- Run f in a greenlet while another one works; return the greenlet and the report.
local function beside_another(f, ...)
  local steps = 0
  local other = greenlet.spawn(function()
    for _ = 1, 5 do steps = steps + 1; greenlet.sleep(0) end
  end)
  local g
  local args = table.pack(...)
  local report = helper.capture(function()
    g = greenlet.spawn(f, table.unpack(args, 1, args.n))
    g:join()
    other:join()
    helper.settle()
  end)
  assert.equal(5, steps)
  all_is_well()
  return g, report
end

describe("an error in a greenlet", function()
  helper.check_leaks()

  local function fails() error("in tostring") end
  local VALUES = {
    { "text", "text" },
    { "a number", 42 },
    { "true", true },
    { "false", false },
    { "a table", {} },
    { "a function", print },
    { "a coroutine", coroutine.create(print) },
    { "a file", io.stderr },
    { "a table with tostring", setmetatable({}, { __tostring = function() return "shown" end }) },
    { "a table whose tostring fails", setmetatable({}, { __tostring = fails }) },
    { "a table whose tostring returns no string", setmetatable({}, { __tostring = function() return {} end }) },
    { "a table whose tostring raises nil", setmetatable({}, { __tostring = function() error(nil) end }) },
    { "a table whose tostring waits",
      setmetatable({}, { __tostring = function() greenlet.sleep(TICK); return "waited" end }) },
    { "a table whose fields fail", setmetatable({}, { __index = fails }) },
    { "a table with a strange name", setmetatable({}, { __name = {} }) },
    { "text with a zero and control characters", "a\0b\27[31m" },
    { "long text", ("x"):rep(100000) },
    { "an Exception with a message that fails", greenlet.Exception(setmetatable({}, { __tostring = fails })) },
  }
  for _, entry in ipairs(VALUES) do
    it("may be " .. entry[1], function()
      local g, report = beside_another(error, entry[2], 0)
      assert.is_true(g.dead)
      assert.is_false(g:successful())
      assert.is_true(rawequal(entry[2], g.exception))
      assert.is_true(rawequal(entry[2], helper.raises(g.get, g)))
      assert.matches("failed with", report)
    end)
  end

  it("may be nil", function()
    local g, report = beside_another(error, nil)
    assert.is_false(g:successful())
    assert.is_nil(g.exception)
    assert.matches("failed with", report)
  end)

  it("may be a stack overflow", function()
    local function deep() return 1 + deep() end
    local g, report = beside_another(deep)
    assert.matches("stack overflow", tostring(g.exception))
    assert.matches("stack overflow", report)
  end)

  it("may be a stack overflow that runs to-be-closed variables", function()
    local closed = false
    local function deep() return 1 + deep() end
    local g = beside_another(function()
      local x <close> = helper.closer(function() greenlet.sleep(TICK); closed = true end)
      deep()
    end)
    assert.matches("stack overflow", tostring(g.exception))
    assert.is_true(closed)
  end)

  it("may be a C stack overflow", function()
    local function nest() return (("x"):gsub("x", nest)) end
    local g = beside_another(nest)
    assert.matches("C stack overflow", tostring(g.exception))
  end)

  it("may be a C stack overflow by nested coroutines", function()
    local function nest()
      return coroutine.wrap(nest)()
    end
    local g = beside_another(nest)
    assert.matches("C stack overflow", tostring(g.exception))
  end)

  it("may be a C stack overflow by nested pcalls and metamethods", function()
    local function nest() return assert(pcall(nest)) end
    local mt = {}
    mt.__index = function(_, k) return setmetatable({}, mt)[k] .. "x" end
    beside_another(nest)
    local g = beside_another(function() return setmetatable({}, mt).key end)
    assert.matches("stack overflow", tostring(g.exception))
  end)

  it("may be a C stack overflow in many greenlets, each of which waits at its bottom", function()
    local all = {}
    helper.capture(function()
      for i = 1, 20 do
        local function nest(n)
          if n == 0 then greenlet.sleep(TICK) end
          return (("x"):gsub("x", function() return nest(n - 1) end))
        end
        all[i] = greenlet.spawn(nest, 150)
      end
      greenlet.joinall(all)
      for _, g in ipairs(all) do assert.matches("C stack overflow", tostring(g.exception)) end
    end)
    all_is_well()
  end)

  it("may be want of memory in a library", function()
    local zeros = assert(io.open("/dev/zero"))
    local g = beside_another(function() return zeros:read(1 << 46) end)
    zeros:close()
    assert.matches("not enough memory", tostring(g.exception))
  end)

  it("may be want of memory in Lua itself #memory", function()
    -- One concatenation of 4 GB in a process that may have 3.
    local out, err, status = helper.run([[
      local other = greenlet.spawn(function() greenlet.sleep(0.001); return "other" end)
      local closed = false
      local g = greenlet.spawn(function()
        local x <close> = setmetatable({}, { __close = function() greenlet.sleep(0); closed = true end })
        local s = ("x"):rep(1 << 28)
        return s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s
      end)
      g:join()
      print(g:successful(), g.exception, closed)
      print(other:get())
      print(greenlet.spawn(function() greenlet.sleep(0.001); return "later" end):get())
    ]], { memory = 3000000 })
    assert.equal("false\tnot enough memory\ttrue\nother\nlater\n", out)
    assert.matches("not enough memory", err)
    assert.equal(0, status)
  end)

  it("may come out of a coroutine", function()
    local g = beside_another(function()
      coroutine.wrap(function() coroutine.wrap(function() error("deep", 0) end)() end)()
    end)
    assert.matches("deep", tostring(g.exception))
  end)

  it("in a coroutine is returned by resume as ever", function()
    local g = beside_another(function()
      local co = coroutine.create(function() greenlet.sleep(TICK); error("inside", 0) end)
      local ok, err = coroutine.resume(co)
      return ok, err, coroutine.status(co)
    end)
    assert.same({ false, "inside", "dead" }, { g:get() })
  end)

  it("may come from a to-be-closed variable, after the one that it replaces", function()
    local g = beside_another(function()
      local x <close> = helper.closer(function(err) error("then " .. err, 0) end)
      error("first", 0)
    end)
    assert.equal("then first", g.exception)
  end)

  it("may replace a kill", function()
    local g
    helper.capture(function()
      g = greenlet.spawn(function()
        local x <close> = helper.closer(function() error("instead", 0) end)
        greenlet.sleep(NEVER)
      end)
      greenlet.sleep(0)
      g:kill()
      assert.equal("instead", g.exception)
    end)
    all_is_well()
  end)

  it("may happen 10000 times", function()
    helper.capture(function()
      local all = {}
      for i = 1, 10000 do all[i] = greenlet.spawn(error, i) end
      greenlet.joinall(all)
      for i = 1, 10000 do assert.equal(i, all[i].exception) end
    end)
    all_is_well()
  end)
end)

describe("control that goes astray", function()
  helper.check_leaks()

  it("does no harm as a double kill", function()
    local g = greenlet.spawn(greenlet.sleep, NEVER)
    greenlet.sleep(0)
    g:kill(nil, false)
    g:kill(nil, false)
    g:kill()
    g:kill()
    assert.is_true(g.dead)
    all_is_well()
  end)

  it("does no harm as a kill before the start", function()
    local g = greenlet.Greenlet(error)
    g:kill()
    g:kill()
    g:start()
    local h = greenlet.spawn(error)
    h:kill()
    h:kill()
    all_is_well()
    assert.is_nil(g.exception)
    assert.is_nil(h.exception)
  end)

  it("does no harm as a kill by a to-be-closed variable of the killed", function()
    local g
    g = greenlet.spawn(function()
      local x <close> = helper.closer(function() g:kill(nil, false); greenlet.sleep(TICK) end)
      greenlet.sleep(NEVER)
    end)
    greenlet.sleep(0)
    g:kill()
    assert.is_true(g.dead)
    all_is_well()
  end)

  it("does no harm as two that kill each other", function()
    local a, b
    a = greenlet.spawn(function() greenlet.sleep(TICK); b:kill() end)
    b = greenlet.spawn(function() greenlet.sleep(TICK); a:kill() end)
    greenlet.joinall { a, b }
    assert.is_true(a.dead and b.dead)
    all_is_well()
  end)

  it("does no harm as one that refuses to die many times", function()
    local refusals = 0
    local g = greenlet.spawn(function()
      while refusals < 50 do
        greenlet.pcall(greenlet.sleep, NEVER)
        refusals = refusals + 1
      end
    end)
    greenlet.sleep(0)
    for _ = 1, 50 do g:kill(nil, true, 0) end
    g:join()
    assert.equal(50, refusals)
    all_is_well()
  end)

  it("does no harm as a coroutine that is resumed by another greenlet while it waits", function()
    local co = coroutine.create(function() greenlet.sleep(SHORT); return "slept" end)
    local g = greenlet.spawn(function() return coroutine.resume(co) end)
    greenlet.sleep(0)
    local ok, err = coroutine.resume(co)
    assert.is_false(ok)
    assert.matches("cannot resume", err)
    assert.same({ true, "slept" }, { g:get() })
    all_is_well()
  end)

  it("does no harm as a coroutine that yields at a greenlet's own level", function()
    local g = beside_another(function() coroutine.yield(1) end)
    assert.matches("outside a coroutine", tostring(g.exception))
  end)

  it("does no harm as a coroutine that moves between greenlets", function()
    local co = coroutine.wrap(function()
      for i = 1, 3 do greenlet.sleep(TICK); coroutine.yield(i) end
    end)
    local got = {}
    for i = 1, 3 do got[i] = greenlet.spawn(co):get() end
    assert.same({ 1, 2, 3 }, got)
    all_is_well()
  end)

  it("does no harm as a killed greenlet's coroutine, which is dead then", function()
    local co = coroutine.create(function() greenlet.sleep(NEVER) end)
    local g = greenlet.spawn(coroutine.resume, co)
    greenlet.sleep(0)
    g:kill()
    assert.equal("dead", coroutine.status(co))
    all_is_well()
  end)
end)

-- The state of a dead greenlet is used again: nothing of it may show in the next one.
describe("a dead greenlet", function()
  helper.check_leaks()

  it("leaves no debug hook behind", function()
    local count = 0
    for _ = 1, 10 do
      greenlet.spawn(function() debug.sethook(function() count = count + 1 end, "", 1) end):join()
    end
    local before = count
    assert.is_true(before > 0)
    for _ = 1, 20 do
      greenlet.spawn(function() local x = 0; for i = 1, 100 do x = x + i end; return x end):join()
    end
    assert.equal(before, count)
  end)

  it("leaves as much C stack as it had", function()
    local function depth()
      local deepest = 0
      local function nest(n)
        deepest = math.max(deepest, n)
        return (("x"):gsub("x", function() return nest(n + 1) end))
      end
      pcall(nest, 1)
      return deepest
    end
    local function nest_and(f, n)
      if n == 0 then return f() end
      return (("x"):gsub("x", function() return nest_and(f, n - 1) end))
    end
    local fresh = greenlet.spawn(depth):get()
    local ends = {
      function() error("deep down", 0) end,
      function() greenlet.sleep(NEVER) end,
      function() coroutine.wrap(function() greenlet.sleep(NEVER) end)() end,
      function() local function overflow() return 1 + overflow() end; return overflow() end,
      function() greenlet.getcurrent():kill() end,
    }
    helper.capture(function()
      for _, f in ipairs(ends) do
        local all = {}
        for i = 1, 3 do all[i] = greenlet.spawn(nest_and, f, 100) end
        greenlet.sleep(0)
        greenlet.killall(all)
        helper.settle()
      end
    end)
    for _ = 1, 30 do assert.equal(fresh, greenlet.spawn(depth):get()) end
  end)

  it("leaves no value, error or field behind", function()
    helper.capture(function()
      for i = 1, 20 do
        local g = greenlet.spawn(i % 2 == 0 and error or function() return {} end, "x")
        g.field = "field"
        g.name = "named"
        g:join()
      end
    end)
    for _ = 1, 20 do
      local g = greenlet.spawn(function() end)
      assert.is_nil(g.field)
      assert.is_nil(g.value)
      assert.is_nil(g.exception)
      assert.is_nil(tostring(g):find("named", 1, true))
      g:join()
      assert.is_nil(g.value)
      assert.is_true(g:successful())
    end
  end)
end)

describe("many greenlets", function()
  helper.check_leaks()

  it("of which 100000 wait can be killed, each with its variables closed", function()
    local closed, count = 0, 100000
    local all = {}
    local function wait()
      local x <close> = helper.closer(function() closed = closed + 1 end)
      greenlet.sleep(NEVER)
    end
    for i = 1, count do all[i] = greenlet.spawn(wait) end
    greenlet.sleep(0)
    greenlet.killall(all)
    assert.equal(count, closed)
    for i = 1, count do assert.is_true(all[i].dead) end
    all_is_well()
  end)

  it("may join one another in a long chain", function()
    local previous = greenlet.spawn(function() greenlet.sleep(TICK); return 0 end)
    for _ = 1, 10000 do
      local before = previous
      previous = greenlet.spawn(function() return before:get() + 1 end)
    end
    assert.equal(10000, previous:get())
  end)

  it("may wait inside callbacks, 2000 at once", function()
    local all = {}
    for i = 1, 2000 do
      all[i] = greenlet.spawn(function()
        return (("ab"):gsub(".", function(c) greenlet.sleep(TICK); return c .. i end))
      end)
    end
    for i = 1, 2000 do assert.equal(("a%db%d"):format(i, i), (all[i]:get())) end
  end)
end)

describe("a deadlock", function()
  helper.check_leaks()

  local SCRIPT = [[
    local hub = greenlet.get_hub()
    local sleeps = greenlet.spawn(function()
      greenlet.sleep(1000, false)                     -- line 3
    end)
    sleeps.name = "sleeps"
    local socket = require "socket"
    local listener = assert(socket.bind("127.0.0.1", 0))
    local reads = greenlet.spawn(function()
      hub:wait(hub.loop:io(listener:getfd(), "r", false))   -- line 9
    end)
    reads.name = "reads"
    print(listener:getfd())
    local joins = greenlet.spawn(function()
      sleeps:join()                                   -- line 14
    end)
    joins.name = "joins"
    greenlet.spawn_raw(function()
      joins:join()                                    -- line 18
    end)
    joins:join()                                      -- line 20
  ]]

  local out, err, status, name
  setup(function()
    out, err, status, name = helper.run(SCRIPT)
  end)

  it("of the main greenlet ends the program with status 3", function()
    assert.equal(3, status)
  end)

  it("is a LoopExit, whose message is printed", function()
    assert.matches("LoopExit: .*[Tt]his operation would block forever", err)
  end)

  it("report names each blocked greenlet", function()
    for _, who in ipairs { "sleeps", "reads", "joins" } do
      assert.matches("\n[^\n]*" .. who .. " waits for ", err)
    end
    assert.matches("main", err)
  end)

  it("report says what each one waits for", function()
    assert.matches("join of sleeps", err)
    assert.matches("join of joins", err)
    assert.matches("sleep[^s]", err)
    assert.is_not_nil(err:find("read fd " .. out:match("%d+"), 1, true), err)
  end)

  it("report says where in the script each one waits", function()
    local base = name:match("[^/]*$"):gsub("%p", "%%%0")
    for _, line in ipairs { 3, 9, 14, 18, 20 } do
      assert.matches(base .. ":" .. line .. "%f[%D]", err)
    end
  end)

  it("report says for how long, and where each one was spawned", function()
    local base = name:match("[^/]*$"):gsub("%p", "%%%0")
    assert.matches("   %d+%.%d s   ", err)
    for _, line in ipairs { 2, 8, 13, 17 } do
      assert.matches("spawned [^\n]*" .. base .. ":" .. line .. "%f[%D]", err)
    end
  end)

  it("that is caught leaves the program running", function()
    local stdout, stderr, code = helper.run([[
      local ok, e = pcall(function() greenlet.Greenlet(print):join() end)
      print(ok, greenlet.LoopExit:class_of(e))
      print(greenlet.spawn(function() greenlet.sleep(0.001); return "on" end):get())
    ]])
    assert.equal("", stderr)
    assert.equal("false\ttrue\non\n", stdout)
    assert.equal(0, code)
  end)
end)

describe("the exit status", function()
  helper.check_leaks()

  -- Scripts and the status with which each must end.
  local CASES = {
    { "0 when nothing fails", 0, "greenlet.spawn(function() greenlet.sleep(0.001) end)" },
    { "1 when the chunk fails", 1, "error('x')" },
    { "1 when a greenlet dies of an error that nobody takes", 1, "greenlet.spawn(error, 'x')" },
    { "1 when it was only joined", 1, "greenlet.spawn(error, 'x'):join()" },
    { "1 when a link fails", 1, "greenlet.spawn(print):link(error)" },
    { "1 when a callback fails", 1, "greenlet.get_hub().loop:run_callback(error, 'x')" },
    { "0 when the error is taken by get", 0, "pcall(function() greenlet.spawn(error, 'x'):get() end)" },
    { "0 when the error is taken by exception", 0,
      "local g = greenlet.spawn(error, 'x'); g:join(); assert(g.exception)" },
    { "0 when the error is taken by exc_info", 0,
      "local g = greenlet.spawn(error, 'x'); g:join(); assert(g.exc_info)" },
    { "0 when the error is taken by traceback", 0,
      "local g = greenlet.spawn(error, 'x'); g:join(); assert(g.traceback)" },
    { "0 when the error is taken by link", 0, "greenlet.spawn(error, 'x'):link(function() end)" },
    { "0 when the error is taken by link_exception", 0,
      "greenlet.spawn(error, 'x'):link_exception(function() end)" },
    { "0 when the error is taken by rawlink", 0, "greenlet.spawn(error, 'x'):rawlink(function() end)" },
    { "1 when only link_value looks", 1, "greenlet.spawn(error, 'x'):link_value(function() end)" },
    { "0 when the error is taken by joinall with raise_error", 0,
      "pcall(greenlet.joinall, { greenlet.spawn(error, 'x') }, nil, true)" },
    { "1 when joinall does not raise", 1, "greenlet.joinall { greenlet.spawn(error, 'x') }" },
    { "0 when somebody killed the greenlet with the error", 0,
      "local g = greenlet.spawn(greenlet.sleep, 1000); greenlet.sleep(0); g:kill('x')" },
    { "0 when a greenlet is killed", 0,
      "local g = greenlet.spawn(greenlet.sleep, 1000); greenlet.sleep(0); g:kill()" },
    { "3 when the main greenlet ends by LoopExit", 3, "greenlet.Greenlet(print):join()" },
    { "what os.exit says, at once", 7, "greenlet.spawn(greenlet.sleep, 1000); os.exit(7)" },
  }
  for _, case in ipairs(CASES) do
    it("is " .. case[1], function()
      local _, err, status = helper.run(case[3])
      assert.equal(case[2], status, err)
    end)
  end
end)

describe("the end of a script", function()
  helper.check_leaks()

  it("runs on until no greenlet can run any more", function()
    local out, err, status = helper.run([[
      greenlet.spawn(function()
        greenlet.sleep(0.001)
        print "child"
        greenlet.spawn_later(0.001, print, "grandchild")
      end)
      print "chunk"
    ]])
    assert.equal("", err)
    assert.equal("chunk\nchild\ngrandchild\n", out)
    assert.equal(0, status)
  end)

  it("gives those still blocked GreenletExit, so that their variables close", function()
    local out, err, status = helper.run([[
      local never = greenlet.Greenlet(print)
      greenlet.spawn(function()
        local x <close> = setmetatable({}, { __close = function(_, err)
          greenlet.sleep(0.001)
          print("closed", err)
        end })
        never:join()
      end)
      local main = greenlet.getcurrent()
      local raw = greenlet.greenlet(function()
        local x <close> = setmetatable({}, { __close = function(_, err) print("raw closed", err) end })
        main:switch()
      end)
      raw:switch()
      keep = raw
    ]])
    assert.equal("", err)
    assert.matches("closed\tGreenletExit", out)
    assert.matches("raw closed\tGreenletExit", out)
    assert.equal(0, status)
  end)

  it("does so at once when the chunk failed", function()
    local out, err, status = helper.run([[
      greenlet.spawn(function()
        local x <close> = setmetatable({}, { __close = function(_, err) print("closed", err) end })
        greenlet.sleep(1000)
      end)
      greenlet.spawn_later(0.001, print, "must not run")
      greenlet.sleep(0)
      error("the chunk failed")
    ]])
    assert.matches("the chunk failed", err)
    assert.equal("closed\tGreenletExit\n", out)
    assert.equal(1, status)
  end)

  it("gives up on a greenlet that refuses to die", function()
    local out, _, status = helper.run([[
      greenlet.spawn(function()
        while true do greenlet.pcall(greenlet.sleep, 1000, false) end
      end)
      print "done"
    ]])
    assert.equal("done\n", out)
    assert.equal(0, status)
  end)
end)

describe("garbage", function()
  helper.check_leaks()

  it("greenlets suspended by a raw switch get GreenletExit", function()
    local main = greenlet.getcurrent()
    local closed = {}
    local function make(i)
      local g = greenlet.greenlet(function()
        local x <close> = helper.closer(function(err) closed[i] = err end)
        main:switch()
      end)
      g:switch()
    end
    for i = 1, 3 do make(i) end
    assert.is_true(helper.collect_until(function() return #closed == 3 end))
    for i = 1, 3 do helper.is_a(greenlet.GreenletExit, closed[i]) end
  end)

  it("greenlets suspended in a coroutine or a callback get GreenletExit", function()
    local main = greenlet.getcurrent()
    local closed = 0
    local function make(place)
      greenlet.greenlet(function()
        local x <close> = helper.closer(function() closed = closed + 1 end)
        place(function()
          local y <close> = helper.closer(function() closed = closed + 1 end)
          main:switch()
        end)
      end):switch()
    end
    make(function(f) coroutine.wrap(f)() end)
    make(function(f) return (("x"):gsub("x", f)) end)
    assert.is_true(helper.collect_until(function() return closed == 4 end))
  end)

  it("greenlets that join one another in a cycle get GreenletExit", function()
    local closed = {}
    local function make()
      local a, b
      a = greenlet.spawn(function()
        local x <close> = helper.closer(function(err) closed[#closed + 1] = err end)
        b:join()
      end)
      b = greenlet.spawn(function()
        local x <close> = helper.closer(function(err) closed[#closed + 1] = err end)
        a:join()
      end)
    end
    make()
    helper.settle()
    assert.is_true(helper.collect_until(function() return #closed >= 1 end))
    -- The end of the first is what the second waited for: either may come first.
    assert.is_true(helper.collect_until(function() return #closed == 2 end))
    helper.is_a(greenlet.GreenletExit, closed[1])
  end)

  it("a greenlet that waits for one that was never started gets GreenletExit", function()
    local closed
    local function make()
      greenlet.spawn(function()
        local x <close> = helper.closer(function(err) closed = err end)
        greenlet.Greenlet(print):join()
      end)
    end
    make()
    helper.settle()
    assert.is_true(helper.collect_until(function() return closed end))
    helper.is_a(greenlet.GreenletExit, closed)
  end)

  it("gets it in the loop, where to-be-closed variables may wait", function()
    local done = false
    local main = greenlet.getcurrent()
    local function make()
      greenlet.greenlet(function()
        local x <close> = helper.closer(function() greenlet.sleep(TICK); done = true end)
        main:switch()
      end):switch()
    end
    make()
    assert.is_true(helper.collect_until(function() return done end))
  end)

  it("never is a greenlet that something can still wake", function()
    local log = {}
    local function make()
      greenlet.spawn(function() greenlet.sleep(SHORT * 5); log[#log + 1] = "slept" end)
      local near, far = helper.socket_pair()
      local hub = greenlet.get_hub()
      greenlet.spawn(function()
        local watcher = hub.loop:io(near:getfd(), "r")
        hub:wait(watcher)
        watcher:close()
        near:close()
        log[#log + 1] = "read"
      end)
      local target = greenlet.spawn(greenlet.sleep, SHORT * 5)
      greenlet.spawn(function() target:join(); log[#log + 1] = "joined" end)
      return far
    end
    local far = make()
    for _ = 1, 3 do
      greenlet.sleep(0)
      collectgarbage()
      collectgarbage()
    end
    assert.same({}, log)
    far:send("x")
    helper.wait_until(function() return #log == 3 end)
    far:close()
    table.sort(log)
    assert.same({ "joined", "read", "slept" }, log)
  end)

  it("never is a suspended greenlet that somebody holds", function()
    local main = greenlet.getcurrent()
    local g = greenlet.greenlet(function() main:switch(); return "alive" end)
    g:switch()
    for _ = 1, 5 do
      collectgarbage()
      greenlet.sleep(0)
    end
    assert.equal("alive", (g:switch()))
  end)

  it("is found also after a stack overflow during which the collector ran", function()
    local out, _, status = helper.run([[
      local main = greenlet.getcurrent()
      local function make()
        greenlet.greenlet(function()
          local x <close> = setmetatable({}, { __close = function(_, err) print("closed", err) end })
          main:switch()
        end):switch()
      end
      local function nest() collectgarbage(); return (("x"):gsub("x", nest)) end
      local function recurse() return 1 + recurse() .. "" end
      print(pcall(nest))
      print((pcall(recurse)))
      make()
      for _ = 1, 20 do collectgarbage(); greenlet.sleep(0.001) end
      print "end"
    ]])
    assert.equal("false\tC stack overflow\nfalse\nclosed\tGreenletExit\nend\n", out)
    assert.equal(0, status)
  end)

  it("dead greenlets are freed", function()
    local freed = 0
    local function make()
      for _ = 1, 100 do
        local probe = setmetatable({}, { __gc = function() freed = freed + 1 end })
        local g = greenlet.spawn(function() return probe end)
        g.probe = probe
      end
    end
    make()
    helper.settle()
    assert.is_true(helper.collect_until(function() return freed >= 90 end))
  end)

  it("fields and outcomes of a living greenlet stay", function()
    local g = greenlet.spawn(function()
      greenlet.sleep(SHORT)
      return { "value" }
    end)
    g.field = { "field" }
    g:link(function(x) x.linked = { "linked" } end)
    for _ = 1, 5 do
      collectgarbage()
      greenlet.sleep(0)
    end
    g:join()
    helper.settle()
    collectgarbage()
    assert.same({ "value" }, g.value)
    assert.same({ "field" }, g.field)
    assert.same({ "linked" }, g.linked)
  end)
end)
