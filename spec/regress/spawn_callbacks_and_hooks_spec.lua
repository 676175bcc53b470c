-- Spawn callbacks that others remove in the middle of a spawn.
--
-- Found by fuzzing. Cause: the callbacks were sorted by what a table said of them at each
-- comparison; a debug hook that waits let others run, which removed one, and the spawn raised
-- "attempt to compare number with nil".
-- Fix: they are sorted by what was read with them.
local helper = require "spec.helper"

describe("a spawn", function()
  helper.check_leaks()

  it("outlives that its callbacks are removed while a debug hook waits in it", function()
    local Greenlet, callbacks = greenlet.Greenlet, {}
    local done = false
    local function add()
      for i = 1, 8 do
        callbacks[i] = callbacks[i] or function() end
        Greenlet.add_spawn_callback(callbacks[i])
      end
    end
    local function remove()
      for _, f in ipairs(callbacks) do Greenlet.remove_spawn_callback(f) end
    end
    local other = greenlet.spawn(function()
      while not done do
        add()
        greenlet.sleep(0)
        remove()
        greenlet.sleep(0)
      end
    end)
    local spawner = greenlet.Greenlet(function()
      debug.sethook(function() greenlet.sleep(0) end, "", 3)
      for _ = 1, 50 do
        greenlet.spawn(function() end)
        greenlet.sleep(0)
      end
      debug.sethook()
    end)
    spawner:start()
    spawner:join()
    done = true
    other:join()
    remove()
    assert.is_nil(spawner.exception)
  end)
end)
