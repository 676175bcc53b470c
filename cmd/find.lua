--- Greenlets, as users name them at the prompt.

local cmd = ...
local greenlet = require "greenlet"
local util = require "greenlet.util"
local text = cmd.text

local MOST_LISTED = 10 -- candidates of an ambiguous name

local find = {}

-- ---- Names ----

--- The number by which commands know a greenlet; nil for main and the hub. A raw greenlet has
-- one once it has a default name.
function find.id(g)
  local id = g.minimal_ident
  if id or not greenlet.greenlet:class_of(g) then return id end
  return math.tointeger(text.clean(g.name):match("^Greenlet%-(%d+)$"))
end

--- Its name, safe to print.
function find.name(g) return text.clean(g.name) end

--- "name (3)"; the number is left out where the name has it.
function find.label(g)
  local name, id = find.name(g), find.id(g)
  if not id or name == "Greenlet-" .. id then return name end
  return ("%s (%d)"):format(name, id)
end

--- The main greenlet: the prompt.
find.main = util.GreenletTree.current_tree().greenlet

--- Is a greenlet of interest? The hub and the one that runs the command are not.
function find.is_shown(g)
  return not g.dead and g ~= greenlet.get_hub() and (g == find.main or g ~= greenlet.getcurrent())
end

-- Call f(g) for every greenlet of the tree, in the order in which they were spawned.
-- Not by recursion: greenlets may have spawned each other many thousand levels deep.
local function each(f)
  local trees = { util.GreenletTree.current_tree() }
  while #trees > 0 do
    local tree = table.remove(trees)
    f(tree.greenlet)
    for i = #tree.child_trees, 1, -1 do trees[#trees + 1] = tree.child_trees[i] end
  end
end

--- Every living greenlet that is of interest: main, then the others in the order of their
-- numbers. Gives a number and a name to those that have none.
function find.living()
  local list, ids = {}, {}
  each(function(g)
    if not find.is_shown(g) then return end
    list[#list + 1] = g
    local _ = g.name
    ids[g] = find.id(g) or -1
  end)
  table.sort(list, function(a, b) return ids[a] < ids[b] end)
  return list
end

--- The number of the job that a greenlet is, or nil.
function find.job(console, g)
  for n, job in pairs(console.jobs) do
    if rawequal(job, g) then return n end
  end
end

-- ---- Finding ----

local function ambiguous(what, list)
  local labels = {}
  for i, g in ipairs(list) do labels[i] = find.label(g) end
  cmd.commands.fail("%s is the name of %d greenlets: %s", what, #list,
    text.list(labels, MOST_LISTED))
end

local function by_job(console, n)
  local job = console.jobs[math.tointeger(n)]
  return job or cmd.commands.fail("no job %%%s; :jobs lists them", n)
end

local function by_id(list, id)
  for _, g in ipairs(list) do
    if find.id(g) == id then return g end
  end
end

-- The only one for whose name `is` holds; several are an error.
local function by_name(list, what, is)
  local found = {}
  for _, g in ipairs(list) do
    if is(text.clean(g.name)) then found[#found + 1] = g end
  end
  if #found > 1 then ambiguous(what, found) end
  return found[1]
end

-- What an expression of the session gives, if it is one and gives a greenlet. Anything else
-- may be a name, too, so that is no error, but what the value is.
local function by_expression(console, what)
  if not load("return " .. what) then return nil end
  local chunk = console.session:load(what, "=stdin")
  if not chunk then return nil end
  local ok, value = pcall(chunk)
  if not ok then return nil, text.clean(value) end
  if greenlet.greenlet:class_of(value) then return value end
  return nil, value ~= nil and ("%s is a %s, no greenlet"):format(what, type(value)) or nil
end

local function nearest(list, what)
  local names = {}
  for i, g in ipairs(list) do names[i] = find.name(g) end
  return text.nearest(what, names)
end

--- The greenlet that a user means: `%1` (a job), a number, a name, an expression of the
-- session, or the beginning of a name. Raises a complaint if there is none, or several.
function find.greenlet(console, what)
  local job = what:match("^%%(%d+)$")
  if job then return by_job(console, job) end
  local list = find.living()
  list[#list + 1] = greenlet.get_hub()
  local id = math.tointeger(what:match("^#?(%d+)$"))
  local g = id and by_id(list, id)
  if g then return g end
  g = by_name(list, what, function(name) return name == what end)
  if g then return g end
  if id then cmd.commands.fail("no living greenlet has the number %d; :ps lists them", id) end
  local value, trouble = by_expression(console, what)
  if value then return value end
  g = by_name(list, what, function(name) return name:sub(1, #what) == what end)
  if g then return g end
  if trouble then cmd.commands.fail("%s", trouble) end
  local other = nearest(list, what)
  cmd.commands.fail("no greenlet %s%s", what, other and "; did you mean " .. other .. "?"
    or "; :ps lists them")
end

return find
