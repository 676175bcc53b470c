--- Write a program of random operations, which are those of the directory model: every decision is
-- a byte of a text.
--
-- The text is read from left to right. A body is a list of operations, each a byte that says which
-- one, one that says how it is called, and its operands; a zero, or the end of the text, ends it.
-- So what a mutation changes remains a program, and mostly much the same one.

local MOST_OPERATIONS, DEEPEST = 150, 5

local bytes, at, count

local function byte()
  at = at + 1
  return bytes:byte(at) or 0
end

local function choose(list) return list[byte() % #list + 1] end

-- ---- Operands ----

local operands = {}
local function register(name, size)
  return function() return ("%s[%d]"):format(name, byte() % size + 1) end
end
operands.g = register("g", 8)
operands.q = register("q", 8)
operands.l = register("l", 6)
operands.e = register("e", 2)
operands.r = register("r", 2)
operands.p = register("p", 5)
operands.s = register("s", 2)

local function one_of(...)
  local list = { ... }
  return function() return choose(list) end
end
operands.i = one_of("1", "2", "3", "4", "5", "6", "7") -- the index of a register
operands.n = one_of("0", "1", "2", "3")
operands.b = one_of("true", "false", "nil")
operands.t = one_of("nil", "0", "0.001", "0.003", "0.02", "nil", "limit(0.002)", "nil")
operands.d = one_of("0", "0.001", "0.002", "0.005", "0.02")
operands.x = one_of("nil", "GreenletExit", "'killed'", "Stop()", "Stop", "{}", "Mute()", "42",
  "Mine()",
  "false", "Timeout(0.01)")
operands.w = one_of("'timer'", "'repeat'", "'async'", "'read'", "'write'", "'prepare'", "'check'",
  "'idle'", "'stat'", "'fork'")
operands.o = one_of("g[1]", "g[2]", "g[3]", "q[1]", "q[2]", "q[8]", "l[1]", "l[4]", "e[1]", "r[1]",
  "g[4]",
  "l[5]", "e[2]", "q[5]")

local body

--- Lists of one to four.
local function list(operand)
  return function()
    local items = {}
    for i = 1, byte() % 4 + 1 do items[i] = operand() end
    return "{" .. table.concat(items, ", ") .. "}"
  end
end
operands.G = list(operands.g)
operands.O = list(operands.o)
operands.C = list(function()
  local how = byte() % 3
  if how == 0 then return ("{%s, 'get'}"):format(operands.q()) end
  if how == 1 then return ("{%s, 'put'}"):format(operands.q()) end
  return ("{%s, 'wait'}"):format(operands.o())
end)
function operands.f(depth)
  return ("function()\n%s%send"):format(body(depth + 1), ("  "):rep(depth))
end

-- ---- Operations: a name and letters of operands ----

-- A byte means the same when operations are added: at the end, in place of one that is twice there.
local operations = {
  "spawn if", "spawn if", "spawn if", "spawn_later idf", "new if", "pinned if", "derived if",
  "start g", "start_later gd", "raw if", "raw_under igf", "spawn_raw if", "switch g", "throw gx",
  "reparent gg", "kill gxbt", "kill_later gx", "killall Gxbt", "link gf", "link_value gf",
  "link_exception gf", "rawlink gf", "link_result gr", "unlink n", "unlink_all g",
  "join gt", "join gt", "get gbt", "joinall Gtbn", "wait Otn", "iwait Otn", "sleep d", "sleep d",
  "idle", "raise x", "closing f", "bound f", "with_timeout df", "with_value df",
  "start_timeout idx",
  "cancel_timeout i", "close_timeout i", "run_timeout idxf", "coroutine if", "resume i", "yield",
  "close_coroutine i", "sort f", "gsub f", "metamethod f",
  "put qbt", "put qbt", "take qbt", "take qbt", "peek qbt", "queue_join qt", "task_done q",
  "shutdown qb", "maxsize qn", "iterate qn", "copy q", "queue_link of", "select Ct", "select Ct",
  "locked lbtf", "locked lbtf", "with lf", "release l", "lock_wait lt",
  "set e", "clear e", "event_wait et", "set_result r", "set_error rx", "get_result rbt",
  "wait_result rt",
  "pool_spawn pif", "pool_apply pf", "pool_async pf", "pool_map pnf", "pool_imap pnnf",
  "pool_unordered pnf", "pool_add pgbt", "pool_discard pg", "pool_start pif", "pool_join ptb",
  "pool_kill pxbt", "pool_killone pg", "pool_wait pt",
  "scope itf", "scope itf", "scope_spawn sif", "scope_spawn sif", "scope_cancel sx",
  "scope_shutdown st",
  "scope_wait st", "set_local n", "get_local n", "watch iwdf", "stop_watcher i", "close_watcher i",
  "send i", "again i", "hub_wait i", "cancel_wait ix", "run_callback f", "stop_callback",
  "name gn", "report n", "look g", "collect n", "finalizer f", "trace nf", "set_config n",
  "loop nf", "loop nf", "spawn_callback f", "tree_local n",
  "deep nf", "deep nf", "many n", "hold lf", "wait_all t", "hub_join t", "pool_break pnf",
  "pool_map_async pn",
  "pool_callback pf", "pool_iterate px", "hooked nf", "hooked nf",
}
local BYTES, FIRST = 256, 118
for i = #operations + 1, BYTES do operations[i] = operations[(i - 1) % FIRST + 1] end

local HOW = { "", "", "try", "try", "try", "try", "protect", "protect", "wrap", "inside", "handle",
  "try" }

local function operation(depth)
  local word = operations[byte() + 1]
  local name, letters = word:match("^(%S+) ?(%S*)$")
  local how = choose(HOW)
  local arguments = {}
  for letter in letters:gmatch(".") do
    arguments[#arguments + 1] = operands[letter](depth)
  end
  if how == "" then return ("%s(%s)"):format(name, table.concat(arguments, ", ")) end
  table.insert(arguments, 1, name)
  return ("%s(%s)"):format(how, table.concat(arguments, ", "))
end

function body(depth)
  local lines = {}
  while depth <= DEEPEST and at < #bytes and count < MOST_OPERATIONS and bytes:byte(at + 1) ~= 0 do
    count = count + 1
    lines[#lines + 1] = ("  "):rep(depth) .. operation(depth) .. "\n"
  end
  at = at + 1
  return table.concat(lines)
end

-- ---- The program ----

local SLOTS = { 64, 1, 2, 4 }

return function(text)
  bytes, at, count = text, 0, 0
  local how = byte()
  local lines = how & 32 > 0 and "lines" or "no lines" -- does a hook count them?
  local slots, move = SLOTS[how % 4 + 1], how & 4 > 0
  local collector = how & 8 > 0 and "generational" or "incremental"
  return ("-- %s\nsetup(%d, %s, %q, %s)\nmain(function()\n%send)\n"):format(lines, slots, move,
    collector, how & 144 == 144, body(1))
end
