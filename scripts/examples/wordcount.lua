-- wordcount.lua: the most frequent words of several files, one greenlet a file.
--
-- Shows: spawn, iwait, and giving way with sleep(0), so that the files are read in turns and a
-- short file is done before a long one that was named first.
--
-- Usage: greenlua wordcount.lua FILE...
-- A file that cannot be read is reported, the others are counted; the exit status is 1.
--
--     $ greenlua wordcount.lua README.md LICENSE
--       170 words in LICENSE
--      1199 words in README.md
--     461 different words; the most frequent:
--        60 the
--        52 greenlet
--        ...

local greenlet = require "greenlet"

local BLOCK = 4096 -- bytes that are read before the next file has its turn
local SHOWN = 10

if #arg == 0 then
  io.stderr:write("usage: wordcount.lua FILE...\n")
  os.exit(2)
end

local counts = {} -- word -> how often; no lock: greenlets switch only where they wait

-- Returns how many words the file has, or nil and what went wrong.
local function count(path)
  local file <close>, problem = io.open(path)
  if not file then return nil, problem end
  local words = 0
  while true do
    local block, rest = file:read(BLOCK, "L") -- a block, and the rest of its last line
    if not block then
      if rest then return nil, path .. ": " .. rest end -- not the end, an error
      return words
    end
    for word in (block .. (rest or "")):lower():gmatch("%a+") do
      counts[word] = (counts[word] or 0) + 1
      words = words + 1
    end
    greenlet.sleep(0)
  end
end

local readers = {}
for i, path in ipairs(arg) do
  readers[i] = greenlet.spawn(count, path)
  readers[i].path = path -- any field may be added
end

local failed = false
for reader in greenlet.iwait(readers) do -- in the order in which they are done
  local words, problem = reader:get()
  if words then
    print(("%6d words in %s"):format(words, reader.path))
  else
    failed = true
    io.stderr:write("wordcount.lua: ", problem, "\n")
  end
end

local words = {}
for word in pairs(counts) do words[#words + 1] = word end
table.sort(words, function(a, b)
  if counts[a] ~= counts[b] then return counts[a] > counts[b] end
  return a < b
end)
print(("%d different words; the most frequent:"):format(#words))
for i = 1, math.min(SHOWN, #words) do
  print(("%6d %s"):format(counts[words[i]], words[i]))
end

if failed then os.exit(1) end
