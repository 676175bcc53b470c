-- turn.lua: coroutines that take turns: each is resumed in turn, and yields.
--
-- Plain coroutines have no scheduler; the loop below is the least that one can be.
--
-- Usage: lua5.4 turn.lua [COROUTINES [ROUNDS]]     (luajit, too)

local measure = dofile(arg[0]:match("^.*/") .. "../../measure.lua")

local count = measure.argument(1, 2)
local rounds = measure.argument(2, math.max(1, 5000000 / count))

local resume, yield = coroutine.resume, coroutine.yield
local function body()
  while true do yield() end
end
local all = {}
for i = 1, count do
  all[i] = coroutine.create(body)
  resume(all[i])
end

local start = os.clock()
for _ = 1, rounds do
  for i = 1, count do resume(all[i]) end
end
measure.print_each("turn", os.clock() - start, count * rounds, "ns")
