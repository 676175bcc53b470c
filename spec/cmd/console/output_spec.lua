-- The prompt on a terminal: what other greenlets print meanwhile.
local run = require "spec.cmd.run"
local terminal = require "spec.terminal"

-- Statements of one line each, as they are typed.
local TICKER = "ticker = greenlet.spawn(function() for i = 1, 1e6 do print('tick ' .. i) "
  .. "greenlet.sleep(0.05) end end)"

local function background(code)
  return ("later = greenlet.spawn(function() %s end)"):format(code)
end

-- The screen's lines, the last one apart.
local function split(text)
  local above, last = ("\n" .. text):match("^(.*)\n([^\n]*)$")
  local lines = {}
  for line in above:gmatch("[^\n]+") do lines[#lines + 1] = line end
  return lines, last
end

describe("output of other greenlets", function()
  teardown(run.clean)

  -- At any moment: from the first tick below the statement on whole ticks, and below them the
  -- typed line, which may be being drawn just now. Returns the next tick, if it is not.
  local function check(text, typed)
    local expected
    local lines, last = split(text)
    for _, line in ipairs(lines) do
      local tick = tonumber(line:match("^tick (%d+)$"))
      assert(tick or not expected, "no tick: " .. line .. "\nin:\n" .. text)
      assert(tick == expected or not expected, "ticks got lost:\n" .. text)
      expected = tick and tick + 1
    end
    typed = "> " .. typed
    assert(typed:find(last, 1, true) == 1 or ("tick " .. (expected or 0)):find(last, 1, true) == 1,
      "damaged:\n" .. text)
    return last == typed:gsub(" +$", "") and expected
  end

  terminal.it("never damages the line that is being typed", function()
    local t = terminal.prompt()
    t:ask(TICKER)
    -- Wait for the line, with the cursor behind `before`; the next tick.
    local function settle(before, after)
      return t:wait_for(function(text, column, line)
        local tick = check(text, before .. after)
        return column == #before + 2 and line == select(2, text:gsub("\n", "")) and tick
      end)
    end
    local typed, first = "", nil
    for character in ("'the quick brown fox'"):gmatch(".") do
      t:type(character)
      typed = typed .. character
      first = first or settle(typed, "")
    end
    settle(typed, "")
    for i = 1, 4 do
      t:key("Left")
      settle(typed:sub(1, -i - 1), typed:sub(-i))
    end
    t:type("red ")
    settle("'the quick brown red ", "fox'")
    t:key("C-a")
    local last = settle("", "'the quick brown red fox'")
    -- Some more ticks, with nothing typed.
    t:wait_until(function() return settle("", "'the quick brown red fox'") > last + 5 end, "ticks")
    t:type("#")
    t:key("Enter")
    t:wait_for("\n> #'the quick brown red fox'\n.*23\n")
    assert.truthy(last > first)
  end)

  terminal.it("stays readable at 1,000 lines a second, and so does the typed line", function()
    local t = terminal.prompt()
    t:ask(background("for i = 11, 2010 do print(('line %04d'):format(i)) "
      .. "if i % 10 == 0 then greenlet.sleep(0.01) end end"))
    local typed = ""
    for word in ("#'one' + #'two' + #'three'"):gmatch("%S+%s*") do
      t:type(word)
      typed = typed .. word
      t:wait_for(function(text) return select(2, split(text)) == ("> " .. typed):gsub(" $", "") end)
    end
    t:wait_for("\nline 2010\n> [^\n]*$")
    t:wait_for_line("> " .. typed)
    local expected = 11
    for line in t:scrollback():match("\nline 0011\n.*"):gmatch("[^\n]+") do
      if expected <= 2010 then
        assert.equal(("line %04d"):format(expected), line)
      else
        assert.equal("> " .. typed, line)
      end
      expected = expected + 1
    end
    assert.equal(2012, expected)
    t:key("Enter")
    t:wait_for("\n11\n>$")
  end)

  terminal.it("appears above a line that is longer than the screen is wide", function()
    local t = terminal.prompt { size = { 40, 12 } }
    local word = ("0123456789"):rep(9)
    t:type(background("for i = 1, 20 do greenlet.sleep(0.01) print('above ' .. i) end") .. "\n")
    t:type("#'" .. word .. "'")
    t:key("C-a", "Right")
    t:wait_for(function(text, column)
      return text:find("\nabove 20\n> #'" .. word:sub(1, 36) .. "\n" .. word:sub(37, 76) .. "\n"
        .. word:sub(77) .. "'$") and column == 3
    end)
    t:key("End", "Enter")
    t:wait_for("\n90\n>$")
  end)

  terminal.it("appears above a statement of several lines", function()
    local t = terminal.prompt()
    t:ask(background("for i = 1, 10 do greenlet.sleep(0.01) print('above ' .. i) end"))
    t:type("x = {\n")
    t:type("1, 2,\n")
    t:type("3 }")
    t:wait_for("above 10\n")
    t:wait_for("3 }$")
    t:key("Enter")
    t:wait_for_prompt()
    assert.equal("3", t:ask("#x"))
  end)

  terminal.it("leaves the cursor in its place", function()
    local t = terminal.prompt()
    t:ask(background("greenlet.sleep(0.1) for i = 1, 3 do print('above ' .. i) end"))
    t:type("'abc'")
    t:key("Left", "Left", "Left")
    t:wait_for("\nabove 3\n")
    t:wait_for_line("> 'a", "bc'")
    t:type("!\n")
    t:wait_for("\n\"a!bc\"\n>$")
  end)

  terminal.it("comes from C code as well, to either stream", function()
    local t = terminal.prompt()
    t:ask(background("greenlet.sleep(0.05) os.execute('echo by a shell; echo and its errors >&2') "
      .. "io.stderr:write('by stderr\\n') io.stdout:write('by stdout\\n') io.stdout:flush()"))
    t:type("'typed")
    t:wait_for("\nby a shell\nand its errors\n")
    t:wait_for("\nby stderr\n")
    t:wait_for("\nby stdout\n")
    t:wait_for_line("> 'typed")
    t:type("'\n")
    t:wait_for("\n\"typed\"\n>$")
  end)

  terminal.it("without a newline is neither lost nor overwritten", function()
    local t = terminal.prompt()
    t:ask(background("io.write('half') while not io.open('go') do greenlet.sleep(0.01) end "
      .. "io.write(' and half\\n') greenlet.sleep(0.1) print('whole')"))
    t:type("'typed")
    t:wait_for("\nhalf\n> 'typed$")
    run.write(t.directory .. "/go", "")
    t:wait_for("\nhalf\n? and half\nwhole\n> 'typed$")
    t:type("'\n")
    t:wait_for("\n\"typed\"\n>$")
  end)

  terminal.it("of an evaluation, without a newline, stands above the next prompt", function()
    local t = terminal.prompt()
    t:type("local _ = io.write('half')\n")
    t:wait_for("\nhalf\n>$")
    assert.equal("2", t:ask("1 + 1"))
  end)

  terminal.it("of 1 MB from a greenlet that does not give way arrives", function()
    local t = terminal.prompt()
    t:ask(background("for i = 1, 20000 do print(('%06d '):format(i) .. ('x'):rep(50)) end "
      .. "print('that was all')"))
    t:wait_for("\n020000 x+\nthat was all\n>$")
    assert.equal("2", t:ask("1 + 1"))
    t:type("for i = 1, 20000 do print(('%06d '):format(i) .. ('y'):rep(50)) end print('all')\n")
    t:wait_for("\n020000 y+\nall\n>$")
  end)

  terminal.it("of wide characters and of colours arrives whole", function()
    local t = terminal.prompt()
    t:ask(background("greenlet.sleep(0.05) print('日本語 \\27[31mred\\27[0m')"))
    t:type("'typed")
    t:wait_for("\n日本語 red\n> 'typed$")
    assert.matches("%[31mred", t:colours())
  end)

  terminal.it("of a line as wide as the screen leaves no gap", function()
    local t = terminal.prompt { size = { 40, 24 } }
    t:ask(background("greenlet.sleep(0.05) print(('w'):rep(40)) print(('v'):rep(80)) print('end')"))
    t:wait_for("\nw+\nv+\nv+\nend\n>$")
  end)

  terminal.it("is the report of one that failed", function()
    local t = terminal.prompt()
    t:ask(background("greenlet.sleep(0.05) error('oops')"))
    t:type("'typed")
    t:wait_for("stdin:1: oops\nstack traceback:\n.*failed wit.*\n> 'typed$")
    t:type("'\n")
    t:wait_for("\n\"typed\"\n>$")
  end)
end)
