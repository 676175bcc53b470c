-- Waits of the Lua parts, before which a debug hook lets others run.
--
-- Found while fuzzing. Cause: what is waited for was looked at, then a debug hook waited, what was
-- waited for happened and woke nobody, and then the wait began: for ever.
-- Fix: who can be woken is noted before the look; who wakes it takes the note away, and no wait
-- begins without it (l_was_woken() in functions.c). Where an Event is waited for there is one for
-- each change, taken before the look (pool.lua, scope.lua).
local event = require "greenlet.event"
local pool = require "greenlet.pool"
local helper = require "spec.helper"

local MOST = 700 -- instructions before any of these waits, and some

local function wait_in(members, x)
  members:spawn(x.wait, x)
  members:spawn(x.wait, x)
end

local waits = {
  { "wait", function(x) greenlet.wait { x } end },
  { "iwait", function(x) for _ in greenlet.iwait { x } do end end },
  { "wait for one of two", function(x) greenlet.wait({ x, event.Event() }, nil, 1) end },
  { "select", function(x) greenlet.select { { x, "wait" } } end },
  { "the end of a scope", function(x) greenlet.scope(function(s) wait_in(s, x) end) end },
  { "Scope:shutdown", function(x)
    greenlet.scope(function(s)
      wait_in(s, x)
      s:shutdown()
    end)
  end },
  { "Pool:map", function(x) pool.Pool(2):map(function() x:wait() end, { 1, 2, 3 }) end },
  { "Pool:imap", function(x)
    for _ in pool.Pool(2):imap(function() x:wait() return 1 end, { 1, 2, 3 }) do end
  end },
  { "Pool:join", function(x)
    local members = pool.Pool(2)
    wait_in(members, x)
    members:join()
  end },
  { "Pool:kill", function(x)
    local members = pool.Pool(2)
    wait_in(members, x)
    members:kill()
  end },
}

describe("what comes while a debug hook interrupts a wait", function()
  helper.check_leaks()

  for _, case in ipairs(waits) do
    it("is not missed by " .. case[1], function()
      for n = 1, MOST do
        local x = event.Event()
        local waiter = greenlet.spawn(helper.interrupted, n, case[2], x)
        greenlet.spawn(x.set, x)
        waiter:join(helper.GENEROUS)
        assert.truthy(waiter:successful(), "interrupted after " .. n)
      end
    end)
  end
end)
