-- Timeouts that expired, and Timeouts of the hub.
--
-- Cause: a Timeout remembered the greenlet that it had been delivered to, also after it had been
-- raised there; cancelled later, it took away whatever error was pending by then: somebody else's
-- kill. And one that was started in the hub, by a callback, belonged to a greenlet which can raise
-- nothing, and was kept for good.
-- Fix: it forgets the greenlet when it is raised (timeout.c, wait.c); start is an error in the hub.
local greenlet = require "greenlet"
local helper = require "spec.helper"
local it = helper.it

describe("an expired Timeout", function()
  helper.check_leaks()

  -- A greenlet in which `wait` makes a Timeout expire, and which is killed before it cancels it.
  local function survives(wait)
    local survived = false
    local g = greenlet.spawn(function()
      local timeout = greenlet.Timeout(helper.TICK)
      wait(timeout)
      greenlet.kill(greenlet.getcurrent(), greenlet.GreenletExit, false)
      timeout:cancel()
      greenlet.sleep(0)
      survived = true
    end)
    g:join()
    return survived
  end

  it("that was raised does not take away a kill", function()
    assert.is_false(survives(function(timeout)
      timeout:start()
      local err = helper.raises(greenlet.sleep, helper.NEVER)
      assert.equal(timeout, err)
    end))
  end)

  it("that was raised and closed does not either", function()
    assert.is_false(survives(function(timeout)
      timeout:start()
      helper.raises(greenlet.sleep, helper.NEVER)
      timeout:close()
    end))
  end)

  it("that ended a join does not either", function()
    local other = greenlet.spawn(greenlet.sleep, helper.NEVER)
    assert.is_false(survives(function(timeout)
      helper.raises(other.get, other, true, timeout)
    end))
    other:kill()
  end)
end)

describe("a Timeout in the hub", function()
  helper.check_leaks()

  it("cannot be started", function()
    local message
    greenlet.get_hub().loop:run_callback(function()
      message = select(2, greenlet.pcall(greenlet.Timeout.start_new, helper.NEVER))
    end)
    helper.settle()
    message = tostring(message)
    assert.truthy(message:find("cannot be started in the hub", 1, true), message)
  end)
end)
