-- instructions.lua: what a switch, a spawn and so on consist of, in instructions.
--
-- callgrind counts the instructions of two runs of a program that differ in their number of
-- rounds; the difference, divided by that of the rounds, is one round's. So start and end of the
-- process do not count, and the counts are the same on a busy machine.
--
-- Usage: greenlua instructions.lua [--write]     (needs valgrind; --write: into
-- docs/performance.md)

local report = dofile((arg[0]:match("^.*/") or "./") .. "report.lua")

local DOCUMENT = report.directory() .. "../../docs/performance.md"
local FEW, MORE = 20000, 120000 -- rounds
local TOP = 12                  -- functions named

local subjects = {
  { "switch by `sleep(0)`", "switch", "switch", named = true },
  { "`resume` + `yield`", "switch", "pair" },
  { "`spawn` + `join`", "spawn_join", "spawn", named = true },
  { "`create` + run", "spawn_join", "create" },
}
local parts = { "Lua", "lua_binding", "core", "C library" }

--- In whose part of the program is a function?
local function part_of(file, name, object)
  file = "/" .. file
  if file:find("/core/", 1, true) or name:find("^switch_") then return "core" end
  if file:find("/lua_binding/", 1, true) then return "lua_binding" end
  if object:find("greenlua$") then return "Lua" end
  return "C library"
end

--- Instructions by function of one run: {["part:name"] = count}.
local function count(subject, rounds)
  local out = os.tmpname()
  local program = report.quote(report.directory() .. subject[2] .. ".lua")
  assert(report.capture(("valgrind -q --tool=callgrind --callgrind-out-file=%s %s %s %d %s 2>&1")
    :format(out, report.interpreter(), program, rounds, subject[3])))
  local listing = assert(report.capture("callgrind_annotate --auto=no --threshold=100 " .. out))
  os.remove(out)
  local counts = {}
  for number, rest in listing:gmatch("\n *([%d,]+) %([ %d.]+%%%)  ([^\n]+)") do
    local file, name = rest:match("^(.-):([^: ]+)")
    local object = rest:match(" %[(.*)%]$") or ""
    if name then
      name = name:gsub("'%d+$", ""):gsub("%.constprop%.%d+$", ""):gsub("%.isra%.%d+$", "")
      local key = part_of(file, name, object) .. ":" .. name
      counts[key] = (counts[key] or 0) + tonumber((number:gsub(",", "")))
    end
  end
  return counts
end

--- Instructions a round: by function, by part and in all.
local function measure(subject)
  io.stderr:write("counting: ", subject[1], "\n")
  local few, more = count(subject, FEW), count(subject, MORE)
  local functions, by_part, all = {}, {}, 0
  for key, number in pairs(more) do
    local each = (number - (few[key] or 0)) / (MORE - FEW)
    local part, name = key:match("^(.-):(.*)")
    functions[#functions + 1] = { part = part, name = name, each = each }
    by_part[part] = (by_part[part] or 0) + each
    all = all + each
  end
  table.sort(functions, function(a, b) return a.each > b.each end)
  return { functions = functions, by_part = by_part, all = all }
end

local lines = {}
local function add(...) lines[#lines + 1] = string.format(...) end

local results = {}
for i, subject in ipairs(subjects) do results[i] = measure(subject) end

local titles, rule = {}, {}
for i, subject in ipairs(subjects) do titles[i], rule[i] = subject[1], "---:" end
add("| Instructions | %s |", table.concat(titles, " | "))
add("|---|%s|", table.concat(rule, "|"))
for _, part in ipairs(parts) do
  local cells = {}
  for i, result in ipairs(results) do cells[i] = ("%.0f"):format(result.by_part[part] or 0) end
  add("| %s | %s |", part, table.concat(cells, " | "))
end
local sums = {}
for i, result in ipairs(results) do sums[i] = ("%.0f"):format(result.all) end
add("| all | %s |", table.concat(sums, " | "))

for i, subject in ipairs(subjects) do
  if subject.named then
    add("\nThe first %d functions of a %s:\n", TOP, subject[1])
    add("| Function | Part | Instructions | Share |")
    add("|---|---|---:|---:|")
    for j = 1, TOP do
      local f = results[i].functions[j]
      add("| `%s` | %s | %.0f | %.0f %% |", f.name, f.part, f.each, f.each / results[i].all * 100)
    end
  end
end

local text = table.concat(lines, "\n") .. "\n"
io.write(text)
if arg[1] == "--write" then
  report.write(DOCUMENT, "instructions", text)
  io.write("\nwritten to docs/performance.md\n")
end
