-- bank.lua: two transfers that wait for each other, and what is said about it.
--
-- Shows: names of locks and greenlets, the report of a deadlock, and the way out of it.
--
-- Each transfer locks the account that it takes from, and then the other one. Two that go in
-- opposite directions at the same time both have one lock and wait for the other: the program
-- ends with the report of a deadlock, and status 3. With --order all lock the accounts in the
-- same order, and nobody waits for ever.
--
-- Usage: greenlua bank.lua [--order]
--
--     $ greenlua bank.lua --order
--     A has 80, B has 70

local greenlet = require "greenlet"
local Lock = require("greenlet.lock").Lock

local option = ...
if option ~= nil and option ~= "--order" then
  io.stderr:write("usage: bank.lua [--order]\n")
  os.exit(2)
end

local function Account(name, balance)
  return { name = name, balance = balance, lock = Lock(name) }
end

local function transfer(from, to, amount)
  local first, second = from, to
  if option == "--order" and to.name < from.name then first, second = to, from end
  local held <close> = first.lock:hold()
  greenlet.sleep(0) -- the other one locks its account
  local also_held <close> = second.lock:hold()
  from.balance, to.balance = from.balance - amount, to.balance + amount
end

local a, b = Account("A", 100), Account("B", 50)
local there = greenlet.spawn(transfer, a, b, 30)
local back = greenlet.spawn(transfer, b, a, 10)
there.name, back.name = "bank-a", "bank-b"
there:join()
back:join()
print(("A has %d, B has %d"):format(a.balance, b.balance))
