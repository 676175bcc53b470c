-- A process whose address space is limited.
--
-- The stacks of greenlets are reserved all at once, 256 MB of address space. Where there was not
-- as much, no greenlet could ever begin, and the hub tried again for ever. Now fewer stacks are
-- reserved, and where there is no room for a single one, spawn raises an error.
local helper = require "spec.helper"

local SCRIPT = [[
  local ok, g = pcall(greenlet.spawn, function() greenlet.sleep(0.001) return "ran" end)
  if ok then print(g:get()) else print(g) end
  collectgarbage()
  print("end", greenlet.config.stack_slots)
]]

describe("limited address space", function()
  it("makes the stacks fewer, or spawn fail #memory", function()
    local fewer = false
    for _, megabytes in ipairs { 16, 18, 20, 24, 32, 64, 128, 256 } do
      local out, err, status = helper.run(SCRIPT,
        { memory = megabytes * 1000, env = { GREENLUA_STACK_SLOTS = 64 } })
      if err == "" then -- else there was not even room for the program
        assert.equal(0, status)
        local result, slots = out:match("^(.-)\nend\t(%d+)\n$")
        assert.truthy(result == "ran" or result == "not enough memory", out)
        fewer = fewer or result == "ran" and tonumber(slots) < 64
      end
      assert.not_equal(124, status)
    end
    assert.truthy(fewer, "never with fewer stacks")
  end)
end)
