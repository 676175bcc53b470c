-- fan_out.lua: looks for a text in many files at a time, and prints what it finds in their order.
--
-- Shows: fan-out by a pool: so many files are open at a time; fan-in by imap: results come in the
-- order of the files, as soon as they can, and maxsize bounds how many wait for one before them.
--
-- Usage: greenlua fan_out.lua [--unordered] TEXT FILE...
-- Without --unordered, lines come as from grep -Fn; with it, files come as they are done. The exit
-- status is 0 if the text was found, 1 if not, and 2 if a file could not be read.
--
--     $ greenlua fan_out.lua --unordered WARRANTY README.md LICENSE
--     LICENSE:15:THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR

local greenlet = require "greenlet"
local Pool = require("greenlet.pool").Pool

local OPEN = 8          -- files at a time
local HELD = 16         -- results that wait for one before them
local LINES = 100       -- that are read before another file has its turn

local first = arg[1] == "--unordered" and 2 or 1
local text = arg[first]
local paths = table.move(arg, first + 1, #arg, 1, {})
if not text or #paths == 0 then
  io.stderr:write("usage: fan_out.lua [--unordered] TEXT FILE...\n")
  os.exit(2)
end

-- Returns path, and the list of the lines found; or path, nil and what went wrong.
local function search(path)
  local file <close>, problem = io.open(path)
  if file then problem = select(2, file:read(0)) end -- a directory opens, but cannot be read
  if problem then return path, nil, problem:match("[^:]*$") end
  local found, number = {}, 0
  for line in file:lines() do
    number = number + 1
    if line:find(text, 1, true) then found[#found + 1] = ("%d:%s"):format(number, line) end
    if number % LINES == 0 then greenlet.sleep(0) end
  end
  return path, found
end

local status = 1
local pool = Pool(OPEN)
local imap = first == 2 and pool.imap_unordered or pool.imap
for path, found, problem in imap(pool, { search, maxsize = HELD }, paths) do
  if problem then
    io.stderr:write("fan_out.lua: ", path, ": ", (problem:gsub("^ ", "")), "\n")
    status = 2
  else
    for _, line in ipairs(found) do print(path .. ":" .. line) end
    if #found > 0 and status == 1 then status = 0 end
  end
end
os.exit(status)
