-- A script's code that switches while it runs on the thread that the runtime keeps for itself.
--
-- Cause: an exception that ends a greenlet which never ran is made on the helper thread. Its class
-- may be anything that can be called, and could switch there: two of them were interleaved on one
-- stack, and an error unwound the other's calls. A debug hook that a trace function set on the
-- helper thread stayed there.
-- Fix: nothing may switch while such a call is under way (rt->still), and the hook is removed.
local helper = require "spec.helper"

local function prints(expected, script, options)
  local out, err, status = helper.run(script, options)
  assert.equal("", err)
  assert.equal(expected, out)
  return status
end

describe("the runtime's own thread", function()
  it("is not left by the exception of a greenlet that never ran", function()
    local status = prints("alive\n", [[
      greenlet.get_hub().exception_stream = false
      -- The first call is kill's, the second makes the exception that is recorded.
      local function waiting(seconds, fails)
        local calls = 0
        return setmetatable({}, { __is_class = true, __call = function(self)
          calls = calls + 1
          if calls == 1 then return self end
          greenlet.sleep(seconds)
          if fails then error("failed on purpose") end
          return "an exception"
        end })
      end
      local function kill(class) greenlet.kill(greenlet.Greenlet(print), class) end
      greenlet.joinall {
        greenlet.spawn(kill, waiting(0.001)), greenlet.spawn(kill, waiting(0.002, true)),
      }
      greenlet.sleep(0.004)
      print "alive"
    ]])
    assert.equal(0, status)
  end)

  for _, slots in ipairs { 1, 64 } do
    it("keeps no hook of a trace function, with stacks: " .. slots, function()
      prints("alive\n", [[
        greenlet.get_hub().exception_stream = false
        local calls, traced = 0, 0
        greenlet.settrace(function()
          traced = traced + 1
          debug.sethook(function()
            calls = calls + 1
            local call = calls
            greenlet.sleep(call % 2 == 0 and 0.001 or 0.002)
            if call % 3 == 0 then error "in a hook" end
          end, "c")
          if traced > 30 then greenlet.settrace() end
        end)
        for _ = 1, 10 do
          greenlet.spawn(function()
            for _ = 1, 20 do
              pcall(greenlet.sleep, 0)
              pcall(greenlet.kill, greenlet.Greenlet(print), "x")
            end
          end)
        end
        greenlet.sleep(0.05)
        debug.sethook()
        print "alive"
      ]], { env = { GREENLUA_STACK_SLOTS = slots } })
    end)
  end
end)
