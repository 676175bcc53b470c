-- sleepers.lua: very many coroutines that sleep by a timer of libuv, for 1,000 different times.
--
-- Usage: lua5.4 sleepers.lua [COUNT]

local measure = dofile(arg[0]:match("^.*/") .. "../../measure.lua")
local uv = require "luv"

local count = measure.argument(1, 100000)

local function sleep(milliseconds)
  local timer, running = uv.new_timer(), coroutine.running()
  timer:start(milliseconds, 0, function()
    timer:close()
    assert(coroutine.resume(running))
  end)
  coroutine.yield()
end

local woken = 0
local start = os.clock()
for i = 1, count do
  local milliseconds = 500 + i * 379 % 1000
  coroutine.wrap(function()
    sleep(milliseconds)
    woken = woken + 1
  end)()
end
uv.run()
local used = os.clock() - start
assert(woken == count)
measure.print_each("sleeper", used, count, "us")
