-- Links that two greenlets change at once, one of which a debug hook stops in the middle.
--
-- Found by fuzzing. Cause: the lists of links were changed by several instructions of Lua, between
-- any two of which a debug hook can wait. Then others linked and unlinked the same object, or its
-- links were told: one was lost, the wrong one removed, or `rawlink` raised "no bell".
-- Fix: each change is one C function (links.h); whoever finds that links were told meanwhile has
-- them told again (add_link() in greenlet.lua, core.link_waitable() in waitable.lua).
local event = require "greenlet.event"
local helper = require "spec.helper"

local MOST = 150 -- instructions of a call, and some

-- At each instruction of first(x), in one greenlet, second(x) in another; then finish(x).
local function at_each_instruction(make, first, second, finish, check)
  for n = 1, MOST do
    local x, calls = make(), {}
    local function called(who) calls[#calls + 1] = who end
    local one = greenlet.spawn(helper.interrupted, n, function() first(x, called) end)
    local two = greenlet.spawn(second, x, called)
    greenlet.joinall({ one, two }, nil, true)
    finish(x)
    helper.settle()
    check(calls, n)
  end
end

local function nothing() end
local function dead()
  local g = greenlet.spawn(nothing)
  g:join()
  return g
end
local function end_it(g)
  g:start()
  g:join()
end
local function set(object) object:set() end
local function is_set()
  local object = event.Event()
  object:set()
  return object
end

local function link(name)
  return function(x, called) x:rawlink(function() called(name) end) end
end

local kinds = {
  { "a new greenlet", function() return greenlet.Greenlet(nothing) end, end_it },
  { "a greenlet that is about to end", function() return greenlet.spawn(nothing) end, nothing },
  { "a dead greenlet", dead, nothing },
  { "an event", event.Event, set },
  { "an event that is set", is_set, nothing },
}

describe("a link that a debug hook interrupts", function()
  helper.check_leaks()

  for _, kind in ipairs(kinds) do
    it("to " .. kind[1] .. " is called, and so is that of another", function()
      at_each_instruction(kind[2], link("one"), link("two"), kind[3], function(calls, n)
        table.sort(calls)
        assert.same({ "one", "two" }, calls, "interrupted after " .. n)
      end)
    end)
  end

  it("is called when the event is set meanwhile", function()
    at_each_instruction(event.Event, link("one"), set, nothing, function(calls, n)
      assert.same({ "one" }, calls, "interrupted after " .. n)
    end)
  end)
end)

describe("an unlink that a debug hook interrupts", function()
  helper.check_leaks()

  local function linked(object)
    local functions, calls = {}, {}
    for i = 1, 5 do
      functions[i] = function() calls[#calls + 1] = i end
      object:rawlink(functions[i])
    end
    return { object = object, functions = functions, calls = calls }
  end

  for _, kind in ipairs { kinds[1], kinds[4] } do
    it("removes its own link alone from " .. kind[1], function()
      local x
      at_each_instruction(function()
        x = linked(kind[2]())
        return x
      end, function() x.object:unlink(x.functions[3]) end, function()
        x.object:unlink(x.functions[1])
        x.object:unlink(x.functions[4])
      end, function() kind[3](x.object) end, function(_, n)
        assert.same({ 2, 5 }, x.calls, "interrupted after " .. n)
      end)
    end)
  end

  it("leaves alone what is told meanwhile", function()
    local x
    at_each_instruction(function()
      x = linked(event.Event())
      return x
    end, function() x.object:unlink(x.functions[5]) end, function() x.object:set() end, nothing,
      function(_, n)
        if x.calls[5] then x.calls[5] = nil end -- it was told before
        assert.same({ 1, 2, 3, 4 }, x.calls, "interrupted after " .. n)
      end)
  end)
end)
