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

  -- ---- Many at once ----

  -- The same list is waited for in C, or, with another object in it, in Lua.
  describe("joinall and wait for greenlets alone", function()
    local function count_links(list)
      local links = 0
      for _, g in ipairs(list) do links = links + g:has_links() end
      return links
    end

    it("put those that are dead already first, in the order of the list", function()
      local one, two, living = greenlet.spawn(print), greenlet.spawn(print), after(0)
      greenlet.killall { two, one }
      holds(greenlet.joinall { living, two, one }, two, one, living)
      holds(greenlet.wait({ living, two, one, two }, nil, 2), living, two)
    end)

    it("let the others run, though all are dead", function()
      local g = greenlet.spawn(function() end)
      g:join()
      for _, f in ipairs { greenlet.joinall, greenlet.wait } do
        for _, timeout in ipairs { 0, TICK, false } do
          local ran = false
          greenlet.spawn(function() ran = true end)
          holds(f({ g }, timeout or nil), g)
          assert.is_true(ran)
        end
      end
    end)

    it("poll without waiting for those who could end meanwhile", function()
      local g = greenlet.spawn(function() end)
      assert.same({}, greenlet.wait({ g }, 0))
      assert.is_true(g.dead)
    end)

    it("are in the order of the deaths, though some have links that are told later", function()
      local function dies() end
      local plain, linked, more = Greenlet(dies), Greenlet(dies), Greenlet(dies)
      local told = 0
      linked:rawlink(function() told = told + 1 end)
      local waiter = greenlet.spawn(greenlet.joinall, { more, plain, linked, linked })
      greenlet.sleep(0)
      for _, g in ipairs { linked, plain, more } do g:start() end
      holds(waiter:get(), linked, linked, plain, more)
      assert.equal(1, told)
    end)

    it("wake with the links of the last one, in their order", function()
      local log = {}
      local g = Greenlet(function() end)
      g:rawlink(function() log[#log + 1] = "before" end)
      local waiter = greenlet.spawn(function()
        greenlet.joinall { g }
        log[#log + 1] = "joined"
      end)
      greenlet.sleep(0)
      g:rawlink(function() log[#log + 1] = "after" end)
      g:start()
      waiter:join()
      assert.same({ "before", "after", "joined" }, log)
    end)

    it("wait for those never started, until somebody starts or kills them", function()
      local never, started = Greenlet(print), Greenlet(function() end)
      assert.same({}, greenlet.joinall({ never, started }, TICK))
      assert.equal(0, count_links { never, started })
      local waiter = greenlet.spawn(greenlet.joinall, { never, started })
      greenlet.sleep(0)
      started:start()
      greenlet.sleep(0)
      assert.is_true(waiter.active)
      never:kill()
      holds(waiter:get(), started, never)
    end)

    it("count a member that is killed meanwhile", function()
      local a, b = sleeper(), sleeper()
      local waiter = greenlet.spawn(greenlet.joinall, { a, b })
      greenlet.sleep(0)
      b:kill()
      assert.is_true(waiter.active)
      a:kill()
      holds(waiter:get(), b, a)
    end)

    it("leave nothing behind when the waiter is killed", function()
      local a, b, dead = sleeper(), sleeper(), greenlet.spawn(function() end)
      dead:join()
      local waiter = greenlet.spawn(greenlet.joinall, { a, dead, b, a })
      greenlet.sleep(0)
      assert.equal(3, count_links { a, b })
      waiter:kill("enough")
      assert.equal(0, count_links { a, b })
      assert.equal("enough", waiter.exception)
      greenlet.killall { a, b }
    end)

    it("raise what comes after they were woken, and before they run", function()
      local a, b = sleeper(), sleeper()
      local waiter = greenlet.spawn(greenlet.wait, { a, b }, nil, 1)
      greenlet.sleep(0)
      greenlet.spawn(function()
        a:kill(nil, false)
        greenlet.sleep(0)
        waiter:kill("late", false)
      end)
      helper.settle()
      assert.equal("late", waiter.exception)
      assert.equal(0, b:has_links())
      b:kill()
    end)

    it("do not change with the list", function()
      local a, b = after(TICK), after(TICK)
      local list = { a, b }
      local waiter = greenlet.spawn(greenlet.joinall, list)
      greenlet.sleep(0)
      list[1], list[2] = nil, nil
      holds(waiter:get(), a, b)
    end)

    it("raise at once the error of one that is dead already", function()
      helper.capture(function()
        local bad, rest = greenlet.spawn(error, "bad"), sleeper()
        bad:join()
        assert.equal("bad", helper.raises(greenlet.joinall, { rest, bad }, nil, true))
        assert.equal(0, rest:has_links())
        rest:kill()
      end)
    end)

    it("raise no GreenletExit", function()
      local a, b = sleeper(), sleeper()
      local waiter = greenlet.spawn(greenlet.joinall, { a, b }, nil, true)
      greenlet.sleep(0)
      a:kill()
      b:kill()
      holds(waiter:get(), a, b)
    end)

    it("do not raise the error of one beyond the count", function()
      helper.capture(function()
        local good, bad = greenlet.spawn(function() end), greenlet.spawn(error, "bad")
        good:join()
        holds(greenlet.joinall({ good, bad }, nil, true, 1), good)
        bad:join()
      end)
    end)

    it("ask derived classes what a failure is", function()
      local Picky = Greenlet:extend("Picky")
      function Picky:successful() return false end
      function Picky:_run() return "fine" end
      local g = Picky.spawn()
      assert.is_nil(helper.raises(greenlet.joinall, { after(0), g }, nil, true))
      assert.is_true(g.dead)
    end)

    it("refuse what is not to be waited for", function()
      local g = Greenlet(print)
      local function refuses(object, item)
        local list = { g, g, object }
        for name, f in pairs { joinall = greenlet.joinall, wait = greenlet.wait } do
          assert.matches("bad argument #1 to '" .. name .. "' %(item 3 has no rawlink",
            helper.raises(f, list, 0))
        end
        assert.equal(0, g:has_links())
      end
      refuses(greenlet.greenlet(print))
      refuses(greenlet.getcurrent())
      refuses(42)
      refuses({})
      local own = Greenlet(print)
      own.rawlink = false
      refuses(own)
      local Without = Greenlet:extend("Without")
      Without.rawlink = 1
      refuses(Without(print))
    end)

    it("are content with a list that is an object", function()
      local a, b = after(TICK), after(0)
      local list = setmetatable({}, { __index = { a, b }, __len = function() return 2 end })
      holds(greenlet.joinall(list), b, a)
    end)

    it("may be waited for by one of them", function()
      local waiter
      local other = after(0)
      waiter = greenlet.spawn(function() return greenlet.joinall({ waiter, other }, SHORT) end)
      holds(waiter:get(), other)
    end)

    it("wait in a coroutine, and in a callback of C", function()
      local a, b = after(TICK), after(0)
      holds(coroutine.wrap(greenlet.joinall)({ a, b }), b, a)
      local list
      a = after(0)
      string.gsub("x", "x", function() list = greenlet.joinall { a } end)
      holds(list, a)
    end)

    it("take thousands", function()
      local all, reversed = {}, {}
      for i = 1, 5000 do all[i] = after(0) end
      for i = 1, #all do reversed[i] = all[#all + 1 - i] end
      local list = greenlet.joinall(reversed)
      assert.equal(#all, #list)
      for i = 1, #all do assert(rawequal(all[i], list[i])) end
    end)

    it("say in a report what they wait for", function()
      local shown = Greenlet(print)
      shown.name = "first"
      local one = tostring(helper.raises(greenlet.joinall, { shown }))
      assert.matches("waits for join of first, which was not started", one)
      local many = tostring(helper.raises(greenlet.wait, { shown, Greenlet(print), shown }))
      assert.matches("waits for join of 3 greenlets, 3 of them alive: first, Greenlet%-%d+, first", many)
    end)
  end)

  describe("joinall as garbage", function()
    -- Waits for list() in a greenlet that nobody holds; is that closed?
    local function waits(list, note)
      greenlet.spawn(function()
        local variable <close> = helper.closer(function() note.closed = true end)
        note.got = greenlet.joinall(list())
      end)
      greenlet.sleep(0)
    end

    -- Greenlets that nobody can wake, unless he holds the event that they wait for.
    local function resting()
      local event = require "greenlet.event".Event()
      local g = greenlet.spawn(event.wait, event)
      greenlet.sleep(0)
      return g, event
    end

    it("is collected with those it waits for", function()
      local note, of_new, mutual = {}, {}, {}
      waits(function() return { (resting()), (resting()) } end, note)
      waits(function() return { Greenlet(print), Greenlet(print) } end, of_new)
      do
        local pair = {}
        for i = 1, 2 do
          pair[i] = greenlet.spawn(function()
            local variable <close> = helper.closer(function() mutual[i] = true end)
            greenlet.joinall(pair)
          end)
        end
        greenlet.sleep(0)
      end
      assert.is_true(helper.collect_until(function()
        return note.closed and of_new.closed and mutual[1] and mutual[2]
      end))
      assert.is_nil(note.got)
    end)

    it("lives while one of them is held", function()
      local note = {}
      local held, event = resting()
      waits(function() return { (resting()), held } end, note)
      assert.is_false(helper.collect_until(function() return note.closed end))
      assert.is_true(held:has_links() == 1)
      event:set()
      assert.is_true(helper.collect_until(function() return note.closed end))
    end)

    it("lives while one of them sleeps, and gets what ends meanwhile", function()
      local note = {}
      local held, event = resting()
      local sleeping = greenlet.spawn(function()
        repeat greenlet.sleep(TICK) until held.dead
      end)
      waits(function() return { held, sleeping } end, note)
      collectgarbage()
      greenlet.sleep(TICK)
      collectgarbage()
      event:set()
      helper.wait_until(function() return note.got end)
      holds(note.got, held, sleeping)
    end)

    it("is not held by one that is dead", function()
      local note = {}
      local held, event = resting()
      waits(function() return { held, (resting()) } end, note)
      assert.is_false(helper.collect_until(function() return note.closed end))
      event:set()
      helper.settle()
      assert.is_true(held.dead)
      assert.is_true(helper.collect_until(function() return note.closed end))
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
