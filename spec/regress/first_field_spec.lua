-- What makes the table of a greenlet's fields may end a cycle of the collector, which keeps something
-- in the same table: it was lost, and with it a greenlet that waited, and that the script held.
local helper = require "spec.helper"

local SCRIPT = [=[
local event = require "greenlet.event"
collectgarbage("incremental", 1, 10000, 1) -- cycle after cycle
local lost = 0
for _ = 1, 20 do
  local done, list = event.Event(), {}
  for i = 1, 20 do list[i] = greenlet.spawn(function() done:wait() return "woken" end) end
  greenlet.sleep(0)
  for _, g in ipairs(list) do g.field = true end
  collectgarbage()
  collectgarbage()
  greenlet.sleep(0)
  done:set()
  greenlet.joinall(list)
  for _, g in ipairs(list) do
    if g.value ~= "woken" or not g.field then lost = lost + 1 end
  end
end
print(lost)
]=]

describe("the first field of a greenlet", function()
  it("may be set while the collector looks at it", function()
    local out, err, status = helper.run(SCRIPT)
    assert.equal("", err)
    assert.equal("0\n", out)
    assert.equal(0, status)
  end)
end)
