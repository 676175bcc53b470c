-- Members of a pool that are members of another group, too, and leave while a debug hook lets
-- others run in the pool's Lua code.
--
-- Found by interrupting each instruction in turn. Cause: the list of such members was searched and
-- changed by several instructions of Lua. Others changed it in between: a place was given back
-- twice, `#pool` raised "attempt to index a nil value", `kill` missed one and had no end.
-- Fix: each change is one C function (guests.c).
local pool = require "greenlet.pool"
local helper = require "spec.helper"

local MOST, PLACES = 300, 3 -- instructions of a call, and some; of the pool

local function new_pool()
  local x = { pool = pool.Pool(PLACES) }
  x.one, x.two = greenlet.spawn(greenlet.sleep, helper.NEVER), greenlet.spawn(greenlet.sleep,
    helper.NEVER)
  x.home = pool.Group(x.one, x.two)
  return x
end

local function full_pool()
  local x = new_pool()
  x.pool:add(x.one)
  x.pool:add(x.two)
  return x
end

local function add_one(x) x.pool:add(x.one) end
local function discard_one(x) x.pool:discard(x.one) end
local function discard_two(x) x.pool:discard(x.two) end
local function kill_one(x) x.one:kill() end
local function count(x) return #x.pool end
local function kill_all(x) x.pool:kill() end

local cases = {
  { "is added twice", new_pool, add_one, add_one, 1 },
  { "dies while it is added", new_pool, add_one, kill_one, 0 },
  { "is discarded twice", full_pool, discard_one, discard_one, 1 },
  { "dies while it is discarded", full_pool, discard_one, kill_one, 1 },
  { "dies while another is discarded", full_pool, discard_two, kill_one, 0 },
  { "dies while they are counted", full_pool, count, kill_one, 1 },
  { "is discarded while they are counted", full_pool, count, discard_one, 1 },
  { "dies while all are killed", full_pool, kill_all, kill_one, 0 },
}

describe("a member of two groups, in a call that a debug hook interrupts,", function()
  helper.check_leaks()

  for _, case in ipairs(cases) do
    it("has one place when it " .. case[1], function()
      for n = 1, MOST do
        local x, when = case[2](), "interrupted after " .. n
        local first = greenlet.spawn(helper.interrupted, n, case[3], x)
        local second = greenlet.spawn(case[4], x)
        greenlet.joinall({ first, second }, helper.GENEROUS, true)
        assert.truthy(first.dead and second.dead, when)
        assert.equal(case[5], #x.pool, when)
        assert.equal(PLACES - case[5], x.pool:free_count(), when)
        x.home:kill()
        assert.equal(PLACES, x.pool:free_count(), when)
      end
    end)
  end
end)
