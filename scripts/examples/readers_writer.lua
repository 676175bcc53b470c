-- readers_writer.lua: many may read at a time, or one may write.
--
-- Shows: a lock of one's own made of a Semaphore and an Event, with scopes that hold it; readers
-- that let a waiting writer go first.
--
-- Writers move money between accounts, and wait in the middle of it, when some of it is nowhere.
-- Readers add up all accounts, and wait between them. With the lock every sum is the same; with
-- --unlocked they are not.
--
-- Usage: greenlua readers_writer.lua [--unlocked] [READERS] [WRITERS]     (8 readers, 2 writers)
-- The exit status is 1 if a sum was wrong.
--
--     $ greenlua readers_writer.lua
--     160 sums, 0 wrong; 20 transfers; at most 8 read at a time

local greenlet = require "greenlet"
local event, lock = require "greenlet.event", require "greenlet.lock"

local ReadersWriterLock = greenlet.class:extend("ReadersWriterLock")

function ReadersWriterLock:init()
  self.readers, self.most = 0, 0
  self.writing = lock.Lock()         -- held by the writer, or by all readers together
  self.writers = 0                   -- that write or wait to
  self.no_writer = event.Event()
  self.no_writer:set()
end

-- What a scope closes.
local function at_the_end(f) return setmetatable({}, { __close = f }) end

function ReadersWriterLock:read()
  repeat self.no_writer:wait() until self.writers == 0 -- another may have come meanwhile
  self.readers = self.readers + 1
  self.most = math.max(self.most, self.readers)
  if self.readers == 1 then self.writing:acquire() end -- free: there is no writer
  return at_the_end(function()
    self.readers = self.readers - 1
    if self.readers == 0 then self.writing:release() end
  end)
end

function ReadersWriterLock:write()
  self.writers = self.writers + 1
  self.no_writer:clear()
  local function leave()
    self.writers = self.writers - 1
    if self.writers == 0 then self.no_writer:set() end
  end
  local undo <close> = at_the_end(function(_, err) if err ~= nil then leave() end end)
  self.writing:acquire() -- may be killed here: then it no longer waits
  return at_the_end(function()
    self.writing:release()
    leave()
  end)
end

local unlocked = arg[1] == "--unlocked"
if unlocked then table.remove(arg, 1) end
local readers = math.tointeger(tonumber(arg[1] or 8))
local writers = math.tointeger(tonumber(arg[2] or 2))
if #arg > 2 or not readers or not writers or readers < 0 or writers < 0 then
  io.stderr:write("usage: readers_writer.lua [--unlocked] [READERS] [WRITERS]\n")
  os.exit(2)
end

local ROUNDS = { read = 20, write = 10 }
local accounts = { 100, 100, 100, 100, 100 }
local guard = ReadersWriterLock()
local sums, wrong, transfers = 0, 0, 0

local function held(how)
  if unlocked then return at_the_end(function() end) end
  return guard[how](guard)
end

local function add_up()
  local reading <close> = held("read")
  local sum = 0
  for _, balance in ipairs(accounts) do
    sum = sum + balance
    greenlet.sleep(0)
  end
  sums = sums + 1
  if sum ~= 500 then wrong = wrong + 1 end
end

local function transfer()
  local writing <close> = held("write")
  local from, to, amount = math.random(5), math.random(5), math.random(50)
  accounts[from] = accounts[from] - amount
  greenlet.sleep(0.0005)
  accounts[to] = accounts[to] + amount
  transfers = transfers + 1
end

local function repeated(times, f)
  return greenlet.spawn(function()
    for _ = 1, times do
      f()
      greenlet.sleep(math.random() * 0.001)
    end
  end)
end

local everybody = {}
for _ = 1, readers do everybody[#everybody + 1] = repeated(ROUNDS.read, add_up) end
for _ = 1, writers do everybody[#everybody + 1] = repeated(ROUNDS.write, transfer) end
greenlet.joinall(everybody, nil, true)
print(("%d sums, %d wrong; %d transfers; at most %d read at a time"):format(
  sums, wrong, transfers, guard.most))
if wrong > 0 then os.exit(1) end
