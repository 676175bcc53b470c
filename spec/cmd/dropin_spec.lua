-- greenlua is a drop-in for lua: one table of command lines, each run on both.
local cases = require "spec.cmd.dropin_cases"
local run = require "spec.cmd.run"

-- Addresses differ from run to run.
local function comparable(result)
  local function normal(text)
    return (text:gsub("0x%x+", "0x..."))
  end
  return { stdout = normal(result.stdout), stderr = normal(result.stderr), status = result.status }
end

describe("greenlua as lua", function()
  teardown(run.clean)

  for _, case in ipairs(cases) do
    it(case[1], function()
      local expected = comparable(run.program(run.stock, case))
      local got = comparable(run.program(run.greenlua, case))
      assert.not_equal(run.TIMED_OUT, expected.status)
      assert.same(expected, got)
    end)
  end
end)
