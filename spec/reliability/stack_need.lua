--- How much of a C stack each of nests.lua uses before an error of Lua's ends it.
--
--     lua5.4 spec/reliability/stack_need.lua build/greenlua [name ...]
--
-- The smallest stack with which it does not overrun, found by bisection; its guard is taken off.
local program = arg[1] or "build/greenlua"
local nests = arg[0]:gsub("[^/]*$", "") .. "nests.lua"

local PAGE, LEAST, MOST = 4096, 64 << 10, 4 << 20
local GUARD = 64 << 10 -- a quarter of small ones: core/slot.c

local function usable(bytes)
  return bytes - math.min(bytes // 4, GUARD)
end

local function quoted(word)
  return "'" .. word:gsub("'", [['\'']]) .. "'"
end

local function survives(name, bytes)
  return (os.execute(("GREENLUA_STACK_SIZE=%d %s %s spawned %s >/dev/null 2>&1"):format(
    bytes, program, nests, quoted(name))))
end

local function need(name)
  local low, high = LEAST // PAGE, MOST // PAGE -- high is enough
  while low < high do
    local middle = (low + high) // 2
    if survives(name, middle * PAGE) then high = middle else low = middle + 1 end
  end
  return usable(high * PAGE)
end

local function all_names()
  local names = {}
  local pipe <close> = assert(io.popen(program .. " " .. nests .. " main"))
  for line in pipe:lines() do names[#names + 1] = line:match("^[^\t]*") end
  return names
end

local names = arg[2] and table.move(arg, 2, #arg, 1, {}) or all_names()
for _, name in ipairs(names) do
  local bytes = need(name)
  print(("| %s | %s%d KB | %d KB |"):format(name, bytes == usable(LEAST) and "at most " or "",
    bytes >> 10, (usable(MOST) - bytes) >> 10))
end
