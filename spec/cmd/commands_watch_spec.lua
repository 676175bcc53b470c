local run = require "spec.cmd.run"
local commands = require "spec.cmd.commands"
local prints = commands.prints

describe("commands that watch values", function()
  teardown(run.clean)

  describe(":watch", function()
    it("prints a value when it changes", function()
      prints([[
        > :watch n 0.001
        [watch 1] n = <1>
        [watch 1] n = <2>
        [watch 1] n = error: stdin:1: oh
        > :unwatch 1
        > :watch
        nothing is watched
      ]], [[
        local seen
        local show = console.print
        function console:print(text) seen = text; show(self, text) end
        local function wait_for(text)
          while seen ~= "[watch 1] n = " .. text do greenlet.sleep(0.001) end
        end
        n = 1
        run(":watch n 0.001")
        wait_for "<1>"
        n = 2
        wait_for "<2>"
        setmetatable(_G, { __index = function() error("oh", 2) end })
        n = nil
        wait_for "error: stdin:1: oh"
        setmetatable(_G, nil)
        run(":unwatch 1", ":watch")]])
    end)

    it("lists them, and ends one or all", function()
      prints([[
        > :watch f(1, 2)
        > :watch x 0.25
        > :watch - 1
        > :watch
        watch  every   expression
        1      1 s     f(1, 2)
        2      0.25 s  x
        3      1 s     - 1
        > :unwatch 2
        > :watch
        watch  every  expression
        1      1 s    f(1, 2)
        3      1 s    - 1
        > :unwatch
        > :watch
        nothing is watched
      ]], [[
        function console:print(text) if not text:find("^%[watch") then print(text) end end
        run(":watch f(1, 2)", ":watch x 0.25", ":watch - 1", ":watch", ":unwatch 2", ":watch",
          ":unwatch", ":watch")]])
    end)

    it("complains of what is no expression, of no time, of no watch", function()
      prints([[
        > :watch x = 1
        stdin:1: <eof> expected near '='
        > :watch x 0
        the seconds of :watch must be more than 0
        > :unwatch 7
        no watch 7; :watch lists them
        > :unwatch x
        usage: :unwatch [n]
      ]], [[run(":watch x = 1", ":watch x 0", ":unwatch 7", ":unwatch x")]])
    end)

    it("does not keep the program", function()
      local result = run.program(run.greenlua, {
        script = commands.BEGINNING .. 'run(":watch 1 0.01")',
        files = { ["prelude.lua"] = commands.PRELUDE },
      })
      assert.same({ "> :watch 1 0.01\n[watch 1] 1 = <1>\n", "", 0 },
        { result.stdout, result.stderr, result.status })
    end)
  end)
end)
