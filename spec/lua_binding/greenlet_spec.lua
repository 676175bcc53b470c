local helper = require "spec.helper"
local greenlet = require "greenlet"
local it = helper.it

local Greenlet = greenlet.Greenlet
local TICK, SHORT, NEVER = helper.TICK, helper.SHORT, helper.NEVER

-- A greenlet that waits until it is killed.
local function sleeper() return greenlet.spawn(greenlet.sleep, NEVER) end

-- Let a spawned greenlet come to its first wait.
local function started(g)
  greenlet.sleep(0)
  return g
end

local function state(g)
  return {
    active = g.active, started = g.started, dead = g.dead,
    ready = g:ready(), successful = g:successful(),
  }
end

local NEW = { active = false, started = false, dead = false, ready = false, successful = false }
local LIVING = { active = true, started = true, dead = false, ready = false, successful = false }
local DONE = { active = false, started = false, dead = true, ready = true, successful = true }
local FAILED = { active = false, started = false, dead = true, ready = true, successful = false }

describe("greenlet.Greenlet", function()
  helper.check_leaks()

  describe("spawn", function()
    it("is one function under both names", function()
      assert.equal(Greenlet.spawn, greenlet.spawn)
    end)

    it("never runs the function inside the call", function()
      local ran = false
      local g = greenlet.spawn(function() ran = true end)
      assert.is_false(ran)
      g:join()
      assert.is_true(ran)
    end)

    it("runs greenlets in the order in which they were started", function()
      local log = {}
      local function note(i) log[#log + 1] = i end
      local fourth = Greenlet(note, 4)
      local third = Greenlet(note, 3)
      greenlet.spawn(note, 1)
      Greenlet.spawn(note, 2)
      third:start()
      fourth:start()
      local last = greenlet.spawn(note, 5)
      last:join()
      assert.same({ 1, 2, 3, 4, 5 }, log)
    end)

    it("runs what a greenlet spawns after what was started before", function()
      local log = {}
      greenlet.spawn(function()
        log[#log + 1] = "a"
        greenlet.spawn(function() log[#log + 1] = "child of a" end)
      end)
      greenlet.spawn(function() log[#log + 1] = "b" end)
      helper.settle()
      assert.same({ "a", "b", "child of a" }, log)
    end)

    it("passes every argument, nils included", function()
      local got
      greenlet.spawn(function(...) got = table.pack(...) end, 1, nil, "x", nil):join()
      assert.same({ n = 4, 1, nil, "x" }, got)
    end)

    it("passes very many arguments", function()
      local list = {}
      for i = 1, 200 do list[i] = i end
      local g = greenlet.spawn(select, "#", table.unpack(list))
      assert.equal(200, g:get())
    end)

    it("takes any callable", function()
      local g = greenlet.spawn(helper.callable(function(x) return x + 1 end), 1)
      assert.equal(2, g:get())
    end)

    it("takes C functions", function()
      assert.equal("a,b", greenlet.spawn(table.concat, { "a", "b" }, ","):get())
    end)

    it("passes a subclass's arguments to its constructor", function()
      local Sum = Greenlet:extend("Sum")
      function Sum:init(a, b) Sum.super.init(self); self.a, self.b = a, b end
      function Sum:_run() return self.a + self.b end
      local g = Sum.spawn(1, 2)
      assert.is_true(g:is_a(Sum))
      assert.equal(3, g:get())
    end)
  end)

  describe("spawn_later", function()
    it("starts after the seconds have passed", function()
      local log = {}
      local late = greenlet.spawn_later(SHORT, function(...) log[#log + 1] = table.pack(...) end, "late", nil)
      local early = Greenlet.spawn_later(TICK, function() log[#log + 1] = "early" end)
      assert.is_true(late.active)
      assert.is_true(late.started)
      greenlet.sleep(0)
      assert.same({}, log)
      greenlet.joinall { early, late }
      assert.same({ "early", { n = 2, "late" } }, log)
    end)

    it("starts greenlets of equal delays in order", function()
      local log, all = {}, {}
      for i = 1, 20 do
        all[i] = greenlet.spawn_later(TICK, function() log[#log + 1] = i end)
      end
      greenlet.joinall(all)
      for i = 1, 20 do assert.equal(i, log[i]) end
    end)

    it("works on subclasses", function()
      local Echo = Greenlet:extend("Echo")
      function Echo:init(x) Echo.super.init(self); self.x = x end
      function Echo:_run() return self.x end
      assert.equal("y", Echo.spawn_later(TICK, "y"):get())
    end)
  end)

  describe("start", function()
    it("runs a greenlet once, however often it is called", function()
      local runs = 0
      local g = Greenlet(function() runs = runs + 1; greenlet.sleep(TICK) end)
      g:start()
      g:start()
      greenlet.sleep(0)
      g:start()
      g:join()
      g:start()
      helper.settle()
      assert.equal(1, runs)
      assert.same(DONE, state(g))
    end)

    it("has no effect on one that start_later has scheduled", function()
      local runs = 0
      local g = Greenlet(function() runs = runs + 1 end)
      g:start_later(TICK)
      g:start()
      helper.settle()
      g:join()
      assert.equal(1, runs)
    end)

    it("returns nothing", function()
      local g = Greenlet(function() end)
      assert.equal(0, select("#", g:start()))
      g:join()
    end)
  end)

  describe("start_later", function()
    it("schedules a greenlet and makes it active at once", function()
      local g = Greenlet(function() return "ran" end)
      assert.equal(0, select("#", g:start_later(TICK)))
      assert.same(LIVING, state(g))
      assert.equal("ran", g:get())
    end)

    it("has no effect on a started or dead one", function()
      local runs = 0
      local g = greenlet.spawn(function() runs = runs + 1 end)
      g:start_later(TICK)
      g:join()
      g:start_later(TICK)
      greenlet.sleep(SHORT)
      assert.equal(1, runs)
    end)
  end)

  describe("subclasses", function()
    it("define _run, which is called as a method with the constructor's arguments", function()
      local got
      local Sub = Greenlet:extend("Sub")
      function Sub:init(...) Sub.super.init(self, nil, ...) end
      function Sub:_run(...) got = { self, table.pack(...) }; return "ran" end
      local g = Sub(1, nil)
      g:start()
      assert.equal("ran", g:get())
      assert.is_true(rawequal(g, got[1]))
      assert.same({ n = 2, 1 }, got[2])
    end)

    it("find _run in an ancestor", function()
      local A = Greenlet:extend("A")
      function A._run() return "from A" end
      assert.equal("from A", A:extend("B").spawn():get())
    end)

    it("prefer a run that is given", function()
      local Sub = Greenlet:extend("Sub")
      function Sub:init(f) Sub.super.init(self, f) end
      function Sub._run() return "_run" end
      assert.equal("given", Sub.spawn(function() return "given" end):get())
      assert.equal("_run", Sub.spawn():get())
    end)

    it("keep fields of the user's own, also after death", function()
      local g = Greenlet(function() end)
      local key = {}
      g.seconds, g[1], g[key] = 5, "one", "by table"
      g:start()
      g:join()
      assert.equal(5, g.seconds)
      assert.equal("one", g[1])
      assert.equal("by table", g[key])
      g.seconds = nil
      assert.is_nil(g.seconds)
    end)

    it("may have their own tostring", function()
      local Noop = Greenlet:extend("Noop")
      function Noop:init(seconds) Noop.super.init(self); self.seconds = seconds end
      function Noop:_run() greenlet.sleep(self.seconds) end
      function Noop:__tostring() return ("Noop(%s)"):format(self.seconds) end
      local g = Noop(TICK)
      assert.equal(("Noop(%s)"):format(TICK), tostring(g))
      g:start()
      g:join()
      assert.is_true(g:successful())
    end)

    it("may override methods", function()
      local Sub = Greenlet:extend("Sub")
      function Sub._run() greenlet.sleep(NEVER) end
      function Sub:kill(...) self.asked = true; return Sub.super.kill(self, ...) end
      local g = started(Sub.spawn())
      g:kill()
      assert.is_true(g.asked)
      assert.is_true(g.dead)
    end)

    it("are told apart by is_a", function()
      local Sub = Greenlet:extend("Sub")
      function Sub._run() end
      local g = Sub()
      assert.is_true(g:is_a(Sub))
      assert.is_true(g:is_a(Greenlet))
      assert.is_false(Sub:class_of(Greenlet(print)))
      assert.is_true(Greenlet:class_of(g))
    end)
  end)

  it("is an error with neither run nor _run", function()
    helper.capture(function()
      helper.raises(function()
        local g = Greenlet()
        g:start()
        g:get()
      end)
    end)
  end)

  describe("state", function()
    it("is all false when new", function()
      assert.same(NEW, state(Greenlet(print)))
    end)

    it("is active from start until death", function()
      local inside
      local g
      g = greenlet.spawn(function()
        inside = state(greenlet.getcurrent())
        greenlet.sleep(TICK)
      end)
      assert.same(LIVING, state(g))
      greenlet.sleep(0)
      assert.same(LIVING, inside)
      assert.same(LIVING, state(g))
      g:join()
      assert.same(DONE, state(g))
    end)

    it("is failed after an error", function()
      local g
      helper.capture(function()
        g = greenlet.spawn(error, "x")
        g:join()
      end)
      assert.same(FAILED, state(g))
      assert.is_not_nil(g.exception)
    end)

    it("is success after GreenletExit", function()
      local g = started(sleeper())
      g:kill()
      assert.same(DONE, state(g))
    end)

    it("is dead when killed before it ever ran", function()
      local spawned, unstarted = sleeper(), Greenlet(print)
      spawned:kill()
      unstarted:kill()
      assert.same(DONE, state(spawned))
      assert.same(DONE, state(unstarted))
    end)

    it("drives a loop as a Python greenlet's truth value does", function()
      local turns = 0
      local g = greenlet.spawn(function() for _ = 1, 3 do greenlet.sleep(0) end end)
      while g.active do
        turns = turns + 1
        greenlet.sleep(0)
      end
      assert.is_true(turns >= 3)
      assert.is_true(g.dead)
    end)
  end)

  describe("value", function()
    it("is the first value returned", function()
      local g = greenlet.spawn(function() return "first", "second" end)
      assert.is_nil(g.value)
      g:join()
      assert.equal("first", g.value)
    end)

    it("may be false or nil", function()
      local no, none = greenlet.spawn(function() return false end), greenlet.spawn(function() end)
      greenlet.joinall { no, none }
      assert.is_false(no.value)
      assert.is_nil(none.value)
      assert.is_true(none:successful())
    end)

    it("is nil after an error", function()
      local g
      helper.capture(function()
        g = greenlet.spawn(error, "x")
        g:join()
      end)
      assert.is_nil(g.value)
      assert.is_not_nil(g.exception)
    end)

    it("is the GreenletExit that ended it", function()
      local e = greenlet.GreenletExit("done")
      local g = greenlet.spawn(error, e)
      g:join()
      assert.is_true(rawequal(e, g.value))
      assert.is_nil(g.exception)
      assert.is_true(g:successful())
    end)

    it("is an instance when the class was raised, subclasses too", function()
      local Stop = greenlet.GreenletExit:extend("Stop")
      local g = greenlet.spawn(error, Stop)
      g:join()
      helper.is_a(Stop, g.value)
      assert.is_true(g:successful())
    end)

    it("is what is returned when GreenletExit was caught", function()
      local g = started(greenlet.spawn(function()
        greenlet.pcall(greenlet.sleep, NEVER)
        return "caught it"
      end))
      g:kill()
      assert.equal("caught it", g.value)
      assert.is_true(g:successful())
    end)
  end)

  describe("exception", function()
    it("is the error value itself, of any type", function()
      local values = { "text", 42, true, false, {}, print, greenlet.Exception("x"), coroutine.create(print) }
      helper.capture(function()
        for _, value in ipairs(values) do
          local g = greenlet.spawn(error, value, 0)
          g:join()
          assert.is_true(rawequal(value, g.exception))
          assert.is_false(g:successful())
        end
      end)
    end)

    it("is nil after error(nil), which is no success", function()
      local g
      helper.capture(function()
        g = greenlet.spawn(error, nil)
        g:join()
        assert.is_false(g:successful())
        assert.is_nil(g.exception)
        assert.is_true(g:ready())
        assert.equal("string", type(g.traceback))
      end)
    end)

    it("is an instance when a class was raised", function()
      local Mine = helper.exception()
      helper.capture(function()
        local g = greenlet.spawn(error, Mine)
        g:join()
        helper.is_a(Mine, g.exception)
      end)
    end)

    it("is nil before the end and after success", function()
      local g = greenlet.spawn(function() end)
      assert.is_nil(g.exception)
      assert.is_nil(g.traceback)
      assert.is_nil(g.exc_info)
      g:join()
      assert.is_nil(g.exception)
      assert.is_nil(g.traceback)
      assert.is_nil(g.exc_info)
    end)

    it("comes with the traceback of the place of the error", function()
      helper.capture(function()
        local function fails() error("here") end
        local line = debug.getinfo(fails, "S").linedefined
        local g = greenlet.spawn(function() fails(); return nil end)
        g:join()
        assert.equal("string", type(g.traceback))
        assert.matches("stack traceback:", g.traceback)
        assert.matches("greenlet_spec%.lua:" .. line .. ":", g.traceback)
        assert.equal(g.exception, g.exc_info[1])
        assert.equal(g.traceback, g.exc_info[2])
      end)
    end)

    it("comes with a traceback that reaches into coroutines", function()
      helper.capture(function()
        local function fails() error("deep") end
        local line = debug.getinfo(fails, "S").linedefined
        local g = greenlet.spawn(function()
          coroutine.wrap(function() fails(); return nil end)()
        end)
        g:join()
        assert.matches("deep", tostring(g.exception))
        assert.matches("greenlet_spec%.lua:" .. line, g.traceback .. tostring(g.exception))
      end)
    end)

    -- The calls that it was in are gone by then.
    it("comes with what is known if a __close raises it in one that is killed", function()
      helper.capture(function()
        local g = greenlet.spawn(function()
          local guard <close> = helper.closer(function() error("no luck", 0) end)
          greenlet.sleep(helper.NEVER)
        end)
        greenlet.sleep(0)
        g:kill()
        assert.equal("no luck", g.exception)
        assert.equal("stack traceback:\n\t(its variables were closed, after a kill)", g.traceback)
      end)
    end)
  end)

  describe("attributes", function()
    it("parent is the hub, loop the hub's loop", function()
      local g = Greenlet(print)
      assert.equal(greenlet.get_hub(), g.parent)
      assert.equal(greenlet.get_hub().loop, g.loop)
    end)

    it("args is the list of the arguments, with n", function()
      local g = Greenlet(print, 1, nil, 3)
      assert.equal(3, g.args.n)
      assert.equal(1, g.args[1])
      assert.is_nil(g.args[2])
      assert.equal(3, g.args[3])
      assert.equal(0, Greenlet(print).args.n)
    end)

    it("minimal_ident is a small integer, unique among the living", function()
      local seen, all = {}, {}
      for i = 1, 20 do
        all[i] = sleeper()
        local ident = all[i].minimal_ident
        assert.equal("integer", math.type(ident))
        assert.is_true(ident >= 0 and ident < 1000)
        assert.is_nil(seen[ident])
        seen[ident] = true
        assert.equal(ident, all[i].minimal_ident)
      end
      greenlet.killall(all)
    end)

    it("minimal_ident is reused after death", function()
      local seen, count = {}, 0
      for _ = 1, 100 do
        local g = greenlet.spawn(function() end)
        local ident = g.minimal_ident
        if not seen[ident] then count = count + 1 end
        seen[ident] = true
        g:join()
      end
      assert.is_true(count < 50, count .. " different ones")
    end)

    it("name is Greenlet-<minimal_ident> unless assigned", function()
      local g = Greenlet(print)
      assert.equal("Greenlet-" .. g.minimal_ident, g.name)
      g.name = "worker"
      assert.equal("worker", g.name)
    end)
  end)

  describe("tostring", function()
    local ADDRESS = "0x%x+"

    it("shows class, address and function", function()
      local function f() end
      local line = debug.getinfo(f, "S").linedefined
      local g = Greenlet(f)
      assert.matches("^<Greenlet at " .. ADDRESS .. ": function <.*greenlet_spec%.lua:" .. line .. ">>$",
        tostring(g))
    end)

    it("shows the name once it was read", function()
      local g = Greenlet(function() end)
      local name = g.name
      assert.matches('^<Greenlet "' .. name:gsub("%-", "%%-") .. '" at ' .. ADDRESS .. ": function <", tostring(g))
    end)

    it("shows the name once it was assigned", function()
      local g = Greenlet(function() end)
      g.name = "worker"
      assert.matches('^<Greenlet "worker" at ' .. ADDRESS .. ": ", tostring(g))
    end)

    it("shows the name of a subclass", function()
      local Worker = Greenlet:extend("Worker")
      function Worker._run() end
      assert.matches("^<Worker at " .. ADDRESS, tostring(Worker()))
      assert.matches("^<Worker at " .. ADDRESS .. ": function <", tostring(Worker(function() end)))
    end)

    it("works for C functions and callable objects", function()
      assert.matches("^<Greenlet at " .. ADDRESS .. ": .+>$", tostring(Greenlet(print)))
      assert.matches("^<Greenlet at " .. ADDRESS .. ": .+>$", tostring(Greenlet(helper.callable(print))))
    end)

    it("stays the same for life and after death", function()
      local g = Greenlet(function() greenlet.sleep(TICK) end)
      local before = tostring(g)
      g:start()
      greenlet.sleep(0)
      assert.equal(before, tostring(g))
      g:join()
      assert.equal(before, tostring(g))
    end)

    it("differs between two living greenlets", function()
      local function f() end
      local a, b = Greenlet(f), Greenlet(f)
      assert.not_equal(tostring(a), tostring(b))
    end)
  end)

  describe("get", function()
    it("waits and returns every value, nils included", function()
      local g = greenlet.spawn(function()
        greenlet.sleep(TICK)
        return 1, nil, 3, nil
      end)
      assert.same({ n = 4, 1, nil, 3 }, table.pack(g:get()))
      assert.same({ n = 4, 1, nil, 3 }, table.pack(g:get()))
    end)

    it("returns nothing when nothing was returned", function()
      assert.equal(0, select("#", greenlet.spawn(function() end):get()))
    end)

    it("returns very many values", function()
      local g = greenlet.spawn(function()
        local list = {}
        for i = 1, 10000 do list[i] = i end
        return table.unpack(list)
      end)
      assert.equal(10000, select("#", g:get()))
      assert.equal(10000, (select(10000, g:get())))
    end)

    it("re-raises the error, the same value each time", function()
      local e = helper.exception()("x")
      helper.capture(function()
        local g = greenlet.spawn(error, e)
        assert.is_true(rawequal(e, helper.raises(g.get, g)))
        assert.is_true(rawequal(e, helper.raises(g.get, g)))
      end)
    end)

    it("re-raises text unchanged, without a new position", function()
      helper.capture(function()
        local g = greenlet.spawn(error, "text", 0)
        assert.equal("text", helper.raises(function() g:get() end))
      end)
    end)

    it("re-raises nil", function()
      helper.capture(function()
        local g = greenlet.spawn(error, nil)
        local result = table.pack(greenlet.pcall(g.get, g))
        assert.same({ n = 2, false }, result)
      end)
    end)

    it("returns the GreenletExit of a killed one", function()
      local g = started(sleeper())
      g:kill()
      helper.is_a(greenlet.GreenletExit, g:get())
    end)

    it("raises Timeout at once when it need not block", function()
      local g = sleeper()
      helper.is_a(greenlet.Timeout, helper.raises(g.get, g, false))
      greenlet.sleep(0)
      helper.is_a(greenlet.Timeout, helper.raises(g.get, g, false))
      assert.is_true(g.active)
      g:kill()
    end)

    it("does not block for one that has finished", function()
      local g = greenlet.spawn(function() return 1 end)
      g:join()
      assert.equal(1, g:get(false))
      assert.equal(1, g:get(true, 0))
    end)

    it("raises Timeout when the timeout expires, and the greenlet goes on", function()
      local g = greenlet.spawn(function()
        greenlet.sleep(SHORT)
        return "later"
      end)
      helper.is_a(greenlet.Timeout, helper.raises(g.get, g, true, TICK))
      assert.is_true(g.active)
      assert.equal("later", g:get())
    end)

    it("polls with a timeout of 0", function()
      local g = sleeper()
      helper.is_a(greenlet.Timeout, helper.raises(g.get, g, true, 0))
      g:kill()
    end)

    it("raises the Timeout object it was given", function()
      local g = sleeper()
      local t = greenlet.Timeout(TICK)
      assert.is_true(rawequal(t, helper.raises(g.get, g, true, t)))
      t:close()
      g:kill()
    end)

    it("raises the exception of the Timeout object it was given", function()
      local g = sleeper()
      local Mine = helper.exception()
      local t = greenlet.Timeout(TICK, Mine)
      helper.is_a(Mine, helper.raises(g.get, g, true, t))
      t:close()
      g:kill()
    end)

    it("wakes all who wait, in the order in which they came", function()
      local log = {}
      local g = greenlet.spawn(function()
        greenlet.sleep(TICK)
        return "v"
      end)
      local all = {}
      for i = 1, 5 do
        all[i] = greenlet.spawn(function()
          local value = g:get()
          log[#log + 1] = i .. value
        end)
      end
      greenlet.joinall(all)
      assert.same({ "1v", "2v", "3v", "4v", "5v" }, log)
    end)

    it("leaves no link behind when it times out", function()
      local g = started(sleeper())
      helper.raises(g.get, g, true, TICK)
      assert.equal(0, g:has_links())
      g:kill()
    end)
  end)

  describe("join", function()
    it("waits until the greenlet has finished and returns nothing", function()
      local done = false
      local g = greenlet.spawn(function()
        greenlet.sleep(TICK)
        done = true
        return "value"
      end)
      assert.equal(0, select("#", g:join()))
      assert.is_true(done)
      assert.equal(0, select("#", g:join()))
    end)

    it("does not raise the greenlet's error", function()
      helper.capture(function()
        local g = greenlet.spawn(error, "x")
        g:join()
        assert.is_false(g:successful())
      end)
    end)

    it("returns nothing when the timeout expires", function()
      local g = sleeper()
      assert.equal(0, select("#", g:join(TICK)))
      assert.is_true(g.active)
      assert.equal(0, select("#", g:join(0)))
      assert.is_true(g.active)
      assert.equal(0, g:has_links())
      g:kill()
    end)

    it("does not switch when the greenlet is dead", function()
      local g = greenlet.spawn(function() end)
      g:join()
      local other = greenlet.spawn(function() end)
      g:join()
      assert.is_false(other.dead)
      other:join()
    end)

    it("waits for an unstarted one until the timeout expires", function()
      local g = Greenlet(print)
      g:join(TICK)
      assert.is_false(g.dead)
    end)

    it("ends, and raises nothing, when a Timeout object given as timeout expires", function()
      local g = sleeper()
      local t = greenlet.Timeout(TICK)
      assert.equal(0, select("#", g:join(t)))
      assert.is_true(g.active)
      assert.is_false(t.pending)
      t:close()
      g:kill()
    end)

    it("does not swallow another Timeout", function()
      local g = sleeper()
      local t = greenlet.Timeout.start_new(TICK)
      assert.is_true(rawequal(t, helper.raises(g.join, g)))
      t = greenlet.Timeout.start_new(TICK)
      assert.is_true(rawequal(t, helper.raises(g.join, g, NEVER)))
      g:kill()
    end)

    it("wakes every joiner", function()
      local g = greenlet.spawn(greenlet.sleep, TICK)
      local woken = 0
      local all = {}
      for i = 1, 10 do
        all[i] = greenlet.spawn(function() g:join(); woken = woken + 1 end)
      end
      greenlet.joinall(all)
      assert.equal(10, woken)
    end)

    it("ends by its timeout when a greenlet joins itself", function()
      local g = greenlet.spawn(function() greenlet.getcurrent():join(TICK); return "ended" end)
      assert.equal("ended", g:get())
    end)
  end)

  describe("kill", function()
    it("raises GreenletExit in the wait, waits for the death and returns nothing", function()
      local caught
      local g = started(greenlet.spawn(function()
        local ok, err = greenlet.pcall(greenlet.sleep, NEVER)
        caught = { ok, err }
        error(err)
      end))
      assert.equal(0, select("#", g:kill()))
      assert.is_true(g.dead)
      assert.is_false(caught[1])
      helper.is_a(greenlet.GreenletExit, caught[2])
      assert.is_true(rawequal(caught[2], g.value))
    end)

    it("makes an instance of a class", function()
      local Mine = helper.exception()
      helper.capture(function()
        local g = started(sleeper())
        g:kill(Mine)
        helper.is_a(Mine, g.exception)
        assert.is_false(g:successful())
      end)
    end)

    it("raises an instance as it is", function()
      local e = helper.exception()("x")
      helper.capture(function()
        local g = started(sleeper())
        g:kill(e)
        assert.is_true(rawequal(e, g.exception))
      end)
    end)

    it("raises any Lua value", function()
      helper.capture(function()
        for _, value in ipairs { "text", 42, {}, print, true, false } do
          local g = started(sleeper())
          g:kill(value)
          assert.is_true(g.dead)
          assert.is_true(rawequal(value, g.exception))
          assert.is_false(g:successful())
        end
      end)
    end)

    it("ends one that has never run, at once and without running it", function()
      local ran = false
      local g = greenlet.spawn(function() ran = true end)
      assert.equal(0, select("#", g:kill()))
      assert.is_true(g.dead)
      helper.is_a(greenlet.GreenletExit, g.value)
      helper.settle()
      assert.is_false(ran)
    end)

    it("ends one that has never been started, and start has no effect then", function()
      local ran = false
      local g = Greenlet(function() ran = true end)
      g:kill()
      assert.is_true(g.dead)
      g:start()
      g:start_later(0)
      greenlet.sleep(TICK)
      assert.is_false(ran)
      helper.is_a(greenlet.GreenletExit, g:get())
    end)

    it("ends one that start_later has scheduled", function()
      local ran = false
      local g = greenlet.spawn_later(TICK, function() ran = true end)
      g:kill()
      greenlet.sleep(SHORT)
      assert.is_false(ran)
      assert.is_true(g.dead)
    end)

    it("ends one that has never run with the exception given", function()
      helper.capture(function()
        local e = helper.exception()("x")
        local g = greenlet.spawn(print)
        g:kill(e)
        assert.is_true(g.dead)
        assert.is_true(rawequal(e, g.exception))
        assert.is_false(g:successful())
        assert.is_true(rawequal(e, helper.raises(g.get, g)))
        local h = Greenlet(print)
        h:kill(42)
        assert.equal(42, h.exception)
      end)
    end)

    it("has no effect on a dead one", function()
      local g = greenlet.spawn(function() return "value" end)
      g:join()
      assert.equal(0, select("#", g:kill()))
      g:kill("late")
      g:kill("late", false)
      helper.settle()
      assert.equal("value", g.value)
      assert.is_nil(g.exception)
    end)

    it("is raised in a sleep(0) too", function()
      local log = {}
      local g = greenlet.spawn(function()
        log[#log + 1] = "before"
        greenlet.sleep(0)
        log[#log + 1] = "after"
        greenlet.sleep(0)
        log[#log + 1] = "much later"
      end)
      local killer = greenlet.spawn(function() g:kill() end)
      killer:join()
      assert.same({ "before" }, log)
      assert.is_true(g.dead)
    end)

    it("does not wait when block is false", function()
      local g = started(sleeper())
      assert.equal(0, select("#", g:kill(nil, false)))
      assert.is_false(g.dead)
      assert.is_true(g.active)
      g:join()
      assert.is_true(g.dead)
    end)

    it("raises two kills one after the other", function()
      local caught = {}
      local g = started(greenlet.spawn(function()
        for i = 1, 2 do
          caught[i] = select(2, greenlet.pcall(greenlet.sleep, NEVER))
        end
        return "survived both"
      end))
      g:kill("first", false)
      g:kill("second", false)
      assert.equal("survived both", g:get())
      assert.same({ "first", "second" }, caught)
    end)

    it("gives up waiting when the timeout expires", function()
      local caught
      local g = started(greenlet.spawn(function()
        caught = select(2, greenlet.pcall(greenlet.sleep, NEVER))
        greenlet.sleep(NEVER)
      end))
      assert.equal(0, select("#", g:kill("stubborn", true, TICK)))
      assert.equal("stubborn", caught)
      assert.is_true(g.active)
      g:kill()
      assert.is_true(g.dead)
    end)

    it("waits for the end of one that catches it and goes on", function()
      local g = started(greenlet.spawn(function()
        greenlet.pcall(greenlet.sleep, NEVER)
        greenlet.sleep(TICK)
        return "went on"
      end))
      g:kill()
      assert.is_true(g.dead)
      assert.equal("went on", g.value)
    end)

    it("waits for to-be-closed variables, which may block", function()
      local log = {}
      local g = started(greenlet.spawn(function()
        local outer <close> = helper.closer(function(err)
          greenlet.sleep(TICK)
          log[#log + 1] = { "outer", err }
        end)
        local inner <close> = helper.closer(function(err)
          greenlet.sleep(TICK)
          log[#log + 1] = { "inner", err }
        end)
        greenlet.sleep(NEVER)
      end))
      g:kill()
      assert.equal(2, #log)
      assert.equal("inner", log[1][1])
      assert.equal("outer", log[2][1])
      assert.is_true(rawequal(g.value, log[1][2]))
      assert.is_true(rawequal(g.value, log[2][2]))
    end)

    it("passes through pcall, xpcall and coroutines", function()
      local handled, after, closed = false, false, 0
      local g = started(greenlet.spawn(function()
        pcall(function()
          xpcall(function()
            local x <close> = helper.closer(function() closed = closed + 1 end)
            coroutine.wrap(function()
              local y <close> = helper.closer(function() closed = closed + 1 end)
              coroutine.resume(coroutine.create(function()
                local z <close> = helper.closer(function() closed = closed + 1 end)
                greenlet.sleep(NEVER)
              end))
            end)()
          end, function() handled = true end)
        end)
        after = true
      end))
      g:kill()
      assert.is_true(g.dead)
      assert.is_false(handled)
      assert.is_false(after)
      assert.equal(3, closed)
    end)

    it("can be stopped by pcall when it is an Exception", function()
      local caught
      local e = helper.exception()("x")
      local g = started(greenlet.spawn(function()
        caught = select(2, pcall(greenlet.sleep, NEVER))
      end))
      g:kill(e)
      assert.is_true(rawequal(e, caught))
      assert.is_true(g:successful())
    end)

    it("raises at once in the current greenlet", function()
      local log = {}
      local g = greenlet.spawn(function()
        log[#log + 1] = "before"
        greenlet.getcurrent():kill()
        log[#log + 1] = "after"
      end)
      g:join()
      assert.same({ "before" }, log)
      helper.is_a(greenlet.GreenletExit, g.value)
      g = greenlet.spawn(function()
        local caught = select(2, greenlet.pcall(function() greenlet.getcurrent():kill("own") end))
        return caught
      end)
      assert.equal("own", g:get())
    end)

    it("raises at the next wait in the current greenlet when block is false", function()
      local log = {}
      local g = greenlet.spawn(function()
        greenlet.getcurrent():kill(nil, false)
        log[#log + 1] = "went on"
        greenlet.sleep(0)
        log[#log + 1] = "after the wait"
      end)
      g:join()
      assert.same({ "went on" }, log)
      helper.is_a(greenlet.GreenletExit, g.value)
    end)

    it("ends the wait for another greenlet, which goes on", function()
      local target = greenlet.spawn(function()
        greenlet.sleep(SHORT)
        return "fine"
      end)
      local waiter = started(greenlet.spawn(function() target:get() end))
      waiter:kill()
      assert.is_true(waiter.dead)
      assert.is_true(target.active)
      assert.equal(0, target:has_links())
      assert.equal("fine", target:get())
    end)

    it("lets a Timeout of the caller pass while it blocks", function()
      local g = started(greenlet.spawn(function()
        greenlet.pcall(greenlet.sleep, NEVER)
        greenlet.sleep(NEVER)
      end))
      local t = greenlet.Timeout.start_new(TICK)
      assert.is_true(rawequal(t, helper.raises(g.kill, g)))
      assert.is_true(g.active)
      g:kill()
    end)

    it("lets a kill of the caller pass while it blocks", function()
      local g = started(greenlet.spawn(function()
        greenlet.pcall(greenlet.sleep, NEVER)
        greenlet.sleep(NEVER)
      end))
      local killer = started(greenlet.spawn(function() g:kill() end))
      killer:kill()
      assert.is_true(killer.dead)
      assert.is_true(g.active)
      g:kill()
    end)

    it("lets two killers wait for the same death", function()
      local caught = {}
      local g = started(greenlet.spawn(function()
        for i = 1, 2 do caught[i] = select(2, greenlet.pcall(greenlet.sleep, NEVER)) end
        greenlet.sleep(TICK)
      end))
      local one = greenlet.spawn(function() g:kill("one"); return g.dead end)
      local two = greenlet.spawn(function() g:kill("two"); return g.dead end)
      assert.is_true(one:get())
      assert.is_true(two:get())
      assert.same({ "one", "two" }, caught)
    end)

    it("is not delivered to one that ends before its next wait", function()
      local g
      g = greenlet.spawn(function()
        greenlet.getcurrent():kill("never seen", false)
        return "ended first"
      end)
      assert.equal("ended first", g:get())
      assert.is_nil(g.exception)
    end)

    it("may be called by a link, by the hub and by a dying greenlet", function()
      local victims = { started(sleeper()), started(sleeper()), started(sleeper()) }
      local g = greenlet.spawn(function()
        local x <close> = helper.closer(function() victims[1]:kill() end)
      end)
      g:link(function() victims[2]:kill() end)
      g:rawlink(function() victims[3]:kill(nil, false) end)
      greenlet.joinall(victims)
      for _, victim in ipairs(victims) do assert.is_true(victim.dead) end
    end)
  end)

  describe("throw", function()
    it("ends one that never ran at once, and calls its links", function()
      local ran, linked = false, 0
      local g = greenlet.spawn(function() ran = true end)
      g:link(function() linked = linked + 1 end)
      g:throw()
      assert.is_true(g.dead)
      helper.settle()
      assert.is_false(ran)
      assert.equal(1, linked)
      helper.is_a(greenlet.GreenletExit, g.value)
    end)

    it("ends one that was never started with the exception given", function()
      helper.capture(function()
        local g = Greenlet(print)
        g:throw("thrown")
        assert.is_true(g.dead)
        assert.equal("thrown", g.exception)
        helper.settle()
      end)
    end)

    it("has no effect on a dead one", function()
      local g = greenlet.spawn(function() return 1 end)
      g:join()
      g:throw("late")
      assert.equal(1, g.value)
      assert.is_nil(g.exception)
    end)

    it("switches into a waiting one now, from the hub", function()
      local caught, at_once
      local g = started(greenlet.spawn(function()
        caught = select(2, greenlet.pcall(greenlet.sleep, NEVER))
      end))
      greenlet.get_hub().loop:run_callback(function()
        g:throw("now")
        at_once = caught
      end)
      g:join()
      assert.equal("now", caught)
      assert.equal("now", at_once)
    end)
  end)

  describe("close", function()
    it("joins when the scope is left", function()
      local done = false
      do
        local g <close> = greenlet.spawn(function()
          greenlet.sleep(TICK)
          done = true
        end)
        assert.is_false(done)
      end
      assert.is_true(done)
    end)

    it("joins when the scope is left by return or break", function()
      local done = 0
      local function task() greenlet.sleep(TICK); done = done + 1 end
      local function f()
        local g <close> = greenlet.spawn(task)
        return "value"
      end
      assert.equal("value", f())
      assert.equal(1, done)
      while true do
        local g <close> = greenlet.spawn(task)
        break
      end
      assert.equal(2, done)
    end)

    it("kills with the error that leaves the scope", function()
      helper.capture(function()
        local e = helper.exception()("x")
        local g
        local caught = helper.raises(function()
          local held <close> = greenlet.spawn(greenlet.sleep, NEVER)
          g = held
          greenlet.sleep(0)
          error(e)
        end)
        assert.is_true(rawequal(e, caught))
        helper.settle()
        assert.is_true(g.dead)
        assert.is_true(rawequal(e, g.exception))
        assert.is_true(rawequal(e, helper.raises(g.get, g)))
      end)
    end)

    it("kills when its owner is killed", function()
      local inner
      local outer = started(greenlet.spawn(function()
        local held <close> = greenlet.spawn(greenlet.sleep, NEVER)
        inner = held
        greenlet.sleep(NEVER)
      end))
      greenlet.sleep(0)
      outer:kill()
      helper.settle()
      assert.is_true(inner.dead)
      helper.is_a(greenlet.GreenletExit, inner.value)
    end)

    it("is satisfied with a dead one", function()
      local g = greenlet.spawn(function() return 1 end)
      g:join()
      do
        local held <close> = g
      end
      assert.equal(1, g.value)
    end)
  end)
end)
