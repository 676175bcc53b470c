-- run.lua: run the benchmark programs in turn, greenlua's and those of the systems beside it,
-- several times, and print tables.
--
-- Each run of a program is a process of its own. They take turns (A B C A B C ...), so that a
-- minute in which the machine is busy harms all of them a little and none of them a lot. The
-- median counts. A system that is not installed is left out. figures.lua says what is run and
-- shown, systems.lua how.
--
-- Usage: greenlua run.lua [--runs N] [--systems NAME,...] [--quick] [--write] [RUN ...]
--   --runs N    how often each program runs (5)
--   --systems   only these beside greenlua (go,erlang; `none`: greenlua alone)
--   --quick     small counts, once, all at the same time: do the programs work? The figures mean
--               nothing then
--   --write     replace the tables in docs/performance.md
--   RUN         only these (switch, parked ...)

local directory = arg[0]:match("^.*/") or "./"
local figures = dofile(directory .. "figures.lua")
local report = dofile(directory .. "report.lua")
local runner = dofile(directory .. "runner.lua")
local systems = dofile(directory .. "systems.lua")
local tables = dofile(directory .. "tables.lua")

local DOCUMENT = directory .. "../../docs/performance.md"

local function fail(message)
  io.stderr:write("run.lua: ", message, "\n")
  os.exit(2)
end

local function read_options()
  local options = { runs = 5, chosen = {} }
  local i = 1
  while arg[i] do
    local word = arg[i]
    if word == "--runs" or word == "--systems" then
      i = i + 1
      options[word:sub(3)] = arg[i] or fail(word .. " needs a value")
    elseif word == "--quick" or word == "--write" then
      options[word:sub(3)] = true
    elseif word:sub(1, 1) == "-" then
      fail("unknown option " .. word)
    else
      options.chosen[word] = true
    end
    i = i + 1
  end
  options.runs = math.tointeger(options.runs) or 0
  if options.runs < 1 then fail("--runs needs a number") end
  if options.quick then options.runs = nil end
  if options.write and (options.quick or options.systems or next(options.chosen)) then
    fail("--write needs a full run")
  end
  return options
end

--- The systems that are installed and wanted, greenlua first; a sentence about the others.
local function choose_systems(wanted)
  local found, missing = systems.look()
  local chosen, absent = {}, {}
  for _, system in ipairs(found) do
    local named = not wanted or ("," .. wanted .. ","):find("," .. system.key .. ",", 1, true)
    if named or system.key == "greenlua" then chosen[#chosen + 1] = system end
  end
  for i, system in ipairs(missing) do
    absent[i] = ("%s (%s)"):format(system.title, system.package)
  end
  if #absent == 0 then return chosen, "" end
  return chosen, "Not installed, and so left out: " .. table.concat(absent, ", ") .. "."
end

--- All commands of a round, in the order in which they run: {system, run, label, text}.
local function commands(chosen, options)
  local list = {}
  for _, run in ipairs(figures.runs) do
    for _, system in ipairs(chosen) do
      local ours = system.key == "greenlua"
      local wanted = not next(options.chosen) or options.chosen[run.key]
      local able = not run.ours
      if ours then able = not run.needs or pcall(require, run.needs) end
      local program = wanted and able and systems.command(system, run)
      if program then
        local words = { program, options.quick and run.quick or run.arguments }
        if run.environment then table.insert(words, 1, run.environment) end
        list[#list + 1] = { system = system.key, run = run.key,
          label = run.key .. " of " .. system.title, text = table.concat(words, " ") }
      end
    end
  end
  if #list == 0 then fail("nothing to run") end
  return list
end

--- What was measured by system and run: rounds[i][system][run] = figures.
local function arrange(rounds, list)
  local arranged = {}
  for i, round in ipairs(rounds) do
    arranged[i] = {}
    for _, command in ipairs(list) do
      local its = arranged[i][command.system] or {}
      arranged[i][command.system] = its
      its[command.run] = round[command]
    end
  end
  return arranged
end

local options = read_options()
local chosen, missing = choose_systems(options.systems)
local names = {}
for i, system in ipairs(chosen) do names[i] = system.title .. " " .. system.found end
local heading = report.host(table.concat(names, ", "))
if missing ~= "" then heading = heading .. "\n" .. missing end

local list = commands(chosen, options)
local rounds, failures = runner.run(list, options.runs)
local text = ("%s\n%s\n\n%s"):format(heading,
  options.runs and ("Runs of each program: %d."):format(options.runs)
  or "One quick run: the figures mean nothing.",
  tables.format(arrange(rounds, list), chosen))
io.write(text)
if options.write then
  report.write(DOCUMENT, "figures", text)
  io.write("\nwritten to docs/performance.md\n")
end
os.exit(failures == 0)
