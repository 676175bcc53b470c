-- run.lua: run the benchmark programs of this directory in turn, several times, and print a table.
--
-- Each run of a program is a process of its own. The programs take turns (A B C A B C ...), so
-- that a minute in which the machine is busy harms all of them a little and none of them a lot.
-- The median of the runs counts. Where lua5.4 is installed it runs the coroutine programs too.
--
-- Usage: greenlua run.lua [--runs N] [--quick] [--write] [PROGRAM ...]
--   --runs N   how often each program runs (7)
--   --quick    small counts: do the programs work? The figures mean nothing then
--   --write    replace the table in docs/performance.md

local report = dofile((arg[0]:match("^.*/") or "./") .. "report.lua")

local STOCK = "lua5.4"
local DOCUMENT = report.directory() .. "../../docs/performance.md"

-- What runs: a program, its arguments if any, those for --quick, settings; a key where the program
-- runs in more than one way.
local commands = {
  { "switch", quick = "20000" },
  { "switch", quick = "20000", stock = true },
  { "spawn_join", quick = "20000" },
  { "spawn_join", quick = "20000", stock = true },
  { "spawn_join", arguments = "2000000 spawn", quick = "20000 spawn",
    environment = "GREENLUA_TRACK_GREENLET_TREE=0", key = "untracked" },
  { "raw_switch", quick = "20000" },
  { "sleepers", quick = "1000" },
  { "turn", quick = "1000 10" },
  { "many", quick = "30000" },
  { "living", quick = "1000" },
  { "living", arguments = "100000 sleep", quick = "1000 sleep", key = "sleeping" },
}

-- The rows: a command's key, the name of the figure, what it is; a bar, if there is one. A row
-- with `by` is a ratio of two figures of the same round.
local rows = {
  { "switch", "pair", "coroutine: a pair `resume` + `yield`" },
  { "switch", "switch", "greenlets: a switch, by `sleep(0)`" },
  { "switch", "ratio", "the switch in terms of the pair", below = 0.5 },
  { "stock switch", "pair", "stock `lua5.4`: a pair `resume` + `yield`" },
  { "switch", "switch", "the switch in terms of stock's pair", by = { "stock switch", "pair" } },
  { "spawn_join", "create", "coroutine: `create` + run, an empty new closure" },
  { "spawn_join", "spawn", "greenlets: `spawn` + `join`, an empty new closure" },
  { "spawn_join", "ratio", "spawn + join in terms of create + run", most = 4 },
  { "stock spawn_join", "create", "stock `lua5.4`: `create` + run" },
  { "spawn_join", "spawn", "spawn + join in terms of stock's create + run",
    by = { "stock spawn_join", "create" } },
  { "untracked", "spawn", "spawn + join without `track_greenlet_tree`" },
  { "raw_switch", "raw_pair", "raw greenlets: a pair of switches" },
  { "raw_switch", "ratio", "the raw pair in terms of a coroutine's pair" },
  { "sleepers", "sleeper", "100,000 sleepers, 1,000 times: CPU each", most = 3 },
  { "turn", "turn", "10,000 greenlets in turn: a switch" },
  { "many", "spawn", "1,000,000 in batches of 10,000: spawn + join each" },
  { "many", "first", "resident after the first batch" },
  { "many", "last", "resident after the last" },
  { "many", "growth", "growth from the first to the last" },
  { "many", "early_peak", "highest after any of the first fifty batches" },
  { "many", "peak", "highest after any of all hundred" },
  { "many", "late_growth", "growth from that to this", most = 1 },
  { "living", "bytes", "100,000 blocked in ten kinds of places: memory each" },
  { "living", "kill", "the same: to kill one" },
  { "sleeping", "bytes", "100,000 blocked in `sleep`: memory each" },
  { "sleeping", "kill", "the same: to kill one" },
}

