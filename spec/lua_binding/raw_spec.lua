local helper = require "spec.helper"
local greenlet = require "greenlet"
local it = helper.it

local raw = greenlet.greenlet
local getcurrent = greenlet.getcurrent
local TICK = helper.TICK

describe("greenlet.greenlet", function()
  helper.check_leaks()

  describe("switch", function()
    it("passes the arguments of run the first time and returns what run returns", function()
      local got
      local g = raw(function(...) got = table.pack(...); return "a", nil, "c", nil end)
      local result = table.pack(g:switch(1, nil, 3, nil))
      assert.same({ n = 4, 1, nil, 3 }, got)
      assert.same({ n = 4, "a", nil, "c" }, result)
      assert.is_true(g.dead)
    end)

    it("passes values in and out between the first time and the end", function()
      local main = getcurrent()
      local got = {}
      local g = raw(function(...)
        got[1] = table.pack(...)
        got[2] = table.pack(main:switch("out", 1, nil))
        got[3] = table.pack(main:switch())
        return "end"
      end)
      assert.same({ n = 3, "out", 1 }, table.pack(g:switch("in", 1)))
      assert.same({ n = 0 }, table.pack(g:switch(nil, 2, nil)))
      assert.same({ n = 1, "end" }, table.pack(g:switch()))
      assert.same({ n = 2, "in", 1 }, got[1])
      assert.same({ n = 3, nil, 2 }, got[2])
      assert.same({ n = 0 }, got[3])
    end)

    it("passes very many values", function()
      local list = {}
      for i = 1, 200 do list[i] = i end
      local g = raw(function(...) return ... end)
      assert.equal(200, select("#", g:switch(table.unpack(list))))
    end)

    it("does not run anything before the first switch", function()
      local ran = false
      local g = raw(function() ran = true end)
      helper.settle()
      assert.is_false(ran)
      g:switch()
      assert.is_true(ran)
    end)

    it("lets two greenlets play ping-pong", function()
      local main = getcurrent()
      local log = {}
      local ping, pong
      ping = raw(function(n)
        while n < 10 do
          log[#log + 1] = "ping" .. n
          n = pong:switch(n + 1)
        end
        main:switch("over")
      end)
      pong = raw(function(n)
        while true do
          log[#log + 1] = "pong" .. n
          n = ping:switch(n + 1)
        end
      end)
      assert.equal("over", ping:switch(1))
      assert.same({ "ping1", "pong2", "ping3", "pong4", "ping5", "pong6", "ping7", "pong8", "ping9", "pong10" }, log)
      pong:throw()
      ping:throw()
    end)

    it("serves as a generator", function()
      local function generator(f)
        local consumer
        local g = raw(function()
          f(function(value) consumer:switch(value) end)
        end)
        return function()
          consumer = getcurrent()
          g.parent = consumer
          if not g.dead then return (g:switch()) end
        end
      end
      local got = {}
      for value in generator(function(yield) for i = 1, 4 do yield(i * i) end end) do
        got[#got + 1] = value
      end
      assert.same({ 1, 4, 9, 16 }, got)
    end)

    it("goes deep", function()
      local function nest(n)
        if n == 0 then return 0 end
        return 1 + raw(nest):switch(n - 1)
      end
      assert.equal(500, nest(500))
    end)

    it("to itself returns its arguments", function()
      assert.same({ n = 2, 1 }, table.pack(getcurrent():switch(1, nil)))
      local g = raw(function() return getcurrent():switch("self") end)
      assert.equal("self", g:switch())
    end)

    it("takes any callable as run", function()
      assert.equal(3, raw(helper.callable(function(x) return x + 1 end)):switch(2))
    end)

    it("raises in the parent's switch what run did not catch", function()
      local e = helper.exception()("x")
      local g = raw(function() error(e) end)
      assert.is_true(rawequal(e, helper.raises(g.switch, g)))
      assert.is_true(g.dead)
      assert.equal("text", helper.raises(function() raw(error):switch("text", 0) end))
      assert.same({ n = 2, false }, table.pack(pcall(function() raw(error):switch(nil) end)))
    end)

    it("lets pcall stop an error that came out of a child", function()
      local ok, err = pcall(function() raw(error):switch("text", 0) end)
      assert.is_false(ok)
      assert.equal("text", err)
    end)

    it("returns a GreenletExit that ended run, as a value", function()
      local e = greenlet.GreenletExit("bye")
      local g = raw(function() error(e) end)
      assert.is_true(rawequal(e, (g:switch())))
      assert.is_true(g.dead)
      helper.is_a(greenlet.GreenletExit, (raw(function() error(greenlet.GreenletExit) end):switch()))
    end)

    it("raises other kills, a Timeout say", function()
      local t = greenlet.Timeout(1)
      local g = raw(function() error(t) end)
      assert.is_true(rawequal(t, helper.raises(g.switch, g)))
    end)

    it("closes to-be-closed variables before control arrives in the parent", function()
      local closed = false
      local g = raw(function()
        local x <close> = helper.closer(function() closed = true end)
        error("x", 0)
      end)
      helper.raises(g.switch, g)
      assert.is_true(closed)
    end)
  end)

  describe("parent", function()
    it("is the current greenlet unless given", function()
      local main = getcurrent()
      assert.equal(main, raw(print).parent)
      local outer, inner_parent
      outer = raw(function() inner_parent = raw(print).parent end)
      outer:switch()
      assert.is_true(rawequal(outer, inner_parent))
      local other = raw(print)
      assert.is_true(rawequal(other, raw(print, other).parent))
    end)

    it("gets the values when run returns", function()
      local main = getcurrent()
      local log = {}
      local parent = raw(function()
        log[#log + 1] = main:switch("parent waits")
        return "parent ends"
      end)
      parent:switch()
      local child = raw(function() return "from the child" end, parent)
      assert.equal("parent ends", (child:switch()))
      assert.same({ "from the child" }, log)
    end)

    it("gets the error, which goes on to its own parent when not caught", function()
      local e = helper.exception()("x")
      local passed = false
      local parent = raw(function()
        local x <close> = helper.closer(function(err) passed = rawequal(err, e) end)
        raw(error):switch(e)
      end)
      assert.is_true(rawequal(e, helper.raises(parent.switch, parent)))
      assert.is_true(passed)
      assert.is_true(parent.dead)
    end)

    it("may be changed while the child is suspended", function()
      local main = getcurrent()
      local got
      local child
      local first = raw(function()
        child = raw(function() main:switch("child waits"); return "result" end)
        child:switch()
        error("the first parent was not to be woken")
      end)
      assert.equal("child waits", first:switch())
      local second = raw(function() got = table.pack(main:switch()) end)
      second:switch()
      child.parent = second
      child:switch()
      assert.same({ n = 1, "result" }, got)
      first:throw()
    end)

    it("may not form a cycle", function()
      local a = raw(print)
      local b = raw(print, a)
      local c = raw(print, b)
      helper.raises(function() a.parent = c end)
      helper.raises(function() a.parent = b end)
      helper.raises(function() a.parent = a end)
      assert.equal(getcurrent(), a.parent)
    end)

    it("may not be anything but a greenlet", function()
      local g = raw(print)
      for _, value in ipairs { 1, "x", {}, print, false } do
        helper.raises(function() g.parent = value end)
        helper.raises(function() return raw(print, value) end)
      end
      helper.raises(function() g.parent = nil end)
      assert.equal(getcurrent(), g.parent)
    end)

    it("of the main greenlet is nil and stays so", function()
      local main = getcurrent()
      assert.is_nil(main.parent)
      helper.raises(function() main.parent = raw(print) end)
      assert.is_nil(main.parent)
    end)
  end)

  describe("a dead parent", function()
    it("passes values and errors on to its nearest living ancestor", function()
      local main = getcurrent()
      local grandparent = raw(function() return main:switch() end)
      grandparent:switch()
      local parent = raw(function() end, grandparent)
      local child = raw(function() main:switch(); return "result" end, parent)
      local failing = raw(function() main:switch(); error("failure", 0) end, parent)
      child:switch()
      failing:switch()
      -- The parent dies, which wakes the grandparent, which dies too.
      parent:switch()
      assert.is_true(parent.dead)
      assert.is_true(grandparent.dead)
      assert.equal("result", (child:switch()))
      assert.equal("failure", helper.raises(failing.switch, failing))
    end)

    it("is skipped in favour of a living grandparent", function()
      local main = getcurrent()
      local got
      local grandparent = raw(function()
        main:switch()
        got = table.pack(main:switch("parent died"))
        return "grandparent ends"
      end)
      grandparent:switch()
      local parent = raw(function() end, grandparent)
      local child = raw(function() main:switch(); return "result", 2 end, parent)
      child:switch()
      assert.equal("parent died", parent:switch())
      assert.equal("grandparent ends", child:switch())
      assert.same({ n = 2, "result", 2 }, got)
    end)
  end)

  describe("a parent that was never started", function()
    it("is started with the values", function()
      local got
      local parent = raw(function(...) got = table.pack(...); return "parent ends" end)
      local child = raw(function() return 1, nil, 3 end, parent)
      assert.equal("parent ends", child:switch())
      assert.same({ n = 3, 1, nil, 3 }, got)
      assert.is_true(parent.dead)
    end)

    it("is started with a GreenletExit as a value", function()
      local got
      local parent = raw(function(value) got = value end)
      raw(function() error(greenlet.GreenletExit("x")) end, parent):switch()
      helper.is_a(greenlet.GreenletExit, got)
    end)

    it("dies of the error without being run", function()
      local ran = false
      local parent = raw(function() ran = true end)
      local child = raw(error, parent)
      assert.equal("failure", helper.raises(child.switch, child, "failure", 0))
      assert.is_false(ran)
      assert.is_true(parent.dead)
    end)
  end)

  describe("switching to a dead one", function()
    it("returns the arguments when the nearest living ancestor is the caller", function()
      local g = raw(function() end)
      g:switch()
      assert.same({ n = 3, 1, nil, 3 }, table.pack(g:switch(1, nil, 3)))
      assert.same({ n = 0 }, table.pack(g:switch()))
    end)

    it("goes to its nearest living ancestor", function()
      local main = getcurrent()
      local got
      local parent = raw(function()
        main:switch()
        got = table.pack(main:switch("child died"))
        return "parent ends"
      end)
      parent:switch()
      local child = raw(function() end, parent)
      assert.equal("child died", child:switch())
      assert.equal("parent ends", child:switch("for the parent"))
      assert.same({ n = 1, "for the parent" }, got)
    end)

    it("starts an ancestor that was never started", function()
      local child = raw(function() end)
      child:switch()
      child.parent = raw(function(x) return x .. " started" end)
      assert.equal("was started", child:switch("was"))
    end)
  end)

  describe("throw", function()
    it("raises in the waiting switch", function()
      local main = getcurrent()
      local caught
      local g = raw(function()
        caught = select(2, greenlet.pcall(main.switch, main))
        return "went on"
      end)
      g:switch()
      local e = helper.exception()("x")
      assert.equal("went on", g:throw(e))
      assert.is_true(rawequal(e, caught))
    end)

    it("raises GreenletExit by default, which comes back as a value", function()
      local main = getcurrent()
      local closed = false
      local g = raw(function()
        local x <close> = helper.closer(function() closed = true end)
        main:switch()
      end)
      g:switch()
      helper.is_a(greenlet.GreenletExit, (g:throw()))
      assert.is_true(closed)
      assert.is_true(g.dead)
    end)

    it("raises any value, and a class as an instance", function()
      local main = getcurrent()
      for _, value in ipairs { "text", 42, {}, print } do
        local g = raw(function() main:switch() end)
        g:switch()
        assert.is_true(rawequal(value, helper.raises(g.throw, g, value)))
      end
      local Mine = helper.exception()
      local g = raw(function() main:switch() end)
      g:switch()
      helper.is_a(Mine, helper.raises(g.throw, g, Mine))
    end)

    it("returns what it is switched back with", function()
      local main = getcurrent()
      local g = raw(function()
        greenlet.pcall(main.switch, main)
        main:switch("back", 2)
      end)
      g:switch()
      assert.same({ n = 2, "back", 2 }, table.pack(g:throw("x")))
      g:throw()
    end)

    it("into one that was never started ends it and goes to the parent", function()
      local ran = false
      local g = raw(function() ran = true end)
      assert.equal("text", helper.raises(g.throw, g, "text"))
      assert.is_true(g.dead)
      g = raw(function() ran = true end)
      helper.is_a(greenlet.GreenletExit, (g:throw()))
      assert.is_true(g.dead)
      assert.is_false(ran)
    end)

    it("into a dead one goes to the parent", function()
      local g = raw(function() end)
      g:switch()
      assert.equal("text", helper.raises(g.throw, g, "text"))
      helper.is_a(greenlet.GreenletExit, (g:throw()))
    end)

    it("into a dead one raises in a suspended parent", function()
      local main = getcurrent()
      local caught
      local parent = raw(function()
        main:switch()
        main:switch("child died")
      end)
      parent:switch()
      local child = raw(function() end, parent)
      child:switch()
      parent.parent = raw(function(...) return ... end)
      local e = helper.exception()("x")
      caught = helper.raises(child.throw, child, e)
      assert.is_true(rawequal(e, caught))
      assert.is_true(parent.dead)
    end)

    it("into the current one raises here", function()
      assert.equal("here", helper.raises(function() getcurrent():throw("here") end))
      local reached = false
      local g = raw(function()
        greenlet.pcall(function() getcurrent():throw() end)
        reached = true
      end)
      g:switch()
      assert.is_true(reached)
    end)
  end)

  describe("state", function()
    it("is told by dead and active", function()
      local main = getcurrent()
      local inside
      local g
      g = raw(function()
        inside = { g.active, g.dead }
        main:switch()
      end)
      assert.same({ false, false }, { g.active, g.dead })
      g:switch()
      assert.same({ true, false }, inside)
      assert.same({ true, false }, { g.active, g.dead })
      g:switch()
      assert.same({ false, true }, { g.active, g.dead })
    end)

    it("has getcurrent follow every switch", function()
      local main = getcurrent()
      local found = {}
      local a, b
      a = raw(function() found[1] = getcurrent(); b:switch(); found[3] = getcurrent() end)
      b = raw(function() found[2] = getcurrent() end, a)
      b.parent = a
      a:switch()
      assert.is_true(rawequal(a, found[1]))
      assert.is_true(rawequal(b, found[2]))
      assert.is_true(rawequal(a, found[3]))
      assert.is_true(rawequal(main, getcurrent()))
    end)

    it("has a tostring", function()
      local g = raw(print)
      assert.matches("greenlet", tostring(g))
      g:throw()
      assert.matches("greenlet", tostring(g))
    end)
  end)

  describe("together with the hub", function()
    it("may wait, and returns to its parent in the end", function()
      local g = raw(function()
        greenlet.sleep(TICK)
        return "slept"
      end)
      assert.equal("slept", g:switch())
    end)

    it("may be switched to inside a spawned greenlet", function()
      local g = greenlet.spawn(function()
        local child = raw(function(x)
          greenlet.sleep(TICK)
          return x + 1
        end)
        return child:switch(1)
      end)
      assert.equal(2, g:get())
    end)

    it("lets others run while a child of a spawned greenlet waits", function()
      local log = {}
      local a = greenlet.spawn(function()
        raw(function() greenlet.sleep(TICK) end):switch()
        log[#log + 1] = "a"
      end)
      local b = greenlet.spawn(function() log[#log + 1] = "b" end)
      greenlet.joinall { a, b }
      assert.same({ "b", "a" }, log)
    end)
  end)

  -- Where a switch out and back must work: each returns what its callback was
  -- switched back with.
  local PLACES = {
    { "table.sort", function(f)
      local result
      table.sort({ 2, 1 }, function(a, b) result = f(); return a < b end)
      return result
    end },
    { "string.gsub", function(f) return (("x"):gsub("x", f)) end },
    { "tostring", function(f) return tostring(setmetatable({}, { __tostring = f })) end },
    { "string.format", function(f) return ("%s"):format(setmetatable({}, { __tostring = f })) end },
    { "table.concat", function(f)
      return table.concat(setmetatable({}, { __index = f, __len = function() return 1 end }))
    end },
    { "__index", function(f) return setmetatable({}, { __index = f }).x end },
    { "__newindex", function(f)
      local result
      setmetatable({}, { __newindex = function() result = f() end }).x = 1
      return result
    end },
    { "__call", function(f) return (setmetatable({}, { __call = f })()) end },
    { "__add", function(f) return setmetatable({}, { __add = f }) + 1 end },
    { "__concat", function(f) return setmetatable({}, { __concat = f }) .. "" end },
    { "__len", function(f) return #setmetatable({}, { __len = f }) end },
    { "__eq", function(f)
      local result
      local mt = { __eq = function() result = f() end }
      local _ = setmetatable({}, mt) == setmetatable({}, mt)
      return result
    end },
    { "__lt", function(f)
      local result
      local _ = setmetatable({}, { __lt = function() result = f() end }) < 1
      return result
    end },
    { "__close", function(f)
      local result
      do
        local x <close> = helper.closer(function() result = f() end)
      end
      return result
    end },
    { "an iterator", function(f) for x in f do return x end end },
    { "__pairs", function(f)
      return (pairs(setmetatable({}, { __pairs = f })))
    end },
    { "pcall", function(f) return select(2, pcall(f)) end },
    { "xpcall", function(f) return select(2, xpcall(f, print)) end },
    { "an xpcall handler", function(f) return select(2, xpcall(error, f, "x")) end },
    { "a coroutine", function(f) return coroutine.wrap(f)() end },
    { "a coroutine in a coroutine", function(f)
      return coroutine.wrap(function() return coroutine.wrap(f)() end)()
    end },
    { "require", function(f)
      package.preload["spec.raw.place"] = function() return f() end
      package.loaded["spec.raw.place"] = nil
      local result = require "spec.raw.place"
      package.preload["spec.raw.place"] = nil
      package.loaded["spec.raw.place"] = nil
      return result
    end },
    { "a load reader", function(f)
      local given
      return load(function()
        if given then return nil end
        given = true
        return "return '" .. f() .. "'"
      end)()
    end },
  }

  describe("switching", function()
    for _, place in ipairs(PLACES) do
      it("works from within " .. place[1], function()
        local main = getcurrent()
        local g = raw(function() return place[2](function() return (main:switch("out")) end) end)
        assert.equal("out", g:switch())
        assert.equal("in", (g:switch("in")))
        assert.is_true(g.dead)
      end)

      it("works out of the main greenlet from within " .. place[1], function()
        local main = getcurrent()
        local g = raw(function() while true do main:switch("from the child") end end)
        assert.equal("from the child", (place[2](function() return (g:switch()) end)))
        g:throw()
        assert.is_true(g.dead)
      end)
    end

    it("works among many at once, each inside another's callback", function()
      local main = getcurrent()
      local all = {}
      for i = 1, 200 do
        all[i] = raw(function()
          local place = PLACES[(i - 1) % #PLACES + 1]
          return place[2](function() return (main:switch(i)) end)
        end)
        assert.equal(i, all[i]:switch())
      end
      for i = 200, 1, -1 do assert.equal("v" .. i, (all[i]:switch("v" .. i))) end
      for i = 1, 200 do assert.is_true(all[i].dead) end
    end)

    it("is an error inside __gc", function()
      local messages = {}
      local g = raw(function() end)
      do
        setmetatable({}, { __gc = function()
          messages[1] = select(2, greenlet.pcall(g.switch, g)) or "no error"
          messages[2] = select(2, greenlet.pcall(greenlet.sleep, 0)) or "no error"
          messages[3] = select(2, greenlet.pcall(g.throw, g)) or "no error"
        end })
      end
      collectgarbage()
      collectgarbage()
      assert.equal(3, #messages)
      for i = 1, 3 do assert.matches("__gc", tostring(messages[i])) end
      assert.is_false(g.dead)
      g:switch()
      assert.is_true(g.dead)
    end)
  end)

  describe("settrace", function()
    local function traced(f)
      local log = {}
      local before = greenlet.settrace(function(event, origin, target)
        log[#log + 1] = { event, origin, target, getcurrent() }
      end)
      local ok, err = greenlet.pcall(f)
      greenlet.settrace(before)
      if not ok then error(err, 0) end
      return log
    end

    local function is(entry, event, origin, target)
      assert.equal(event, entry[1])
      assert.is_true(rawequal(origin, entry[2]))
      assert.is_true(rawequal(target, entry[3]))
      assert.is_true(rawequal(target, entry[4]), "called in the target")
    end

    it("calls at every switch, in the target", function()
      local main = getcurrent()
      local g = raw(function() main:switch() end)
      local log = traced(function() g:switch(); g:switch() end)
      assert.equal(4, #log)
      is(log[1], "switch", main, g)
      is(log[2], "switch", g, main)
      is(log[3], "switch", main, g)
      is(log[4], "switch", g, main)
    end)

    it("tells a throw, and an error that goes to the parent", function()
      local main = getcurrent()
      local g = raw(function() main:switch() end)
      g:switch()
      local log = traced(function() helper.raises(g.throw, g, "x") end)
      assert.equal(2, #log)
      is(log[1], "throw", main, g)
      is(log[2], "throw", g, main)
    end)

    it("returns the one before, as gettrace does", function()
      assert.is_nil(greenlet.gettrace())
      local function one() end
      local function two() end
      assert.is_nil(greenlet.settrace(one))
      assert.equal(one, greenlet.gettrace())
      assert.equal(one, greenlet.settrace(two))
      assert.equal(two, greenlet.settrace(nil))
      assert.is_nil(greenlet.gettrace())
    end)

    it("ends by an error in the function, which is raised where control arrives", function()
      local ran = false
      local caught
      local g = raw(function() ran = true end)
      greenlet.settrace(function() error("tracer failed", 0) end)
      caught = helper.raises(g.switch, g)
      local left = greenlet.settrace(nil)
      assert.is_nil(left)
      assert.equal("tracer failed", caught)
      assert.is_false(ran)
    end)

    it("raises its error in a suspended target", function()
      local main = getcurrent()
      local caught
      local g = raw(function() caught = select(2, pcall(main.switch, main)) end)
      g:switch()
      greenlet.settrace(function() error("tracer failed", 0) end)
      g:switch()
      assert.is_nil(greenlet.gettrace())
      assert.equal("tracer failed", caught)
    end)

    it("is not called for switches inside the function", function()
      local calls = 0
      local g = raw(function() end)
      greenlet.settrace(function()
        calls = calls + 1
        if calls == 1 then raw(function() end):switch() end
      end)
      g:switch()
      greenlet.settrace(nil)
      assert.equal(2, calls)
    end)
  end)

  it("keeps many suspended ones apart", function()
    local main = getcurrent()
    local all = {}
    for i = 1, 2000 do
      all[i] = raw(function()
        local a, b = main:switch(i)
        return a + b
      end)
      assert.equal(i, all[i]:switch())
    end
    for i = 1, 2000 do assert.equal(i * 3, all[i]:switch(i, i * 2)) end
  end)

  it("is no wait: a greenlet that switched away is not woken by the loop", function()
    local main = getcurrent()
    local g = raw(function() main:switch("out") end)
    g:switch()
    greenlet.sleep(TICK)
    helper.settle()
    assert.is_false(g.dead)
    g:throw()
    assert.is_true(g.dead)
  end)
end)
