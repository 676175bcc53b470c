-- tables.lua: medians of what run.lua has measured, as Markdown tables.
--
-- What was measured is a list of rounds: rounds[i][system][run][figure] = {value, unit}.

local directory = arg[0]:match("^.*/") or "./"
local figures = dofile(directory .. "figures.lua")
local runner = dofile(directory .. "runner.lua")
local systems = dofile(directory .. "systems.lua")

local tables = {}

local function find(round, system, run, figure)
  local found = round[system] and round[system][run] and round[system][run][figure]
  if found then return found.value, found.unit end
end

--- Sum up a figure, or with `by` its ratio to that figure of the same round.
-- @return table: median, least, most, unit; nil when it was not measured
local function sum_up(rounds, system, run, figure, by)
  local unit
  local median, least, most = runner.sum_up(rounds, function(round)
    local value, its_unit = find(round, system, run, figure)
    local base = 1
    if by then base = find(round, table.unpack(by)) end
    unit = by and "x" or its_unit
    return value and base and value / base
  end)
  return median and { median = median, least = least, most = most, unit = unit }
end

local formats = { ns = "%.0f", us = "%.2f", ms = "%.2f", x = "%.2f", MB = "%.1f", B = "%.0f" }

local function show(value, unit)
  local format = value < 1000 and formats[unit] or "%.0f"
  return (format:format(value):gsub("^%-(0%.?0*)$", "%1"))
end

local function show_with_unit(value, unit)
  return show(value, unit) .. (unit == "x" and "" or " " .. unit)
end

local function verdict(row, value)
  return row.most and ("at most %s: %s"):format(row.most, value <= row.most and "met" or "missed")
end

--- The figures of `rows` for greenlua: medians and ranges; also the bars of figures.bars.
local function own_table(rounds, rows)
  local barred = rows == figures.bars
  local lines = {
    "| Figure | Median | Min to max |" .. (barred and " Bar |" or ""),
    "|---|---:|---:|" .. (barred and "---|" or ""),
  }
  for _, row in ipairs(rows) do
    local sum = sum_up(rounds, "greenlua", row[1], row[2], row.by)
    if sum then
      local cells = { row[3], show_with_unit(sum.median, sum.unit),
        ("%s to %s"):format(show(sum.least, sum.unit), show(sum.most, sum.unit)) }
      cells[4] = barred and (verdict(row, sum.median) or "") or nil
      lines[#lines + 1] = "| " .. table.concat(cells, " | ") .. " |"
    end
  end
  return table.concat(lines, "\n")
end

local function with_commas(number)
  local text = ("%d"):format(number)
  return (text:reverse():gsub("(%d%d%d)", "%1,"):gsub(",$", ""):reverse())
end

--- The table of systems; `cell(sum, our_sum)` makes what stands in a cell.
local function peers_table(rounds, found, cell)
  local titles, rule = { "Figure" }, { "---" }
  for i, system in ipairs(found) do titles[i + 1], rule[i + 1] = system.title, "---:" end
  local lines = {
    "| " .. table.concat(titles, " | ") .. " |", "|" .. table.concat(rule, "|") .. "|",
  }
  for _, row in ipairs(figures.peers) do
    local cells = { row[3] }
    local ours
    for i, system in ipairs(found) do
      local name = systems.figure_name(system, row[1], row[2])
      local sum = sum_up(rounds, system.key, row[1], name)
      if system.key == "greenlua" then ours = sum end
      cells[i + 1] = sum and cell(sum, ours) or "-"
    end
    lines[#lines + 1] = "| " .. table.concat(cells, " | ") .. " |"
  end
  return table.concat(lines, "\n")
end

local function median_cell(sum)
  return show_with_unit(sum.median, sum.unit)
end

local function ratio_cell(sum, ours)
  return ours and ("%.2g"):format(sum.median / ours.median) or "-"
end

--- Which systems had fewer tasks than greenlua, a sentence each.
local function fewer_tasks(rounds, found)
  local sentences = {}
  for _, run in ipairs(figures.runs) do
    local ours = find(rounds[1], "greenlua", run.key, "tasks") or 0
    for _, system in ipairs(found) do
      local tasks = find(rounds[1], system.key, run.key, "tasks")
      if tasks and tasks < ours then
        sentences[#sentences + 1] = ("%s: %s tasks instead of %s in `%s`."):format(
          system.title, with_commas(tasks), with_commas(ours), run.script)
      end
    end
  end
  return table.concat(sentences, " ")
end

--- The whole report.
-- @param rounds what was measured
-- @param found list: the systems that were measured, greenlua first
-- @return string: Markdown
function tables.format(rounds, found)
  local parts = { "**Bars.** Medians and ranges of greenlua.", own_table(rounds, figures.bars) }
  if #found > 1 then
    local fewer = fewer_tasks(rounds, found)
    parts[#parts + 1] = "**Systems.** Medians."
    parts[#parts + 1] = peers_table(rounds, found, median_cell)
    if fewer ~= "" then parts[#parts + 1] = fewer end
    parts[#parts + 1] = "**Ratios.** The same medians, greenlua's being 1."
    parts[#parts + 1] = peers_table(rounds, found, ratio_cell)
  end
  parts[#parts + 1] = "**More of greenlua.**"
  parts[#parts + 1] = own_table(rounds, figures.details)
  return table.concat(parts, "\n\n") .. "\n"
end

return tables