local function read_options()
  local options = { runs = 7, chosen = {} }
  local i = 1
  while arg[i] do
    if arg[i] == "--runs" then
      i = i + 1
      options.runs = math.max(1, (assert(math.tointeger(arg[i]), "--runs needs a number")))
    elseif arg[i] == "--quick" or arg[i] == "--write" then
      options[arg[i]:sub(3)] = true
    elseif arg[i]:sub(1, 1) == "-" then
      io.stderr:write("usage: run.lua [--runs N] [--quick] [--write] [PROGRAM ...]\n")
      os.exit(2)
    else
      options.chosen[arg[i]] = true
    end
    i = i + 1
  end
  if options.write and (options.quick or next(options.chosen)) then
    io.stderr:write("run.lua: --write needs a full run\n")
    os.exit(2)
  end
  return options
end

local function key(command)
  return command.key or (command.stock and "stock " or "") .. command[1]
end

-- ---- Measuring ----

local function figures_of(command, quick)
  local interpreter = command.stock and STOCK or report.interpreter()
  local program = report.quote(report.directory() .. command[1] .. ".lua")
  local arguments = quick and command.quick or command.arguments or ""
  local words = { command.environment or "", interpreter, program, arguments }
  local text = assert(report.capture(table.concat(words, " ")))
  local figures = {}
  for name, value, unit in text:gmatch("(%S+) (%S+) (%S+)\n") do
    figures[name] = { value = tonumber(value), unit = unit }
  end
  assert(next(figures), command[1] .. " printed no figures")
  return figures
end

--- One table of figures by command key for each round.
local function measure(options)
  local has_stock = report.capture(STOCK .. " -v 2>/dev/null") ~= nil
  local rounds = {}
  for round = 1, options.runs do
    rounds[round] = {}
    for _, command in ipairs(commands) do
      local chosen = not next(options.chosen) or options.chosen[command[1]]
      if chosen and (has_stock or not command.stock) then
        io.stderr:write(("run %d of %d: %s\n"):format(round, options.runs, key(command)))
        rounds[round][key(command)] = figures_of(command, options.quick)
      end
    end
  end
  return rounds
end

-- ---- The table ----

local function figure(round, where, name)
  return round[where] and round[where][name]
end

--- All values of a row, sorted, and their unit.
local function values_of(row, rounds)
  local values, unit = {}, nil
  for i, round in ipairs(rounds) do
    local found = figure(round, row[1], row[2])
    local base = not row.by or figure(round, row.by[1], row.by[2])
    if not found or not base then return nil end
    values[i] = row.by and found.value / base.value or found.value
    unit = row.by and "x" or found.unit
  end
  table.sort(values)
  return values, unit
end

local function median(sorted)
  local n = #sorted
  return (sorted[(n + 1) // 2] + sorted[n // 2 + 1]) / 2
end

local function program_of(where)
  for _, command in ipairs(commands) do
    if key(command) == where then return command[1] end
  end
end

local formats = { ns = "%.0f", us = "%.2f", x = "%.2f", MB = "%.1f", B = "%.0f" }
local names = { x = "" }

local function show(value, unit)
  return (formats[unit]:format(value):gsub("^%-(0%.?0*)$", "%1"))
end

local function bar(row, value)
  local limit, sign = row.below or row.most, row.below and "below" or "at most"
  if not limit then return "" end
  local met = value < limit or row.most and value == limit
  return ("%s %s: %s"):format(sign, limit, met and "met" or "missed")
end

local function format_table(rounds)
  local lines = {
    "| Program | Figure | Median | Min to max | Bar |",
    "|---|---|---:|---:|---|",
  }
  for _, row in ipairs(rows) do
    local values, unit = values_of(row, rounds)
    if values then
      lines[#lines + 1] = ("| %s | %s | %s | %s to %s | %s |"):format(
        program_of(row[1]), row[3],
        (show(median(values), unit) .. " " .. (names[unit] or unit)):gsub(" $", ""),
        show(values[1], unit), show(values[#values], unit), bar(row, median(values)))
    end
  end
  return table.concat(lines, "\n") .. "\n"
end

local options = read_options()
local lua = assert(report.capture(report.interpreter() .. " -v")):match("^Lua %S+")
local host = report.host(("%s, %s"):format(lua, require("greenlet")._VERSION))
local rounds = measure(options)
local text = ("%s\nMedians of %d runs.\n\n%s"):format(host, options.runs, format_table(rounds))
io.write(text)
if options.write then
  report.write(DOCUMENT, "figures", text)
  io.write("\nwritten to docs/performance.md\n")
end
