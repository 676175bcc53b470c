--- What all greenlets are doing.
-- `greenlet.util.print_run_info` is what to call from a signal handler of a program that seems to
-- hang.
--
-- ```lua
-- local util = require "greenlet.util"
-- greenlet.signal("USR1", util.print_run_info, io.stdout)
--
-- local function worker() greenlet.sleep(0.05) end
-- local server = greenlet.spawn(function()
--   greenlet.spawn(worker).name = "worker 1"
--   greenlet.spawn(worker).name = "worker 2"
--   require "greenlet.event".Event():wait(0.05)
-- end)
-- server.name = "server"
-- greenlet.sleep(0.01)
-- print(util.GreenletTree.current_tree())
-- ```
--
-- ```text
-- <greenlet "main" at 0x55b3e9d5b308: main chunk>
--  +--- <Hub "hub" at 0x55b3e9d72778: event loop>
--  +--- <Greenlet "server" at 0x55b3e9d9a3d8: function <script.lua:5>>
--       +--- <Greenlet "worker 1" at 0x55b3e9d9a658: function <script.lua:4>>
--       +--- <Greenlet "worker 2" at 0x55b3e9d9a8d8: function <script.lua:4>>
-- ```
--
-- With details, as `print_run_info` shows it, a greenlet looks like this:
--
--      +--- <Greenlet "server" at 0x55d3b8: function <script.lua:5>>
--           :    waits for set of <Event at 0x55ab58: clear, 1 waiting>   at script.lua:8: ...   for 0.0 s
--           :    Stack:
--           :      [C]: in method 'wait'
--           :      script.lua:8: in function <script.lua:5>
--           :    Spawned at:
--           :      script.lua:5: in main chunk
-- @module greenlet.util
-- @order print_run_info format_run_info
-- @source gevent.util

local core = ...

local MOST_INDENTED = 40 -- levels; what is spawned still deeper is drawn as these are
local MOST_TEXT = 60     -- characters of a value
local MOST_ALIKE = 5     -- children that do the same; where there are more one stands for all

local function short(value)
  local text = type(value) == "string" and ("%q"):format(value) or core.safe_text(value)
  if #text > MOST_TEXT then text = text:sub(1, MOST_TEXT - 3) .. "..." end
  return text
end

