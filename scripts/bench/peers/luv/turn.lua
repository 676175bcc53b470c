-- turn.lua: coroutines that take turns through libuv's loop: each has a timer of its own, which
-- it starts with no delay before it yields.
--
-- Usage: lua5.4 turn.lua [COROUTINES [ROUNDS]]

local measure = dofile(arg[0]:match("^.*/") .. "../../measure.lua")
local uv = require "luv"

local count = measure.argument(1, 2)
local rounds = measure.argument(2, math.max(1, 500000 / count))

local function task()
  local timer, running = uv.new_timer(), coroutine.running()
  local function wake() assert(coroutine.resume(running)) end
  for _ = 1, rounds do
    timer:start(0, 0, wake)
    coroutine.yield()
  end
  timer:close()
end
for _ = 1, count do coroutine.wrap(task)() end

local start = os.clock()
uv.run()
measure.print_each("turn", os.clock() - start, count * rounds, "ns")
