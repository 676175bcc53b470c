-- A Timeout that was given to a wait and expires when the greenlet has just been killed.
--
-- Cause: closing an expired Timeout took its error back only if it was the first in line. Behind a
-- kill it stayed, and was raised in the next wait: long after the wait that it was a limit of.
-- Fix: greenlet_retract_error takes it back wherever it is (timeout.c).
local greenlet = require "greenlet"
local helper = require "spec.helper"
local it = helper.it
local TICK, NEVER = helper.TICK, helper.NEVER

describe("a Timeout behind a kill", function()
  helper.check_leaks()

  -- In one poll a timer kills the greenlet that is in `wait(limit)`, and then the limit expires.
  local function both(wait)
    local errors = {}
    local g = greenlet.spawn(function()
      errors[1] = helper.raises(wait, greenlet.Timeout(2 * TICK))
      errors[2] = select(2, greenlet.pcall(greenlet.sleep, 0))
    end)
    local timer <close> = greenlet.get_hub().loop:timer(TICK)
    timer:start(function() greenlet.kill(g, "killed") end)
    greenlet.sleep(0)
    local start = os.clock()
    repeat until os.clock() - start > 4 * TICK
    g:join()
    return errors
  end

  it("is not raised after a join", function()
    local other = greenlet.spawn(greenlet.sleep, NEVER)
    assert.same({ "killed" }, both(function(limit) other:join(limit) end))
    other:kill()
  end)

  it("is not raised after a wait for an event or a lock", function()
    local event, lock = require "greenlet.event", require "greenlet.lock"
    local e, s, r = event.Event(), lock.Semaphore(0), event.AsyncResult()
    assert.same({ "killed" }, both(function(limit) e:wait(limit) end))
    assert.same({ "killed" }, both(function(limit) s:acquire(true, limit) end))
    assert.same({ "killed" }, both(function(limit) s:wait(limit) end))
    assert.same({ "killed" }, both(function(limit) r:get(true, limit) end))
  end)

  it("is not raised after its scope", function()
    assert.same({ "killed" }, both(function(limit)
      local open <close> = limit
      limit:start()
      greenlet.sleep(NEVER)
    end))
  end)
end)
