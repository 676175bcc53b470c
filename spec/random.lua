--- Specs that run a program of random operations, with few stacks and with many.

local helper = require "spec.helper"
local patience = require "spec.patience"

local SETTINGS = {
  ["one stack"] = { GREENLUA_STACK_SLOTS = 1 },
  ["two stacks"] = { GREENLUA_STACK_SLOTS = 2 },
  ["four stacks"] = { GREENLUA_STACK_SLOTS = 4 },
  ["64 stacks"] = { GREENLUA_STACK_SLOTS = 64 },
  ["moving stacks"] = { GREENLUA_STACK_MOVE = 1 },
}
for _, env in pairs(SETTINGS) do env.MALLOC_PERTURB_ = 170 end -- the use of freed memory shows

local random = {}

-- Where operations take longer there are fewer of them, but not too few.
local LEAST = 2000
local function as_many_as_fit(operations)
  return math.max(operations // patience, math.min(operations, LEAST))
end

--- Call f(how, run) for each setting and seed: `how` tells both, for the name of a spec, and
-- `run(script, operations)` runs the script with the seed and that number as its arguments (fewer, if
-- SPEC_PATIENCE is more than 1), and returns what helper.run does. The variable SEED takes the
-- place of the seeds.
-- @tparam table settings list of names: "one stack", "two stacks", "four stacks", "64
--   stacks", "moving stacks"
-- @tparam table seeds list of integers
function random.each(settings, seeds, f)
  local only = os.getenv("SEED")
  if only then
    seeds = { math.tointeger(tonumber(only)) or error("SEED: an integer expected") }
  end
  for _, name in ipairs(settings) do
    for _, seed in ipairs(seeds) do
      f(("with %s, SEED=%d"):format(name, seed), function(script, operations)
        return helper.run(script, { env = SETTINGS[name], args = { seed, as_many_as_fit(operations) } })
      end)
    end
  end
end

return random
