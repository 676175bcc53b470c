-- The spawning stacks of greenlets that are made under many Lua functions.
--
-- Cause: the origin of a greenlet was found again by the innermost 16 call sites also where its
-- stack shows more levels than that, when a limit of more than 16 was not reached: what two
-- callers of a deep recursion made had the stack of the first. And an origin that was not to be
-- kept, since a finalizer had made greenlets while it was put together, replaced the text of
-- another that was kept.
-- Fix: trail.c keeps what 16 sites tell alone, and does not touch what it does not keep.
local greenlet = require "greenlet"
local helper = require "spec.helper"
local it = helper.it
local Greenlet = greenlet.Greenlet

describe("the spawning stack of a greenlet made under many functions", function()
  helper.check_leaks()
  after_each(function() Greenlet.spawning_stack_limit = 10 end)

  local function deep(n)
    if n == 0 then return (Greenlet(print)) end
    local g = deep(n - 1)
    return g
  end

  local function levels(g) return select(2, g.spawning_stack:gsub("\n", "")) end

  for _, limit in ipairs { 0, 1, 10, 16, 17, 100, 250 } do
    it("is its own, with a limit of " .. limit, function()
      Greenlet.spawning_stack_limit = limit
      local function first(n) local g = deep(n); return g end
      local function second(n) local g = deep(n); return g end
      for n = 0, 60, 3 do
        local a = first(n)
        local b = second(n) -- on a line of its own
        local shown = n + 1 < limit
        assert.equal(not shown, a.spawning_stack == b.spawning_stack, n .. " levels")
        assert.is_true(levels(a) <= 2 * limit + 1)
      end
    end)
  end
end)
