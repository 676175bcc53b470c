-- runner.lua: run benchmark programs, each run a process of its own, in turn, several times.

local report = dofile((arg[0]:match("^.*/") or "./") .. "report.lua")

local runner = {}

local function start(command)
  command.pipe = assert(io.popen(command.text))
end

--- The figures that a command printed; nil and a message when it failed.
local function finish(command)
  local text = command.pipe:read("a")
  local ok = command.pipe:close()
  local figures = report.figures(text)
  if not ok then return nil, command.text .. " failed" end
  if not next(figures) then return nil, command.text .. " printed no figures" end
  return figures
end

--- Run all commands in turn (A B C A B C ...), saying on stderr where it is.
-- A command that fails is left out of that round, and that is said.
-- @param commands list of {text = shell text, label = string}
-- @param runs integer: how often each; nil: once, all at the same time, so that nothing is
--   measured but that they work
-- @return a list of rounds: rounds[i][command] = figures, as report.figures makes them; the
--   number of failures
function runner.run(commands, runs)
  local rounds, failures = {}, 0
  for _, command in ipairs(runs and {} or commands) do start(command) end
  for i = 1, runs or 1 do
    rounds[i] = {}
    for j, command in ipairs(commands) do
      if runs then
        io.stderr:write(("round %d of %d: %d of %d: %s\n"):format(
          i, runs, j, #commands, command.label))
        start(command)
      end
      local figures, message = finish(command)
      if not figures then
        failures = failures + 1
        io.stderr:write(message, "\n")
      end
      rounds[i][command] = figures
    end
  end
  return rounds, failures
end

--- Sum up a figure of a command over the rounds.
-- @param of function(round): a number or nil
-- @return median, minimum, maximum; nil when a round lacks it
function runner.sum_up(rounds, of)
  local values = {}
  for i, round in ipairs(rounds) do
    values[i] = of(round)
    if not values[i] then return nil end
  end
  table.sort(values)
  local n = #values
  return (values[(n + 1) // 2] + values[n // 2 + 1]) / 2, values[1], values[n]
end

return runner
