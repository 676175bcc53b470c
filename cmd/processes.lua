--- Commands about greenlets: :ps, :jobs, :tree, :bt, :kill.

local cmd = ...
local greenlet = require "greenlet"
local util = require "greenlet.util"
local find, status, text = cmd.find, cmd.status, cmd.text

local MOST_ROWS = 200 -- of a list
local MOST_DEEP = 40  -- levels of a tree
local GRACE = 1       -- seconds in which a killed greenlet should end

local commands = {}

-- ---- :ps and :jobs ----

-- Columns whose text is on the right: numbers and ages.
local RIGHT = { ps = { true, false, false, false, true }, jobs = { false, false, true },
                tree = { false, false, false, false, true } }

local function mark(console, group)
  local job = #group == 1 and find.job(console, group[1].greenlet)
  return job and "%" .. job or ""
end

local function row(console, group, first, second)
  return { first, mark(console, group), second, group[1].state, status.ages(group),
           status.what(group), status.place(group[1]) }
end

-- The rows of groups of equals; `all`: of each by itself, however many.
local function rows_of(console, list, all)
  local rows, groups = {}, status.grouped(list, all)
  for i, group in ipairs(groups) do
    if i > MOST_ROWS and not all then
      local more = ("... %d more rows; :ps all shows them"):format(#groups - MOST_ROWS)
      rows[i] = { "", "", more, "", "", "", "" }
      break
    end
    rows[i] = row(console, group, status.ids(group), status.name(group))
  end
  return rows
end

commands.ps = {
  usage = "[all]", brief = "the living greenlets: what each waits for, how long, where",
  help = [[
The columns: a greenlet's number, which other commands take; which job it is; its name and state;
for how long it has been in that; what it waits for; the line of the script that it is at.
Many that do the same in the same place are one row. With `all` each has its own.]],
  run = function(console, argument)
    if argument ~= "" and argument ~= "all" then cmd.commands.usage("ps") end
    local list, edges = {}, status.edges()
    for i, g in ipairs(find.living()) do list[i] = status.of(g, edges) end
    local heads = { "id", "job", "name", "state", "age", "waits for", "where" }
    local rows = rows_of(console, list, argument == "all")
    console:print(table.concat(text.columns(heads, rows, RIGHT.ps), "\n"))
  end,
}

-- What came of a greenlet, in a word, or what it does.
local function job_state(told)
  local g = told.greenlet
  if told.state ~= "dead" or not greenlet.Greenlet:class_of(g) then return told.state end
  if not g:successful() then return "failed" end
  return greenlet.GreenletExit:class_of(g.value) and "killed" or "done"
end

commands.jobs = {
  usage = "", brief = "what runs in the background, by & or Ctrl-Z",
  help = "Commands take a job as %1; in Lua it is jobs[1], a greenlet.",
  run = function(console, argument)
    if argument ~= "" then cmd.commands.usage("jobs") end
    local numbers, rows, edges = {}, {}, status.edges()
    for n in pairs(console.jobs) do numbers[#numbers + 1] = n end
    table.sort(numbers)
    for i, n in ipairs(numbers) do
      local job = console.jobs[n]
      local told = status.of(job, edges)
      rows[i] = { "%" .. n, job_state(told), told.state ~= "dead" and status.age(told) or "",
                  status.what { told }, text.clean(job.text or job.name) }
    end
    if #rows == 0 then return console:print("no jobs") end
    local heads = { "job", "state", "age", "waits for", "text" }
    console:print(table.concat(text.columns(heads, rows, RIGHT.jobs), "\n"))
  end,
}

-- ---- :tree ----

-- The children to draw: those of a greenlet that is not shown stand in its place.
local function shown_children(tree, list)
  list = list or {}
  for _, child in ipairs(tree.child_trees) do
    if find.is_shown(child.greenlet) then
      list[#list + 1] = child
    else
      shown_children(child, list)
    end
  end
  return list
end

local Drawing = {} -- {console=, edges=, rows=}
Drawing.__index = Drawing

-- The children as groups, each with its number and, if it spawned somebody, its tree. Those
-- that did not may be drawn as one line, as in :ps.
function Drawing:groups(tree)
  local leaves, items = {}, {}
  for _, child in ipairs(shown_children(tree)) do
    local told = status.of(child.greenlet, self.edges)
    if #shown_children(child) == 0 then
      leaves[#leaves + 1] = told
    else
      items[#items + 1] = { group = { told }, tree = child }
    end
  end
  for _, group in ipairs(status.grouped(leaves)) do items[#items + 1] = { group = group } end
  for _, item in ipairs(items) do item.id = find.id(item.group[1].greenlet) or 0 end
  table.sort(items, function(a, b) return a.id < b.id end)
  return items
end

function Drawing:children(tree, below, depth)
  local items = self:groups(tree)
  for i, item in ipairs(items) do
    local last = i == #items
    self:draw(item.group, item.tree, below .. (last and "`- " or "|- "),
      below .. (last and "   " or "|  "), depth)
  end
end

function Drawing:draw(group, tree, head, below, depth)
  local id, name = status.ids(group), status.name(group)
  local label = (id == "" or name == "Greenlet-" .. id) and name or ("%s (%s)"):format(name, id)
  self.rows[#self.rows + 1] = row(self.console, group, head .. label, "")
  if not tree then return end
  if depth < MOST_DEEP then return self:children(tree, below, depth + 1) end
  self.rows[#self.rows + 1] = { below .. "...", "", "", "", "", "", "" }
end

commands.tree = {
  usage = "", brief = "the living greenlets, each under the one that spawned it",
  help = [[
The columns are those of :ps. What a dead greenlet spawned is under the one that spawned that.
Many that spawned nobody and do the same are one line.]],
  run = function(console, argument)
    if argument ~= "" then cmd.commands.usage("tree") end
    find.living() -- numbers them in the order of :ps
    local tree = util.GreenletTree.current_tree()
    local drawing = setmetatable({ console = console, edges = status.edges(), rows = {} }, Drawing)
    drawing:draw({ status.of(tree.greenlet) }, tree, "", "", 0)
    local heads = { "greenlet", "job", "", "state", "age", "waits for", "where" }
    console:print(table.concat(text.columns(heads, drawing.rows, RIGHT.tree), "\n"))
  end,
}

-- ---- :bt ----

-- The lines of a traceback, without its heading and without those of the program itself.
local function frames(lines, traceback)
  for line in traceback:gmatch("\n\t([^\n]+)") do
    if not line:find("^%[greenlet") then lines[#lines + 1] = "  " .. text.clean(line) end
  end
  return lines
end

commands.bt = {
  usage = "G", brief = "the stack of a greenlet, and where it was spawned",
  help = [[
G is a number as :ps shows it, a job as %1, a name, or an expression. Of one that failed it is
the stack at the error.]],
  run = function(console, argument)
    if argument == "" then cmd.commands.usage("bt") end
    local g = find.greenlet(console, argument)
    local told = status.of(g, status.edges())
    local first = g.dead and find.label(g) .. ": " .. job_state(told) or status.sentence(told)
    local lines = frames({ first }, g.dead and g.traceback or greenlet.traceback(g))
    local spawned = frames({}, g.spawning_stack or "")
    if #spawned > 0 then
      lines[#lines + 1] = "spawned at:"
      table.move(spawned, 1, #spawned, #lines + 1, lines)
    end
    console:print(table.concat(lines, "\n"))
  end,
}

-- ---- :kill ----

-- Several may be given by numbers; names have blanks in them.
local function targets(console, argument)
  local list = {}
  for word in argument:gmatch("%S+") do
    if not word:find("^[%%#]?%d+$") then return { find.greenlet(console, argument) } end
    list[#list + 1] = find.greenlet(console, word)
  end
  return list
end

local function check_mortal(g)
  if g == find.main then cmd.commands.fail("main is the prompt; :quit leaves") end
  if g == greenlet.get_hub() then cmd.commands.fail("the hub runs the greenlets; it stays") end
  if g.dead then cmd.commands.fail("%s is dead already", find.label(g)) end
end

local function kill(g)
  if greenlet.Greenlet:class_of(g) then return g:kill(greenlet.GreenletExit, true, GRACE) end
  greenlet.kill(g)
  greenlet.sleep(0)
end

commands.kill = {
  usage = "G", brief = "end a greenlet, by GreenletExit; several by their numbers",
  help = [[
G is a number as :ps shows it, a job as %1, a name, or an expression; :kill 3 4 %1 kills three.
Its to-be-closed variables close. One that does not end within a second is left, and told of.]],
  run = function(console, argument)
    if argument == "" then cmd.commands.usage("kill") end
    local list = targets(console, argument)
    for _, g in ipairs(list) do check_mortal(g) end
    for _, g in ipairs(list) do
      kill(g)
      console:print(g.dead and "killed " .. find.label(g)
        or "sent GreenletExit, but " .. status.sentence(status.of(g, status.edges())))
    end
  end,
}

return { commands = commands }
