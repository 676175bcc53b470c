local helper = require "spec.helper"
local greenlet = require "greenlet"
local it = helper.it

local scope, sleep, spawn = greenlet.scope, greenlet.sleep, greenlet.spawn
local TICK, SHORT, LATER, NEVER = helper.TICK, helper.SHORT, helper.LATER, helper.NEVER
local raises, closer = helper.raises, helper.closer

local Mine = helper.exception("Mine")

local function never() sleep(NEVER) end

-- A child that needs a while to clean up; `log` gets `name` when it has.
local function slow_to_die(log, name)
  local guard <close> = closer(function()
    sleep(TICK)
    log[#log + 1] = name
  end)
  never()
end

-- A child that dies of `err` when it is killed.
local function dies_of(err)
  local guard <close> = closer(function() error(err, 0) end)
  never()
end

describe("greenlet.scope", function()
  helper.check_leaks()

  describe("scope", function()
    it("returns all values of f, nils too, when the children are dead", function()
      local log = {}
      local values = table.pack(scope(function(s)
        s:spawn(function() sleep(TICK) log[#log + 1] = "child" end)
        return nil, 2, nil
      end))
      assert.same({ n = 3, nil, 2 }, values)
      assert.same({ "child" }, log)
      assert.equal(0, select("#", scope(function() end)))
    end)

    it("waits for children that children spawn", function()
      local depth = 0
      scope(function(s)
        local function child()
          depth = depth + 1
          sleep(0)
          if depth < 5 then s:spawn(child) end
        end
        s:spawn(child)
      end)
      assert.equal(5, depth)
    end)

    it("takes any callable", function()
      assert.equal(7, (scope(helper.callable(function(s)
        s:spawn(helper.callable(sleep), 0)
        return 7
      end))))
    end)

    it("needs no children, and no switch then", function()
      local switched = false
      spawn(function() switched = true end)
      assert.equal(1, (scope(function() return 1 end)))
      assert.is_false(switched)
      sleep(0)
    end)

    it("refuses what it cannot call, and options that it does not know", function()
      assert.matches("bad argument #1 to 'scope' %(function expected, got number%)", raises(scope, 5))
      assert.matches("bad argument #1 to 'scope' %(function expected, got nil%)", raises(scope))
      assert.matches("bad argument #2 to 'scope' %(table expected, got number%)",
        raises(scope, never, 5))
      assert.matches("bad argument #2 to 'scope' %(unknown option 'time'%)",
        raises(scope, never, { time = 1 }))
      assert.matches("bad argument #2 to 'scope' %(seconds must not be negative%)",
        raises(scope, never, { timeout = -1 }))
      assert.matches("bad argument #2 to 'scope' %(number expected, got string%)",
        raises(scope, never, { timeout = "soon" }))
    end)

    it("says where it was called in the wrong way", function()
      assert.matches("^[^\n]*scope_spec.lua:", raises(function() scope(5) end))
    end)

    it("cannot be opened in the hub, nor in a finalizer", function()
      local errors, called = {}, false
      local function try()
        errors[#errors + 1] = raises(scope, function() called = true end)
      end
      greenlet.get_hub().loop:run_callback(try)
      sleep(0)
      setmetatable({}, { __gc = try })
      collectgarbage()
      assert.equal(2, #errors)
      for _, err in ipairs(errors) do helper.is_a(greenlet.InvalidSwitchError, err) end
      assert.is_false(called)
    end)

    it("works in the main greenlet and in others", function()
      local g = spawn(scope, function(s)
        local child = s:spawn(function() return greenlet.getcurrent() end)
        return child:get() == child
      end)
      assert.is_true(g:get())
    end)

    it("works in a raw greenlet", function()
      local main, values = greenlet.getcurrent(), {}
      local raw = greenlet.greenlet(function()
        local value = scope(function(s)
          return s:spawn(function() sleep(TICK) return 3 end):get()
        end)
        values[1] = value
        return "back"
      end, main)
      assert.equal("back", raw:switch())
      assert.same({ 3 }, values)
    end)
  end)

  describe("spawn", function()
    it("returns a Greenlet, which gets the arguments", function()
      scope(function(s)
        local g = s:spawn(function(...) return select("#", ...), ... end, 1, nil)
        helper.is_a(greenlet.Greenlet, g)
        assert.same({ n = 3, 2, 1 }, table.pack(g:get()))
      end)
    end)

    it("starts Greenlets that are there already", function()
      local Job = greenlet.Greenlet:extend("Job")
      function Job:init(seconds)
        Job.super.init(self)
        self.seconds = seconds
      end
      function Job:_run()
        sleep(self.seconds)
        return "slept"
      end
      local job = Job(TICK)
      scope(function(s) assert.equal(job, s:spawn(job)) end)
      assert.equal("slept", job.value)
      helper.is_a(Mine, raises(scope, function(s) s:spawn(greenlet.Greenlet(error, Mine)) end))
    end)

    it("refuses greenlets that are raw, started, dead, or in a group", function()
      local group = greenlet.pool.Group()
      local started, dead, member = spawn(sleep), spawn(sleep), greenlet.Greenlet(never)
      dead:kill()
      group:add(member)
      scope(function(s)
        for _, g in ipairs { started, dead, greenlet.greenlet(never) } do
          assert.matches("bad argument #1 to 'spawn' %(function or new Greenlet expected",
            raises(s.spawn, s, g))
        end
        assert.matches("the greenlet is in a group or scope already", raises(s.spawn, s, member))
        assert.is_false(member.started)
      end)
      started:join()
    end)

    it("has made a child when spawn callbacks see it, which may do anything", function()
      local group, closed = greenlet.pool.Group(), false
      local function callback(g)
        group:add(g)
        error("callback", 0)
      end
      assert.equal("callback", raises(scope, function(s)
        greenlet.Greenlet.add_spawn_callback(callback)
        local err = raises(s.spawn, s, function()
          local guard <close> = closer(function() closed = true end)
          never()
        end)
        greenlet.Greenlet.remove_spawn_callback(callback)
        sleep(0)
        error(err, 0)
      end))
      assert.is_true(closed)
      assert.equal(0, #group)
    end)

    it("may be called by anybody while the scope is open", function()
      local log, open = {}, nil
      local stranger = spawn(function()
        sleep(TICK)
        open:spawn(function() sleep(TICK) log[#log + 1] = "child" end)
      end)
      scope(function(s)
        open = s
        s:spawn(sleep, SHORT)
      end)
      assert.same({ "child" }, log)
      stranger:join()
    end)

    it("is an error after the end", function()
      local kept
      scope(function(s) kept = s end)
      local called = false
      local err = raises(function() kept:spawn(function() called = true end) end)
      assert.matches("scope_spec.lua:%d+: calling 'spawn' on bad self %(the scope has ended%)", err)
      sleep(0)
      assert.is_false(called)
      err = raises(scope, function(s)
        kept = s
        error("failed", 0)
      end)
      assert.equal("failed", err)
      assert.matches("the scope has ended", raises(kept.spawn, kept, never))
    end)

    it("refuses what it cannot call, and a self that is no scope", function()
      scope(function(s)
        assert.matches("bad argument #1 to 'spawn' %(function or new Greenlet expected, got nil%)",
          raises(s.spawn, s, nil))
        assert.matches("calling 'spawn' on bad self %(Scope expected, got function%)",
          raises(s.spawn, never))
        for _, name in ipairs { "cancel", "shutdown" } do
          assert.matches("bad self %(Scope expected, got nil%)", raises(s[name]))
        end
      end)
    end)

    it("in a scope that is being ended raises the kill that is on its way", function()
      local log = {}
      scope(function(s)
        s:spawn(function()
          s:cancel()
          log[#log + 1] = greenlet.GreenletExit:class_of(raises(s.spawn, s, never))
          log[#log + 1] = pcall(sleep, 0) -- it was the one
        end)
        s:cancel()
      end)
      scope(function(s)
        s:spawn(function()
          s:cancel()
          log[#log + 1] = greenlet.GreenletExit:class_of(raises(s.spawn, s, never))
          log[#log + 1] = pcall(sleep, 0)
        end)
        sleep(0)
        sleep(NEVER)
      end)
      scope(function(s)
        s:cancel()
        log[#log + 1] = greenlet.GreenletExit:class_of(raises(s.spawn, s, never))
        log[#log + 1] = raises(s.spawn, s, never):match("the scope is being ended")
      end)
      assert.same({ true, true, true, "the scope is being ended" }, log)
    end)
  end)

  describe("an error", function()
    it("of a child ends the others and the body, and is raised when all are dead", function()
      local log = {}
      local err = Mine("child")
      assert.is_true(rawequal(err, raises(scope, function(s)
        s:spawn(slow_to_die, log, "one")
        s:spawn(function() sleep(TICK) error(err) end)
        s:spawn(slow_to_die, log, "two")
        local guard <close> = closer(function() log[#log + 1] = "body" end)
        never()
      end)))
      assert.same({ "body", "one", "two" }, log)
      assert.is_nil(rawget(err, "others"))
    end)

    it("of a child, when the body is over, is raised too", function()
      local log = {}
      assert.equal("child", raises(scope, function(s)
        s:spawn(slow_to_die, log, "one")
        s:spawn(function() sleep(TICK) error("child", 0) end)
      end))
      assert.same({ "one" }, log)
    end)

    it("of the body ends the children", function()
      local log = {}
      local err = Mine("body")
      assert.is_true(rawequal(err, raises(scope, function(s)
        s:spawn(slow_to_die, log, "one")
        sleep(0)
        error(err)
      end)))
      assert.same({ "one" }, log)
    end)

    it("may be any value, also nil and false", function()
      for _, value in ipairs { "text", 5, false, {} } do
        assert.equal(value, raises(scope, function(s) s:spawn(error, value, 0) end))
        assert.equal(value, raises(scope, function() error(value, 0) end))
      end
      for _, f in ipairs { function(s) s:spawn(error, nil) end, function() error(nil) end } do
        assert.same({ n = 2, false }, table.pack(pcall(scope, f)))
      end
    end)

    it("that is a class is raised as an instance", function()
      helper.is_a(Mine, raises(scope, function(s) s:spawn(error, Mine) end))
    end)

    it("keeps children from running that have not begun", function()
      local ran = false
      local second
      assert.equal("first", raises(scope, function(s)
        s:spawn(error, "first", 0)
        second = s:spawn(function() ran = true end)
        second:link(function() end)
        s:cancel("first")
      end))
      assert.is_false(ran)
      assert.is_true(second.dead)
    end)

    it("of a child is neither reported nor counted", function()
      local out, err, status = helper.run [[
        print(pcall(greenlet.scope, function(s)
          s:spawn(error, "child", 0)
          greenlet.sleep(1)
        end))
      ]]
      assert.equal("false\tchild\n", out)
      assert.equal("", err)
      assert.equal(0, status)
    end)

    it("does not make an error of a greenlet that was killed, or that exits", function()
      assert.equal("fine", (scope(function(s)
        s:spawn(never):kill()
        s:spawn(error, greenlet.GreenletExit)
        local g = s:spawn(never)
        sleep(0)
        g:kill()
        return "fine"
      end)))
    end)

    it("with which somebody kills a child is the child's error", function()
      local err = raises(scope, function(s)
        local g = s:spawn(never)
        sleep(0)
        g:kill("stop", false)
        never()
      end)
      assert.equal("stop", err)
    end)

    it("uncaught, comes with the traceback of the child", function()
      local _, err, status = helper.run [[
        local function parse(line) return line.name.first end
        greenlet.scope(function(s)
          s:spawn(function() greenlet.sleep(0) parse({}) end)
        end)
      ]]
      assert.matches("attempt to index a nil value %(field 'name'%)\nstack traceback:\n"
        .. "[^\n]*:1: in upvalue 'parse'\n[^\n]*:3: in function [^\n]*\nraised again:\n", err)
      assert.matches(":2: in main chunk\n", err)
      assert.equal(1, status)
    end)

    it("that ends a greenlet comes with that traceback, too", function()
      local g = spawn(function()
        scope(function()
          scope(function(s) s:spawn(function() error("deep", 0) end) end)
        end)
      end)
      local report = helper.capture(g.join, g)
      assert.matches("in function 'error'", g.traceback)
      assert.equal(2, select(2, g.traceback:gsub("raised again:", "")))
      assert.is_truthy(report:find(g.traceback, 1, true))
    end)
  end)

  describe("further errors", function()
    it("are in err.others, in the order in which they came", function()
      local first, second, third = Mine(1), "text", Mine(3)
      local err = raises(scope, function(s)
        s:spawn(dies_of, second)
        s:spawn(dies_of, third)
        sleep(0)
        error(first)
      end)
      assert.is_true(rawequal(first, err))
      assert.same({ second, third }, err.others)
    end)

    it("of the body are there as well", function()
      local err = raises(scope, function(s)
        s:spawn(error, Mine("child"))
        dies_of("body")
      end)
      assert.equal("child", err.message)
      assert.same({ "body" }, err.others)
    end)

    it("are added to those of scopes inside", function()
      local err = raises(scope, function(s)
        s:spawn(dies_of, "outer")
        sleep(0)
        scope(function(inner)
          inner:spawn(dies_of, "inner")
          sleep(0)
          error(Mine("first"))
        end)
      end)
      assert.equal("first", err.message)
      assert.same({ "inner", "outer" }, err.others)
    end)

    it("of scopes inside that the first one has ended are not lost", function()
      local err = raises(scope, function(s)
        s:spawn(function() sleep(TICK) error(Mine("first")) end)
        scope(function(inner)
          inner:spawn(dies_of, "inner")
          never()
        end)
      end)
      assert.equal("first", err.message)
      assert.same({ "inner" }, err.others)
    end)

    local SCRIPT = [[
      local function dies_of(err)
        local guard <close> = setmetatable({}, { __close = function() error(err, 0) end })
        greenlet.sleep(100)
      end
      local ok, err = %s.pcall(greenlet.scope, function(s)
        s:spawn(dies_of, "the second")
        greenlet.sleep(0)
        error(%s, 0)
      end)
      print(ok, err, type(err) == "table" and err.others and err.others[1])
    ]]

    it("are reported and counted where the first is no object", function()
      local out, err, status = helper.run(SCRIPT:format("greenlet", '"the first"'))
      assert.equal("false\tthe first\tfalse\n", out)
      assert.matches("^the second\n.*failed with error\n\n$", err)
      assert.equal(1, status)
      out, err = helper.run(SCRIPT:format("greenlet", "{}"))
      assert.matches("^false\ttable: 0x%x+\tnil\n$", out)
      assert.matches("^the second\n", err)
    end)

    it("are reported, too, where it is a kill, which ends the greenlet in silence", function()
      local out, err, status = helper.run(SCRIPT:format("greenlet", "greenlet.GreenletExit()"))
      assert.equal("false\tGreenletExit\tthe second\n", out)
      assert.matches("^the second\n", err)
      assert.equal(1, status)
    end)

    it("of the body are reported as well", function()
      local report = helper.capture(function()
        assert.equal("child", raises(scope, function(s)
          s:spawn(error, "child", 0)
          dies_of("body")
        end))
        helper.settle()
      end)
      assert.matches("^body\nstack traceback:\n.*greenlet.scope failed with error\n\n$", report)
    end)

    it("are not reported otherwise", function()
      local report = helper.capture(function()
        raises(scope, function(s)
          s:spawn(dies_of, "second")
          sleep(0)
          error(Mine("first"))
        end)
        helper.settle()
      end)
      assert.equal("", report)
    end)

    it("do not replace the first if that refuses a field", function()
      local Closed = helper.exception("Closed")
      Closed.__newindex = function(self, key, value)
        if key == "others" then error("no fields") end
        rawset(self, key, value)
      end
      local report = helper.capture(function()
        helper.is_a(Closed, raises(scope, function(s)
          s:spawn(dies_of, "second")
          sleep(0)
          error(Closed("first"))
        end))
        helper.settle()
      end)
      assert.matches("^second\n", report)
    end)
  end)

  describe("a kill of the owner", function()
    -- Runs a scope in a greenlet that is killed when it waits.
    local function killed(f, ...)
      local g = spawn(scope, f, ...)
      sleep(0)
      sleep(0)
      return g
    end

    it("ends body and children, and waits for them", function()
      local log = {}
      local g = killed(function(s)
        s:spawn(slow_to_die, log, "child")
        local guard <close> = closer(function() log[#log + 1] = "body" end)
        never()
      end)
      g:kill()
      assert.same({ "body", "child" }, log)
      helper.is_a(greenlet.GreenletExit, g.value)
    end)

    it("ends the children when the body is over", function()
      local log = {}
      local g = killed(function(s) s:spawn(slow_to_die, log, "child") end)
      g:kill()
      assert.same({ "child" }, log)
      helper.is_a(greenlet.GreenletExit, g.value)
    end)

    it("reaches scopes in children", function()
      local log = {}
      local g = killed(function(s)
        s:spawn(scope, function(inner)
          inner:spawn(slow_to_die, log, "grandchild")
          inner:spawn(slow_to_die, log, "grandchild")
        end)
        s:spawn(slow_to_die, log, "child")
      end)
      sleep(0)
      g:kill()
      assert.same({ "child", "grandchild", "grandchild" }, log)
      assert.is_true(g.dead)
    end)

    it("waits for a child that catches it and lives on", function()
      local log = {}
      local g = killed(function(s)
        s:spawn(function()
          greenlet.pcall(never)
          sleep(SHORT)
          log[#log + 1] = "lived on"
        end)
      end)
      g:kill()
      assert.same({ "lived on" }, log)
      helper.is_a(greenlet.GreenletExit, g.value)
    end)

    it("that is the second does not end the wait, nor what the children clean up", function()
      local log = {}
      local g = killed(function(s)
        s:spawn(function()
          local guard <close> = closer(function()
            sleep(SHORT)
            log[#log + 1] = "cleaned up"
          end)
          never()
        end)
      end)
      g:kill(nil, false)
      sleep(0)
      g:kill(nil, true, TICK)
      assert.is_false(g.dead)
      g:kill()
      assert.is_true(g.dead)
      assert.same({ "cleaned up" }, log)
    end)

    it("during the end is raised in the next wait if another error comes first", function()
      local log = {}
      local g = spawn(function()
        local err = raises(scope, function(s)
          s:spawn(slow_to_die, log, "child")
          sleep(0)
          error("first", 0)
        end)
        log[#log + 1] = err
        never()
      end)
      sleep(0)
      sleep(0)
      helper.capture(g.kill, g, "the kill")
      assert.same({ "child", "first" }, log)
      assert.equal("the kill", g.exception)
    end)

    it("is raised, rather than the error of a child that it meets", function()
      local err
      local g = spawn(function()
        err = raises(scope, function(s)
          s:spawn(error, Mine("child"))
          local guard <close> = closer(function() sleep(SHORT) end)
          never()
        end)
      end)
      for _ = 1, 3 do sleep(0) end
      helper.capture(g.kill, g)
      helper.is_a(greenlet.GreenletExit, err)
      assert.equal("child", err.others[1].message)
      assert.is_true(g.dead)
    end)

    it("by any value is raised as it is", function()
      local g = killed(function(s) s:spawn(never) end)
      helper.capture(g.kill, g, "why")
      assert.equal("why", g.exception)
    end)

    it("in the main greenlet's case comes to an end as well", function()
      local log = {}
      local main = greenlet.getcurrent()
      spawn(function()
        sleep(0)
        greenlet.kill(main, Mine("kill"))
      end)
      helper.is_a(Mine, raises(scope, function(s) s:spawn(slow_to_die, log, "child") end))
      assert.same({ "child" }, log)
    end)

    it("before it has begun does nothing", function()
      local called = false
      local g = spawn(scope, function() called = true end)
      g:kill()
      assert.is_false(called)
    end)
  end)

  describe("a Timeout", function()
    it("in the owner ends body and children", function()
      local log = {}
      local t = greenlet.Timeout(TICK)
      assert.is_true(rawequal(t, raises(t.run, t, scope, function(s)
        s:spawn(slow_to_die, log, "child")
        never()
      end)))
      assert.same({ "child" }, log)
    end)

    it("of the options is raised; it covers the end as well", function()
      for _, f in ipairs { never, function() end } do
        local log = {}
        local err = raises(scope, function(s)
          s:spawn(slow_to_die, log, "child")
          f()
        end, { timeout = TICK })
        helper.is_a(greenlet.Timeout, err)
        assert.equal(TICK, err.seconds)
        assert.same({ "child" }, log)
      end
    end)

    it("of the options may be an object", function()
      local t = greenlet.Timeout(TICK, Mine)
      helper.is_a(Mine, raises(scope, never, { timeout = t }))
      t = greenlet.Timeout(NEVER)
      scope(function() assert.is_true(t.pending) end, { timeout = t })
      assert.is_false(t.pending)
      t:start()
      scope(function() end, { timeout = t })
      assert.is_true(t.pending) -- it was before
      t:close()
      assert.matches("closed", raises(scope, never, { timeout = t }))
    end)

    it("of the options does not reach what comes after", function()
      local t
      scope(function(s) s:spawn(sleep, TICK) end, { timeout = LATER })
      t = greenlet.Timeout(TICK)
      pcall(scope, function(s)
        s:spawn(function() helper.wait_until(function() return not t.pending end) end)
        error("first")
      end, { timeout = t })
      sleep(SHORT)
    end)

    it("that expires during the end is raised after it", function()
      local child_died = false
      local outer = greenlet.Timeout(SHORT)
      local err = raises(outer.run, outer, function()
        assert.equal("first", raises(scope, function(s)
          s:spawn(function()
            local guard <close> = closer(function()
              helper.wait_until(function() return not outer.pending end)
              sleep(TICK)
              child_died = true
            end)
            never()
          end)
          sleep(0)
          error("first", 0)
        end))
        assert.is_true(child_died)
        never()
      end)
      assert.is_true(rawequal(outer, err))
    end)

    it("that expires during the end and is closed then is not raised at all", function()
      local t = greenlet.Timeout(TICK)
      assert.equal("first", raises(t.run, t, scope, function(s)
        s:spawn(function()
          local guard <close> = closer(function()
            helper.wait_until(function() return not t.pending end)
          end)
          never()
        end)
        sleep(0)
        error("first", 0)
      end))
      sleep(TICK)
    end)

    it("of an outer scope reaches inner ones", function()
      local log = {}
      local err = raises(scope, function(s)
        s:spawn(scope, function(inner)
          inner:spawn(slow_to_die, log, "grandchild")
        end)
        scope(function(inner)
          inner:spawn(slow_to_die, log, "inner")
          never()
        end, { timeout = NEVER })
      end, { timeout = SHORT })
      helper.is_a(greenlet.Timeout, err)
      assert.equal(SHORT, err.seconds)
      table.sort(log)
      assert.same({ "grandchild", "inner" }, log)
    end)

    it("in a child is an error of the child", function()
      local t = greenlet.Timeout(TICK)
      assert.is_true(rawequal(t, raises(scope, function(s)
        s:spawn(function()
          t:start()
          never()
        end)
        never()
      end)))
    end)
  end)

  describe("cancel", function()
    it("ends the scope, which returns nothing", function()
      local log = {}
      assert.equal(0, select("#", scope(function(s)
        s:spawn(slow_to_die, log, "child")
        s:spawn(function() sleep(TICK) s:cancel() end)
        never()
        return 1
      end)))
      assert.same({ "child" }, log)
    end)

    it("lets the body's values pass when that has ended", function()
      assert.same({ n = 2, 1 }, table.pack(scope(function(s)
        s:spawn(never)
        s:spawn(function() sleep(TICK) s:cancel() end)
        return 1, nil
      end)))
    end)

    it("with an error has that raised", function()
      local err = Mine("why")
      for _, body in ipairs { never, function() end } do
        assert.is_true(rawequal(err, raises(scope, function(s)
          s:spawn(never)
          s:spawn(function() s:cancel(err) end)
          body()
        end)))
      end
      helper.is_a(Mine, raises(scope, function(s) s:cancel(Mine) end))
    end)

    it("by the body does not wait, and reaches it at its next wait", function()
      local log = {}
      scope(function(s)
        s:spawn(never)
        s:cancel()
        log[#log + 1] = "after"
        local err = raises(sleep, 0)
        log[#log + 1] = greenlet.GreenletExit:class_of(err)
        sleep(0)
        log[#log + 1] = "caught"
      end)
      assert.same({ "after", true, "caught" }, log)
    end)

    it("does not reach what comes after the scope", function()
      scope(function(s) s:cancel() end)
      sleep(0)
      scope(function(s)
        s:spawn(never)
        s:cancel()
      end)
      sleep(0)
    end)

    it("by somebody else ends it", function()
      local open
      spawn(function()
        sleep(TICK)
        open:cancel("stop")
      end)
      assert.equal("stop", raises(scope, function(s) open = s never() end))
    end)

    it("comes too late the second time, and after the end", function()
      local kept
      assert.equal("one", raises(scope, function(s)
        kept = s
        s:cancel("one")
        s:cancel("two")
      end))
      kept:cancel("three")
      sleep(0)
    end)

    it("lets errors of cleaning up be raised", function()
      assert.equal("cleaning", raises(scope, function(s)
        s:spawn(dies_of, "cleaning")
        sleep(0)
        s:cancel()
      end))
    end)

    it("passes through pcall in the body", function()
      local passed = true
      scope(function(s)
        s:spawn(function() s:cancel() end)
        pcall(never)
        passed = false
      end)
      assert.is_true(passed)
    end)

    it("does not fail greenlets that the body ties to its own variables", function()
      local report = helper.capture(function()
        scope(function(s)
          local g <close> = spawn(never)
          s:spawn(function() s:cancel() end)
          never()
        end)
        helper.settle()
      end)
      assert.equal("", report)
    end)
  end)

  describe("stopping and shutdown", function()
    it("stopping is an Event that nobody has set", function()
      scope(function(s)
        helper.is_a(greenlet.event.Event, s.stopping)
        assert.is_false(s.stopping:is_set())
      end)
    end)

    it("ask the children to end, which is enough", function()
      local log = {}
      scope(function(s)
        for i = 1, 3 do
          s:spawn(function()
            s.stopping:wait()
            sleep(i * TICK)
            log[#log + 1] = i
          end)
        end
        sleep(0)
        assert.is_true(s:shutdown(NEVER))
        log[#log + 1] = "down"
        sleep(0) -- the body is not killed
        log[#log + 1] = "on"
      end)
      assert.same({ 1, 2, 3, "down", "on" }, log)
    end)

    it("kill those that do not end in time", function()
      local log = {}
      assert.equal("value", (scope(function(s)
        s:spawn(slow_to_die, log, "slow")
        s:spawn(function() s.stopping:wait() log[#log + 1] = "good" end)
        sleep(0)
        assert.is_false(s:shutdown(TICK))
        return "value"
      end)))
      assert.same({ "good", "slow" }, log)
    end)

    it("with 0 kill at once, with nil wait for ever", function()
      scope(function(s)
        s:spawn(never)
        sleep(0)
        assert.is_false(s:shutdown(0))
      end)
      scope(function(s)
        s:spawn(sleep, SHORT)
        assert.is_true(s:shutdown())
      end)
    end)

    it("take a Timeout, which does not raise", function()
      scope(function(s)
        s:spawn(never)
        sleep(0)
        local t = greenlet.Timeout(TICK)
        assert.is_false(s:shutdown(t))
        assert.is_false(t.pending)
      end)
    end)

    it("called by a child wait for the others and for the body", function()
      local log = {}
      scope(function(s)
        s:spawn(function()
          assert.is_true(s:shutdown(NEVER))
          log[#log + 1] = "down"
        end)
        s:spawn(function() s.stopping:wait() sleep(TICK) log[#log + 1] = "child" end)
        s.stopping:wait()
        log[#log + 1] = "body"
      end)
      assert.same({ "body", "child", "down" }, log)
    end)

    it("called by a child end everything, the body and itself too", function()
      local log = {}
      scope(function(s)
        s:spawn(function()
          log[#log + 1] = s:shutdown(TICK)
          log[#log + 1] = "on"
          sleep(0)
          log[#log + 1] = "not reached"
        end)
        s:spawn(slow_to_die, log, "child")
        local guard <close> = closer(function() log[#log + 1] = "body" end)
        never()
      end)
      assert.same({ false, "on", "body", "child" }, log)
    end)

    it("called by a stranger end the scope", function()
      local open
      local result
      local stranger = spawn(function()
        sleep(TICK)
        result = open:shutdown(TICK)
      end)
      scope(function(s)
        open = s
        s:spawn(never)
        never()
      end)
      stranger:join()
      assert.is_false(result)
      assert.is_true(open:shutdown(0)) -- it is over
    end)

    it("refuse a bad grace and the hub", function()
      scope(function(s)
        assert.matches("bad argument #1 to 'shutdown' %(seconds must not be negative%)",
          raises(s.shutdown, s, -1))
        assert.matches("bad argument #1 to 'shutdown' %(number expected, got string%)",
          raises(s.shutdown, s, "x"))
        local err
        greenlet.get_hub().loop:run_callback(function() err = raises(s.shutdown, s, 1) end)
        sleep(0)
        helper.is_a(greenlet.InvalidSwitchError, err)
        assert.is_false(s.stopping:is_set())
      end)
    end)

    it("are ended by a kill of who waits", function()
      local open
      local g = spawn(function() open:shutdown(NEVER) end)
      scope(function(s)
        open = s
        local child = s:spawn(never)
        sleep(0)
        g:kill()
        assert.is_false(child.dead)
        s:cancel()
      end)
    end)
  end)

  describe("coroutines", function()
    it("may have a scope inside", function()
      local log = {}
      local co = coroutine.wrap(function()
        return scope(function(s)
          s:spawn(function() sleep(TICK) log[#log + 1] = "child" end)
          local got = coroutine.yield("yielded")
          return got, nil
        end)
      end)
      assert.equal("yielded", co())
      assert.same({ n = 2, "got" }, table.pack(co("got")))
      assert.same({ "child" }, log)
    end)

    it("that have yielded are not reached by the end; who resumed them is left alone", function()
      local co = coroutine.wrap(function()
        return raises(scope, function(s)
          s:spawn(error, "child", 0)
          coroutine.yield()
          assert.matches("is being ended", raises(s.spawn, s, never))
        end)
      end)
      co()
      sleep(TICK)
      assert.equal("child", co())
    end)

    it("that are closed end the scope inside", function()
      local log = {}
      local co = coroutine.create(function()
        scope(function(s)
          s:spawn(slow_to_die, log, "child")
          sleep(0)
          coroutine.yield()
        end)
      end)
      assert.is_true(coroutine.resume(co))
      assert.is_true(coroutine.close(co))
      assert.same({ "child" }, log)
    end)

    it("that are left to themselves end the children when their greenlet ends", function()
      local log, kept = {}, nil
      local g = spawn(function()
        kept = coroutine.wrap(function()
          scope(function(s)
            s:spawn(slow_to_die, log, "child")
            coroutine.yield()
          end)
        end)
        kept()
        sleep(0)
      end)
      g:join()
      helper.wait_until(function() return #log == 1 end)
      assert.same({ "child" }, log)
    end)

    it("leave no links behind in their greenlet", function()
      local g = spawn(function()
        for _ = 1, 3 do coroutine.wrap(scope)(function(s) s:spawn(sleep, 0) end) end
        return greenlet.getcurrent():has_links()
      end)
      assert.equal(0, g:get())
    end)
  end)

  describe("a child that nothing can wake", function()
    it("is killed when the main greenlet waits for it", function()
      local closed = false
      local err = raises(scope, function(s)
        s:spawn(function()
          local guard <close> = closer(function() closed = true end)
          greenlet.event.Event():wait()
        end)
      end)
      helper.is_a(greenlet.LoopExit, err)
      assert.matches("waits for the children of a scope", err.message)
      assert.is_true(closed)
    end)

    it("is left alone when it catches a hundred kills", function()
      local event, kills = greenlet.event.Event(), 0
      local child
      local err = raises(scope, function(s)
        child = s:spawn(function()
          while not greenlet.pcall(event.wait, event) do kills = kills + 1 end
        end)
      end)
      helper.is_a(greenlet.LoopExit, err)
      event:set()
      child:join()
      assert.equal(100, kills)
    end)

    it("is garbage, with the owner, when nobody can reach them", function()
      local log = {}
      spawn(scope, function(s)
        s:spawn(function()
          local guard <close> = closer(function() log[#log + 1] = "child" end)
          greenlet.event.Event():wait()
        end)
        local guard <close> = closer(function() log[#log + 1] = "body" end)
        greenlet.event.Event():wait()
      end)
      sleep(0)
      sleep(0)
      assert.is_true(helper.collect_until(function() return #log == 2 end))
    end)
  end)

  it("tells what it is", function()
    local kept
    scope(function(s)
      kept = s
      s:spawn(never)
      assert.matches("^<Scope at 0x%x+: open, 1 children>$", tostring(s))
      s:cancel()
      assert.matches("being ended", tostring(s))
    end)
    assert.matches("^<Scope at 0x%x+: ended, 0 children>$", tostring(kept))
  end)

  it("is a module of its own, also in a stock Lua #stock", function()
    local directory = helper.program():match("^(.*)/[^/]*$") or "build"
    local out = helper.run([[
      local scope = require "greenlet.scope"
      local greenlet = require "greenlet"
      print(rawequal(scope, greenlet.scope))
      print(scope(function(s)
        local g = s:spawn(function() greenlet.sleep(0.001) return "value" end)
        return g:get()
      end))
      print(greenlet.pcall(scope, function(s) s:spawn(error, "child", 0) greenlet.sleep(1) end))
      print(greenlet.pcall(scope, function(s)
        s:spawn(greenlet.sleep, 1)
        coroutine.wrap(greenlet.sleep)(1)
      end, { timeout = 0.001 }))
    ]], { program = os.getenv("LUA") or "lua5.4",
          env = { LUA_CPATH = directory .. "/?.so;;", LUA_INIT = "", LUA_INIT_5_4 = "" } })
    assert.equal("true\nvalue\nfalse\tchild\nfalse\tTimeout: 0.001 seconds\n", out)
  end)

  it("leaves nothing of Ctrl-C to the children", function()
    local out, _, status = helper.run([[
      local function child()
        local guard <close> = setmetatable({}, { __close = function() print("closed") end })
        greenlet.sleep(100)
      end
      greenlet.spawn_later(0.01, function() io.popen("kill -INT $PPID"):close() end)
      greenlet.scope(function(s)
        s:spawn(child)
        s:spawn(child)
      end)
    ]])
    assert.equal("closed\nclosed\n", out)
    assert.equal(130, status)
  end)

  it("gives up waiting for what is cleaned up at the second Ctrl-C", function()
    local out, _, status = helper.run([[
      local function interrupt() io.popen("kill -INT $PPID"):close() end
      greenlet.scope(function(s)
        s:spawn(function()
          local guard <close> = setmetatable({}, { __close = function()
            greenlet.spawn(interrupt)
            print(greenlet.pcall(greenlet.sleep, 100))
          end })
          greenlet.spawn(interrupt)
          greenlet.sleep(100)
        end)
      end)
    ]])
    assert.equal("false\tGreenletExit\n", out)
    assert.equal(130, status)
  end)
end)
