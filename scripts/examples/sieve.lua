-- sieve.lua: the sieve of Eratosthenes as a chain of raw greenlets, one for each prime.
--
-- Shows: raw greenlets, which pass values with switch. A number goes down the chain from
-- filter to filter; the one that can divide it drops it and switches straight back to the
-- main greenlet, past all the filters before it, which no coroutine can do.
--
-- Usage: greenlua sieve.lua [N]     the primes up to N (200)
--
--     $ greenlua sieve.lua 100
--         2    3    5    7   11   13   17   19   23   29
--        31   37   41   43   47   53   59   61   67   71
--        73   79   83   89   97
--     25 primes up to 100, a greenlet for each

local greenlet = require "greenlet"

local limit = math.tointeger(tonumber(arg[1] or 200))
if #arg > 1 or not limit or limit < 2 then
  io.stderr:write("usage: sieve.lua [N], a whole number from 2 on\n")
  os.exit(2)
end

local main = greenlet.getcurrent()

-- The first number that a filter is given is its prime. Every switch away from it returns
-- the next number, whoever switches back.
local function filter(prime)
  local next_filter
  local number = main:switch(prime)
  while true do
    if number % prime == 0 then
      number = main:switch()
    else
      next_filter = next_filter or greenlet.greenlet(filter, main)
      number = next_filter:switch(number)
    end
  end
end

local first = greenlet.greenlet(filter)
local primes = {}
for number = 2, limit do
  primes[#primes + 1] = first:switch(number) -- nil where a filter dropped it
end

for i = 1, #primes, 10 do
  local row = {}
  for j = i, math.min(i + 9, #primes) do row[#row + 1] = ("%5d"):format(primes[j]) end
  print(table.concat(row))
end
print(("%d primes up to %d, a greenlet for each"):format(#primes, limit))
