--- What a running program tells of itself: when a signal asks, when greenlua ps does,
-- when a greenlet does not give way, and at the end.

local core = ...

local dump = {}

local MOST_LINES = 1000 -- of a list
local MOST_WIDTH = 60   -- of a column; longer ones push the rest of their line

-- ---- Words ----

local function count_of(count, noun)
  return ("%d %s%s"):format(count, noun, count == 1 and "" or "s")
end

-- What no script has called: this file, and the C function that a hook has called.
local function is_ours(line)
  return line:find("[greenlet.dump]", 1, true) or line:find("%[C%]: in hook '%?'$")
end

local function without_ours(lines)
  local kept = {}
  for _, line in ipairs(lines) do
    if not is_ours(line) then kept[#kept + 1] = line end
  end
  return kept
end

-- ---- Groups of greenlets that do the same ----

local MOST_NAMED = 3 -- of a group

local function place_of(edge)
  if not edge.where or edge["in"] == "main chunk" then return edge.where or "" end
  return ("%s in %s"):format(edge.where, edge["in"])
end

local function line_of(place) return place:match("^(.-:%d+): in ") or place end

-- What a greenlet does, at which line, since when, and where it was spawned.
-- `known`: what waits.edge keeps from call to call.
local function look(g, known)
  local row = { names = { g }, count = 1, seconds = 0 }
  local running = g == core.getcurrent()
  local edge = not running and core.waits.edge(g, false, known)
  if running then
    row.does, row.at = "runs", line_of(core.running_place())
  elseif edge then
    row.does = "waits for " .. edge.name .. core.waits.holders_text(edge)
    row.at, row.seconds = place_of(edge), edge.since
  else
    local what, where = core.describe(g)
    row.does, row.at = "waits for " .. (what or "its start"), where and line_of(where) or ""
  end
  row.spawned = g ~= core.main() and core.spawned_at(g) or ""
  return row
end

local function add_to(row, g, seconds)
  row.count = row.count + 1
  if seconds > row.seconds then row.seconds = seconds end
  if row.count <= MOST_NAMED then row.names[row.count] = g end
end

-- One row for all that do the same at the same line, in the order of the first ones.
local function group(list)
  local rows, by_kind, by_text, known = {}, {}, {}, {}
  for _, g in ipairs(list) do
    local kind, seconds = core.alike(g)
    local row = kind and by_kind[kind]
    if row then
      add_to(row, g, seconds)
    else
      local new = look(g, known)
      local text = new.does .. "\0" .. new.at .. "\0" .. new.spawned
      row = by_text[text]
      if row then
        add_to(row, g, new.seconds)
      else
        row, by_text[text], rows[#rows + 1] = new, new, new
      end
      if kind then by_kind[kind] = row end
    end
  end
  return rows
end

local function who(row)
  local names = {}
  for i, g in ipairs(row.names) do names[i] = type(g) == "string" and g or core.label(g) end
  local text = table.concat(names, ", ")
  if row.count > MOST_NAMED then text = text .. " ..." end
  return row.count > 1 and ("%s (x%d)"):format(text, row.count) or text
end

local function sentence(row)
  local parts = { who(row) .. " " .. (row.count > 1 and row.does:gsub("^waits", "wait") or row.does) }
  if row.at ~= "" then parts[#parts + 1] = row.at end
  parts[#parts + 1] = ("%.1f s"):format(row.seconds)
  if row.spawned ~= "" then parts[#parts + 1] = "spawned " .. row.spawned end
  return "  " .. table.concat(parts, "   ")
end

local function sentences(rows)
  local lines = {}
  for i = 1, math.min(#rows, MOST_LINES) do lines[i] = sentence(rows[i]) end
  if #rows > MOST_LINES then lines[#lines + 1] = ("  ... and %d more kinds"):format(#rows - MOST_LINES) end
  return lines
end

-- ---- What keeps the program running ----

local function watcher_line(watcher)
  local text = ("  %s   calls %s"):format(core.watcher_text(watcher),
    core.function_name(watcher.callback))
  local started = core.watcher_start_site(watcher)
  return started and text .. "   started " .. started or text
end

--- Who makes the program go on: lines, none if nothing does.
local function keepers()
  local greenlets, watchers, timeouts = core.keepers()
  local lines = sentences(group(greenlets))
  for _, watcher in ipairs(watchers) do lines[#lines + 1] = watcher_line(watcher) end
  for _, timeout in ipairs(timeouts) do
    lines[#lines + 1] = ("  %s   of %s"):format(core.safe_text(timeout[1]), core.label(timeout[2]))
  end
  return lines
end

local function write(lines) core.write(table.concat(lines, "\n") .. "\n") end

local function append(lines, more) return table.move(more, 1, #more, #lines + 1, lines) end

--- Print what keeps the program running.
function dump.why_alive()
  local lines = keepers()
  if #lines == 0 then return end
  table.insert(lines, 1, "greenlua: the program goes on because of")
  write(lines)
end

-- ---- Trees and lists ----

local function heading()
  return ("process %d: main and %s"):format(core.pid(), count_of(#core.greenlets(), "greenlet"))
end

local function tree(lines)
  for _, line in ipairs(without_ours(core.module.util.format_run_info())) do
    if not line:find("^%*") then lines[#lines + 1] = line end
  end
  local kept = keepers()
  if #kept > 0 then append(lines, { "What keeps the program running:" }) end
  return append(lines, kept)
end

--- Print all that is known to the standard error: SIGUSR1.
function dump.print() write(tree { "greenlua: " .. heading() }) end

--- The same as text: greenlua tree.
function dump.tree() return table.concat(tree { heading() }, "\n") .. "\n" end

--- One line for each greenlet, or for many that do the same: greenlua ps.
function dump.list()
  local list = core.greenlets()
  table.insert(list, 1, core.main())
  local rows, widths = { { "GREENLET", "DOES", "AT", "SINCE", "SPAWNED AT" } }, { 0, 0, 0, 0, 0 }
  for _, row in ipairs(group(list)) do
    rows[#rows + 1] = { who(row), row.does, row.at, ("%.1f s"):format(row.seconds), row.spawned }
  end
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do widths[i] = math.min(math.max(widths[i], #cell), MOST_WIDTH) end
  end
  local lines = { heading() }
  for _, row in ipairs(rows) do
    for i = 1, #row - 1 do row[i] = row[i] .. (" "):rep(widths[i] - #row[i]) end
    lines[#lines + 1] = table.concat(row, "   "):gsub(" +$", "")
  end
  return table.concat(lines, "\n") .. "\n"
end

-- ---- The watchdog ----

--- Print that the running greenlet has not given way for long.
-- @param seconds how long, and `cpu`, how much of it on the CPU
function dump.watchdog(seconds, cpu)
  local g, lines = core.getcurrent(), {}
  for line in core.traceback(g):gmatch("[^\n]+") do lines[#lines + 1] = line end
  lines = without_ours(lines)
  table.insert(lines, 1, ("greenlua: watchdog: %s has not given way for %.1f s (%.2f s on the CPU)")
    :format(core.safe_text(g), seconds, cpu))
  write(lines)
end

-- ---- The end of the program ----

local collected = {} -- rows of those that were garbage before

--- A greenlet that nothing can wake and nobody can reach is about to be killed.
function dump.note_garbage(g)
  local row = look(g, {})
  row.names = { core.label(g) }
  collected[#collected + 1] = row
end

local function total(rows)
  local sum = 0
  for _, row in ipairs(rows) do sum = sum + row.count end
  return sum
end

--- Print those greenlets that are blocked for ever; how many there are.
function dump.leaks()
  local rows = group(core.greenlets())
  append(rows, collected)
  local count = total(rows)
  if count > 0 then
    write(append({ ("greenlua: %s still blocked at the end of the program"):format(
      count == 1 and "1 greenlet is" or count .. " greenlets are") }, sentences(rows)))
  end
  return count
end

return dump
