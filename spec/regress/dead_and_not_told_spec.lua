-- Greenlets that are dead, but whose links have not been told yet.
--
-- Found by fuzzing. Cause: a report of what such a one does took it for one that still waits, for
-- what it had waited for last, a greenlet that was freed.
-- Fix: what is dead does nothing (check_living() in report.c).
local util = require "greenlet.util"
local helper = require "spec.helper"

describe("a greenlet that is dead, and whose links wait to be told,", function()
  helper.check_leaks()

  it("waits for nothing", function()
    local seen
    local first = greenlet.spawn(function() end)
    local g = greenlet.spawn(function() first:join() end)
    g:rawlink(function() end)
    local function look()
      if not g.dead then return greenlet.spawn(look) end
      seen = util.describe(g)
      first = nil
      collectgarbage()
      collectgarbage()
      assert.truthy(#util.format_run_info() > 0)
    end
    greenlet.spawn(look)
    helper.settle()
    assert.equal("dead", seen.state)
    assert.equal(nil, seen.what)
  end)

  it("is no waiting greenlet in a report", function()
    local text
    local first = greenlet.spawn(function() end)
    local g = greenlet.spawn(function()
      first:join()
      greenlet.spawn(function() text = table.concat(util.format_run_info(), "\n") end)
    end)
    g.name = "dead one"
    g:rawlink(function() end)
    helper.settle()
    assert.falsy(text:find('"dead one"[^\n]*\n[^\n]*waits for'))
  end)
end)
