local run = require "spec.cmd.run"
local commands = require "spec.cmd.commands"
local output, prints = commands.output, commands.prints

describe("commands about greenlets", function()
  teardown(run.clean)

  describe(":ps", function()
    it("lists what lives: states, waits, places, jobs", function()
      prints([[
        > :ps
        id  job  name        state      age  waits for                       where
                 main        prompt
         0       sleeper     waiting  0.0 s  sleep, 27.8 h left              t.lua:1 in idle
         1  %1   Greenlet-1  waiting  0.0 s  get from Queue made at t.lua:3  t.lua:4
         2       later       new
      ]], [[
        function idle() greenlet.sleep(1e5) end
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
        "      main         prompt\n" ..
        "0..5  worker * x6  waiting  0.0 s  sleep      t.lua:1 in idle\n",
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
        job  state      age  waits for           text
        %1   waiting  0.0 s  sleep, 27.8 h left  idle() &
        %2   done                                two
        %4   failed                              four
        %9   killed                              nine
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
        greenlet                  job  state      age  waits for           where
        main                           prompt
        |- server (0)             %1   waiting  0.0 s  sleep, 27.8 h left  t.lua:4
        |  |- a (1)                    waiting  0.0 s  sleep, 27.8 h left  t.lua:1
        |  `- worker * x6 (2..7)       waiting  0.0 s  sleep               t.lua:1
        `- orphan (8)                  waiting  0.0 s  sleep, 27.8 h left  t.lua:1
      ]], [[
        console.jobs[1] = spawn("server", function()
          spawn("a", idle)
          for i = 1, 6 do spawn("worker " .. i, idle) end
          greenlet.sleep(1e5)
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
        worker (0) waits for sleep, 27.8 h left   t.lua:1 in inner   0.0 s
          [C]: in function 'greenlet.sleep'
          t.lua:1: in upvalue 'inner'
          t.lua:2: in function <t.lua:2>
        spawned at:
          t.lua:3: in main chunk
      ]], [[
        local function inner() greenlet.sleep(1e5) end
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
      assert.matches("^> :bt g\nGreenlet%-0: failed\n  .*\n  t%.lua:2: in function <t%.lua:2>\n",
        text)
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
        sent GreenletExit, but stubborn (0) waits for sleep, 27.8 h left   t.lua:1 in idle   0.0 s
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
