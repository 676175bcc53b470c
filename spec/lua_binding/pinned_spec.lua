-- Greenlets whose C stack is their own and never moves. What that means to a C library is in
-- spec/cmd/pinned_spec.lua.
local helper = require "spec.helper"
local greenlet = require "greenlet"
local it = helper.it

local Greenlet = greenlet.Greenlet

local function pinned_class(super)
  local class = (super or Greenlet):extend("Pinned")
  class.pinned = true
  return class
end

local function is_pinned() return greenlet.getcurrent().pinned end

-- A wait below a C function, which no stack can be given up in.
local function wait_below_c()
  local result
  ("x"):gsub("x", function()
    greenlet.sleep(0)
    result = is_pinned()
  end)
  return result
end

describe("greenlet pinned", function()
  helper.check_leaks()

  it("is false for a Greenlet and a raw one", function()
    assert.is_false(Greenlet(print).pinned)
    assert.is_false(greenlet.greenlet(print).pinned)
    assert.is_false(greenlet.spawn(is_pinned):get())
  end)

  it("is true for the main greenlet and the hub", function()
    assert.is_true(greenlet.getcurrent().pinned)
    assert.is_true(greenlet.get_hub().pinned)
  end)

  it("is what the class says", function()
    local Pinned = pinned_class()
    assert.is_true(Pinned.pinned)
    local g = Pinned(wait_below_c)
    assert.is_true(g.pinned)
    g:start()
    assert.is_true(g:get())
    assert.is_true(g.pinned)
    assert.is_true(Pinned.spawn(wait_below_c):get())
    assert.is_true(Pinned.spawn_later(helper.TICK, wait_below_c):get())
  end)

  it("is inherited, and each class may say otherwise", function()
    local Pinned = pinned_class()
    local Heir, Other = Pinned:extend("Heir"), Pinned:extend("Other")
    Other.pinned = false
    assert.is_true(Heir.spawn(is_pinned):get())
    assert.is_false(Other.spawn(is_pinned):get())
    Pinned.pinned = false
    assert.is_false(Heir.spawn(is_pinned):get())
    Pinned.pinned = nil
    assert.is_false(Heir.spawn(is_pinned):get())
  end)

  it("is of the object, if that has it", function()
    local g, h = Greenlet(is_pinned), pinned_class()(is_pinned)
    g.pinned, h.pinned = true, false
    assert.same({ true, false }, { g.pinned, h.pinned })
    g:start()
    h:start()
    assert.same({ true, false }, { g:get(), h:get() })
    assert.same({ true, false }, { g.pinned, h.pinned })
  end)

  it("may be set in init", function()
    local Own = Greenlet:extend("Own")
    function Own:init()
      Own.super.init(self)
      self.pinned = true
    end
    function Own:_run() return self.pinned end
    assert.is_true(Own.spawn():get())
  end)

  it("may be set for all Greenlets", function()
    Greenlet.pinned = true
    local ok, result = pcall(function() return greenlet.spawn(wait_below_c):get() end)
    Greenlet.pinned = nil
    assert.same({ true, true }, { ok, result })
    assert.is_false(greenlet.spawn(is_pinned):get())
  end)

  it("may be set for raw ones", function()
    local g = greenlet.greenlet(function(x) return x, is_pinned() end)
    g.pinned = true
    assert.same({ 7, true }, { g:switch(7) })
    local class = pinned_class(greenlet.greenlet)
    assert.is_true(class(is_pinned):switch())
  end)

  it("may be changed as long as it is not started, though somebody joins it", function()
    local g = Greenlet(wait_below_c)
    local joiner = greenlet.spawn(g.join, g)
    greenlet.sleep(0)
    for _, pinned in ipairs { true, true, false, false, true } do
      g.pinned = pinned
      assert.equal(pinned, g.pinned)
    end
    g:start()
    assert.is_true(g:get())
    joiner:join()
  end)

  it("cannot be changed afterwards", function()
    local g = greenlet.spawn(wait_below_c)
    local function change() g.pinned = true end
    local message = "'pinned' cannot be changed: the greenlet has been started"
    assert.has_error(change, message)
    greenlet.sleep(0)
    assert.has_error(change, message)
    g:join()
    assert.has_error(change, message)
    assert.is_false(g.pinned)
    g = greenlet.getcurrent()
    assert.has_error(change, message)
    local Pinned = pinned_class()
    g = Pinned.spawn(wait_below_c)
    Pinned.pinned = false
    assert.is_true(g.pinned)
    assert.is_true(g:get())
  end)

  it("cannot be changed by one that was started by what its child left it", function()
    local parent = greenlet.greenlet(function()
      return pcall(function() greenlet.getcurrent().pinned = true end)
    end)
    local ok, err = greenlet.greenlet(function() return "value" end, parent):switch()
    assert.is_false(ok)
    assert.matches("cannot be changed", err)
    assert.is_false(parent.pinned)
  end)

  it("is a boolean", function()
    local g, Pinned = Greenlet(print), pinned_class()
    for _, value in ipairs { 1, "true", {} } do
      local message = ("attribute 'pinned' is a boolean (got %s)"):format(type(value))
      assert.has_error(function() g.pinned = value end, message)
      assert.has_error(function() Pinned.pinned = value end, message)
    end
    assert.is_true(Pinned.pinned)
    local stranger = greenlet.class:extend("Stranger") -- whose own business it is
    stranger.pinned = "by a pin"
    assert.equal("by a pin", stranger().pinned)
  end)

  it("does not change what greenlets do", function()
    local Pinned, order = pinned_class(), {}
    local function note(name)
      return function()
        for i = 1, 3 do
          order[#order + 1] = name .. i
          greenlet.sleep(0)
        end
        return name, #order
      end
    end
    local all = { Pinned.spawn(note "a"), greenlet.spawn(note "b"), Pinned.spawn(note "c") }
    greenlet.joinall(all)
    assert.equal("a1 b1 c1 a2 b2 c2 a3 b3 c3", table.concat(order, " "))
    assert.same({ "c", 9 }, { all[3]:get() })
    local failing = Pinned.spawn(error, "an error")
    helper.capture(failing.join, failing)
    assert.equal("an error", failing.exception)
  end)

  it("ends by a kill, before it runs and later", function()
    local Pinned, closed = pinned_class(), 0
    local function waits()
      local x <close> = helper.closer(function() closed = closed + 1 end)
      greenlet.sleep(helper.NEVER)
    end
    local g, h, new = Pinned.spawn(waits), Pinned.spawn(waits), Pinned(waits)
    g:kill()
    greenlet.sleep(0)
    h:kill()
    new:kill()
    assert.equal(1, closed)
    assert.same({ true, true, true }, { g.dead, h.dead, new.dead })
  end)

  it("is collected as garbage like others", function()
    local Pinned = pinned_class()
    local weak, closed = setmetatable({}, { __mode = "v" }), false
    weak[1] = Pinned(print)
    local joiner = greenlet.spawn(function() weak[1]:join() end)
    greenlet.sleep(0)
    joiner:kill()
    joiner = nil
    weak[2] = Pinned.spawn(function()
      local x <close> = helper.closer(function() closed = true end)
      Greenlet(print):join()
    end)
    greenlet.sleep(0)
    assert.is_true(helper.collect_until(function() return closed and not next(weak) end))
  end)

  it("is what many greenlets may be, with stacks that are used again", function()
    local Pinned, sum = pinned_class(), 0
    for round = 1, 5 do
      local all = {}
      for i = 1, 100 do all[i] = Pinned.spawn(wait_below_c) end
      greenlet.joinall(all)
      for _, g in ipairs(all) do sum = sum + (g.value and 1 or 0) end
    end
    assert.equal(500, sum)
  end)
end)

describe("a pinned greenlet without memory", function()
  it("makes spawn raise, and can be started later #memory", function()
    local out, err, status = helper.run([[
      local Pinned = greenlet.Greenlet:extend("Pinned")
      Pinned.pinned = true
      local all, ok, result = {}
      repeat
        ok, result = pcall(Pinned.spawn, greenlet.sleep, 0.001)
        if ok then all[#all + 1] = result end
      until not ok
      print(result, #all > 10)

      local g = Pinned(function() return "later" end)
      print(pcall(g.start, g))
      print(g.started, g.dead, g.pinned)
      local h = greenlet.Greenlet(function() return "not pinned" end)
      greenlet.spawn(h.join, h)
      greenlet.sleep(0)
      print(pcall(function() h.pinned = true end))
      print(h.pinned)
      h:start()
      print(h:get())

      greenlet.joinall(all)
      for _, each in ipairs(all) do assert(each:successful()) end
      g:start()
      print(g:get())
    ]], { memory = 1000000 })
    assert.equal("", err)
    assert.equal("not enough memory for a stack\ttrue\n" ..
      "false\tnot enough memory for a stack\nfalse\tfalse\ttrue\n" ..
      "false\tnot enough memory for a stack\nfalse\nnot pinned\nlater\n", out)
    assert.equal(0, status)
  end)
end)
