--- Commands about who waits for whom: :why and :waits.

local cmd = ...
local util = require "greenlet.util"
local find, status = cmd.find, cmd.status

local MOST_LINES = 100   -- of an explanation
local MOST_INDENTED = 20 -- levels; those below are not drawn deeper
local MOST_HOLDERS = 5   -- of one thing that is waited for

local commands = {}

-- By greenlet: the edges of what it waits for.
local function edges_by_greenlet()
  local edges = {}
  for _, edge in ipairs(util.waits and util.waits() or {}) do
    local list = edges[edge.greenlet] or {}
    list[#list + 1] = edge
    edges[edge.greenlet] = list
  end
  return edges
end

-- Those who could end the waits of a greenlet.
local function holders_of(edges)
  local list, known = {}, {}
  for _, edge in ipairs(edges or {}) do
    for _, g in ipairs(edge.holders or {}) do
      if not known[g] then list[#list + 1] = g end
      known[g] = true
    end
  end
  return list
end

-- ---- :why ----

local states = { running = "runs", ready = "is ready, and runs in its turn",
                 new = "has not begun", suspended = "has switched to another greenlet",
                 dead = "is dead", prompt = "is the prompt" }

local function sentence(g)
  local told = status.of(g)
  if told.state ~= "waiting" then
    return ("%s %s"):format(find.label(g), states[told.state])
  end
  return ("%s waits for %s   %s   %s"):format(find.label(g), status.brief(told.what),
    status.place(told.where), status.age(told))
end

-- "a -> b -> a": the part of the path, from main to the end, that comes back to g.
local function cycle(path, g)
  local labels, inside = {}, false
  for _, other in ipairs(path) do
    inside = inside or other == g
    if inside then labels[#labels + 1] = find.label(other) end
  end
  labels[#labels + 1] = find.label(g)
  return "a cycle, nothing in it can run: " .. table.concat(labels, " -> ")
end

local Explanation = {}
Explanation.__index = Explanation

function Explanation:add(depth, line)
  self.lines[#self.lines + 1] = ("  "):rep(math.min(depth, MOST_INDENTED)) .. line
end

-- The sentence about a greenlet, and below it those about whom it waits for.
function Explanation:follow(g)
  local depth = #self.path
  if self.on_path[g] then return self:add(depth, cycle(self.path, g)) end
  if self.told[g] then return self:add(depth, find.label(g) .. ": see above") end
  if #self.lines >= MOST_LINES then return self:add(depth, "...") end
  self.told[g], self.on_path[g] = true, true
  self:add(depth, sentence(g))
  table.insert(self.path, g)
  local holders = holders_of(self.edges[g])
  for i, holder in ipairs(holders) do
    if i > MOST_HOLDERS then
      self:add(depth + 1, ("... %d more"):format(#holders - MOST_HOLDERS))
      break
    end
    self:follow(holder)
  end
  table.remove(self.path)
  self.on_path[g] = nil
end

local function explain(g)
  local self = setmetatable({ lines = {}, path = {}, on_path = {}, told = {} }, Explanation)
  self.edges = edges_by_greenlet()
  self:follow(g)
  return table.concat(self.lines, "\n")
end

commands.why = {
  usage = "G", brief = "why a greenlet does not run: whom it waits for, and those in turn",
  help = [[
Each line is a greenlet that the one above it waits for, until somebody runs, sleeps, waits for
something from outside, or a cycle is found.
G is a number as :ps shows it, a job as %1, a name, or an expression. See also :waits.]],
  run = function(console, argument)
    if argument == "" then cmd.commands.usage("why") end
    console:print(explain(find.greenlet(console, argument)))
  end,
}

return { commands = commands }
