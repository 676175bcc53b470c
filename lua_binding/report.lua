--- The report of a deadlock.
--
--     greenlua: deadlock: 3 greenlets wait and nothing can wake them
--     cycle: "bank-a" -> "bank-b" -> "bank-a"
--       bank-a   waits for lock "B" held by bank-b   bank.lua:31 in transfer   2.0 s   ...
--       bank-b   ...
--     also: main waits for join of bank-a   main.lua:10

local core = ...
local waits = core.waits

local report = {}

local MOST_GROUPS = 1000 -- of greenlets that are not in a cycle
local MOST_CYCLES = 10
local MOST_NAMED = 3     -- of a group

-- ---- Cycles ----

-- From a greenlet on, along those who could wake it, back to one that is on the way.
-- `seen` has who was visited before: no cycle that is new begins there.
local function find_cycle(start, edges, seen)
  local path, place, next_holder = { start }, { [start] = 1 }, { 1 }
  seen[start] = true
  while #path > 0 do
    local depth = #path
    local edge = edges[path[depth]]
    local holder = edge and edge.holders[next_holder[depth]]
    next_holder[depth] = next_holder[depth] + 1
    local g = holder and holder.greenlet
    if not holder then
      place[path[depth]] = nil
      path[depth], next_holder[depth] = nil, nil
    elseif g and place[g] then
      return table.move(path, place[g], depth, 1, {})
    elseif g and edges[g] and not seen[g] then
      seen[g] = true
      path[depth + 1], place[g], next_holder[depth + 1] = g, depth + 1, 1
    end
  end
  return nil
end

--- Cycles of those who wait for each other, each a list of greenlets.
-- @param edges by greenlet
function report.find_cycles(list, edges)
  local cycles, seen = {}, {}
  for _, edge in ipairs(list) do
    local cycle = not seen[edge.greenlet] and #cycles < MOST_CYCLES
      and find_cycle(edge.greenlet, edges, seen)
    if cycle then cycles[#cycles + 1] = cycle end
  end
  return cycles
end

-- ---- What one does ----

-- By greenlet: what somebody waits for that it holds, a list of texts.
local function list_held(list)
  local held, known = {}, {}
  for _, edge in ipairs(list) do
    local new = (edge.what == "lock" or edge.what == "semaphore") and not known[edge.object]
    known[edge.object or edge] = true
    for _, holder in ipairs(new and edge.holders or {}) do
      local g = holder.greenlet
      if g then
        held[g] = held[g] or {}
        table.insert(held[g], ("%s (%s)"):format(waits.object_text(edge.object),
          holder.where or "?"))
      end
    end
  end
  return held
end

local function place_of(edge)
  if not edge.where then return nil end
  if edge["in"] == "main chunk" then return edge.where end
  return ("%s in %s"):format(edge.where, edge["in"])
end

-- What follows "waits for": what, place, time, what it holds, where it was spawned.
local function describe(edge, held)
  local g, is_main = edge.greenlet, edge.greenlet == core.main()
  local parts = { edge.name .. waits.holders_text(edge) }
  parts[#parts + 1] = place_of(edge)
  if not is_main or held[g] then parts[#parts + 1] = ("%.1f s"):format(edge.since) end
  if held[g] then parts[#parts + 1] = "holds " .. table.concat(held[g], ", ") end
  local spawned = not is_main and core.spawned_at(g)
  if spawned then parts[#parts + 1] = "spawned " .. spawned end
  return table.concat(parts, "   ")
end

-- ---- Cycles as text ----

local function add_cycle(lines, cycle, edges, held)
  local names, width = {}, 0
  for i, g in ipairs(cycle) do
    names[i] = core.label(g)
    width = math.max(width, #names[i])
  end
  local quoted = {}
  for i = 1, #names + 1 do quoted[i] = core.quoted(names[(i - 1) % #names + 1]) end
  lines[#lines + 1] = "cycle: " .. table.concat(quoted, " -> ")
  for i, g in ipairs(cycle) do
    lines[#lines + 1] = ("  %s%s   waits for %s"):format(names[i], (" "):rep(width - #names[i]),
      describe(edges[g], held))
  end
end

--- The lines that tell of cycles, each a list of greenlets, each of which waits for the
-- next and the last for the first.
-- @param edges by greenlet
function report.cycle_lines(cycles, list, edges)
  local lines, held = {}, list_held(list)
  for _, cycle in ipairs(cycles) do add_cycle(lines, cycle, edges, held) end
  return lines
end

-- ---- The rest ----

-- Greenlets that wait for the same in the same place are one group.
local function group(list, held, is_told)
  local groups, by_key = {}, {}
  for _, edge in ipairs(list) do
    local g = edge.greenlet
    if not is_told[g] then
      local key = held[g] and g or edge.name .. waits.holders_text(edge) .. core.traceback(g)
      local found = by_key[key]
      if not found then
        found = { edge = edge, names = {}, count = 0 }
        by_key[key] = found
        groups[#groups + 1] = found
      end
      found.count = found.count + 1
      if found.count <= MOST_NAMED then found.names[found.count] = core.label(g) end
    end
  end
  return groups
end

local function who(found)
  if found.count == 1 then return found.names[1] end
  return ("%s%s (x%d)"):format(table.concat(found.names, ", "),
    found.count > MOST_NAMED and " ..." or "", found.count)
end

local function add_rest(lines, groups, held, first)
  local indent = (" "):rep(#first)
  for i, found in ipairs(groups) do
    if i > MOST_GROUPS then
      lines[#lines + 1] = ("%s... and %d more kinds"):format(indent, #groups - MOST_GROUPS)
      return
    end
    lines[#lines + 1] = ("%s%s %s for %s"):format(i == 1 and first or indent, who(found),
      found.count == 1 and "waits" or "wait", describe(found.edge, held))
  end
end

-- ---- All of it ----

local function by_greenlet(list)
  local edges = {}
  for _, edge in ipairs(list) do edges[edge.greenlet] = edge end
  return edges
end

local function count_text(count)
  return count == 1 and "1 greenlet waits and nothing can wake it"
    or ("%d greenlets wait and nothing can wake them"):format(count)
end

local function lines_of_all(object)
  local list = waits.all(true, object) -- what main waited for has ended, by this report
  local edges, is_told = by_greenlet(list), {}
  local cycles = report.find_cycles(list, edges)
  for _, cycle in ipairs(cycles) do
    for _, g in ipairs(cycle) do is_told[g] = true end
  end
  local lines = report.cycle_lines(cycles, list, edges)
  local held = list_held(list)
  add_rest(lines, group(list, held, is_told), held, #cycles > 0 and "also: " or "  ")
  table.insert(lines, 1, "greenlua: deadlock: " .. count_text(#list))
  return lines
end

--- LoopExit for the main greenlet, which nothing can wake: its message names every
-- greenlet that is blocked, what it waits for, where, for how long, and where it was
-- spawned; what waits in a circle first.
-- @param object as for core.loop_exit
function report.loop_exit(object)
  local ok, lines = core.pcall(lines_of_all, object)
  if not ok then lines = { "(no report: " .. core.safe_text(lines) .. ")" } end
  return core.LoopExit("this operation would block forever\n" .. table.concat(lines, "\n"))
end

return report
