--- What is said of greenlets in lists: columns, and groups of those that do the same.

local cmd = ...
local util = require "greenlet.util"
local find, text = cmd.find, cmd.text

local MOST_EQUAL = 5 -- greenlets shown one by one though they do the same
local MOST_TEXT = 60 -- characters of a name or of what is waited for

local status = {}

-- ---- What is said of one ----

--- The line that a greenlet is at, and the name of the function if it has one.
function status.place(told)
  local edge = told.edge
  local where = edge and edge.where or (told.where or ""):match("^(.-:%d+):") or ""
  local name = edge and edge["in"] or ""
  if name ~= "" and name ~= "main chunk" and not name:find("^function <") then
    where = where .. " in " .. name
  end
  return text.clean(where)
end

--- By greenlet: what greenlet.util.waits knows of it.
function status.edges()
  local edges = {}
  for _, edge in ipairs(util.waits()) do edges[edge.greenlet] = edge end
  return edges
end

--- What a greenlet does: as util.describe, with its `edge` if it waits. Commands run in
-- greenlets of their own, for which main waits; to who typed them that is the prompt.
-- @param edges as from status.edges
function status.of(g, edges)
  if g == find.main then return { greenlet = g, state = "prompt" } end
  local edge = edges[g]
  if not edge then return util.describe(g) end
  -- Not from util.describe: an object's tostring may count all who wait for it.
  return { greenlet = g, state = edge.what == "switch" and "suspended" or "waiting",
           what = edge.name, seconds = edge.since, edge = edge }
end

--- How long it has been in its state, as text.
function status.age(told)
  local rests = told.state == "waiting" or told.state == "suspended"
  return rests and text.seconds(told.seconds) or ""
end

-- ---- Groups of equals ----

-- What greenlets have in common that count as equal: numbers and addresses may differ.
local function kind(told)
  local what = (told.what or ""):gsub("0x%x+", "0x"):gsub("%d+", "#")
  local name = find.name(told.greenlet):gsub("%d+", "#")
  return table.concat({ name, told.state, what, told.where or "" }, "\0")
end

--- Put `list` (of what status tells) into groups, in the order of the first of each. So many as
-- can be shown one by one are.
function status.grouped(list, all)
  local groups, by_kind = {}, {}
  for _, told in ipairs(list) do
    local key = kind(told)
    local group = by_kind[key]
    if not group then
      group = {}
      by_kind[key] = group
      groups[#groups + 1] = group
    end
    group[#group + 1] = told
  end
  local shown = {}
  for _, group in ipairs(groups) do
    if all or #group <= MOST_EQUAL then
      for _, told in ipairs(group) do shown[#shown + 1] = { told } end
    else
      shown[#shown + 1] = group
    end
  end
  return shown
end

--- "3", "3..99" or, if others have some of the numbers between, "3, ... 99".
function status.ids(group)
  local first, last = find.id(group[1].greenlet), find.id(group[#group].greenlet)
  if not (first and last) or #group == 1 then return first and tostring(first) or "" end
  return ("%d%s%d"):format(first, last - first == #group - 1 and ".." or ", ... ", last)
end

--- Its name, or what the names of a group have in common.
function status.name(group)
  local first = text.cut(find.name(group[1].greenlet), MOST_TEXT)
  if #group == 1 then return first end
  return ("%s x%d"):format(first:gsub("%d+", "*"), #group)
end

--- The age, or from which to which the ages go.
function status.ages(group)
  local shortest, longest = math.huge, 0
  for _, told in ipairs(group) do
    if told.seconds then
      shortest, longest = math.min(shortest, told.seconds), math.max(longest, told.seconds)
    end
  end
  if #group == 1 or status.age(group[1]) == "" then return status.age(group[1]) end
  local from, to = text.seconds(shortest), text.seconds(longest)
  return from == to and from or ("%s - %s"):format(from, to)
end

--- What somebody waits for; of a group, what the first of it does.
function status.what(group)
  local what, edge = text.clean(group[1].what or ""), group[1].edge
  local left = #group == 1 and edge and edge.timeout
  what = text.cut(what, MOST_TEXT)
  return left and ("%s, %s left"):format(what, text.seconds(left)) or what
end

local states = { running = "runs", ready = "is ready: it runs in its turn",
                 new = "has not begun", suspended = "has switched to another greenlet",
                 dead = "is dead", prompt = "is the prompt" }

--- "ticker (3) waits for sleep   t.lua:1   0.4 s", or what else it does.
-- @param more what to say behind what it waits for
function status.sentence(told, more)
  local label = find.label(told.greenlet)
  if told.state ~= "waiting" then return label .. " " .. states[told.state] end
  local what = status.what { told } .. (more or "")
  return ("%s waits for %s   %s   %s"):format(label, what, status.place(told), status.age(told))
end

return status
