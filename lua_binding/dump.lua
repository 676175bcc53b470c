--- What a running program tells of itself: when a signal asks, when greenlua ps does,
-- when a greenlet does not give way, and at the end.

local core = ...

local dump = {}

local MOST_LINES = 1000 -- of a list

-- ---- Words ----

-- What a greenlet, or a sentence about some, is called in a list: names, or functions.
local function short(text)
  text = text:gsub("<[%w_.]+ (\"[^\"]*\") at 0x%x+: function <[^>]*>>", "%1")
  text = text:gsub("<[%w_.]+ (\"[^\"]*\") at 0x%x+: [^>]*>", "%1")
  return (text:gsub("<[%w_.]+ at 0x%x+: (function <[^>]*>)>", "%1"))
end

local function label(g) return short(core.safe_text(g)) end

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

-- What a greenlet does, at which line, since when, and where it was spawned.
local function look(g)
  local row = { label = label(g), count = 1, seconds = 0, at = "", does = "" }
  if g == core.getcurrent() then row.does = "runs" end
  local what, where, seconds, spawned = core.describe(g)
  if what then
    row.at = where:match("^(.-:%d+): in ") or where
    row.seconds = seconds
    row.spawned = spawned and (spawned:match("^(.-:%d+): in ") or spawned)
    if row.does == "" then row.does = "waits for " .. short(what) end
  end
  return row
end

-- One row for all that do the same at the same line, in the order of the first ones.
local function group(list)
  local rows, known = {}, {}
  for _, g in ipairs(list) do
    local row = look(g)
    local key = table.concat({ row.label, row.does, row.at, row.spawned or "" }, "\0")
    local first = known[key]
    if first then
      first.count = first.count + 1
      first.seconds = math.max(first.seconds, row.seconds)
    else
      known[key] = row
      rows[#rows + 1] = row
    end
  end
  return rows
end

local function sentence(row)
  local text = ("\t%s%s %s   at %s   for %.1f s"):format(
    row.count > 1 and row.count .. " x " or "", row.label, row.does, row.at, row.seconds)
  if row.spawned then text = text .. "   spawned at " .. row.spawned end
  return text
end

local function sentences(rows)
  local lines = {}
  for i = 1, math.min(#rows, MOST_LINES) do lines[i] = sentence(rows[i]) end
  if #rows > MOST_LINES then lines[#lines + 1] = ("\t... and %d more"):format(#rows - MOST_LINES) end
  return lines
end

-- ---- What keeps the program running ----

local function watcher_line(watcher)
  local text = ("\t%s   calls %s"):format(core.watcher_text(watcher),
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
    lines[#lines + 1] = ("\t%s   of %s"):format(core.safe_text(timeout[1]), label(timeout[2]))
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
  local lines = { heading(), ("%6s %8s  %-24s %-40s %-20s %s"):format(
    "COUNT", "SECONDS", "GREENLET", "DOES", "AT", "SPAWNED AT") }
  for _, row in ipairs(group(list)) do
    local line = ("%6d %8.1f  %-24s %-40s %-20s %s"):format(
      row.count, row.seconds, row.label, row.does, row.at, row.spawned or "")
    lines[#lines + 1] = line:gsub(" +$", "")
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
  table.insert(lines, 1, ("greenlua: watchdog: %s has not given way for %.1f s (%.1f s on the CPU)")
    :format(core.safe_text(g), seconds, cpu))
  write(lines)
end

-- ---- The end of the program ----

local collected = {} -- rows of those that were garbage before

--- A greenlet that nothing can wake and nobody can reach is about to be killed.
function dump.note_garbage(g)
  local row = look(g)
  row.seconds = 0
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
