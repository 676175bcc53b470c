--- Specs that run a program of random operations, with few stacks and with many.

local busted = require "busted"

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

--- A spec for each setting and seed, which its name tells. Each calls f(run, how):
-- `run(script, operations)` runs the script with the seed and that number as its arguments
-- (fewer, if SPEC_PATIENCE is more than 1), and returns what helper.run does; `how` is a text. The
-- variable SEED takes the place of the seeds.
-- @tparam string what the beginning of the name
-- @tparam table settings list of names: "one stack", "two stacks", "four stacks", "64
--   stacks", "moving stacks"
-- @tparam table seeds list of integers
function random.it(what, settings, seeds, f)
  local only = os.getenv("SEED")
  if only then
    seeds = { math.tointeger(tonumber(only)) or error("SEED: an integer expected") }
  end
  for _, name in ipairs(settings) do
    for _, seed in ipairs(seeds) do
      local function run(script, operations)
        return helper.run(script, { env = SETTINGS[name],
          args = { seed, as_many_as_fit(operations) } })
      end
      local how = ("with %s, SEED=%d"):format(name, seed)
      busted.it(what .. " " .. how, function() f(run, how) end)
    end
  end
end

return random
