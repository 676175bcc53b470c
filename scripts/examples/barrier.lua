-- barrier.lua: numbers sorted by a row of greenlets that change places with their neighbours.
--
-- Shows: a barrier made of events, by which greenlets proceed in step; a result for each round.
--
-- Each greenlet has one number. In odd rounds those at odd places compare theirs with the right
-- neighbour's, in even rounds those at even places; after as many rounds as there are numbers all are
-- in order (odd-even transposition sort). Nobody may be a round ahead: the barrier sees to that.
--
-- Usage: greenlua barrier.lua [NUMBER...]     (without numbers: ten of its own)
--
--     $ greenlua barrier.lua 3 1 2
--     3 1 2
--     1 3 2
--     1 2 3
--     1 2 3

local greenlet = require "greenlet"
local event = require "greenlet.event"

local Barrier = greenlet.class:extend("Barrier")

-- Calls action() when the last of `parties` has come.
function Barrier:init(parties, action)
  self.parties, self.missing, self.action = parties, parties, action
  self.open = event.Event()
end

-- Waits until everybody has called it, and is ready for the next round then.
function Barrier:wait()
  local open = self.open
  self.missing = self.missing - 1
  if self.missing > 0 then return open:wait() end
  self.action()
  self.missing, self.open = self.parties, event.Event() -- a new one: nobody slips through twice
  open:set()
end

local numbers = {}
for i, text in ipairs(#arg > 0 and arg or { 9, 4, 7, 1, 8, 2, 6, 0, 5, 3 }) do
  numbers[i] = tonumber(text)
  if not numbers[i] then
    io.stderr:write("usage: barrier.lua [NUMBER...]\n")
    os.exit(2)
  end
end

local function show() print(table.concat(numbers, " ")) end

local barrier = Barrier(#numbers, show)

local function sort(place)
  for round = 1, #numbers do
    local right = place + 1
    if place % 2 == round % 2 and right <= #numbers and numbers[right] < numbers[place] then
      numbers[place], numbers[right] = numbers[right], numbers[place]
    end
    greenlet.sleep(math.random() * 0.0005) -- some are slower than others
    barrier:wait()
  end
end

show()
local sorters = {}
for place = 1, #numbers do sorters[place] = greenlet.spawn(sort, place) end
greenlet.joinall(sorters)
