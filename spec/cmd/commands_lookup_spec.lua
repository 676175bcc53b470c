local run = require "spec.cmd.run"
local commands = require "spec.cmd.commands"
local prints = commands.prints

describe("commands that look something up", function()
  teardown(run.clean)

  describe(":doc", function()
    it("tells what is known of a public name", function()
      prints([[
        > ?greenlet.spawn
        Start a greenlet.
        It runs soon.
        > ?get
        several have this name
        > :doc  Queue:get
        Take an item.
        > ?Quue
        nothing is known of Quue; did you mean greenlet.queue.Queue?
        > :doc
        usage: :doc name
      ]], [[run("?greenlet.spawn", "?get", ":doc  Queue:get", "?Quue", ":doc")]])
    end)

    it("goes by the class of a value of the session, derived or not", function()
      prints([[
        > ?q.get
        Take an item.
        > ?mine:get
        Take an item.
        > ?q
        A queue.
        > ?g.get
        Its values.
      ]], [[
        local Queue = require "greenlet.queue".Queue
        q, mine, g = Queue(), Queue:extend("Mine")(), greenlet.Greenlet(print)
        run("?q.get", "?mine:get", "?q", "?g.get")]])
    end)

    it("tells of other values what they are", function()
      prints([[
        > ?string.format
        string.format is Lua's own: https://www.lua.org/manual/5.4/manual.html#pdf-string.format
        > ?pcall
        pcall is Lua's own: https://www.lua.org/manual/5.4/manual.html#pdf-pcall
        > ?t.x
        t.x: number
        <42>
        > ?t.f
        t.f is a function of t.lua:3
        -- Adds one.
        t = { x = 42, f = function(n)
      ]], [[
        print = print
        -- Adds one.
        t = { x = 42, f = function(n)
          return n + 1
        end }
        run("?string.format", "?pcall", "?t.x", "?t.f")]])
    end)

    it("calls nothing", function()
      prints([[
        > ?f()
        nothing is known of f()
        > ?os.exit "x"
        nothing is known of os.exit "x"
      ]], [[
        function f() print("called") end
        run("?f()", '?os.exit "x"')]])
    end)
  end)

  describe(":source", function()
    it("shows a function's lines, of its file or of a text", function()
      prints([[
        > ??f
        -- t.lua:2
        function f(a, b)
          return a + b
        end
        > ??g
        -- [string "local x..."]:2
        return function() return x end
      ]], "\n  function f(a, b)\n    return a + b\n  end\n" .. [[
        g = load("local x\nreturn function() return x end")()
        run("??f", "??g")]])
    end)

    it("finds what was typed: the newest that is the same code", function()
      prints([[
        > ??f
        -- stdin:2
        function f(a) return a + 1 end
        > ??g
        -- stdin:2
        function g(a)
          return a + x
        end
      ]], [[
        console.entries = { "x = 1", "-- one\nfunction f(a) return a + 1 end",
                            "\nfunction g(a)\n  return a + x\nend",
                            "\nfunction other(a) return a .. 2 end" }
        for _, entry in ipairs(console.entries) do load(entry, "=stdin")() end
        run("??f", "??g")]])
    end)

    it("says why there is none", function()
      prints([[
        > ??print
        print is written in C; ?print may tell what it does
        > ??nope
        there is no nope in this session
        > ??_VERSION
        _VERSION is a string, no function
        > ??f
        the text of f is not to be had: stdin
        > :source
        usage: :source name
      ]], [[
        f = load("return function() end", "=stdin")()
        run("??print", "??nope", "??_VERSION", "??f", ":source")]])
    end)
  end)
end)
