-- A second init of a raw greenlet.
--
-- Cause: init set the parent without the check that the parent property makes, as a new greenlet
-- cannot be anybody's ancestor; but a script may call init again. Switches along the cycle of
-- parents never ended.
-- Fix: a second init raises an error (raw.c).
local greenlet = require "greenlet"
local helper = require "spec.helper"
local it = helper.it

describe("a second init of a raw greenlet", function()
  helper.check_leaks()

  local function refuses(g, ...)
    local message = tostring(helper.raises(g.init, g, ...))
    assert.truthy(message:find("has been made already", 1, true), message)
  end

  it("cannot make it its own parent", function()
    local main = greenlet.getcurrent()
    local g = greenlet.greenlet(function() return "ran" end)
    refuses(g, print, g)
    assert.equal(main, g.parent)
    assert.equal("ran", g:switch())
    refuses(g, print, g)
  end)

  it("cannot make it a child of its child", function()
    local first = greenlet.greenlet(function(value) return value .. " first" end)
    local second = greenlet.greenlet(function() return "second" end, first)
    refuses(first, print, second)
    assert.equal("second first", second:switch())
    assert.is_true(first.dead and second.dead)
  end)
end)
