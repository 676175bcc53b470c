--- What is said of greenlets that wait for each other in a circle, while others run.

local core = ...
local waits, report = core.waits, core.report

local cycle = {}

local ROUNDS = 16 -- of the ready, until they count as running on

local closing, rounds = {}, 0 -- who has closed a circle that is not told of

local kinds = { join = true, joinall = true, wait = true, scope = true, pool = true, select = true }

local function waits_for(edge, members)
  for _, holder in ipairs(edge.holders) do
    if members[holder.greenlet] then return true end
  end
  for _, case in ipairs(edge.cases or {}) do
    if members[case.object] then return true end
  end
  return false
end

-- Does somebody wait for one of them, but not for ever? Who does may kill it.
local function is_watched(members, list)
  for _, edge in ipairs(list) do
    if edge.timeout and kinds[edge.what] and waits_for(edge, members) then return true end
  end
  return false
end

-- The lines of the report, or nil if it is not certain that they wait for ever.
local function lines_of(greenlets)
  local members, edges, list = {}, {}, waits.all()
  for _, edge in ipairs(list) do edges[edge.greenlet] = edge end
  for _, g in ipairs(greenlets) do
    members[g] = true
    if not edges[g] then -- the one that is about to wait
      edges[g] = waits.edge(g, true)
      list[#list + 1] = edges[g]
    end
  end
  if is_watched(members, list) then return nil end
  return report.cycle_lines({ greenlets }, list, edges)
end

local function count_text(count)
  return count == 1 and "1 greenlet waits for itself"
    or ("%d greenlets wait for each other"):format(count)
end

--- The first of a list is about to close the circle: it gets an error instead.
-- @raise DeadlockError
function cycle.refuse(greenlets)
  local lines = lines_of(greenlets)
  if not lines then return end
  core.flight_write("deadlock")
  core.raise(core.DeadlockError(("this wait would never end: %s\n%s"):format(
    count_text(#greenlets), table.concat(lines, "\n"))))
end

--- The first of a list is about to close the circle: to be told later.
function cycle.note(greenlets)
  closing[#closing + 1] = greenlets[1]
  rounds = 0
end

-- By greenlet: the time at which a wait began that was told of. Those who come to wait
-- for one in a circle may close another with it: that is not told as well.
local told = setmetatable({}, { __mode = "k" })

local function is_told(greenlets)
  for _, g in ipairs(greenlets) do
    if told[g] and told[g] == core.wait_of(g).began then return true end
  end
  for _, g in ipairs(greenlets) do told[g] = core.wait_of(g).began end
  return false
end

local function warn(g)
  local greenlets = core.cycle_of(g)
  local lines = greenlets and lines_of(greenlets)
  if not lines or is_told(greenlets) then return end
  core.flight_write("deadlock")
  local stream = core.get_hub().exception_stream
  if not stream then return end
  table.insert(lines, 1, ("greenlua: warning: deadlock: %s, while others run"):format(
    count_text(#greenlets)))
  core.pcall(function() stream:write(table.concat(lines, "\n"), "\n") end)
end

--- Tell of those that are still closed. In the hub. When nothing else runs, it is not
-- told here: the main greenlet gets LoopExit.
function cycle.tell()
  local others = core.others_run()
  if others == nil and rounds < ROUNDS then
    rounds = rounds + 1
    core.tell_cycles_later()
    return
  end
  local list = closing
  closing = {}
  if others == false then return end
  for _, g in ipairs(list) do warn(g) end
end

return cycle
