-- A prepare watcher's callback that makes a greenlet ready.
--
-- Cause: whether the loop may wait was decided before prepare watchers ran, so
-- the greenlet ran when the next timer fired.
-- Fix: the poll is broken off when something is ready by then (core/hub.c,
-- invoke_pending).

local helper = require "spec.helper"

describe("a greenlet made ready in a prepare callback", function()
  helper.check_leaks()

  helper.it("does not wait for the next event", function()
    local loop = greenlet.get_hub().loop
    local order = {}
    local late = greenlet.spawn_later(helper.LATER or 0.2, function() order[#order + 1] = "timer" end)
    local prepare <close> = loop:prepare()
    prepare:start(function()
      prepare:stop()
      greenlet.spawn(function() order[#order + 1] = "ready" end)
    end)
    late:join()
    assert.same({ "ready", "timer" }, order)
  end)
end)
