local helper = require "spec.helper"
local greenlet = require "greenlet"
local it = helper.it

local Greenlet = greenlet.Greenlet
local TICK, SHORT, LATER, NEVER = helper.TICK, helper.SHORT, helper.LATER, helper.NEVER

local function sleeper() return greenlet.spawn(greenlet.sleep, NEVER) end
local function after(seconds, ...)
  return greenlet.spawn(function(...) greenlet.sleep(seconds); return ... end, ...)
end

-- Does list hold exactly these objects, in this order?
local function holds(list, ...)
  assert.equal(select("#", ...), #list)
  for i = 1, #list do assert.is_true(rawequal((select(i, ...)), list[i]), "place " .. i) end
end

-- Something to wait for that is no greenlet: fire() makes it ready.
local function waitable()
  local w = { links = {}, linked = 0, unlinked = 0 }
  function w:rawlink(f) self.linked = self.linked + 1; self.links[#self.links + 1] = f end
  function w:unlink(f)
    for i, link in ipairs(self.links) do
      if rawequal(link, f) then
        self.unlinked = self.unlinked + 1
        table.remove(self.links, i)
        return
      end
    end
  end
  function w:ready() return self.fired end
  function w:fire()
    greenlet.get_hub().loop:run_callback(function()
      self.fired = true
      local links = self.links
      self.links = {}
      for _, link in ipairs(links) do link(self) end
    end)
  end
  return w
end

describe("greenlet", function()
  helper.check_leaks()

  it("is a global and the module's table", function()
    assert.equal(_G.greenlet, require "greenlet")
  end)

  describe("getcurrent", function()
    it("is the main greenlet in the main chunk", function()
      local main = greenlet.getcurrent()
      assert.equal(main, greenlet.getcurrent())
      assert.is_nil(main.parent)
      assert.is_false(main.dead)
      assert.is_true(main.active)
      assert.equal(main, greenlet.get_hub().parent)
    end)

    it("is the running greenlet, in coroutines too", function()
      local found = {}
      local g = greenlet.spawn(function()
        found[1] = greenlet.getcurrent()
        coroutine.wrap(function() found[2] = greenlet.getcurrent() end)()
        greenlet.sleep(0)
        found[3] = greenlet.getcurrent()
      end)
      g:join()
      for i = 1, 3 do assert.is_true(rawequal(g, found[i])) end
    end)

    it("is the main greenlet in the main chunk's coroutines", function()
      local main = greenlet.getcurrent()
      assert.equal(main, coroutine.wrap(function() return greenlet.getcurrent() end)())
    end)

    it("is the hub in a callback of the loop", function()
      local found
      greenlet.get_hub().loop:run_callback(function() found = greenlet.getcurrent() end)
      greenlet.sleep(0)
      assert.equal(greenlet.get_hub(), found)
    end)
  end)

  describe("sleep", function()
    it("returns nothing", function()
      assert.equal(0, select("#", greenlet.sleep()))
      assert.equal(0, select("#", greenlet.sleep(0)))
      assert.equal(0, select("#", greenlet.sleep(TICK)))
    end)

    it("lets every other ready greenlet run first, in turn", function()
      local log = {}
      local function task(name)
        log[#log + 1] = name .. "A"
        greenlet.sleep(0)
        log[#log + 1] = name .. "B"
      end
      local one, two = greenlet.spawn(task, "1"), greenlet.spawn(task, "2")
      greenlet.joinall { one, two }
      assert.same({ "1A", "2A", "1B", "2B" }, log)
    end)

    it("of 0 in the main greenlet runs each of many spawned ones", function()
      local ran = 0
      for _ = 1, 1000 do greenlet.spawn(function() ran = ran + 1 end) end
      greenlet.sleep(0)
      assert.equal(1000, ran)
    end)

    it("of -1 is sleep(0)", function()
      local ran = false
      greenlet.spawn(function() ran = true end)
      greenlet.sleep(-1)
      assert.is_true(ran)
    end)

    it("wakes in the order of the times", function()
      local log = {}
      local all = {}
      for i, seconds in ipairs { SHORT * 3, TICK, SHORT } do
        all[i] = greenlet.spawn(function() greenlet.sleep(seconds); log[#log + 1] = i end)
      end
      greenlet.joinall(all)
      assert.same({ 2, 3, 1 }, log)
    end)

    it("takes at least as long as it says", function()
      local loop = greenlet.get_hub().loop
      loop:update_now()
      local before = loop:now()
      greenlet.sleep(SHORT)
      loop:update_now()
      -- libev's own clock is allowed a millisecond.
      assert.is_true(loop:now() - before >= SHORT - TICK)
    end)

    it("of 0 in a loop starves no timer", function()
      local woken = false
      local g = greenlet.spawn(function() greenlet.sleep(TICK); woken = true end)
      local limit = os.time() + helper.GENEROUS
      while not woken and os.time() < limit do greenlet.sleep(0) end
      assert.is_true(woken)
      g:join()
    end)

    it("with ref=false does not keep wait() from returning", function()
      local g = greenlet.spawn(greenlet.sleep, NEVER, false)
      assert.is_true(greenlet.wait())
      assert.is_true(g.active)
      g:kill()
    end)

    it("with ref=false alone in the main greenlet is a LoopExit", function()
      helper.is_a(greenlet.LoopExit, helper.raises(greenlet.sleep, NEVER, false))
    end)
  end)

  describe("idle", function()
    it("waits until nothing else is ready", function()
      local log = {}
      local g = greenlet.spawn(function()
        for i = 1, 3 do
          log[#log + 1] = i
          greenlet.sleep(0)
        end
      end)
      assert.equal(0, select("#", greenlet.idle()))
      log[#log + 1] = "idle"
      assert.same({ 1, 2, 3, "idle" }, log)
      g:join()
    end)
  end)

  describe("spawn_raw", function()
    it("schedules a raw greenlet under the hub", function()
      local got, current
      local g = greenlet.spawn_raw(function(...)
        got = table.pack(...)
        current = greenlet.getcurrent()
      end, 1, nil)
      assert.is_nil(got)
      assert.is_false(Greenlet:class_of(g))
      assert.equal(greenlet.get_hub(), g.parent)
      assert.is_false(g.dead)
      helper.settle()
      assert.same({ n = 2, 1 }, got)
      assert.is_true(rawequal(g, current))
      assert.is_true(g.dead)
      assert.is_nil(g.value)
    end)

    it("keeps its turn among spawned ones", function()
      local log = {}
      greenlet.spawn(function() log[#log + 1] = 1 end)
      greenlet.spawn_raw(function() log[#log + 1] = 2 end)
      greenlet.spawn(function() log[#log + 1] = 3 end)
      helper.settle()
      assert.same({ 1, 2, 3 }, log)
    end)

    it("may block", function()
      local done = false
      greenlet.spawn_raw(function() greenlet.sleep(TICK); done = true end)
      helper.wait_until(function() return done end)
    end)

    it("has its error reported by the hub", function()
      local report = helper.capture(function()
        greenlet.spawn_raw(error, "raw failure")
        helper.settle()
      end)
      assert.matches("raw failure", report)
    end)
  end)

  describe("kill", function()
    it("schedules the error and does not wait", function()
      local caught
      local g = greenlet.spawn(function() caught = select(2, greenlet.pcall(greenlet.sleep, NEVER)) end)
      greenlet.sleep(0)
      assert.equal(0, select("#", greenlet.kill(g)))
      assert.is_nil(caught)
      assert.is_true(g.active)
      g:join()
      helper.is_a(greenlet.GreenletExit, caught)
    end)

    it("takes an exception", function()
      local g = sleeper()
      greenlet.sleep(0)
      helper.capture(function()
        greenlet.kill(g, "mine")
        g:join()
        assert.equal("mine", g.exception)
      end)
    end)

    it("kills raw greenlets", function()
      local caught
      local g = greenlet.spawn_raw(function() caught = select(2, greenlet.pcall(greenlet.sleep, NEVER)) end)
      greenlet.sleep(0)
      greenlet.kill(g)
      helper.settle()
      helper.is_a(greenlet.GreenletExit, caught)
      assert.is_true(g.dead)
    end)

    it("keeps an unstarted one from ever running", function()
      local ran = false
      local g = greenlet.spawn(function() ran = true end)
      greenlet.kill(g)
      g:join()
      helper.settle()
      assert.is_false(ran)
      assert.is_true(g.dead)
      local raw = greenlet.spawn_raw(function() ran = true end)
      greenlet.kill(raw)
      helper.settle()
      assert.is_false(ran)
    end)

    it("has no effect on a dead one", function()
      local g = greenlet.spawn(function() return 1 end)
      g:join()
      greenlet.kill(g, "late")
      helper.settle()
      assert.equal(1, g.value)
    end)

    it("reaches the main greenlet at its wait", function()
      greenlet.kill(greenlet.getcurrent(), "for main")
      assert.equal("for main", helper.raises(greenlet.sleep, NEVER))
      local main = greenlet.getcurrent()
      greenlet.spawn(function() greenlet.kill(main, "by another") end)
      assert.equal("by another", helper.raises(greenlet.sleep, NEVER))
    end)
  end)

  describe("killall", function()
    it("kills all, raw ones too, and waits for their deaths", function()
      local raw = greenlet.spawn_raw(greenlet.sleep, NEVER)
      local slow = greenlet.spawn(function()
        local x <close> = helper.closer(function() greenlet.sleep(TICK) end)
        greenlet.sleep(NEVER)
      end)
      local list = { sleeper(), raw, slow, sleeper() }
      greenlet.sleep(0)
      assert.equal(0, select("#", greenlet.killall(list)))
      for _, g in ipairs(list) do assert.is_true(g.dead) end
    end)

    it("ends those that never ran without running them", function()
      local ran = false
      local function f() ran = true end
      local list = { greenlet.spawn(f), Greenlet(f), greenlet.spawn_later(TICK, f) }
      greenlet.killall(list)
      greenlet.sleep(SHORT)
      assert.is_false(ran)
      for _, g in ipairs(list) do assert.is_true(g.dead) end
    end)

    it("takes an exception, a class too", function()
      local Mine = helper.exception()
      helper.capture(function()
        local list = { sleeper(), sleeper() }
        greenlet.sleep(0)
        greenlet.killall(list, Mine)
        for _, g in ipairs(list) do helper.is_a(Mine, g.exception) end
        list = { sleeper() }
        greenlet.sleep(0)
        greenlet.killall(list, "text")
        assert.equal("text", list[1].exception)
      end)
    end)

    it("does not wait when block is false", function()
      local list = { sleeper(), sleeper() }
      greenlet.sleep(0)
      greenlet.killall(list, nil, false)
      assert.is_true(list[1].active)
      greenlet.joinall(list)
      assert.is_true(list[1].dead)
    end)

    it("raises Timeout when the timeout expires, which leaves the stubborn alive", function()
      local stubborn = greenlet.spawn(function()
        greenlet.pcall(greenlet.sleep, NEVER)
        greenlet.sleep(NEVER)
      end)
      local meek = sleeper()
      greenlet.sleep(0)
      helper.is_a(greenlet.Timeout,
        helper.raises(greenlet.killall, { stubborn, meek }, nil, true, TICK))
      assert.is_true(meek.dead)
      assert.is_true(stubborn.active)
      stubborn:kill()
    end)

    it("is content with none, dead ones and duplicates", function()
      greenlet.killall {}
      local dead = greenlet.spawn(function() end)
      dead:join()
      local g = sleeper()
      greenlet.sleep(0)
      greenlet.killall { dead, g, g }
      assert.is_true(g.dead)
    end)
  end)

  describe("joinall", function()
    it("returns those that finished, in the order in which they did", function()
      local slow, quick = after(SHORT), after(TICK)
      holds(greenlet.joinall { slow, quick }, quick, slow)
    end)

    it("returns at once with dead ones and with none", function()
      assert.same({}, greenlet.joinall {})
      local g = greenlet.spawn(function() end)
      g:join()
      holds(greenlet.joinall { g }, g)
    end)

    it("returns without the losers when the timeout expires", function()
      local loser, quick = sleeper(), after(TICK)
      holds(greenlet.joinall({ loser, quick }, LATER), quick)
      assert.is_true(loser.active)
      assert.equal(0, loser:has_links())
      assert.same({}, greenlet.joinall({ loser }, 0))
      loser:kill()
    end)

    it("returns once count have finished", function()
      local slow, quick = after(SHORT), after(TICK)
      holds(greenlet.joinall({ slow, quick }, nil, nil, 1), quick)
      assert.is_true(slow.active)
      assert.equal(0, slow:has_links())
      slow:join()
    end)

    it("counts a greenlet listed twice twice", function()
      local a, b = after(TICK), after(SHORT)
      local list = greenlet.joinall { a, b, a }
      assert.equal(3, #list)
      local count = 0
      for _, g in ipairs(list) do if rawequal(g, a) then count = count + 1 end end
      assert.equal(2, count)
    end)

    it("raises no error without raise_error", function()
      helper.capture(function()
        local bad = greenlet.spawn(error, "x")
        holds(greenlet.joinall { bad }, bad)
        assert.is_not_nil(bad.exception)
      end)
    end)

    it("with raise_error raises the first error at once and leaves the rest", function()
      helper.capture(function()
        local early, late = helper.exception()("early"), helper.exception()("late")
        local rest = sleeper()
        local second = greenlet.spawn(function() greenlet.sleep(SHORT); error(late) end)
        local first = greenlet.spawn(function() greenlet.sleep(TICK); error(early) end)
        local caught = helper.raises(greenlet.joinall, { rest, second, first }, nil, true)
        assert.is_true(rawequal(early, caught))
        assert.is_true(rest.active)
        assert.is_true(second.active)
        assert.equal(0, rest:has_links())
        second:join()
        assert.is_true(rawequal(late, second.exception))
        rest:kill()
      end)
    end)

    it("with raise_error returns the list when all went well", function()
      local a = after(TICK)
      holds(greenlet.joinall({ a }, nil, true), a)
    end)

    it("does not swallow a Timeout of the caller's", function()
      local g = sleeper()
      local t = greenlet.Timeout.start_new(TICK)
      assert.is_true(rawequal(t, helper.raises(greenlet.joinall, { g })))
      assert.equal(0, g:has_links())
      g:kill()
    end)
  end)

  describe("wait", function()
    it("returns the ready ones in the order in which they became ready", function()
      local a, b, c = after(SHORT), after(TICK), after(SHORT * 2)
      holds(greenlet.wait { a, b, c }, b, a, c)
    end)

    it("takes anything with rawlink and unlink", function()
      local w, g = waitable(), after(TICK)
      g:link(function() w:fire() end)
      holds(greenlet.wait { w, g }, g, w)
      assert.equal(1, w.linked)
    end)

    it("unlinks what was not ready when the timeout expires", function()
      local w, loser, quick = waitable(), sleeper(), after(TICK)
      holds(greenlet.wait({ w, loser, quick }, LATER), quick)
      assert.equal(1, w.unlinked)
      assert.equal(0, loser:has_links())
      loser:kill()
    end)

    it("polls with a timeout of 0", function()
      local dead, living = greenlet.spawn(function() end), sleeper()
      dead:join()
      assert.same({}, greenlet.wait({ living }, 0))
      holds(greenlet.wait({ living, dead }, 0), dead)
      living:kill()
    end)

    it("ends, and raises nothing, when a Timeout object given as timeout expires", function()
      local g = sleeper()
      local t = greenlet.Timeout(TICK)
      assert.same({}, greenlet.wait({ g }, t))
      t:close()
      g:kill()
    end)

    it("returns once count are ready", function()
      local slow, quick = sleeper(), after(TICK)
      holds(greenlet.wait({ slow, quick }, nil, 1), quick)
      assert.equal(0, slow:has_links())
      slow:kill()
    end)

    it("returns an empty list for a count of 0 and for no objects", function()
      local g = sleeper()
      assert.same({}, greenlet.wait({ g }, nil, 0))
      assert.same({}, greenlet.wait {})
      assert.equal(0, g:has_links())
      g:kill()
    end)

    it("counts an object listed twice twice", function()
      local g = after(TICK)
      holds(greenlet.wait { g, g }, g, g)
    end)

    it("works in a spawned greenlet", function()
      local a = after(TICK)
      local g = greenlet.spawn(function() return greenlet.wait { a } end)
      holds(g:get(), a)
    end)

    it("without objects runs until nothing is left, and says so", function()
      local log = {}
      greenlet.spawn(function()
        greenlet.sleep(TICK)
        greenlet.spawn(function() greenlet.sleep(TICK); log[#log + 1] = "grandchild" end)
        log[#log + 1] = "child"
      end)
      assert.is_true(greenlet.wait())
      assert.same({ "child", "grandchild" }, log)
      assert.is_true(greenlet.wait())
    end)

    it("without objects is false when the timeout expires first", function()
      local g = sleeper()
      assert.is_false(greenlet.wait(nil, TICK))
      g:kill()
      assert.is_true(greenlet.wait(nil, NEVER))
    end)

    it("without objects is an error elsewhere than in the main greenlet", function()
      local g = greenlet.spawn(function() return pcall(greenlet.wait) end)
      assert.is_false((g:get()))
    end)

    it("unlinks when it is killed", function()
      local g = sleeper()
      local waiter = greenlet.spawn(greenlet.wait, { g })
      greenlet.sleep(0)
      assert.equal(1, g:has_links())
      waiter:kill()
      assert.equal(0, g:has_links())
      g:kill()
    end)
  end)

  describe("iwait", function()
    it("yields objects as they become ready", function()
      local a, b, c = after(SHORT), after(TICK), after(SHORT * 2)
      local got = {}
      for o in greenlet.iwait { a, b, c } do got[#got + 1] = o end
      holds(got, b, a, c)
    end)

    it("loses nothing that becomes ready while the loop's body waits", function()
      local a, b, c = after(TICK), after(TICK), after(TICK)
      local got = {}
      for o in greenlet.iwait { c, b, a } do
        got[#got + 1] = o
        greenlet.sleep(SHORT)
      end
      assert.equal(3, #got)
    end)

    it("unlinks the rest when the loop is left early", function()
      local slow, quick, w = sleeper(), after(TICK), waitable()
      for o in greenlet.iwait { slow, quick, w } do
        assert.equal(quick, o)
        break
      end
      assert.equal(0, slow:has_links())
      assert.equal(0, #w.links)
      slow:kill()
    end)

    it("unlinks the rest when the loop is left by an error", function()
      local slow, quick = sleeper(), after(TICK)
      assert.equal("left", helper.raises(function()
        for _ in greenlet.iwait { slow, quick } do error("left", 0) end
      end))
      assert.equal(0, slow:has_links())
      slow:kill()
    end)

    it("ends when the timeout expires", function()
      local slow, quick = sleeper(), after(TICK)
      local got = {}
      for o in greenlet.iwait({ slow, quick }, LATER) do got[#got + 1] = o end
      holds(got, quick)
      assert.equal(0, slow:has_links())
      slow:kill()
    end)

    it("ends after count objects", function()
      local slow, quick, second = sleeper(), after(TICK), after(SHORT)
      local got = {}
      for o in greenlet.iwait({ slow, second, quick }, nil, 2) do got[#got + 1] = o end
      holds(got, quick, second)
      assert.equal(0, slow:has_links())
      slow:kill()
    end)

    it("yields nothing for no objects and for a count of 0", function()
      for _ in greenlet.iwait {} do error("yielded") end
      local g = sleeper()
      for _ in greenlet.iwait({ g }, nil, 0) do error("yielded") end
      g:kill()
    end)

    it("does not swallow a Timeout of the caller's", function()
      local g = sleeper()
      local t = greenlet.Timeout.start_new(TICK)
      assert.is_true(rawequal(t, helper.raises(function()
        for _ in greenlet.iwait { g } do error("yielded") end
      end)))
      assert.equal(0, g:has_links())
      g:kill()
    end)
  end)

  describe("with_timeout", function()
    it("returns what the function returns", function()
      local result = table.pack(greenlet.with_timeout(NEVER, function(...) return ... end, 1, nil, 3, nil))
      assert.same({ n = 4, 1, nil, 3 }, result)
    end)

    it("raises Timeout when it expires", function()
      helper.is_a(greenlet.Timeout, helper.raises(greenlet.with_timeout, TICK, greenlet.sleep, NEVER))
    end)
  end)

  describe("getswitchinterval", function()
    it("is 0.005 at first, and what setswitchinterval says", function()
      assert.equal(0.005, greenlet.getswitchinterval())
      greenlet.setswitchinterval(0.25)
      local got = greenlet.getswitchinterval()
      greenlet.setswitchinterval(0.005)
      assert.equal(0.25, got)
    end)
  end)

  describe("traceback", function()
    it("shows where a suspended greenlet waits", function()
      local line
      local function waits() line = debug.getinfo(1, "l").currentline + 1
        greenlet.sleep(NEVER)
      end
      local g = greenlet.spawn(function() waits(); return nil end)
      greenlet.sleep(0)
      local text = greenlet.traceback(g)
      assert.matches("stack traceback:", text)
      assert.matches("functions_spec%.lua:" .. line .. ":", text)
      assert.matches("sleep", text)
      g:kill()
    end)

    it("goes through coroutines inside it", function()
      local inner_line, outer_line
      local g = greenlet.spawn(function()
        outer_line = debug.getinfo(1, "l").currentline + 1
        coroutine.wrap(function()
          inner_line = debug.getinfo(1, "l").currentline + 1
          greenlet.sleep(NEVER)
        end)()
      end)
      greenlet.sleep(0)
      local text = greenlet.traceback(g)
      assert.matches("functions_spec%.lua:" .. inner_line .. ":", text)
      assert.matches("functions_spec%.lua:" .. outer_line .. ":", text)
      g:kill()
    end)

    it("works on raw greenlets that switched away", function()
      local line
      local main = greenlet.getcurrent()
      local g = greenlet.greenlet(function()
        line = debug.getinfo(1, "l").currentline + 1
        main:switch()
      end)
      g:switch()
      assert.matches("functions_spec%.lua:" .. line .. ":", greenlet.traceback(g))
      g:switch()
      assert.is_true(g.dead)
    end)

    it("is a string for every other state", function()
      assert.equal("string", type(greenlet.traceback(Greenlet(print))))
      assert.equal("string", type(greenlet.traceback(greenlet.getcurrent())))
      local g = greenlet.spawn(function() end)
      g:join()
      assert.equal("string", type(greenlet.traceback(g)))
    end)
  end)

  describe("_VERSION", function()
    it("is a string with a number", function()
      assert.matches("%d+%.%d+", greenlet._VERSION)
    end)
  end)
end)
