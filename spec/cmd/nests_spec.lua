-- What nests without end (spec/reliability/nests.lua) ends in an error of Lua's, or works: in the
-- main greenlet and in a spawned one, however many stacks there are, and if they move.
local run = require "spec.cmd.run"

local SCRIPT = run.read("spec/reliability/nests.lua")

local SECONDS = 120 * require "spec.patience" -- on a busy machine, too: it takes one or two

local modes = {
  ["with 64 stacks"] = { GREENLUA_STACK_SLOTS = "64", GREENLUA_STACK_MOVE = "" },
  ["with one stack"] = { GREENLUA_STACK_SLOTS = "1", GREENLUA_STACK_MOVE = "" },
  ["with stacks that move"] = { GREENLUA_STACK_SLOTS = "1", GREENLUA_STACK_MOVE = "1" },
}

-- How much stack that takes is measured for code as it is: AddressSanitizer makes frames larger,
-- and moves of stacks of this size take it, and valgrind, too long.
describe("what nests without end #asan #valgrind", function()
  teardown(run.clean)

  for mode, env in pairs(modes) do
    for _, where in ipairs { "main", "spawned" } do
      it("crashes nothing, " .. where .. ", " .. mode, function()
        env.GREENLUA_STACK_SIZE = ""
        local result = run.program(run.greenlua,
          { script = SCRIPT, args = { where }, env = env, seconds = SECONDS })
        local wrong = {}
        for line in result.stdout:gmatch("[^\n]+") do
          if not line:find("\tas expected$") then wrong[#wrong + 1] = line end
        end
        assert.same({}, wrong)
        assert.equal("", result.stderr)
        assert.equal(0, result.status)
        assert.matches("pools in pools\tas expected\n$", result.stdout) -- the last one
      end)
    end
  end
end)
