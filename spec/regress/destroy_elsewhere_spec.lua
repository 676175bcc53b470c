-- hub:destroy() called by a greenlet that is not the main one.
--
-- Cause: "only the main greenlet may call it" was written but not checked: it
-- hung in a __close that destroy itself had brought about, and killed its caller.
-- Fix: InvalidSwitchError (lua_binding/hub.lua).

local helper = require "spec.helper"

describe("hub:destroy() off the main greenlet", function()
  helper.check_leaks()

  helper.it("raises InvalidSwitchError and ends nobody", function()
    local hub = greenlet.get_hub()
    local sleeper = greenlet.spawn(greenlet.sleep, helper.NEVER or 60)
    local err = greenlet.spawn(function() return select(2, greenlet.pcall(hub.destroy, hub)) end):get()
    assert.is_true(greenlet.InvalidSwitchError:class_of(err))
    assert.is_false(sleeper.dead)
    sleeper:kill()
  end)

  helper.it("raises it also in a __close that destroy has brought about", function()
    local out, err, status = helper.run([[
      local hub = greenlet.get_hub()
      greenlet.spawn(function()
        local closing <close> = setmetatable({}, { __close = function()
          print((tostring(select(2, greenlet.pcall(hub.destroy, hub))):match("^%w+")))
        end })
        greenlet.sleep(60)
      end)
      greenlet.sleep(0)
      hub:destroy()
      print "end"
    ]])
    assert.equal("InvalidSwitchError\nend\n", out, err)
    assert.equal(0, status)
  end)
end)
