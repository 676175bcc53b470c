local helper = require "spec.helper"
local greenlet = require "greenlet"
local Local = require "greenlet.local"
local it = helper.it

local NEVER = helper.NEVER

-- Run f in a greenlet of its own; what it returns.
local function elsewhere(f, ...) return greenlet.spawn(f, ...):get() end

describe("greenlet.local", function()
  helper.check_leaks()

  it("keeps fields apart", function()
    local l = Local.new()
    l.x = 1
    assert.is_nil(elsewhere(function()
      local before = l.x
      l.x = 2
      return before
    end))
    assert.equal(1, l.x)
    local a, b = greenlet.spawn(function()
      l.x = "a"
      greenlet.sleep(0)
      return l.x
    end), greenlet.spawn(function()
      l.x = "b"
      greenlet.sleep(0)
      return l.x
    end)
    assert.equal("a", a:get())
    assert.equal("b", b:get())
  end)

  it("takes fields of any name and value", function()
    local l, key = Local.new(), {}
    l[key], l[1], l[false], l.__index, l.new = "a", "b", "c", "d", "e"
    assert.equal("abcde", l[key] .. l[1] .. l[false] .. l.__index .. l.new)
    l[key] = nil
    assert.is_nil(l[key])
    assert.is_false((pcall(function() l[nil] = 1 end)))
  end)

  it("goes over the current greenlet's fields in pairs", function()
    local l = Local.new()
    l.a, l.b = 1, 2
    local function all()
      local list = {}
      for key, value in pairs(l) do list[key] = value end
      return list
    end
    assert.same({}, elsewhere(all))
    assert.same({ c = 3 }, elsewhere(function() l.c = 3; return all() end))
    assert.same({ a = 1, b = 2 }, all())
  end)

  it("is one thing for a greenlet's coroutines", function()
    local l = Local.new()
    l.x = 1
    coroutine.wrap(function() l.x = l.x + 1 end)()
    assert.equal(2, l.x)
  end)

  it("has separate fields in raw greenlets and in the hub", function()
    local l = Local.new()
    l.x = "main"
    local seen = {}
    local raw = greenlet.greenlet(function()
      seen[1] = tostring(l.x)
      l.x = "raw"
      greenlet.getcurrent().parent:switch()
      seen[2] = l.x
    end)
    raw:switch()
    greenlet.get_hub().loop:run_callback(function()
      seen[3] = tostring(l.x)
      l.x = "hub"
    end)
    greenlet.sleep(0)
    raw:switch()
    assert.same({ "nil", "raw", "nil" }, seen)
    assert.equal("main", l.x)
  end)

  it("is separate from others", function()
    local a, b = Local.new(), Local.new()
    a.x = 1
    assert.is_nil(b.x)
  end)

  it("has a readable tostring", function()
    assert.matches("^<local at 0x%x+>$", tostring(Local.new()))
  end)

  describe("init", function()
    it("runs at each greenlet's first touch, before that", function()
      local calls = 0
      local l = Local.new(function(self)
        calls = calls + 1
        self.list = { calls }
      end)
      assert.equal(0, calls)
      assert.same({ 1 }, l.list)
      assert.same({ 1 }, l.list)
      assert.same({ 2 }, elsewhere(function() return l.list end))
      assert.is_nil(elsewhere(function() l.list = nil; return l.list end))
      assert.equal(3, calls)
      assert.equal("list", elsewhere(function() return (next((function()
        local found = {}
        for key in pairs(l) do found[key] = true end
        return found
      end)())) end))
    end)

    it("may wait", function()
      local l = Local.new(function(self)
        greenlet.sleep(0)
        self.x = 1
      end)
      assert.equal(1, l.x)
      assert.equal(1, elsewhere(function() return l.x end))
    end)

    it("runs again after it has failed, or was killed", function()
      local fail = true
      local l = Local.new(function(self)
        self.half = true
        if fail then error("on purpose", 0) end
        self.whole = true
      end)
      assert.equal("on purpose", helper.raises(function() return l.x end))
      fail = false
      assert.is_true(l.whole)
      local waits = Local.new(function() greenlet.sleep(NEVER) end)
      local g = greenlet.spawn(function() return waits.x end)
      greenlet.sleep(0)
      g:kill()
      assert.is_true(g.dead)
    end)

    it("may be any callable, and nothing else", function()
      local l = Local.new(helper.callable(function(self) self.x = 5 end))
      assert.equal(5, l.x)
      local ok, err = pcall(function() Local.new(42) end)
      assert.is_false(ok)
      assert.matches("local_spec%.lua:%d+: bad argument #1 to 'new' %(function expected, got number", err)
    end)
  end)

  describe("as garbage", function()
    local function tracked(list, value)
      list[value] = true
      return value
    end

    it("gives up the fields of a dead greenlet, though somebody holds that", function()
      local l, living = Local.new(), setmetatable({}, { __mode = "k" })
      local held = {}
      for i = 1, 5 do
        held[i] = greenlet.spawn(function() l.sentinel = tracked(living, {}) end)
      end
      local failing = greenlet.spawn(function()
        l.sentinel = tracked(living, {})
        greenlet.sleep(NEVER)
      end)
      greenlet.joinall(held)
      failing:kill()
      helper.settle()
      collectgarbage()
      collectgarbage()
      assert.is_nil(next(living))
      for i = 1, 5 do assert.equal(0, held[i]:has_links()) end
    end)

    it("gives up the fields of an object that nobody holds, in a running greenlet", function()
      local living = setmetatable({}, { __mode = "k" })
      elsewhere(function()
        for _ = 1, 1000 do
          local l = Local.new(function(self) self.sentinel = tracked(living, { self }) end)
          assert.is_not_nil(l.sentinel)
        end
        collectgarbage()
        collectgarbage()
        assert.is_nil(next(living))
      end)
    end)

    it("keeps no greenlet alive", function()
      local l, living = Local.new(), setmetatable({}, { __mode = "k" })
      for _ = 1, 5 do
        living[greenlet.spawn(function() l.me = greenlet.getcurrent() end)] = true
      end
      helper.settle()
      assert.is_true(helper.collect_until(function() return next(living) == nil end))
    end)

    it("keeps no greenlet from being found as garbage", function()
      local l, closed = Local.new(), false
      greenlet.spawn(function()
        l.me = greenlet.getcurrent()
        local variable <close> = helper.closer(function() closed = true end)
        require "greenlet.event".Event():wait()
      end)
      greenlet.sleep(0)
      assert.is_true(helper.collect_until(function() return closed end))
    end)
  end)

  it("can still be read in links and closing variables of its greenlet", function()
    local l, seen = Local.new(), nil
    local g = greenlet.spawn(function()
      l.x = "mine"
      local variable <close> = helper.closer(function() seen = l.x end)
      greenlet.sleep(NEVER)
    end)
    greenlet.sleep(0)
    g:kill()
    assert.equal("mine", seen)
  end)
end)