-- The fields of a table, in the order of their keys' texts.
local function fields_text(values)
  local list = {}
  for key, value in next, values do
    list[#list + 1] = ("%s = %s"):format(core.safe_text(key), short(value))
  end
  table.sort(list)
  return "{" .. table.concat(list, ", ") .. "}"
end

-- ---- Trees ----

--- A tree of who spawned whom, got by `GreenletTree.current_tree`.
-- `tostring(tree)` draws it without details.
-- @class greenlet.util.GreenletTree
-- @order current_tree forest format format_lines
-- @source gevent.util.GreenletTree

--- The greenlet at the tree's root.
-- @tfield Greenlet GreenletTree.greenlet
-- @source gevent.util.GreenletTree.greenlet

--- List of the trees of the greenlets that this one spawned.
-- @tfield table GreenletTree.child_trees
-- @source gevent.util.GreenletTree.child_trees

--- True for the main greenlet's.
-- @tfield boolean GreenletTree.root
-- @tfield boolean GreenletTree.is_current_tree
-- @source gevent.util.GreenletTree.root
local GreenletTree = core.class:extend("GreenletTree")

function GreenletTree:init(g)
  self.greenlet = g
  self.child_trees = {}
  self.root = g == core.main()
  self.is_current_tree = self.root
end

-- Whoever is not known any more leaves its children to the main greenlet.
local function spawner(g)
  return g ~= core.get_hub() and core.spawning_greenlet(g) or core.main()
end

--- Draw up the tree of all greenlets that live, from the main greenlet down.
-- A dead greenlet is in the tree, with what came of it, as long as one that it spawned lives and it
-- has not been collected; then its children hang on the main greenlet. So do all, with
-- `greenlet.config.track_greenlet_tree = false`.
-- @function GreenletTree.current_tree
-- @treturn GreenletTree
-- @usage print(greenlet.util.GreenletTree.current_tree())
-- @source gevent.util.GreenletTree.current_tree
function GreenletTree.current_tree()
  local root = GreenletTree(core.main())
  local trees = { [root.greenlet] = root }
  local list = core.greenlets()
  table.insert(list, 1, core.get_hub())
  for _, g in ipairs(list) do
    local child, known
    repeat
      local tree = trees[g]
      known = tree ~= nil
      if not known then
        tree = GreenletTree(g)
        trees[g] = tree
      end
      table.insert(tree.child_trees, child)
      child, g = tree, spawner(g)
    until known
  end
  return root
end

--- List the trees of all threads: this one's.
-- @function GreenletTree.forest
-- @treturn table list of one GreenletTree
-- @usage print(greenlet.util.GreenletTree.forest()[1])
-- @source gevent.util.GreenletTree.forest
function GreenletTree.forest() return { GreenletTree.current_tree() } end

-- ---- What is said of a greenlet ----

local function label(g)
  local text = core.safe_text(g)
  if not g.dead then return text end
  local err, traceback = core.failure(g)
  if traceback then return ("%s; failed with %s"):format(text, short(err)) end
  if g.value == nil then return text .. "; finished" end
  return ("%s; finished with %s"):format(text, short(g.value))
end

local function state(g)
  if g == core.getcurrent() then return "running" end
  if g == core.get_hub() then return nil end
  local what, where, seconds = core.describe(g)
  return what and ("waits for %s   at %s   for %.1f s"):format(what, where, seconds)
end

-- By what a greenlet "waits" for when it does not wait. The hub's is nothing.
local states = { ["its start"] = "new", ["its turn"] = "ready", switch = "suspended",
                 nothing = "suspended" }

-- The lines of a traceback, but for its heading and for those of who asks.
local function frames(text)
  local lines = {}
  for line in text:gmatch("\n\t([^\n]+)") do
    local asks = line:find("^%[greenlet%.util%]") or line:find("^%[greenlet%.dump%]")
      or line:find("^%[C%]: in hook")
    if not asks then lines[#lines + 1] = "  " .. line end
  end
  return lines
end

local function add(lines, title, more)
  if #more == 0 then return end
  lines[#lines + 1] = title
  table.move(more, 1, #more, #lines + 1, lines)
end

local function local_fields(g)
  local lines = {}
  for _, pair in ipairs(core.locals and core.locals(g) or {}) do
    if next(pair[2]) ~= nil then
      lines[#lines + 1] = ("  %s: %s"):format(tostring(pair[1]), fields_text(pair[2]))
    end
  end
  return lines
end

-- The spawn tree's table, at the greenlet where that begins.
local function tree_fields(g)
  local above = core.spawning_greenlet(g)
  local values = core.spawn_tree_locals(g)
  if values == nil or next(values) == nil then return {} end
  if above and core.spawn_tree_locals(above) == values then return {} end
  return { "  " .. fields_text(values) }
end

local function describe(g, details)
  local lines = { state(g) }
  if g ~= core.main() and g ~= core.get_hub() and g.parent ~= core.get_hub() then
    lines[#lines + 1] = "Parent: " .. core.safe_text(g.parent)
  end
  if details.running_stacks and not g.dead then
    add(lines, "Stack:", frames(core.traceback(g)))
  end
  if details.spawning_stacks then
    add(lines, "Spawned at:", frames(core.spawning_stack(g)))
  end
  if details.locals then
    add(lines, "Spawn tree locals:", tree_fields(g))
    add(lines, "Greenlet locals:", local_fields(g))
  end
  return lines
end

-- ---- Drawing ----

-- Those who wait for the same, with the same stack, spawned by the same greenlet at the
-- same place, and have nothing of their own to show.
local function key_of(tree, details)
  local g = tree.greenlet
  if #tree.child_trees > 0 or g.dead then return nil end
  if details.locals and (#local_fields(g) > 0 or #tree_fields(g) > 0) then return nil end
  return core.wait_key(g)
end

-- {tree, how many more are like it} of all children, in their order.
local function group(trees, details)
  local groups, by_key = {}, {}
  if not details or #trees <= MOST_ALIKE then
    for i, tree in ipairs(trees) do groups[i] = { tree, 0 } end
    return groups
  end
  local counts, keys = {}, {}
  for i, tree in ipairs(trees) do
    local key = key_of(tree, details)
    keys[i] = key
    if key then counts[key] = (counts[key] or 0) + 1 end
  end
  for i, tree in ipairs(trees) do
    local key = keys[i]
    local found = key and counts[key] > MOST_ALIKE and by_key[key]
    if found then
      found[2] = found[2] + 1
    else
      groups[#groups + 1] = { tree, 0 }
      if key then by_key[key] = groups[#groups] end
    end
  end
  return groups
end

local function draw(tree, head, below, lines, details, depth, more)
  local alike = more > 0 and (" and %d more like it"):format(more) or ""
  lines[#lines + 1] = head .. label(tree.greenlet) .. alike
  for _, line in ipairs(details and describe(tree.greenlet, details) or {}) do
    lines[#lines + 1] = below .. " :    " .. line
  end
  local groups = group(tree.child_trees, details)
  for i, found in ipairs(groups) do
    local deeper = depth < MOST_INDENTED and (i < #groups and " |   " or "     ") or ""
    draw(found[1], below .. " +--- ", below .. deeper, lines, details, depth + 1, found[2])
  end
end

--- Draw the tree as lines of text. Of more than five children that do the same, and have
-- no children, only one is shown.
-- @function GreenletTree:format_lines
-- @tparam[opt=true] boolean|table details false: only who is there; a table: what of
--   `running_stacks`, `spawning_stacks` and `locals` is false in it is left out
-- @treturn table list of strings
-- @usage for _, line in ipairs(tree:format_lines()) do log(line) end
-- @source gevent.util.GreenletTree.format_lines
function GreenletTree:format_lines(details)
  local wanted = details ~= false and { running_stacks = true, spawning_stacks = true,
                                        locals = true }
  if type(details) == "table" then
    for name in pairs(wanted) do
      if details[name] == false then wanted[name] = false end
    end
  end
  local lines = {}
  draw(self, "", "", lines, wanted, 0, 0)
  return lines
end

--- Draw the tree as one string.
-- @function GreenletTree:format
-- @tparam[opt=true] boolean|table details false: only who is there; a table: what of
--   `running_stacks`, `spawning_stacks` and `locals` is false in it is left out
-- @treturn string
-- @usage print(tree:format {spawning_stacks = false})
-- @source gevent.util.GreenletTree.format
function GreenletTree:format(details) return table.concat(self:format_lines(details), "\n") end

function GreenletTree:__tostring() return self:format(false) end

-- ---- Run info ----

local module = { GreenletTree = GreenletTree }

--- List what each waiting greenlet waits for, and who could end it.
-- It is kept by what is waited for, not guessed. The list has a table for each greenlet that waits,
-- the main greenlet first if it does:
--
-- - `greenlet`; `what`: "lock", "semaphore", "event", "result", "queue get", "queue put",
--   "queue peek", "queue join", "channel get", "channel put", "join", "joinall", "wait", "select",
--   "scope", "pool", "sleep", "io", "signal", "child", "loop", "switch" ...
-- - `object`: what it waits for, an object or a list of objects; `name`: the same as text, like
--   `lock "A"` or `Lock made at bank.lua:3`; `cases` of a select, each with `kind`, `object`, `name`
-- - `holders`: a list of those who could end it, as far as that is known: of a lock or semaphore who
--   has acquired it, with `where`; of a join those who have yet to die; of a scope its children;
--   each is a table with `greenlet`, or with `dead`, the name of one that died with it in its hands.
--   `holders.others` counts those of a semaphore who are not known
-- - `where`, "bank.lua:31", and `["in"]`, the function's name; `since`: the seconds it has waited
-- - `timeout`: the seconds after which a timer ends the wait, if one does; `ends_by`: "timer" or "io"
--   if something outside may end it, else nil
-- @function greenlet.util.waits
-- @treturn table
-- @switches no
-- @usage for _, wait in ipairs(greenlet.util.waits()) do print(wait.greenlet, wait.name, wait.where) end
function module.waits() return core.waits.all() end

--- Draw who waits for whom, as text for Graphviz's `dot`.
-- Boxes are greenlets, ellipses what they wait for; a dotted line leads from that to who has it. A
-- cycle is red.
-- @function greenlet.util.graph
-- @treturn string a graph in the dot language
-- @switches no
-- @usage io.open("waits.dot", "w"):write(greenlet.util.graph())   -- dot -Tsvg waits.dot
function module.graph() return core.waits.graph() end

--- Tell what one greenlet is doing.
-- The fields of the table: `greenlet`; `state`, one of "running", "ready" (for its turn),
-- "new" (not begun), "waiting", "suspended" (it switched to another), "dead"; `what`, the text of
-- what it waits for, if it does; `where`, its innermost line of a script, as `file:line: in ...`,
-- and `seconds`, how long it has waited, if it is scheduled or has begun; `spawned_at`, a place,
-- or nil.
-- @function greenlet.util.describe
-- @tparam greenlet g any greenlet, the hub too
-- @treturn table what is told above
-- @raise bad argument
-- @usage print(greenlet.util.describe(g).what)
function module.describe(g)
  if not core.greenlet:class_of(g) then
    core.argerror(1, "describe", "greenlet expected, got " .. core.typename(g))
  end
  if g.dead then return { greenlet = g, state = "dead" } end
  local what, where, seconds, spawned_at = core.describe(g)
  local state_name = what == nil and "new" or g == core.getcurrent() and "running"
    or g == core.get_hub() and "suspended" -- what it would have waited for, had it been allowed to
    or states[what] or "waiting"
  return { greenlet = g, state = state_name, what = state_name == "waiting" and what or nil,
           where = where, seconds = seconds, spawned_at = spawned_at }
end

--- Tell what every living greenlet is doing.
-- They are drawn as a tree of who spawned whom, each with what it waits for and since when, its
-- stack, where it was spawned, the spawn tree's table where that begins, and the fields that it has
-- of the objects of `greenlet.local`.
-- @function greenlet.util.format_run_info
-- @treturn table list of lines
-- @usage log(table.concat(greenlet.util.format_run_info(), "\n"))
-- @source gevent.util.format_run_info
function module.format_run_info()
  local lines = { ("*"):rep(80), "* Greenlets", ("*"):rep(80) }
  local tree = GreenletTree.current_tree():format_lines()
  return table.move(tree, 1, #tree, #lines + 1, lines)
end

--- Print what every living greenlet is doing, as of `greenlet.util.format_run_info`.
-- @function greenlet.util.print_run_info
-- @tparam[opt=io.stderr] file file any object with a method `write`
-- @raise bad argument
-- @usage greenlet.signal("USR1", greenlet.util.print_run_info)
-- @source gevent.util.print_run_info
function module.print_run_info(file)
  if file == nil then file = io.stderr end
  local ok, write = core.pcall(function() return file.write end)
  if not ok or not core.callable(write) then
    core.argerror(1, "print_run_info", "file expected, got " .. core.typename(file))
  end
  file:write(table.concat(module.format_run_info(), "\n"), "\n")
end

return module
