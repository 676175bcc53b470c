--- Who waits for whom.
-- waits.c tells the facts; here is what they mean, as text, as a list of edges and as
-- a graph.

local core = ...

local waits = {}

-- ---- Objects ----

local families = {
  { "Lock", "lock" }, { "RLock", "lock" }, { "Semaphore", "semaphore" }, { "Event", "event" },
  { "AsyncResult", "result" }, { "Channel", "channel" }, { "SimpleQueue", "queue" },
}

local function class_named(name)
  if name == "Lock" then
    local lock = rawget(core.module, "lock")
    return lock and lock.Lock
  end
  return core[name]
end

-- "lock", "queue" ... of an object of ours; else nil.
local function family(object)
  if not core.is_waitable or not core.is_waitable(object) then return nil end
  for _, entry in ipairs(families) do
    local class = class_named(entry[1])
    if class and class:class_of(object) then return entry[2] end
  end
  return nil
end

--- What reports call an object: `lock "A"`, or "Lock made at bank.lua:3".
function waits.object_text(object)
  if core.is_greenlet(object) then return core.label(object) end
  local kind = family(object)
  if not kind then return core.safe_text(object) end
  local name = core.name_of(object)
  if name then return ("%s %s"):format(kind, core.quoted(name)) end
  local class, made = core.rawmetatable(object).__name, core.made_at(object)
  return made and ("%s made at %s"):format(class, made) or ("%s at %p"):format(class, object)
end
local object_text = waits.object_text

-- ---- Who could end it ----

