--- cmd.docs: what the docstrings and the manual say, as text for the prompt.
--
-- The texts are in the part `docstrings`, which scripts/docs/generate.lua makes of the sources.

local cmd = ...

local docs = {}

local topics = cmd.docstrings.topics
local by_name = {}
for _, entry in ipairs(cmd.docstrings.entries) do by_name[entry.name] = entry end

-- What has several names, or is a page of the manual, has its text once.
for _, entry in pairs(by_name) do
  entry.text = entry.text or (entry.as and by_name[entry.as] or topics[entry.topic]).text
end

-- Methods may be asked for with a dot or a colon; `greenlet.` goes without saying.
local function exact(name)
  local dotted, colon = name:gsub(":", "."), name:gsub("[.:]([%w_]+)$", ":%1")
  for _, prefix in ipairs { "", "greenlet." } do
    for _, form in ipairs { name, dotted, colon } do
      if by_name[prefix .. form] then return by_name[prefix .. form] end
    end
  end
end

-- Those whose last words are `name`: put is Queue:put and PriorityQueue:put.
local function endings(name)
  local found, wanted = {}, "." .. name:gsub(":", ".")
  for full, entry in pairs(by_name) do
    local dotted = "." .. full:gsub(":", ".")
    if dotted:sub(-#wanted) == wanted and not entry.as then found[#found + 1] = entry end
  end
  table.sort(found, function(a, b) return a.name < b.name end)
  return found
end

local function find_class(name)
  local found = { exact(name) or table.unpack(endings(name)) }
  return #found == 1 and found[1].kind == "class" and found[1] or nil
end

-- What all classes derive from.
local ROOT = "greenlet.class"

-- A method or field of a class, or of one that it derives from: Lock:acquire is Semaphore:acquire.
local function member(name)
  local owner, key = name:match("^(.+)[.:]([%w_]+)$")
  local class = owner and find_class(owner)
  while class do
    local short = class.name == ROOT and ROOT or class.name:match("[%w_]+$")
    local entry = by_name[short .. ":" .. key] or by_name[short .. "." .. key]
    if entry then return entry end
    class = class.name ~= ROOT and by_name[class.super or ROOT]
  end
end

--- The docstring of a name.
-- @tparam string name of a public function, method, field, class or module; its beginning may be
--   left out
-- @treturn table|nil {name =, kind =, usage =, text =, module =}; of several that end so, kind is
--   "list" and text tells their names
function docs.find(name)
  local entry = exact(name) or member(name)
  if entry then return entry end
  local found = endings(name)
  if #found <= 1 then return found[1] end
  local names = {}
  for i, one in ipairs(found) do names[i] = one.name end
  return { name = name, kind = "list", usage = name, module = "",
           text = "several have this name:\n  " .. table.concat(names, "\n  ") }
end

--- All names that have a docstring, sorted.
function docs.names()
  local names = {}
  for name in pairs(by_name) do names[#names + 1] = name end
  table.sort(names)
  return names
end

--- The pages of the manual as text, by name.
function docs.topics()
  local texts = {}
  for name, topic in pairs(topics) do texts[name] = topic.text end
  return texts
end

return docs
