-- A script's code that runs in the middle of a kill or a start.
--
-- Cause: kill, throw and start took the greenlet's core half first and called the script's code
-- then: an exception class (its init, its __call) or the _run of a subclass, which __index may
-- compute. That code could end or start the same greenlet; the half was given to another
-- greenlet meanwhile, which got the kill. And a half was lost if that code raised an error.
-- Fix: all that may call a script comes first, and the greenlet's state is looked at after it
-- (greenlet.c, handle.c, raw.c).
local greenlet = require "greenlet"
local helper = require "spec.helper"
local it = helper.it

describe("an exception class that is the argument of kill", function()
  helper.check_leaks()

  -- A class whose init ends `victim` and starts another one.
  local function meddler(victim)
    local Class = helper.exception("Meddler")
    local other = {}
    function Class:init()
      Class.super.init(self, "meddled")
      greenlet.kill(victim)
      other.greenlet = greenlet.spawn(function() return "fine" end)
    end
    return Class, other
  end

  it("may end the greenlet and start another one", function()
    local victim = greenlet.Greenlet(print)
    local Class, other = meddler(victim)
    local report = helper.capture(function()
      greenlet.kill(victim, Class)
      other.greenlet:join()
    end)
    assert.equal("", report)
    assert.equal("fine", other.greenlet.value)
    assert.is_true(victim.dead)
  end)

  it("may do so in a throw", function()
    local victim = greenlet.greenlet(print)
    local Class, other = meddler(victim)
    helper.raises(victim.throw, victim, Class)
    other.greenlet:join()
    assert.equal("fine", other.greenlet.value)
    assert.is_true(victim.dead)
  end)

  it("may raise an error, which leaves nothing behind", function()
    local made = setmetatable({}, { __mode = "k" })
    local bad = setmetatable({}, { __is_class = true }) -- cannot be called
    for _ = 1, 20 do
      local managed, raw = greenlet.Greenlet(print), greenlet.greenlet(print)
      made[managed], made[raw] = true, true
      helper.raises(greenlet.kill, managed, bad)
      helper.raises(raw.throw, raw, bad)
    end
    assert.is_true(helper.collect_until(function() return next(made) == nil end))
  end)
end)

describe("a greenlet whose _run starts it", function()
  helper.check_leaks()

  it("runs once, and start raises an error", function()
    local asked, ran = 0, 0
    local Class = greenlet.Greenlet:extend("Class")
    function Class:init() Class.super.init(self) end
    Class.__index = function(self, key)
      if key ~= "_run" then return nil end
      asked = asked + 1
      if asked == 2 then
        self:start()
        greenlet.sleep(helper.TICK)
      end
      return function() ran = ran + 1 end
    end
    local report, message = helper.capture(function()
      local g = Class()
      local message = helper.raises(g.start, g)
      helper.settle()
      return message
    end)
    assert.equal("", report)
    assert.truthy(tostring(message):find("started meanwhile", 1, true), tostring(message))
    assert.equal(1, ran)
  end)
end)
