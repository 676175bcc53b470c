-- The commands of the prompt, without a prompt: a script loads the parts from their files and
-- stands in for the console.
local run = require "spec.cmd.run"

local ROOT = io.popen("pwd"):read("l")

-- What the script has: `session`, `console` and `run(line, ...)`, which runs lines as commands,
-- each in a greenlet of its own, and prints them with what they say.
local PRELUDE = ([[
local ROOT = %q
local docs = {
  ["greenlet.spawn"] = { text = "Start a greenlet.\nIt runs soon." },
  ["greenlet.queue.Queue"] = { text = "A queue." },
  ["Queue:get"] = { text = "Take an item." }, ["Greenlet:get"] = { text = "Its values." },
}
local cmd = setmetatable({
  inspect = { line = function(value) return "<" .. tostring(value) .. ">" end },
  docs = {
    find = function(name) return docs[name] end,
    names = function()
      local names = {}
      for name in pairs(docs) do names[#names + 1] = name end
      table.sort(names)
      return names
    end,
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

console = { session = session, entries = {}, jobs = {} }
function console:print(...) print(...) end
function console:show(...) print("shown", ...) end
function console:quit() print("quit") end

function run(...)
  for _, line in ipairs { ... } do
    print("> " .. line)
    local g = greenlet.spawn(function() return cmd.commands.run(console, line) end)
    g:join()
    if not g:successful() then print("raised", g.exception) end
    if g.value == false then print("Lua") end
  end
end

function spawn(name, f, ...)
  local g = greenlet.spawn(f, ...)
  g.name = name
  return g
end
function idle() greenlet.sleep(1000) end
]]):format(ROOT):gsub("\n%s*", " ") -- on one line: that of the script is line 1

local ENDING = "\nos.exit(0)\n"

-- What the script prints; ages are all 0.0 s.
local function output(script, case)
  case = case or {}
  case.script = PRELUDE .. script .. ENDING
  local result = run.program(run.greenlua, case)
  assert.same({ "", 0 }, { result.stderr, result.status }, result.stdout)
  return (result.stdout:gsub("%d+%.%d s", "0.0 s"))
end

-- The lines of text, without their common margin, as the program prints them.
local function lines(text)
  local margin = text:match("^ *")
  return ("\n" .. text):gsub("\n" .. margin, "\n"):gsub("^\n", ""):gsub("\n *$", "\n")
end

local function prints(expected, script, case)
  assert.equal(lines(expected), output(script, case))
end

describe("commands", function()
  teardown(run.clean)

  it("leave Lua alone", function()
    prints([[
      > ::label::
      Lua
      > x = 1
      Lua
    ]], [[run("::label::", "x = 1")]])
  end)

  it("are named by the beginning of a name, if that is the only one", function()
    prints([[
      > :q
      quit
      > :t
      :t may be :time, :tree
      > :quit now
      usage: :quit
    ]], [[run(":q", ":t", ":quit now")]])
  end)

  it("complain of an unknown name, with the nearest", function()
    prints([[
      > :klil 3
      no command :klil; did you mean :kill?
      > :xyzzy
      no command :xyzzy; :help lists them
      > :
      a command's name follows the colon; :help lists them
    ]], [[run(":klil 3", ":xyzzy", ":")]])
  end)

  it("complain in red where there are colours", function()
    assert.equal("> :x\n\27[31mno command :x; :help lists them\27[0m\n",
      output [[console.colour = true run(":x")]])
  end)

  describe(":ps", function()
    it("lists what lives: states, waits, places, jobs", function()
      prints([[
        > :ps
        id  job  name        state      age  waits for                             where
                 main        prompt
         0       sleeper     waiting  0.0 s  sleep                                 t.lua:1
         1  %1   Greenlet-1  waiting  0.0 s  get from <Queue: 0 items, 1 getting>  t.lua:4
         2       later       new
      ]], [[
        function idle() greenlet.sleep(1000) end
        spawn("sleeper", idle)
        local q = require "greenlet.queue".Queue()
        console.jobs[1] = greenlet.spawn(function() local item = q:get() end)
        greenlet.sleep(0.001)
        greenlet.spawn_later(1000, idle).name = "later"
        run(":ps")]])
    end)
  end)
end)
