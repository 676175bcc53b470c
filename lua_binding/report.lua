--- The report of a deadlock.

local core = ...

local MOST_LINES = 1000

local function line(g)
  local what, where, seconds, spawned = core.describe(g)
  if not what then return nil end
  local text = ("\t%s waits for %s   at %s   for %.1f s"):format(core.safe_text(g), what, where,
    seconds)
  if spawned then text = text .. "   spawned at " .. spawned end
  return text
end

--- LoopExit for the main greenlet, which nothing can wake: its message names
-- every greenlet that is blocked, what it waits for, where, for how long, and
-- where it was spawned.
return function()
  local list = core.greenlets()
  local lines = { "this operation would block forever", line(core.main()) }
  for i, g in ipairs(list) do
    if i > MOST_LINES then
      lines[#lines + 1] = ("\t... and %d more"):format(#list - MOST_LINES)
      break
    end
    lines[#lines + 1] = line(g)
  end
  return core.LoopExit(table.concat(lines, "\n"))
end
