--- Runs the commands of the prompt without a prompt: a script loads the parts from their files
-- and stands in for the console.
local assert = require "luassert"
local run = require "spec.cmd.run"

local commands = {}

local ROOT = io.popen("pwd"):read("l")

--- What the script has: `session`, `console`, `spawn(name, f)`, and `run(line, ...)`, which runs
-- lines as commands, each in a greenlet of its own, and prints them with what they say.
commands.PRELUDE = ([[
local ROOT = %q
local docs = {
  ["greenlet.spawn"] = { text = "Start a greenlet.\nIt runs soon." },
  ["Greenlet:get"] = { text = "Its values." },
  Queue = { text = "A queue." }, ["Queue:get"] = { text = "Take an item." },
  get = { text = "several have this name", kind = "list" },
}
local cmd = setmetatable({
  inspect = { line = function(value) return "<" .. tostring(value) .. ">" end },
  docs = {
    find = function(name) return docs[name] end,
    names = function() return { "Greenlet:get", "Queue:get", "greenlet.queue.Queue" } end,
    topics = function() return { locks = "All about locks." } end,
  },
}, { __index = function(self, name)
  local value = assert(loadfile(("%%s/cmd/%%s.lua"):format(ROOT, name)))(self)
  rawset(self, name, value)
  return value
end })

session = {}
function session:load(text, name)
  local chunk = load("return " .. text, name)
  if chunk then return chunk end
  return load(text, name)
end
function session:names() return {} end

local Event = require "greenlet.event".Event
console = { session = session, entries = {}, jobs = {} }
function console:print(...) print(...) end
function console:show(...) print("shown", ...) end
function console:quit() print("quit") end

function run(...)
  for _, line in ipairs { ... } do
    print("> " .. line)
    local g, ended = greenlet.Greenlet(cmd.commands.run, console, line), Event()
    g:rawlink(function() ended:set() end)
    g:start()
    ended:wait()
    if not g:successful() then print("raised", g.exception) end
    if g.value == false then print("Lua") end
  end
end

function spawn(name, f, ...)
  local g = greenlet.spawn(f, ...)
  g.name = name
  return g
end
]]):format(ROOT)

--- On line 1 of the script.
commands.BEGINNING = 'dofile "prelude.lua" function idle() greenlet.sleep(1e5) end '
local ENDING = "\nos.exit(0)\n"

--- What a script prints, on which nothing may be on stderr. All ages are 0.0 s.
-- @tparam string script Lua, whose first line is line 1 of t.lua
-- @tparam[opt] table case as for run.program, with `files`
function commands.output(script, case)
  case = case or { files = {} }
  case.script = commands.BEGINNING .. script .. ENDING
  case.files["prelude.lua"] = commands.PRELUDE
  local result = run.program(run.greenlua, case)
  assert.same({ "", 0 }, { result.stderr, result.status }, result.stdout)
  return (result.stdout:gsub("%d+%.%d s", "0.0 s"))
end

-- The lines of a text without their margin, as the program prints them.
local function lines(text)
  local margin = text:match("^ *")
  return (("\n" .. text):gsub("\n" .. margin, "\n"):gsub("^\n", ""):gsub("\n *$", "\n"))
end

--- Check what a script prints. `expected` may have a margin.
function commands.prints(expected, script, case)
  assert.equal(lines(expected), commands.output(script, case))
end

return commands

