-- A value in one line whose __tostring gives a text with tabs.
--
-- Found by fuzzing. Cause: of such a text the line ends were taken out and the tabs left, so that
-- what is shown in columns stood in none.
-- Fix: both are a blank there.
local parts = require "spec.cmd.parts"

describe("a value in one line", function()
  it("has neither the tabs nor the line ends of its text", function()
    local value = setmetatable({}, { __tostring = function() return "a\tb \n\tc" end })
    assert.equal("a b c", parts.new().inspect.line(value))
  end)
end)
