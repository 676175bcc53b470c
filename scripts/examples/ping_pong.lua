-- ping_pong.lua: two raw greenlets that pass a number to and fro.
--
-- Shows: switch, which hands a value to another greenlet and returns the value that comes
-- back; what one switch costs.
--
-- Usage: greenlua ping_pong.lua [ROUNDS]     (1000000 rounds)
--
--     $ greenlua ping_pong.lua
--     1000000 rounds, pong counted 1000000
--     96.0 ns per switch

local greenlet = require "greenlet"

local rounds = math.tointeger(tonumber(arg[1] or 1000000))
if #arg > 1 or not rounds or rounds < 1 then
  io.stderr:write("usage: ping_pong.lua [ROUNDS], a whole number from 1 on\n")
  os.exit(2)
end

local ping, pong

pong = greenlet.greenlet(function(number)
  while true do
    number = ping:switch(number + 1)
  end
end)

ping = greenlet.greenlet(function(number)
  for _ = 1, rounds do
    number = pong:switch(number)
  end
  return number -- goes to the parent: whoever made ping, here the main greenlet
end)

local start = os.clock()
local number = ping:switch(0)
local seconds = os.clock() - start

print(("%d rounds, pong counted %d"):format(rounds, number))
print(("%.1f ns per switch"):format(seconds / (2 * rounds) * 1e9))
