local run = require "spec.cmd.run"
local commands = require "spec.cmd.commands"
local output, prints = commands.output, commands.prints

describe("commands about the session", function()
  teardown(run.clean)

  describe(":time", function()
    local function timed(line, script)
      local text = output((script or "") .. ("run(%q)"):format(line))
      return (text:gsub("^[^\n]*\n", ""):gsub("[+-]?[%d.]+e?[+-]?%d* [mu]?s%f[%A]", "N s")
        :gsub("[+-][%d.]+ [KM]B", "N KB"))
    end

    it("shows the value, and what it took", function()
      assert.equal("shown\t1\tnil\t3\nN s wall, N s CPU, N KB of memory\n",
        timed(":time 1, nil, 3"))
    end)

    it("runs a statement, waits as it does", function()
      assert.equal("slept\nN s wall, N s CPU, N KB of memory\n",
        timed(":time greenlet.sleep(0.001) print('slept')"))
    end)

    it("runs it as often as is asked for", function()
      assert.equal("shown\t10\nN s wall, N s CPU, N KB of memory   N s each\n",
        timed(":time 10 count()", "n = 0 function count() n = n + 1 return n end "))
      assert.equal("shown\t3\nN s wall, N s CPU, N KB of memory\n", timed(":time 5 - 2"))
    end)

    it("complains of what is no Lua", function()
      prints([[
        > :time 1 +
        stdin:1: unexpected symbol near '+'
        > :time
        usage: :time [times] expression
      ]], [[run(":time 1 +", ":time")]])
    end)
  end)

  describe(":load", function()
    it("runs a file, whose text counts as typed", function()
      prints([[
        > :load a file.lua
        loaded
        > ??loaded
        -- a file.lua:2
        function loaded() end print("loaded", ...)
      ]], [[
        run(":load a file.lua")
        assert(#console.entries == 1)
        run("??loaded")]],
        { files = { ["a file.lua"] = '#!/bin/lua\nfunction loaded() end print("loaded", ...)' } })
    end)

    it("tells of a file that is not there or no Lua, and lets its errors pass", function()
      prints([[
        > :load nosuch
        nosuch: No such file or directory
        > :load .
        .: Is a directory
        > :load bad.lua
        bad.lua:2: <eof> expected near 'end'
        > :load raises.lua
        raised	raises.lua:1: oh
        > :load
        usage: :load file
      ]], [[
        greenlet.get_hub().exception_stream = false
        run(":load nosuch", ":load .", ":load bad.lua", ":load raises.lua", ":load")
        assert(#console.entries == 0)]],
        { files = { ["bad.lua"] = "x = 1\nend", ["raises.lua"] = "error 'oh'" } })
    end)
  end)

  describe(":save", function()
    it("writes a script that does what was typed", function()
      prints([[
        > :save s.lua
        8 statements are in s.lua
        #!/usr/bin/env greenlua
        local x = 5
        _ = x + 1
        _ = (tostring)(x)
        _ = x
        _ = x
        _ = _ + 1
        greenlet.spawn(function() print(_, 'job')  end)
        local y; y = 6

        6	job
      ]], [[
        console.entries = { "local x = 5", "x + 1", "(tostring)(x)", "= x", "return x", "_ + 1",
                            "print(_, 'job') &", "local y; y = 6" }
        run(":save s.lua")
        print(io.open("s.lua"):read("a"))
        dofile "s.lua"
        greenlet.sleep(0)]])
    end)

    it("keeps calls as they are where nobody asks for their values", function()
      prints([[
        > :save s.lua
        3 statements are in s.lua
        #!/usr/bin/env greenlua
        greenlet.sleep(0)
        ;(print)(1)
        _ = 2 -- two

      ]], [[
        console.entries = { "greenlet.sleep(0)", "(print)(1)", "2 -- two" }
        run(":save s.lua")
        print(io.open("s.lua"):read("a"))]])
    end)

    it("overwrites nothing that it was not told to, and says what went wrong", function()
      prints([[
        > :save s.lua
        s.lua exists; :save! s.lua overwrites it
        > :save! s.lua
        0 statements are in s.lua
        > :save nosuch/s.lua
        nosuch/s.lua: No such file or directory
        > :save! /dev/full
        /dev/full: No space left on device
        > :save
        usage: :save file
        > :ps! x
        usage: :ps [all]
      ]], [[run(":save s.lua", ":save! s.lua", ":save nosuch/s.lua", ":save! /dev/full", ":save",
        ":ps! x")]], { files = { ["s.lua"] = "old" } })
    end)

    it("says so when what was typed makes no script", function()
      assert.matches("^> :save s.lua\n201 statements are in s%.lua; it needs your hand: " ..
        "s%.lua:%d+: too many local variables", output [[
        for i = 1, 201 do console.entries[i] = "local v" .. i .. " = 1" end
        run(":save s.lua")]])
    end)
  end)
end)
