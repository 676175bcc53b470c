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

  it("let errors of the user's code pass, as they are", function()
    prints([[
      > :time error("oh", 0)
      raised	oh
      > :kill error("x")
      stdin:1: x
    ]], [[
      greenlet.get_hub().exception_stream = false
      run(':time error("oh", 0)', ':kill error("x")')]])
  end)

  describe(":help", function()
    it("lists all commands, and the topics", function()
      local text = output [[run(":help", "?")]]
      local first, second = text:match("^> :help\n(.*)> %?\n(.*)$")
      assert.equal(first, second)
      for name in ("bt doc graph help jobs kill load ps quit save source time tree unwatch watch why")
        :gmatch("%a+") do
        assert.matches("\n:" .. name .. " ", first)
      end
      assert.matches("\nTopics of :help: locks%.\n$", first)
    end)

    it("tells of a command, a topic, a function", function()
      prints([[
        > :help quit
        :quit
        leave; as Ctrl-D, but asks nothing
        > :help :jobs
        :jobs
        Commands take a job as %1; in Lua it is jobs[1], a greenlet.
        > :help locks
        All about locks.
        > :help greenlet.spawn
        Start a greenlet.
        It runs soon.
        > :help nosuch
        nothing is known of nosuch
      ]], [[run(":help quit", ":help :jobs", ":help locks", ":help greenlet.spawn", ":help nosuch")]])
    end)
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

    it("shows those that do the same as one row, unless all are wanted", function()
      local text = output [[
        for i = 1, 6 do spawn("worker " .. i, idle) end
        greenlet.sleep(0)
        run(":ps", ":ps all", ":ps some")]]
      local few, all = text:match("^(.*)> :ps all(.*)> :ps some\nusage: :ps %[all%]\n$")
      assert.equal(" id  name         state      age  waits for  where\n" ..
        "      main         prompt\n0..5  worker * x6  waiting  0.0 s  sleep      t.lua:1\n",
        (few:gsub("^> :ps\n ?", "")))
      local _, count = all:gsub("\n *%d  worker %d ", "")
      assert.equal(6, count)
    end)

    it("shows no control character of a name", function()
      local text = output [[
        spawn("a\n\27[2J\9\127\u{85}", idle)
        greenlet.sleep(0)
        run(":ps")]]
      assert.equal("a\\n\\27[2J\\t\\127\\194\\133", text:match("\n *0  (%S*)  waiting"))
    end)

    it("takes names that are no strings, bad UTF-8, and tostrings that fail", function()
      local text = output [[
        spawn(42, idle)
        spawn("\xFF", idle)
        spawn(setmetatable({}, { __tostring = function() error "no" end }), idle)
        run(":ps")]]
      assert.matches("\n 0  42 ", text)
      assert.matches("\n 1  \\255 ", text)
      assert.matches("\n 2  %? ", text)
    end)
  end)

  describe(":jobs", function()
    it("tells what they are, and what came of them", function()
      prints([[
        > :jobs
        no jobs
        > :jobs
        job  state      age  waits for  text
        %1   waiting  0.0 s  sleep      idle() &
        %2   done                       two
        %4   failed                     four
        %9   killed                     nine
      ]], [[
        run(":jobs")
        local nothing = function() end
        local hub = greenlet.get_hub()
        hub.exception_stream = false
        console.jobs = { [1] = spawn("one", idle), [2] = spawn("two", nothing),
                         [4] = spawn("four", error), [9] = spawn("nine", idle) }
        console.jobs[1].text = "idle() &"
        greenlet.sleep(0)
        console.jobs[9]:kill()
        run(":jobs")]])
    end)
  end)

  describe(":tree", function()
    it("draws who spawned whom; a dead one's children are its spawner's", function()
      prints([[
        > :tree
        greenlet                  job  state      age  waits for  where
        main                           prompt
        |- server (0)             %1   waiting  0.0 s  sleep      t.lua:4
        |  |- a (1)                    waiting  0.0 s  sleep      t.lua:1
        |  `- worker * x6 (2..7)       waiting  0.0 s  sleep      t.lua:1
        `- orphan (8)                  waiting  0.0 s  sleep      t.lua:1
      ]], [[
        console.jobs[1] = spawn("server", function()
          spawn("a", idle)
          for i = 1, 6 do spawn("worker " .. i, idle) end
          greenlet.sleep(1000)
        end)
        local dead = greenlet.spawn(function() spawn("orphan", idle) end)
        greenlet.sleep(0.001)
        run(":tree")
        local _ = dead]])
    end)

    it("is no deeper than can be read", function()
      local text = output [[
        local function deeper(n)
          if n == 0 then run(":tree") os.exit(0) end
          greenlet.spawn(deeper, n - 1)
          idle()
        end
        greenlet.spawn(deeper, 1000)
        idle()]]
      assert.matches("\n +%.%.%.\n$", text)
    end)
  end)

  describe(":bt", function()
    it("shows the stack, and where the greenlet was spawned", function()
      prints([[
        > :bt worker
        worker (0) waits for sleep, for 0.0 s now
          [C]: in function 'greenlet.sleep'
          t.lua:1: in upvalue 'inner'
          t.lua:2: in function <t.lua:2>
        spawned at:
          t.lua:3: in main chunk
      ]], [[
        local function inner() greenlet.sleep(1000) end
        local function outer() inner() print() end
        greenlet.spawn(outer).name = "worker"
        greenlet.sleep(0)
        run(":bt worker")]])
    end)

    it("shows the stack at the error of one that failed", function()
      local text = output [[
        greenlet.get_hub().exception_stream = false
        g = greenlet.spawn(function() error("oh") end)
        g:join()
        run(":bt g", ":bt")]]
      assert.matches("^> :bt g\nGreenlet%-0: failed\n  .*\n  t%.lua:2: in function <t%.lua:2>\n", text)
      assert.matches("\nusage: :bt G\n$", text)
    end)
  end)

  describe("a greenlet", function()
    it("is a number, a job, a name, its beginning, or an expression", function()
      prints([[
        > :kill 0
        killed worker 1 (0)
        > :kill %7
        killed worker 2 (1)
        > :kill worker 3
        killed worker 3 (2)
        > :kill odd
        killed odd one (3)
        > :kill list[1]
        killed listed (4)
        > :kill 5 6
        killed five (5)
        killed six (6)
      ]], [[
        local function start(name) return spawn(name, idle) end
        start "worker 1" console.jobs[7] = start "worker 2" start "worker 3" start "odd one"
        list = { start "listed" }
        start "five" start "six"
        greenlet.sleep(0)
        for _, g in ipairs { "0", "%7", "worker 3", "odd", "list[1]", "5 6" } do
          run(":kill " .. g)
        end]])
    end)

    it("must be found, and be the only one", function()
      prints([[
        > :kill worker
        worker is the name of 2 greenlets: worker (0), worker (1)
        > :kill wor
        wor is the name of 2 greenlets: worker (0), worker (1)
        > :kill 99
        no living greenlet has the number 99; :ps lists them
        > :kill %1
        no job %1; :jobs lists them
        > :kill wroker
        no greenlet wroker; did you mean worker?
        > :kill nothing at all
        no greenlet nothing at all; :ps lists them
        > :kill print
        print is a function, no greenlet
        > :kill
        usage: :kill G
      ]], [[
        spawn("worker", idle) spawn("worker", idle)
        run(":kill worker", ":kill wor", ":kill 99", ":kill %1", ":kill wroker",
          ":kill nothing at all", ":kill print", ":kill")]])
    end)
  end)

  describe(":kill", function()
    it("spares the prompt, the hub, and the dead", function()
      prints([[
        > :kill main
        main is the prompt; :quit leaves
        > :kill hub
        the hub runs the greenlets; it stays
        > :kill g
        g (0) is dead already
      ]], [[
        g = spawn("g", print, "")
        g:kill()
        run(":kill main", ":kill hub", ":kill g")]])
    end)

    it("ends raw greenlets, and tells of one that does not end", function()
      prints([[
        > :kill raw
        killed raw
        > :kill stubborn
        sent GreenletExit, but stubborn (0) waits for sleep, for 0.0 s now
      ]], [[
        greenlet.spawn_raw(function() greenlet.getcurrent().name = "raw" idle() end)
        greenlet.sleep(0)
        run(":kill raw")
        spawn("stubborn", function() while true do greenlet.pcall(idle) end end)
        greenlet.sleep(0)
        run(":kill stubborn")]])
    end)
  end)
end)
