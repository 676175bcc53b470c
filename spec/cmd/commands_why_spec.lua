local run = require "spec.cmd.run"
local commands = require "spec.cmd.commands"
local output, prints = commands.output, commands.prints

describe("commands about who waits for whom", function()
  teardown(run.clean)

  describe(":why", function()
    -- What a greenlet waits for is told by greenlet.util.waits, whose spec is another. `wait`
    -- says that g waits for what the holders have.
    local WAITS = [[
      local edges = {}
      require "greenlet.util".waits = function() return edges end
      local function wait(g, name, holders, ends_by)
        table.insert(edges, { greenlet = g, name = name, where = "t.lua:1", ["in"] = "main chunk", since = 0,
                              holders = holders or {}, ends_by = ends_by })
      end
      local a, b, c = spawn("a", idle), spawn("b", idle), spawn("c", idle)
      greenlet.sleep(0)
    ]]

    it("follows those who are waited for, to one that runs on by itself", function()
      prints([[
        > :why a
        a (0) waits for lock "A" held by b (1) since bank.lua:29   t.lua:1   0.0 s
          b (1) waits for join of c   t.lua:1   0.0 s
            c (2) waits for sleep   t.lua:1   0.0 s
        > :why main
        main is the prompt
      ]], WAITS .. [[
        wait(a, 'lock "A"', { { greenlet = b, where = "bank.lua:29" } })
        wait(b, "join of c", { { greenlet = c } })
        wait(c, "sleep", nil, "timer")
        run(":why a", ":why main")]])
    end)

    it("finds a cycle", function()
      prints([[
        > :why c
        c (2) waits for join of a   t.lua:1   0.0 s
          a (0) waits for lock "A" held by b (1) since bank.lua:29   t.lua:1   0.0 s
            b (1) waits for lock "B" held by a (0) since bank.lua:30   t.lua:1   0.0 s
              a cycle, nothing in it can run: a (0) -> b (1) -> a (0)
      ]], WAITS .. [[
        wait(a, 'lock "A"', { { greenlet = b, where = "bank.lua:29" } })
        wait(b, 'lock "B"', { { greenlet = a, where = "bank.lua:30" } })
        wait(c, "join of a", { { greenlet = a } })
        run(":why c")]])
    end)

    it("says when nobody is known who would end the wait, or a dead one", function()
      prints([[
        > :why a
        a (0) waits for get from queue "jobs"   t.lua:1   0.0 s
          no greenlet is known that would end that; anyone may
        > :why b
        b (1) waits for lock "A" held by x, now dead, since bank.lua:29   t.lua:1   0.0 s
          nobody can end that: who held it is dead
      ]], WAITS .. [[
        wait(a, 'get from queue "jobs"')
        wait(b, 'lock "A"', { { dead = "x", where = "bank.lua:29" } })
        run(":why a", ":why b")]])
    end)

    it("goes by what the primitives know", function()
      prints([[
        > :why d
        d (3) waits for join of a   t.lua:6   0.0 s
          a (0) waits for lock "B" held by b (1) since t.lua:3   t.lua:3 in transfer   0.0 s
            b (1) waits for lock "A" held by a (0) since t.lua:3   t.lua:3 in transfer   0.0 s
              a cycle, nothing in it can run: a (0) -> b (1) -> a (0)
        > :why c
        c (2) waits for get from queue "jobs"   t.lua:5   0.0 s
          no greenlet is known that would end that; anyone may
      ]], [[
        local Lock, Queue = require "greenlet.lock".Lock, require "greenlet.queue".Queue
        local A, B, jobs = Lock("A"), Lock("B"), Queue(nil, nil, "jobs")
        local function transfer(x, y) x:acquire() greenlet.sleep(0) y:acquire() print() end
        local a, b = spawn("a", transfer, A, B), spawn("b", transfer, B, A)
        spawn("c", function() local job = jobs:get() end)
        spawn("d", function() a:join() print() end)
        greenlet.sleep(0) greenlet.sleep(0)
        run(":why d", ":why c")]])
    end)

    it("tells of each once, and of no more than can be read", function()
      local text = output(WAITS .. [[
        wait(a, "joinall", { { greenlet = b }, { greenlet = b } })
        wait(b, "sleep", nil, "timer")
        local before = c
        for i = 1, 1000 do
          local g = spawn("chain " .. i, idle)
          wait(before, "join", { { greenlet = g } })
          before = g
        end
        greenlet.sleep(0)
        run(":why a", ":why c")]])
      assert.matches("\n  b %(1%) waits for sleep [^\n]*\n  b %(1%): see above\n", text)
      local _, count = text:gsub("\n", "")
      assert.is_true(count < 120)
      assert.matches("\n +%.%.%.\n$", text)
    end)
  end)

  describe(":graph", function()
    it("prints what util.graph says, or writes it", function()
      prints([[
        > :graph
        digraph {}
        > :graph out.dot
        out.dot is written
        > :graph out.dot
        out.dot exists; :graph! out.dot overwrites it
        > :graph! out.dot
        out.dot is written
        digraph {}
      ]], [[
        require "greenlet.util".graph = function() return "digraph {}" end
        run(":graph", ":graph out.dot", ":graph out.dot", ":graph! out.dot")
        print(io.open("out.dot"):read("a"))]])
    end)
  end)
end)
