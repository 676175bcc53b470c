local helper = require "spec.helper"
local greenlet = require "greenlet"
local it = helper.it

local Group = greenlet.pool.Group
local sleep, spawn = greenlet.sleep, greenlet.spawn
local TICK, SHORT, NEVER = helper.TICK, helper.SHORT, helper.NEVER
local raises = helper.raises

local Mine = helper.exception("Mine")
local Sub = greenlet.Greenlet:extend("Sub")

local function never() sleep(NEVER) end

local function members_of(group)
  local set = {}
  for g in group:iter() do set[g] = true end
  return set
end

-- Catches everything but `Mine`, and counts it.
local function undead()
  local self = { shots = 0 }
  self.g = spawn(function()
    while true do
      local ok, err = greenlet.pcall(never)
      if Mine:class_of(err) then return end
      if not ok then self.shots = self.shots + 1 end
    end
  end)
  return self
end

describe("greenlet.pool.Group", function()
  helper.check_leaks()

  describe("Group", function()
    it("is empty, or has the greenlets that it is given, as arguments or as a list", function()
      assert.equal(0, #Group())
      assert.equal(0, #Group {})
      local a, b = spawn(never), spawn(never)
      for _, group in ipairs { Group(a, b), Group { a, b } } do
        assert.equal(2, #group)
        assert.is_true(group:contains(a) and group:contains(b))
      end
      assert.equal(1, #Group(a))
      greenlet.killall { a, b }
    end)

    it("refuses what is no greenlet", function()
      local g = spawn(sleep)
      assert.matches("bad argument #2 to 'Group' %(greenlet expected, got number%)",
        raises(function() Group(g, 5) end))
      assert.matches("bad argument #1 to 'Group' %(greenlet expected, got string%)",
        raises(function() Group { "x" } end))
      assert.matches("bad argument #1 to 'Group' %(greenlet or list expected, got number%)",
        raises(function() Group(5) end))
      assert.matches("bad argument #2 to 'Group' %(greenlet expected, got nil%)",
        raises(function() Group(g, nil) end))
      assert.equal(0, g:has_links())
      g:join()
    end)

    it("can be derived from", function()
      local Mob = Group:extend("Mob")
      function Mob:init(name)
        Mob.super.init(self)
        self.name = name
      end
      Mob.greenlet_class = Sub
      local mob = Mob("angry")
      helper.is_a(Sub, mob:spawn(sleep))
      assert.matches("^<Mob at 0x%x+: 1 members>$", tostring(mob))
      mob:join()
    end)

    it("says what it is", function()
      assert.matches("^<Group at 0x%x+: 0 members>$", tostring(Group()))
    end)
  end)

  describe("its members", function()
    it("leave when they die, however they do", function()
      local group = Group()
      local list = {
        group:spawn(sleep),
        group:spawn(error, "failed", 0),
        group:spawn(error, greenlet.GreenletExit),
        group:spawn(never),
        group:spawn(never),
      }
      local late = greenlet.Greenlet.spawn_later(TICK, sleep)
      group:add(late)
      assert.equal(6, #group)
      list[5]:kill() -- it never ran
      helper.capture(function() for _ = 1, 3 do sleep(0) end end)
      assert.equal(2, #group)
      list[4]:kill()
      assert.equal(1, #group)
      late:join()
      assert.equal(0, #group)
    end)

    it("have left when those who join them, link them or get them are told", function()
      local group, seen = Group(), {}
      local function look() seen[#seen + 1] = #group end
      local g = group:spawn(sleep)
      g:rawlink(look)
      g:link(look)
      spawn(function() g:join() look() end)
      g:get()
      look()
      helper.settle()
      assert.same({ 0, 0, 0, 0 }, seen)
    end)

    it("have left, too, when somebody joined them before they were added", function()
      local group, seen = Group(), nil
      local g = spawn(sleep, TICK)
      local waiter = spawn(function() g:join() seen = #group end)
      sleep(0)
      group:add(g)
      waiter:join()
      assert.equal(0, seen)
    end)

    it("may be any greenlets, raw ones and the main one too", function()
      local main, group = greenlet.getcurrent(), Group()
      local raw = greenlet.greenlet(function() main:switch() end)
      raw:switch()
      group:add(raw)
      group:add(main)
      assert.equal(2, #group)
      raw:switch()
      helper.settle()
      assert.same({ [main] = true }, members_of(group))
      group:discard(main)
      assert.equal(0, #group)
    end)

    it("may be in several groups", function()
      local one, two, three = Group(), Group(), Group()
      local g = one:spawn(sleep, TICK)
      two:add(g)
      three:add(g)
      assert.is_true(one:contains(g) and two:contains(g) and three:contains(g))
      three:discard(g)
      assert.is_false(three:contains(g))
      assert.is_true(two:contains(g))
      assert.is_true(two:join())
      assert.same({ 0, 0, 0 }, { #one, #two, #three })
      assert.equal(0, g:has_links())
    end)

    it("may be children of a scope", function()
      local group = Group()
      greenlet.scope(function(s)
        local g = s:spawn(never)
        group:add(g)
        sleep(0)
        group:kill()
        assert.is_true(g.dead)
      end)
      assert.equal(0, #group)
    end)

    it("are held, but die as garbage with the group", function()
      local closed = 0
      local group = Group()
      for _ = 1, 3 do
        group:spawn(function()
          local guard <close> = helper.closer(function() closed = closed + 1 end)
          greenlet.event.Event():wait()
        end)
      end
      sleep(0)
      collectgarbage()
      collectgarbage()
      sleep(0)
      assert.equal(3, #group)
      group = nil
      assert.is_true(helper.collect_until(function() return closed == 3 end))
    end)
  end)

  describe("add", function()
    it("does nothing with a member, nor with a dead one", function()
      local group, g = Group(), spawn(sleep)
      group:add(g)
      group:add(g)
      assert.equal(1, #group)
      g:join()
      group:add(g)
      assert.equal(0, #group)
      group:add(greenlet.spawn(never):kill() or g)
      assert.equal(0, #group)
    end)

    it("takes one that is not started, which may become garbage all the same", function()
      local group = Group()
      local weak = setmetatable({ greenlet.Greenlet(never) }, { __mode = "v" })
      group:add(weak[1])
      assert.equal(1, #group)
      group = nil
      assert.is_true(helper.collect_until(function() return weak[1] == nil end))
    end)

    it("refuses what is no greenlet, and a self that is no group", function()
      local group = Group()
      for _, name in ipairs { "add", "discard", "killone" } do
        assert.matches("bad argument #1 to '" .. name .. "' %(greenlet expected, got table%)",
          raises(group[name], group, {}))
        assert.matches("calling '" .. name .. "' on bad self %(Group expected, got number%)",
          raises(group[name], 5))
      end
    end)
  end)

  describe("discard", function()
    it("lets a member go, which runs on", function()
      local group, done = Group(), false
      local g = group:spawn(function() sleep(TICK) done = true end)
      group:discard(g)
      assert.equal(0, #group)
      assert.is_false(group:contains(g))
      g:join()
      assert.is_true(done)
    end)

    it("of the last one ends the wait of who joins", function()
      local group = Group()
      local g = group:spawn(never)
      local waiter = spawn(group.join, group)
      sleep(0)
      group:discard(g)
      assert.is_true(waiter:get())
      g:kill()
    end)

    it("does nothing with a stranger", function()
      local group, other = Group(), Group()
      local g = other:spawn(never)
      group:discard(g)
      assert.equal(1, #other)
      other:kill()
    end)
  end)

  describe("start", function()
    it("adds and starts", function()
      local group = Group()
      local g = greenlet.Greenlet(sleep)
      group:start(g)
      assert.is_true(g.started)
      assert.equal(1, #group)
      group:join()
    end)

    it("refuses raw greenlets", function()
      local group = Group()
      assert.matches("bad argument #1 to 'start' %(Greenlet expected, got greenlet%)",
        raises(group.start, group, greenlet.greenlet(never)))
    end)
  end)

  describe("spawn", function()
    it("starts a member with its arguments", function()
      local group = Group()
      local g = group:spawn(function(...) return select("#", ...), ... end, 1, nil)
      assert.equal(1, g.args[1])
      assert.equal(2, g.args.n)
      assert.is_true(group:contains(g))
      assert.same({ n = 3, 2, 1 }, table.pack(g:get()))
    end)

    it("starts in the order of the calls", function()
      local group, log = Group(), {}
      for i = 1, 5 do group:spawn(function() log[i] = #log + 1 end) end
      group:join()
      assert.same({ 1, 2, 3, 4, 5 }, log)
    end)

    it("makes what greenlet_class says", function()
      local group = Group()
      group.greenlet_class = Sub
      helper.is_a(Sub, group:spawn(sleep))
      local Job = greenlet.Greenlet:extend("Job")
      function Job:init(seconds)
        Job.super.init(self)
        self.seconds = seconds
      end
      function Job:_run() sleep(self.seconds) return "slept" end
      group.greenlet_class = Job
      assert.equal("slept", group:spawn(TICK):get())
      assert.equal(0, #group)
    end)

    it("refuses what it cannot call", function()
      local group = Group()
      assert.matches("group_spec.lua:%d+: bad argument #1 to 'spawn' %(function expected, got nil%)",
        raises(function() group:spawn(nil) end))
      assert.equal(0, #group)
    end)

    it("has made a member when spawn callbacks see it", function()
      local group, seen = Group(), nil
      local function callback(g) seen = group:contains(g) end
      for _, class in ipairs { greenlet.Greenlet, Sub } do
        group.greenlet_class = class
        greenlet.Greenlet.add_spawn_callback(callback)
        group:spawn(sleep)
        greenlet.Greenlet.remove_spawn_callback(callback)
        assert.is_true(seen)
        group:join()
      end
    end)

    it("works in the hub", function()
      local group = Group()
      greenlet.get_hub().loop:run_callback(function() group:spawn(sleep, TICK) end)
      sleep(0)
      assert.equal(1, #group)
      group:join()
    end)
  end)

  describe("contains and iter", function()
    it("know members", function()
      local group = Group()
      local a, b = group:spawn(never), group:spawn(never)
      assert.same({ [a] = true, [b] = true }, members_of(group))
      assert.is_false(group:contains(greenlet.getcurrent()))
      assert.is_false(group:contains("a"))
      assert.is_false(group:contains(nil))
      group:kill()
      assert.is_false(group:contains(a))
      assert.same({}, members_of(group))
    end)

    it("iter goes over those of its beginning, though they leave meanwhile", function()
      local group, count = Group(), 0
      for _ = 1, 5 do group:spawn(never) end
      for g in group:iter() do
        count = count + 1
        g:kill()
      end
      assert.equal(5, count)
      assert.equal(0, #group)
    end)
  end)

  describe("join", function()
    it("returns true at once when the group is empty", function()
      local switched = false
      spawn(function() switched = true end)
      assert.is_true(Group():join())
      assert.is_false(switched)
      sleep(0)
    end)

    it("waits for all members, those that come meanwhile too", function()
      local group, count = Group(), 0
      local function member()
        sleep(TICK)
        count = count + 1
        if count < 4 then group:spawn(member) end
      end
      group:spawn(member)
      assert.is_true(group:join())
      assert.equal(4, count)
    end)

    it("returns false when the timeout expires", function()
      local group = Group()
      group:spawn(never)
      assert.is_false(group:join(TICK))
      assert.is_false(group:join(0))
      local t = greenlet.Timeout(TICK)
      assert.is_false(group:join(t))
      assert.is_false(t.pending)
      group:kill()
    end)

    it("returns when the group was empty for a moment", function()
      local group = Group()
      local g = group:spawn(sleep, TICK)
      g:rawlink(function() group:spawn(never) end)
      assert.is_true(group:join())
      assert.equal(1, #group)
      group:kill()
    end)

    it("wakes all who wait, and leaves nobody behind", function()
      local group, woken = Group(), 0
      group:spawn(sleep, TICK)
      for _ = 1, 3 do spawn(function() group:join() woken = woken + 1 end) end
      local killed = spawn(group.join, group)
      sleep(0)
      killed:kill()
      group:join()
      helper.settle()
      assert.equal(3, woken)
    end)

    it("with raise_error raises an error of a member of then", function()
      local group = Group()
      group:spawn(sleep, TICK)
      group:spawn(error, Mine("failed"))
      local report = helper.capture(function()
        helper.is_a(Mine, raises(group.join, group, nil, true))
      end)
      assert.matches("^Mine: failed", report)
      group:spawn(error, "failed", 0)
      helper.capture(function() assert.is_true(group:join()) end)
    end)

    it("with raise_error raises it, too, when the timeout expires", function()
      local group = Group()
      group:spawn(never)
      group:spawn(error, "failed", 0)
      helper.capture(function() assert.equal("failed", raises(group.join, group, TICK, true)) end)
      group:kill()
    end)

    it("takes the error that it raises", function()
      local _, err, status = helper.run [[
        local group = greenlet.pool.Group()
        group:spawn(error, "failed", 0)
        print(pcall(group.join, group, nil, true))
      ]]
      assert.matches("^failed\n", err)
      assert.equal(0, status)
    end)

    it("refuses a bad timeout, and the hub", function()
      local group = Group()
      assert.matches("bad argument #1 to 'join' %(seconds must not be negative%)",
        raises(group.join, group, -1))
      assert.matches("bad argument #1 to 'join' %(number expected, got string%)",
        raises(group.join, group, "x"))
      group:spawn(sleep)
      local err
      greenlet.get_hub().loop:run_callback(function() err = raises(group.join, group) end)
      sleep(0)
      helper.is_a(greenlet.InvalidSwitchError, err)
      group:join()
    end)
  end)

  describe("kill", function()
    it("kills all members and waits for them", function()
      local group, log = Group(), {}
      for i = 1, 3 do
        group:spawn(function()
          local guard <close> = helper.closer(function() sleep(TICK) log[#log + 1] = i end)
          never()
        end)
      end
      sleep(0)
      assert.equal(0, select("#", group:kill()))
      assert.equal(0, #group)
      table.sort(log)
      assert.same({ 1, 2, 3 }, log)
    end)

    it("kills those that never ran without their running", function()
      local group, ran = Group(), false
      local list = {}
      for i = 1, 3 do list[i] = group:spawn(function() ran = true end) end
      group:kill()
      assert.is_false(ran)
      for _, g in ipairs(list) do assert.is_true(g.dead) end
    end)

    it("takes an exception", function()
      local group = Group()
      local g = group:spawn(never)
      sleep(0)
      helper.capture(group.kill, group, Mine)
      helper.is_a(Mine, g.exception)
    end)

    it("without block does not wait", function()
      local group = Group()
      group:spawn(never)
      group:spawn(never)
      sleep(0)
      group:kill(nil, false)
      assert.equal(2, #group)
      sleep(0)
      assert.equal(0, #group)
    end)

    it("returns when the timeout expires", function()
      local tough, group = undead(), Group()
      group:add(tough.g)
      sleep(0)
      assert.equal(0, select("#", group:kill(nil, true, TICK)))
      assert.equal(1, #group)
      group:kill(nil, true, 0)
      local t = greenlet.Timeout(TICK)
      group:kill(nil, true, t)
      assert.is_false(t.pending)
      assert.equal(1, tough.shots)
      tough.g:kill(Mine)
    end)

    it("fires once", function()
      local one, two = undead(), undead()
      sleep(0)
      local group = Group { one.g, two.g }
      local function check(first, second)
        assert.same({ first, second }, { one.shots, two.shots })
      end
      group:killone(one.g, nil, false)
      check(0, 0)
      sleep(0)
      check(1, 0)
      group:killone(one.g)
      group:killone(one.g)
      check(1, 0)
      for _ = 1, 3 do group:kill(nil, false) end
      check(1, 0)
      sleep(TICK)
      check(1, 1)
      group:kill(nil, true, TICK)
      assert.equal(2, #group)
      check(1, 1)
      one.g:kill(Mine)
      two.g:kill(Mine)
    end)

    it("fires again at one that was discarded and added again", function()
      local tough, group = undead(), Group()
      sleep(0)
      for shots = 1, 2 do
        group:add(tough.g)
        group:kill(nil, true, TICK)
        assert.equal(shots, tough.shots)
        group:discard(tough.g)
      end
      tough.g:kill(Mine)
    end)

    it("reaches those that are added meanwhile", function()
      local group, ran = Group(), false
      group:spawn(function()
        local guard <close> = helper.closer(function()
          sleep(TICK)
          group:spawn(function() ran = true end)
          group:start(greenlet.Greenlet(never))
          local g = spawn(never)
          sleep(0)
          group:add(g)
        end)
        never()
      end)
      sleep(0)
      group:kill()
      assert.equal(0, #group)
      assert.is_true(ran or not ran) -- a turn may come before the kill
    end)

    it("by a member reaches the others, and itself in its wait", function()
      local group, log = Group(), {}
      for i = 1, 2 do
        group:spawn(function()
          local guard <close> = helper.closer(function() log[#log + 1] = i end)
          never()
        end)
      end
      local killer = group:spawn(function()
        group:kill()
        log[#log + 1] = "not reached"
      end)
      killer:join()
      helper.settle()
      table.sort(log)
      assert.same({ 1, 2 }, log)
      helper.is_a(greenlet.GreenletExit, killer.value)
    end)

    it("without block by a member reaches it at its next wait", function()
      local group, log = Group(), {}
      local killer = group:spawn(function()
        group:kill(nil, false)
        log[#log + 1] = "on"
        sleep(0)
        log[#log + 1] = "not reached"
      end)
      killer:join()
      assert.same({ "on" }, log)
    end)

    it("of an empty group does nothing, wherever it is", function()
      Group():kill()
      local err
      greenlet.get_hub().loop:run_callback(function()
        Group():kill()
        local group = Group(greenlet.spawn(never))
        err = raises(group.kill, group)
        assert.equal(1, #group)
        group:kill(nil, false)
      end)
      sleep(0)
      helper.is_a(greenlet.InvalidSwitchError, err)
    end)

    it("can be killed itself", function()
      local tough, group = undead(), Group()
      group:add(tough.g)
      sleep(0)
      local killer = spawn(group.kill, group)
      sleep(0)
      killer:kill()
      assert.is_true(killer.dead)
      tough.g:kill(Mine)
    end)

    it("refuses a bad timeout", function()
      local group = Group()
      assert.matches("bad argument #3 to 'kill' %(seconds must not be negative%)",
        raises(group.kill, group, nil, true, -1))
      assert.matches("bad argument #4 to 'killone' %(number expected, got boolean%)",
        raises(group.killone, group, spawn(sleep), nil, true, true))
      sleep(0)
    end)
  end)

  describe("killone", function()
    it("kills one and waits for it", function()
      local group = Group()
      local a, b = group:spawn(never), group:spawn(never)
      sleep(0)
      group:killone(a)
      assert.is_true(a.dead)
      assert.is_false(b.dead)
      assert.equal(1, #group)
      group:killone(b, Mine, false)
      assert.is_false(b.dead)
      helper.capture(helper.settle)
      helper.is_a(Mine, b.exception)
    end)

    it("does nothing to a stranger", function()
      local group, g = Group(), spawn(never)
      group:killone(g)
      assert.is_false(g.dead)
      g:kill()
    end)

    it("waits no longer than its timeout", function()
      local tough, group = undead(), Group()
      group:add(tough.g)
      sleep(0)
      group:killone(tough.g, nil, true, TICK)
      assert.equal(1, tough.shots)
      tough.g:kill(Mine)
    end)
  end)

  it("always has room", function()
    local group = Group(spawn(never))
    assert.is_false(group:full())
    assert.equal(1, group:wait_available())
    assert.equal(1, group:wait_available(0))
    assert.matches("bad argument #1 to 'wait_available'", raises(group.wait_available, group, -1))
    group:kill()
  end)

  describe("apply", function()
    it("returns all values of the call, which is a member", function()
      local group = Group()
      local values = table.pack(group:apply(function(...)
        return group:contains(greenlet.getcurrent()), nil, ..., nil
      end, { 1, 2 }))
      assert.same({ n = 4, true, nil, 1, nil }, values)
      assert.equal(3, group:apply(select, { "#", nil, nil, nil, n = 4 }))
      assert.equal(0, select("#", group:apply(function() end)))
    end)

    it("raises its error, the same", function()
      local group, err = Group(), Mine("x")
      helper.capture(function()
        assert.is_true(rawequal(err, raises(group.apply, group, error, { err })))
      end)
    end)

    it("called by a member runs in it", function()
      local group = Group()
      group:apply(function()
        local me = greenlet.getcurrent()
        assert.equal(me, (group:apply(greenlet.getcurrent)))
        assert.equal(6, group:apply(group.apply, { group, function(a) return a + 1 end, { 5 } }))
      end)
    end)

    it("refuses what it cannot call, arguments that are no list, and the hub", function()
      local group, err = Group(), nil
      for _, name in ipairs { "apply", "apply_async", "apply_cb" } do
        assert.matches("bad argument #1 to '" .. name .. "' %(function expected, got nil%)",
          raises(group[name], group))
        assert.matches("bad argument #2 to '" .. name .. "' %(list expected, got number%)",
          raises(group[name], group, print, 5))
      end
      for _, name in ipairs { "apply_async", "apply_cb", "map_async", "map_cb" } do
        assert.matches("bad argument #3 to '" .. name .. "' %(function expected, got number%)",
          raises(group[name], group, print, {}, 5))
      end
      greenlet.get_hub().loop:run_callback(function() err = raises(group.apply, group, sleep) end)
      sleep(0)
      helper.is_a(greenlet.InvalidSwitchError, err)
      assert.equal(0, #group)
    end)
  end)

  describe("apply_async and apply_cb", function()
    it("apply_async returns a greenlet at once", function()
      local group = Group()
      local g = group:apply_async(function(a, b) sleep(TICK) return a, b end, { 1, 2 })
      assert.is_true(group:contains(g))
      assert.same({ 1, 2 }, { g:get() })
    end)

    it("apply_async calls back with the values, on success only", function()
      local group, got = Group(), {}
      local function callback(...) got[#got + 1] = table.pack(...) end
      local g = group:apply_async(function(a) return a, nil end, { 1 }, callback)
      g:join()
      local failed = group:apply_async(error, { "failed", 0 }, callback)
      helper.capture(function()
        failed:join()
        helper.settle()
      end)
      assert.same({ { n = 2, 1 } }, got)
      assert.equal("failed", failed.exception)
    end)

    it("apply_cb calls back after it has returned, in a greenlet that is no member", function()
      local group, log = Group(), {}
      local values = table.pack(group:apply_cb(function(a) return a, 2 end, { 1 }, function(...)
        log[1] = table.pack(...)
        log[2] = group:contains(greenlet.getcurrent())
      end))
      assert.same({ n = 2, 1, 2 }, values)
      assert.same({}, log)
      sleep(0)
      assert.same({ { n = 2, 1, 2 }, false }, log)
      assert.equal(1, (group:apply_cb(function() return 1 end)))
    end)
  end)
end)
