-- parked.lua: very many coroutines that have yielded; then each is resumed once more, and ends.
--
-- Usage: lua5.4 parked.lua [COUNT]     (luajit, too)

local measure = dofile(arg[0]:match("^.*/") .. "../../measure.lua")

local count = measure.argument(1, 1000000)

local create, resume, yield = coroutine.create, coroutine.resume, coroutine.yield
local function body() yield() end
local all = {}
for i = 1, count do all[i] = false end -- its own memory is not theirs

local function spawn()
  local start = os.clock()
  for i = 1, count do
    local co = create(body)
    all[i] = co
    resume(co)
  end
  return os.clock() - start
end

local function wake()
  local start = os.clock()
  for i = 1, count do
    resume(all[i])
    all[i] = false
  end
  return os.clock() - start
end

collectgarbage()
local before = measure.resident_bytes()
local spawned = spawn()
collectgarbage()
local bytes = (measure.resident_bytes() - before) / count
wake()

measure.print("tasks", count, "n")
measure.print("bytes", bytes, "B")
measure.print_each("spawn", spawned, count, "ns")
measure.print_each("respawn", spawn(), count, "ns")
measure.print_each("wake", wake(), count, "ns")
