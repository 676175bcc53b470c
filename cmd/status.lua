--- What is said of greenlets in lists: columns, and groups of those that do the same.

local cmd = ...
local util = require "greenlet.util"
local find, text = cmd.find, cmd.text

local MOST_EQUAL = 5 -- greenlets shown one by one though they do the same
local MOST_TEXT = 60 -- characters of a name or of what is waited for

local status = {}

-- ---- What is said of one ----

--- "file:line: in function <...>" tells, for a column, "file:line", and the name if there is one.
function status.place(where)
  if not where or where == "?" then return "" end
  local line, name = where:match("^(.-:%d+): in .-'([^']+)'$")
  if line then return text.clean(line .. " in " .. name) end
  return text.clean(where:match("^(.-:%d+):") or where)
end

--- What a greenlet does, as util.describe. Commands run in greenlets of their own, for which
-- main waits; to who typed them that is the prompt.
function status.of(g)
  if g == find.main then return { greenlet = g, state = "prompt" } end
  return util.describe(g)
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

--- What somebody waits for, as short as it can be told: greenlets by their names, no addresses.
function status.brief(what)
  what = what:gsub('<[%w_]+ "([^"]*)" at 0x%x+: function <[^>]*>>', "%1"):gsub(" at 0x%x+", "")
  return text.clean(what)
end

--- What a group waits for, or the first of it.
function status.what(group)
  return text.cut(status.brief(group[1].what or ""), MOST_TEXT)
end

return status