-- The greenlets of a list that live, as holders.
local function living(list, first)
  local holders = {}
  for i = first or 1, #list do
    local g = list[i]
    if core.is_greenlet(g) and not g.dead then holders[#holders + 1] = { greenlet = g } end
  end
  return holders
end

local MOST_NAMED = 3 -- of many holders or targets
local MOST_CASES = 10 -- of a select

local function greenlet_text(g)
  local idle = not g.started and not g.dead
  return core.label(g) .. (idle and ", which was not started" or "")
end

-- "a, b, c ..."
local function names_of(list)
  local names = {}
  for i = 1, math.min(#list, MOST_NAMED) do
    names[i] = core.is_greenlet(list[i]) and core.label(list[i]) or object_text(list[i])
  end
  return table.concat(names, ", ") .. (#list > MOST_NAMED and " ..." or "")
end

local function members(self) return living(core.members_list(self._members)) end

-- ---- Kinds of waits ----

-- For each verb that waits.c has: a function that completes the edge.
local kinds = {}

-- Is the lock or event a pool's? Then it is the pool that is waited for.
local function of_pool(edge, object, words)
  local pool = core.kept(object).pool
  if not pool then return false end
  edge.what, edge.object, edge.holders = "pool", pool, members(pool)
  edge.text = words .. object_text(pool)
  return true
end

kinds["acquire of"] = function(edge, object)
  if of_pool(edge, object, "place in ") then return end
  edge.what = family(object)
  edge.holders = core.holders(object)
  edge.text = object_text(object)
end

kinds["release of"] = function(edge, object)
  kinds["acquire of"](edge, object)
  edge.text = "release of " .. edge.text
end

kinds["set of"] = function(edge, object)
  if of_pool(edge, object, "the members of ") then return end
  edge.what = family(object)
  edge.text = "set of " .. object_text(object)
end

for verb, operation in pairs { ["get from"] = "get", ["peek at"] = "peek", ["put to"] = "put",
                               ["tasks of"] = "join" } do
  kinds[verb] = function(edge, object)
    edge.what = ("%s %s"):format(family(object), operation)
    edge.text = ("%s %s"):format(verb, object_text(object))
  end
end

kinds["join of"] = function(edge, g)
  edge.what = "join"
  edge.holders = living { g }
  edge.text = g == edge.greenlet and "its own end" or "join of " .. greenlet_text(g)
end

kinds["join of all of"] = function(edge, _, facts)
  local targets = facts.targets or {}
  edge.what, edge.object, edge.holders = "joinall", targets, living(targets)
  if #targets == 1 then
    edge.text = "join of " .. greenlet_text(targets[1])
  else
    edge.text = ("join of %d greenlets, %d of them alive: %s"):format(#targets, #edge.holders,
      names_of(targets))
  end
end

kinds["select of"] = function(edge, _, facts)
  local cases, texts = facts.cases or {}, {}
  for _, link in ipairs(type(facts.links) == "table" and facts.links or {}) do
    if cases[link.number] then cases[link.number].object = link.object end
  end
  edge.what, edge.object, edge.cases, edge.holders = "select", cases, cases, {}
  for i, case in ipairs(cases) do
    local preposition = case.kind == "get" and "from" or case.kind == "put" and "to" or "for"
    local is_greenlet = core.is_greenlet(case.object)
    case.name = is_greenlet and greenlet_text(case.object) or object_text(case.object)
    texts[i] = i <= MOST_CASES and ("%s %s %s"):format(case.kind, preposition, case.name) or nil
  end
  local more = #cases > MOST_CASES and (", or %d more"):format(#cases - MOST_CASES) or ""
  edge.text = ("select of %s%s"):format(table.concat(texts, ", "), more)
end

kinds["sleep"] = function(edge)
  edge.what, edge.text, edge.ends_by = "sleep", "sleep", "timer"
end

kinds["watcher"] = function(edge, watcher, facts)
  local text = facts.watcher or "watcher"
  edge.object = watcher
  edge.what = text:find(" fd ", 1, true) and "io" or text:match("^%a+") or "watcher"
  edge.text, edge.ends_by = text, edge.what == "timer" and "timer" or "io"
end

kinds["end of the loop"] = function(edge)
  edge.what, edge.text = "loop", "end of the loop"
end

kinds["turn of the loop"] = function(edge)
  edge.what, edge.text, edge.ends_by = "turn", "turn of the loop", "timer"
end

-- What a Lua part waits for by links: the object says which.
kinds["wait for"] = function(edge, object, facts)
  local members_of = type(object) == "table" and object._members
  edge.text = facts.text or "wait"
  if members_of then
    edge.what, edge.holders = "scope", members(object)
    edge.text = "the children of a scope"
  elseif type(object) == "table" and object.objects then
    edge.what, edge.object, edge.holders = "wait", object.objects, living(object.objects)
    local objects = object.objects
    edge.text = #objects == 1 and object_text(objects[1])
      or ("%d objects: %s"):format(#objects, names_of(objects))
  else
    edge.what = "pool"
  end
end

-- ---- Edges ----

--- What a greenlet waits for, as greenlet.util.waits lists it; nil if it does not wait.
-- @param even_if_over what it has just waited for counts as well
-- @param names a table for many calls in a row: names of functions that were found
-- @param object what it waits for, if it could not be told otherwise
function waits.edge(g, even_if_over, names, object)
  local facts = core.wait_of(g, even_if_over, names)
  if not facts then return nil end
  if facts.object == nil then facts.object = object end
  local edge = {
    greenlet = g, object = facts.object, holders = {}, since = facts.since,
    began = facts.began,
    timeout = facts.timeout, where = facts.where, ["in"] = facts["in"],
  }
  local complete = kinds[facts.verb]
  if complete and (facts.object ~= nil or facts.targets or facts.cases or facts.text
                   or facts.verb == "sleep" or facts.verb:find("loop", 1, true)
                   or facts.verb == "watcher") then
    complete(edge, facts.object, facts)
  else
    edge.what, edge.text = facts.raw and "switch" or "wait", "a switch to it"
  end
  edge.name = edge.name or edge.text
  if facts.timeout then edge.ends_by = "timer" end
  return edge
end

--- All greenlets that wait, the main greenlet first if it does.
-- @return a list of edges
-- @param even_if_over what the main greenlet has just waited for counts as well
-- @param object what that is, where only a Lua part knows
function waits.all(even_if_over, object)
  local names = {}
  local list = { waits.edge(core.main(), even_if_over, names, object) }
  for _, g in ipairs(core.greenlets()) do list[#list + 1] = waits.edge(g, false, names) end
  return list
end

-- ---- Text ----

local function holder_text(holder, current)
  if holder.dead == true then return "a dead greenlet" end
  if holder.dead then return holder.dead .. ", which is dead" end
  return holder.greenlet == current and "itself" or core.label(holder.greenlet)
end

--- " held by a, b and 3 others" of a lock or semaphore; else "".
function waits.holders_text(edge)
  local holders = edge.holders
  if edge.what ~= "lock" and edge.what ~= "semaphore" then return "" end
  local texts, others = {}, holders.others or 0
  for i, holder in ipairs(holders) do
    if i <= MOST_NAMED then
      texts[i] = holder_text(holder, edge.greenlet)
    else
      others = others + 1
    end
  end
  if #texts == 0 then return "" end
  local text = table.concat(texts, ", ")
  return (" held by %s%s"):format(text, others > 0 and (" and %d others"):format(others) or "")
end

-- ---- A graph ----

-- Text within the quotes of a label: any bytes become valid UTF-8 without quotes or control
-- characters.
local function dot_text(text)
  text = text:gsub('[\\"]', "\\%0")
  text = text:gsub("[%c\127]", function(c) return ("\\\\x%02x"):format(c:byte()) end)
  local position = 1
  while true do
    local _, bad = utf8.len(text, position)
    if not bad then return text end
    local escaped = ("\\\\x%02x"):format(text:byte(bad))
    text = text:sub(1, bad - 1) .. escaped .. text:sub(bad + 1)
    position = bad + #escaped
    if position > #text then return text end
  end
end

-- Nodes and edges in the order in which they are first met. Ids are made up, so that no name
-- can be taken for another.
local Graph = {}
Graph.__index = Graph

function Graph:add(format, ...) self[#self + 1] = ("  " .. format):format(...) end

function Graph:node(key, prefix, text, attributes)
  local id = self.ids[key]
  if not id then
    self.count = self.count + 1
    id = prefix .. self.count
    self.ids[key] = id
    self:add('%s [label="%s"%s];', id, text(), attributes or "")
  end
  return id
end

function Graph:greenlet(g)
  return self:node(g, "g", function()
    local edge = self.edges[g]
    local place = edge and edge.where and "\\n" .. dot_text(edge.where) or ""
    return dot_text(core.label(g)) .. place
  end, self.in_cycle[g] and ", color=red" or nil)
end

function Graph:holder(holder, place)
  if holder.greenlet then return self:greenlet(holder.greenlet) end
  local name = holder.dead == true and "a dead greenlet" or holder.dead .. " (dead)"
  return self:node(place .. name, "d", function() return dot_text(name) end, ", style=dashed")
end

function Graph:wait(edge)
  local from, label = self:greenlet(edge.greenlet), ("%.1f s"):format(edge.since)
  if edge.what == "join" or edge.what == "joinall" or edge.what == "scope" then
    for _, holder in ipairs(edge.holders) do
      self:add('%s -> %s [label="%s"];', from, self:holder(holder, from), edge.what)
    end
    return
  end
  local key = edge.what ~= "select" and edge.object or edge
  local object = self:node(key, "o", function() return dot_text(edge.name) end, ", shape=ellipse")
  self:add('%s -> %s [label="%s"];', from, object, label)
  if self.told[key] then return end
  self.told[key] = true
  for _, holder in ipairs(edge.holders) do
    self:add('%s -> %s [label="%s", style=dotted];', object, self:holder(holder, object),
      holder.where and dot_text("held since " .. holder.where) or "")
  end
end

--- All waits as a graph, in Graphviz's dot.
-- @treturn string
function waits.graph()
  local list, edges, in_cycle = waits.all(), {}, {}
  for _, edge in ipairs(list) do edges[edge.greenlet] = edge end
  for _, cycle in ipairs(core.report.find_cycles(list, edges)) do
    for _, g in ipairs(cycle) do in_cycle[g] = true end
  end
  local graph = setmetatable({ ids = {}, told = {}, count = 0, edges = edges, in_cycle = in_cycle },
    Graph)
  for _, edge in ipairs(list) do graph:wait(edge) end
  return ("digraph waits {\n  node [shape=box];\n%s%s}\n"):format(table.concat(graph, "\n"),
    #graph > 0 and "\n" or "")
end

return waits
