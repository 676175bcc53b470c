-- actors.lua: actors with mailboxes, and a tree of supervisors that start them again.
--
-- Shows: classes derived from Greenlet; a queue as mailbox, which outlives the actor that reads it;
-- answers by AsyncResult; links that tell a supervisor of a death; Groups that are killed as one.
--
-- The tree:
--
--     root: one for one            who fails is started again, alone
--       adder                      adds numbers
--       library: all for one       if one of them fails, both are started again
--         shelf                    keeps books, and tells
--         catalogue                which knows their places
--
-- A supervisor gives up when its children have failed more than three times; then it fails itself,
-- which its own supervisor sees. Each line of standard input is a message: the name of an actor,
-- and a text. "?" asks for an answer, "!" makes the actor fail.
--
-- Usage: greenlua actors.lua < MESSAGES
-- The exit status is 1 if root gives up.
--
--     $ printf 'adder 20\nadder 22\nadder ?\nadder !\nadder ?\n' | greenlua actors.lua
--     adder: the sum is 42
--     root: adder failed: told to fail
--     adder: the sum is 0

local greenlet = require "greenlet"
local queue = require "greenlet.queue"
local AsyncResult = require("greenlet.event").AsyncResult
local Group = require("greenlet.pool").Group

local MOST_FAILURES = 3

local mailboxes = {} -- by name: an actor that is started again goes on with what is left
local function mailbox_of(name)
  mailboxes[name] = mailboxes[name] or queue.Queue()
  return mailboxes[name]
end

local function send(name, text, answer)
  mailbox_of(name):put({ text = text, answer = answer })
end

-- ---- Actors ----

-- Derived classes have methods `take(text)` and `answer()`.
local Actor = greenlet.Greenlet:extend("Actor")

function Actor:init(name)
  Actor.super.init(self)
  self.name = name
end

function Actor:_run()
  for message in mailbox_of(self.name):iter() do
    if message.text == "!" then error("told to fail", 0) end
    if message.answer then
      message.answer:set(self:answer())
    else
      self:take(message.text)
    end
  end
end

local Adder = Actor:extend("Adder")
Adder.sum = 0
function Adder:take(text)
  self.sum = self.sum + (tonumber(text) or error("not a number: " .. text, 0))
end
function Adder:answer() return "the sum is " .. self.sum end

local Shelf = Actor:extend("Shelf")
function Shelf:init(name)
  Shelf.super.init(self, name)
  self.books = {}
end
function Shelf:take(book)
  table.insert(self.books, book)
  send("catalogue", ("%s=%d"):format(book, #self.books))
end
function Shelf:answer() return #self.books .. " books" end

local Catalogue = Actor:extend("Catalogue")
function Catalogue:init(name)
  Catalogue.super.init(self, name)
  self.places = {}
end
function Catalogue:take(text)
  local book, place = text:match("^(.*)=(%d+)$")
  if not book then error("no place in: " .. text, 0) end
  table.insert(self.places, ("%s at %s"):format(book, place))
end
function Catalogue:answer()
  return #self.places == 0 and "no books" or table.concat(self.places, ", ")
end

-- ---- Supervisors ----

local Supervisor = greenlet.Greenlet:extend("Supervisor")

-- children: a list of functions that make one each.
function Supervisor:init(name, strategy, children)
  Supervisor.super.init(self)
  self.name, self.strategy, self.children = name, strategy, children
end

function Supervisor:_run()
  local members, deaths, running = Group(), queue.Queue(), {}
  local guard <close> = setmetatable({}, { __close = function() members:kill() end })

  local function start(i)
    local child = self.children[i]()
    running[i] = child
    child:link(function() deaths:put({ i = i, child = child }) end)
    members:start(child)
  end

  local function restart(failed)
    if self.strategy == "one for one" then return start(failed) end
    members:kill()
    for i in ipairs(self.children) do start(i) end
  end

  for i in ipairs(self.children) do start(i) end
  local failures, ended = 0, 0
  while ended < #self.children do
    local death = deaths:get()
    local child = death.child
    if child ~= running[death.i] then
      child = nil -- killed for another's sake, and replaced already
    elseif child:successful() then
      ended = ended + 1
    else
      print(("%s: %s failed: %s"):format(self.name, child.name, child.exception))
      failures = failures + 1
      if failures > MOST_FAILURES then error("too many failures", 0) end
      restart(death.i)
    end
  end
end

-- ---- The tree, and its messages ----

local function library()
  return Supervisor("library", "all for one", {
    function() return Shelf("shelf") end,
    function() return Catalogue("catalogue") end,
  })
end

local root = Supervisor("root", "one for one", {
  function() return Adder("adder") end,
  library,
})

if #arg > 0 then
  io.stderr:write("usage: actors.lua < MESSAGES\n")
  os.exit(2)
end

local ACTORS = { "adder", "shelf", "catalogue" }
for _, name in ipairs(ACTORS) do mailbox_of(name) end
greenlet.get_hub().exception_stream = false -- the supervisors report
root:start()

for line in io.lines() do
  local name, text = line:match("^(%S+)%s+(.*)$")
  if not mailboxes[name] then
    io.stderr:write("actors.lua: no such actor: ", line, "\n")
  elseif text == "?" then
    local answer = AsyncResult()
    send(name, text, answer)
    greenlet.wait({ answer, root }, nil, 1)
    print(("%s: %s"):format(name, answer:ready() and answer:get() or "no answer"))
  else
    send(name, text)
  end
  greenlet.idle() -- until nobody has anything to do
end

for _, name in ipairs(ACTORS) do mailbox_of(name):put(queue.StopIteration) end
root:join()
if not root:successful() then
  print(("root failed: %s"):format(root.exception))
  os.exit(1)
end
