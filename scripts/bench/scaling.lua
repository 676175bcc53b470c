-- scaling.lua: what each figure of greenlua becomes as the number of greenlets grows, as a table
-- and as a picture.
--
-- Usage: greenlua scaling.lua [--runs N] [--quick] [--svg FILE] [--write]
--   --runs N    how often each program runs (3)
--   --quick     small numbers, once, all at the same time: do the programs work?
--   --svg FILE  draw the picture (needs gnuplot)
--   --write     replace the table in docs/performance.md, and docs/scaling.svg

local directory = arg[0]:match("^.*/") or "./"
local report = dofile(directory .. "report.lua")
local runner = dofile(directory .. "runner.lua")

local DOCUMENT = directory .. "../../docs/performance.md"
local PICTURE = directory .. "../../docs/scaling.svg"

local NUMBERS = { 10, 100, 1000, 10000, 100000, 1000000 }
local QUICK = { 10, 100 }

-- The programs. Those that go round do so until that many greenlets have had their turn, but
-- no less often than `least`.
local programs = {
  { "turn", greenlets = 2000000, least = 10 },
  { "batch", greenlets = 500000, least = 2 },
  { "parked", greenlets = 300000, least = 1 },
  { "sleepers" },
}

-- The columns: a program, a figure of it, what it is, its unit and format. scaling.gp draws them
-- in this order.
local columns = {
  { "turn", "turn", "switch, all in turn", "ns", "%.0f" },
  { "batch", "spawn", "`spawn` + `join`, all at a time", "ns", "%.0f" },
  { "parked", "bytes", "memory of one that waits", "B", "%.0f" },
  { "parked", "respawn", "spawn and wait, later rounds", "ns", "%.0f" },
  { "parked", "wake", "wake and end", "ns", "%.0f" },
  { "sleepers", "sleeper", "a sleeper", "us", "%.2f" },
}

local function read_options()
  local options = { runs = 3 }
  local i = 1
  while arg[i] do
    if arg[i] == "--runs" then
      i = i + 1
      options.runs = math.max(1, (assert(math.tointeger(arg[i]), "--runs needs a number")))
    elseif arg[i] == "--svg" then
      i = i + 1
      options.svg = assert(arg[i], "--svg needs a file")
    elseif arg[i] == "--quick" or arg[i] == "--write" then
      options[arg[i]:sub(3)] = true
    else
      io.stderr:write("usage: scaling.lua [--runs N] [--quick] [--svg FILE] [--write]\n")
      os.exit(2)
    end
    i = i + 1
  end
  if options.quick then options.runs = nil end
  if options.write then options.svg = PICTURE end
  return options
end

--- The commands, and which is which: commands_of[number][program] is one.
local function make_commands(numbers, quick)
  local list, commands_of = {}, {}
  for _, number in ipairs(numbers) do
    commands_of[number] = {}
    for _, program in ipairs(programs) do
      local path = report.quote(report.directory() .. program[1] .. ".lua")
      local words = { report.interpreter(), path, number }
      if program.greenlets then
        words[4] = quick and 1 or math.max(program.least, program.greenlets // number)
      end
      local command = { text = table.concat(words, " "), label = program[1] .. " " .. number }
      list[#list + 1] = command
      commands_of[number][program[1]] = command
    end
  end
  return list, commands_of
end

--- The medians: a row per number, {number, figure ...}.
local function make_rows(rounds, numbers, commands_of)
  local rows = {}
  for i, number in ipairs(numbers) do
    rows[i] = { number }
    for j, column in ipairs(columns) do
      local command = commands_of[number][column[1]]
      rows[i][j + 1] = assert(runner.sum_up(rounds, function(round)
        return round[command] and round[command][column[2]].value
      end), command.text .. " has no " .. column[2])
    end
  end
  return rows
end

local function with_commas(number)
  return (("%d"):format(number):reverse():gsub("(%d%d%d)", "%1,"):reverse():gsub("^,", ""))
end

local function format_table(rows)
  local titles, rule = { "Greenlets" }, { "---:" }
  for j, column in ipairs(columns) do
    titles[j + 1], rule[j + 1] = ("%s, %s"):format(column[3], column[4]), "---:"
  end
  local lines = {
    "| " .. table.concat(titles, " | ") .. " |", "|" .. table.concat(rule, "|") .. "|",
  }
  for _, row in ipairs(rows) do
    local cells = { with_commas(row[1]) }
    for j, column in ipairs(columns) do cells[j + 1] = column[5]:format(row[j + 1]) end
    lines[#lines + 1] = "| " .. table.concat(cells, " | ") .. " |"
  end
  return table.concat(lines, "\n") .. "\n"
end

local function draw(rows, picture)
  local data = os.tmpname()
  local file = assert(io.open(data, "w"))
  for _, row in ipairs(rows) do file:write(table.concat(row, " "), "\n") end
  file:close()
  local ok, message = report.capture(("gnuplot -c %s %s %s 2>&1"):format(
    report.quote(report.directory() .. "scaling.gp"), report.quote(data), report.quote(picture)))
  os.remove(data)
  assert(ok, message)
end

local options = read_options()
local numbers = options.quick and QUICK or NUMBERS
local host = report.host(require("greenlet")._VERSION)
local list, commands_of = make_commands(numbers, options.quick)
local rounds, failures = runner.run(list, options.runs)
assert(failures == 0, "some programs failed")
local rows = make_rows(rounds, numbers, commands_of)
local text = ("%s\n%s\n\n%s"):format(host,
  options.runs and ("Medians of %d runs."):format(options.runs)
  or "One quick run: the figures mean nothing.", format_table(rows))
io.write(text)
if options.svg then draw(rows, options.svg) end
if options.write then
  report.write(DOCUMENT, "scaling", text)
  io.write("\nwritten to docs/performance.md and docs/scaling.svg\n")
end
