--- :why: whom a greenlet waits for, whom that one waits for, and so on.

local cmd = ...
local util = require "greenlet.util"
local find, status = cmd.find, cmd.status

local MOST_LINES = 100   -- of an explanation
local MOST_INDENTED = 20 -- levels; those below are not drawn deeper
local MOST_HOLDERS = 5   -- of one thing that is waited for

local commands = {}

-- ---- The words ----

-- What is known of whoever has what a greenlet waits for: " held by b since bank.lua:29". Of
-- a join nothing is to be said, since that names the greenlet.
local function held(edge)
  local holder = edge and edge.holders[1]
  if not holder or not holder.where then return "" end
  local who = holder.greenlet and find.label(holder.greenlet)
    or holder.dead == true and "a dead greenlet" or cmd.text.clean(holder.dead) .. ", now dead,"
  return (" held by %s since %s"):format(who, cmd.text.clean(holder.where))
end

-- Why nothing is told below a wait that no greenlet is known to end.
local function ending(edge)
  if edge.ends_by then return nil end
  local holder = edge.holders[1]
  if holder and holder.dead then return "nobody can end that: who held it is dead" end
  return "no greenlet is known that would end that; anyone may"
end

-- "a -> b -> a": the part of the path that comes back to g.
local function cycle(path, g)
  local labels, inside = {}, false
  for _, other in ipairs(path) do
    inside = inside or other == g
    if inside then labels[#labels + 1] = find.label(other) end
  end
  labels[#labels + 1] = find.label(g)
  return "a cycle, nothing in it can run: " .. table.concat(labels, " -> ")
end

-- ---- The chain ----

local Explanation = {}
Explanation.__index = Explanation

function Explanation:add(depth, line)
  self.lines[#self.lines + 1] = ("  "):rep(math.min(depth, MOST_INDENTED)) .. line
end

-- Those for whom a greenlet waits; nobody, if it does not wait for greenlets.
function Explanation:follow_holders(edge)
  local followed, depth = 0, #self.path
  for _, holder in ipairs(edge.holders) do
    if followed == MOST_HOLDERS then
      self:add(depth, ("... %d more"):format(#edge.holders - followed))
      break
    end
    if holder.greenlet then
      self:follow(holder.greenlet)
      followed = followed + 1
    end
  end
  local last = followed == 0 and ending(edge)
  if last then self:add(depth, last) end
end

-- The sentence about a greenlet, and below it those about whom it waits for.
function Explanation:follow(g)
  local depth = #self.path
  if self.on_path[g] then return self:add(depth, cycle(self.path, g)) end
  if self.told[g] then return self:add(depth, find.label(g) .. ": see above") end
  if #self.lines >= MOST_LINES then return self:add(depth, "...") end
  local told = status.of(g, self.edges)
  self:add(depth, status.sentence(told, held(told.edge)))
  if not told.edge then return end
  self.told[g], self.on_path[g] = true, true
  table.insert(self.path, g)
  self:follow_holders(told.edge)
  table.remove(self.path)
  self.on_path[g] = nil
end

local function explain(g)
  local self = setmetatable({ lines = {}, path = {}, on_path = {}, told = {} }, Explanation)
  self.edges = status.edges()
  self:follow(g)
  return table.concat(self.lines, "\n")
end

commands.why = {
  usage = "G", brief = "why a greenlet does not run: whom it waits for, and those in turn",
  help = [[
Each line is about a greenlet that the one above waits for, until one runs, sleeps or waits for
something from outside, or a cycle is found.
G is a number as :ps shows it, a job as %1, a name, or an expression.]],
  run = function(console, argument)
    if argument == "" then cmd.commands.usage("why") end
    console:print(explain(find.greenlet(console, argument)))
  end,
}

commands.graph = {
  usage = "[file]", brief = "who waits for whom, in Graphviz dot",
  help = [[
Prints what greenlet.util.graph() says, or writes it to the file, from which `dot -Tsvg file`
makes a picture. :graph! file overwrites one that exists.]], force = true,
  run = function(console, argument)
    local dot = util.graph()
    if argument == "" then return console:print(dot) end
    console:print(cmd.text.clean(cmd.tools.write(argument, dot, "graph")) .. " is written")
  end,
}

return { commands = commands }
