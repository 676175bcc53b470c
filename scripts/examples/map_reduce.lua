-- map_reduce.lua: the words that occur in most of the files given.
--
-- Shows: map and reduce as greenlets: a pool that maps some files at a time, queues between the
-- mappers and the reducers, each of which has its share of the words, and a scope round all of it.
--
--     file --map--> {word, count} --\ /--> reducer 1 --\
--     file --map--> {word, count} ---X---> reducer 2 ----> sorted, printed
--     file --map--> {word, count} --/ \--> reducer 3 --/
--
-- Usage: greenlua map_reduce.lua [--reducers N] FILE...     (3 reducers)
-- A file that cannot be read is reported, the others are counted; the exit status is 1.
--
--     $ greenlua map_reduce.lua README.md docs/*.md
--      5 files,  729 times: the
--      5 files,  534 times: a
--      5 files,  386 times: is
--      ...

local greenlet = require "greenlet"
local Pool = require("greenlet.pool").Pool
local Queue = require("greenlet.queue").Queue

local AT_A_TIME = 4 -- files
local BLOCK = 4096  -- bytes that are read before others have their turn
local ROOM = 100    -- pairs that wait for a reducer
local SHOWN = 10

local reducers = 3
local paths = table.move(arg, 1, #arg, 1, {})
if paths[1] == "--reducers" then
  reducers = math.tointeger(tonumber(paths[2]))
  paths = table.move(arg, 3, #arg, 1, {})
end
if #paths == 0 or not reducers or reducers < 1 then
  io.stderr:write("usage: map_reduce.lua [--reducers N] FILE...\n")
  os.exit(2)
end

-- Which reducer has a word.
local function share_of(word)
  local sum = 0
  for _, byte in ipairs({ word:byte(1, -1) }) do sum = (sum * 31 + byte) % 65521 end
  return sum % reducers + 1
end

-- The words of a file, and how often it has them; or nil and what went wrong.
local function words_of(path)
  local file <close>, problem = io.open(path)
  if not file then return nil, problem end
  local counts = {}
  while true do
    local block, rest = file:read(BLOCK, "L") -- a block, and the rest of its last line
    if not block then
      if rest then return nil, path .. ": " .. rest end -- not the end, an error
      return counts
    end
    for word in (block .. (rest or "")):lower():gmatch("%a+") do
      counts[word] = (counts[word] or 0) + 1
    end
    greenlet.sleep(0)
  end
end

local problems = {}

-- Map a file: put its pairs into the queues. Waits where a reducer is behind.
local function map(path, queues)
  local counts, problem = words_of(path)
  if not counts then
    problems[#problems + 1] = problem
    return
  end
  for word, count in pairs(counts) do
    queues[share_of(word)]:put({ word = word, count = count })
  end
end

-- Reduce what comes through a queue to {word, files, count} for each word.
local function reduce(queue)
  local entries = {}
  for pair in queue:iter() do
    local entry = entries[pair.word]
    if not entry then
      entry = { word = pair.word, files = 0, count = 0 }
      entries[pair.word] = entry
    end
    entry.files = entry.files + 1
    entry.count = entry.count + pair.count
  end
  return entries
end

local all = greenlet.scope(function(s)
  local queues, results = {}, {}
  for i = 1, reducers do
    queues[i] = Queue(ROOM)
    results[i] = s:spawn(reduce, queues[i])
  end
  Pool(AT_A_TIME):map(function(path) map(path, queues) end, paths)
  for _, queue in ipairs(queues) do queue:shutdown() end
  local list = {}
  for _, result in ipairs(results) do
    for _, entry in pairs(result:get()) do list[#list + 1] = entry end
  end
  return list
end)

table.sort(all, function(a, b)
  if a.files ~= b.files then return a.files > b.files end
  if a.count ~= b.count then return a.count > b.count end
  return a.word < b.word
end)
for i = 1, math.min(SHOWN, #all) do
  print(("%2d files, %4d times: %s"):format(all[i].files, all[i].count, all[i].word))
end
for _, problem in ipairs(problems) do io.stderr:write("map_reduce.lua: ", problem, "\n") end
if #problems > 0 then os.exit(1) end
