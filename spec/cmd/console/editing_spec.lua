-- The prompt on a terminal: the line while it is typed. The tag readline is for what libedit does
-- otherwise. SEED=8 in the environment chooses other random keys.
local run = require "spec.cmd.run"
local terminal = require "spec.terminal"

describe("the edited line", function()
  teardown(run.clean)

  terminal.it("is edited at the cursor", function()
    local t = terminal.prompt()
    t:type("'ac'")
    t:key("Left", "Left")
    t:wait_for_line("> 'a", "c'")
    t:type("b")
    t:wait_for_line("> 'ab", "c'")
    t:key("Home")
    t:wait_for_line("> ", "'abc'")
    t:type("#")
    t:key("End", "BSpace")
    t:wait_for_line("> #'abc")
    t:type("d'\n")
    t:wait_for("\n> #'abcd'\n4\n>$")
  end)

  terminal.it("may be of wide characters", function()
    local t = terminal.prompt()
    t:type("s = '日本語'")
    t:wait_for_cells("> s = '日本語'", 14)
    t:key("Left", "Left")
    t:wait_for_cells("> s = '日本語'", 11)
    t:type("é")
    t:wait_for_cells("> s = '日本é語'", 12)
    t:key("Left", "Left", "BSpace")
    t:wait_for_cells("> s = '本é語'", 7)
    t:key("Enter")
    t:wait_for_prompt()
    assert.equal("true", t:ask("s == '本é語'"))
  end)

  -- One cell: a letter, and a mark of its own upon it.
  terminal.it("may be of combining characters #readline", function()
    local t = terminal.prompt()
    t:type("s = 'e\u{301}x'")
    t:wait_for_cells("> s = 'e\u{301}x'", 10)
    t:key("Left", "Left", "Left")
    t:wait_for_cells("> s = 'e\u{301}x'", 7)
    t:type("a")
    t:wait_for_cells("> s = 'ae\u{301}x'", 8)
    t:key("C-e", "Enter")
    t:wait_for_prompt()
    assert.equal("true", t:ask("s == 'ae\\u{301}x'"))
  end)

  terminal.it("may be of 10,000 characters", function()
    local t = terminal.prompt()
    local function wait_for_end(text)
      t:wait_for(function(screen) return screen:gsub("\n", ""):sub(-#text) == text end)
    end
    t:type("#'" .. ("0123456789"):rep(1000) .. "'")
    wait_for_end("0123456789'")
    t:key("Left")
    t:type("+")
    wait_for_end("0123456789+'")
    t:key("Enter")
    t:wait_for("\n10001\n>$")
    assert.equal("2", t:ask("1 + 1"))
  end)

  terminal.it("keeps its text and its cursor when the terminal changes its size", function()
    local t = terminal.prompt()
    local line = "> #('" .. ("0123456789"):rep(12) .. "')"
    t:type(line:sub(3))
    t:key("Left")
    for _, width in ipairs { 80, 40, 100, 30, 80 } do
      t:resize(width, 24)
      t:wait_for(function(text, column)
        return text:gsub("\n", ""):sub(-#line) == line and column == (#line - 1) % width
      end)
    end
    t:type("..'x'")
    t:key("Enter")
    t:wait_for("\n121\n>$")
    assert.equal("2", t:ask("1 + 1"))
  end)

  terminal.it("sees the size that the terminal got during an evaluation", function()
    local t = terminal.prompt()
    t:type("greenlet.sleep(60)\n")
    t:wait_for("%(60%)$")
    t:resize(40, 24)
    t:key("C-c")
    t:wait_for_prompt()
    local word = ("0123456789"):rep(5)
    t:type("#'" .. word .. "'")
    t:wait_for(function(text, column)
      return text:find("> #'" .. word:sub(1, 36) .. "\n" .. word:sub(37) .. "'", 1, true)
        and column == 15
    end)
    t:key("Enter")
    t:wait_for("\n50\n>$")
  end)

  describe("takes a paste", function()
    terminal.it("of 200 statements", function()
      local t = terminal.prompt()
      local lines = { "sum = 0" }
      for i = 2, 200 do lines[i] = ("sum = sum + %d"):format(i) end
      t:paste(table.concat(lines, "\n"))
      t:wait_for("sum = sum %+ 200$")
      t:key("Enter")
      t:wait_for("\n>$")
      assert.equal(tostring(200 * 201 // 2 - 1), t:ask("sum"))
      assert.equal("2", t:ask("1 + 1"))
    end)

    terminal.it("of one statement of 200 lines, with its indents and tabs", function()
      local t = terminal.prompt()
      local lines = { "function pasted()", "\tlocal list = {}" }
      for i = 3, 198 do lines[i] = ("  list[#list + 1] = '\t%d'"):format(i) end
      lines[199], lines[200] = "\treturn #list, list[1]", "end"
      t:paste(table.concat(lines, "\n") .. "\n")
      t:wait_for("return #list, list%[1%]\n>> end[\n>]*$")
      t:key("Enter")
      t:wait_for_prompt()
      assert.matches('^196%s+"\\t3"$', t:ask("pasted()"))
    end)

    terminal.it("into the middle of a line", function()
      local t = terminal.prompt()
      t:type("#''")
      t:key("Left")
      t:paste("three")
      t:wait_for_line("> #'three", "'")
      t:key("Enter")
      t:wait_for("\n5\n>$")
    end)
  end)

  terminal.it("may be of several lines, that are edited as one", function()
    local t = terminal.prompt()
    t:paste("do\n  x = 'one'\nend")
    t:wait_for("x = 'one'\n.*end$")
    for _ = 1, 5 do t:key("Left") end
    t:type("!")
    t:key("Enter")
    t:wait_for_prompt()
    assert.equal('"one!"', t:ask("x"))
  end)

  terminal.it("is taken as it was typed ahead", function()
    local t = terminal.prompt()
    t:type("greenlet.sleep(0.1)\nprint('ahead')\n")
    t:wait_for("\nahead\n>$")
  end)

  terminal.it("has the terminal's own signals and quoted characters as characters", function()
    local t = terminal.prompt()
    t:type("#'")
    t:key("C-v", "C-a")
    t:type("'\n")
    t:wait_for("\n1\n>$")
  end)

  terminal.it("is what was typed, whatever that is and whatever is printed meanwhile", function()
    local columns, seed = 33, math.tointeger(tonumber(os.getenv "SEED")) or 7
    math.randomseed(seed)
    local t = terminal.prompt { size = { columns, 12 } }
    t:type("g = greenlet.spawn(function() while true do print('tick') greenlet.sleep(0.02) end "
      .. "end)\n")
    t:wait_for("\ntick\n")
    local line, cursor = {}, 0
    local characters = { "a", "b", "1", " ", "=", "'", "é", "日", "語" }
    local function width(character) return #character == 3 and 2 or 1 end
    local keys = {
      { "Left", function() cursor = math.max(0, cursor - 1) end },
      { "Right", function() cursor = math.min(#line, cursor + 1) end },
      { "C-a", function() cursor = 0 end },
      { "C-e", function() cursor = #line end },
      { "BSpace", function()
        if cursor > 0 then table.remove(line, cursor) end
        cursor = math.max(0, cursor - 1)
      end },
      { "C-u", function() line, cursor = {}, 0 end },
    }
    local function edit()
      local choice = keys[math.random(12)]
      if choice and (choice[1] ~= "C-u" or #line > 100) then
        -- libedit's C-u takes the whole line, readline's what is before the cursor.
        if choice[1] == "C-u" then t:key("C-e") end
        t:key(choice[1])
        choice[2]()
        return
      end
      local text = {}
      for i = 1, math.random(8) do
        text[i] = characters[math.random(#characters)]
        cursor = cursor + 1
        table.insert(line, cursor, text[i])
      end
      t:type(table.concat(text))
    end
    -- The rows of the screen that it takes, and the cursor's column.
    local function layout()
      local rows, at = { "> " }, 2
      local column = cursor == 0 and at
      for i, character in ipairs(line) do
        if at + width(character) > columns then
          rows[#rows + 1], at = "", 0
        end
        rows[#rows] = rows[#rows] .. character
        at = at + width(character)
        if i == cursor then column = at end
      end
      return ("\n" .. table.concat(rows, "\n")):gsub(" +\n", "\n"):gsub("%s+$", ""), column
    end
    for _ = 1, 25 do
      for _ = 1, math.random(6) do edit() end
      local text, expected = layout()
      t:wait_until(function()
        local screen, column = t:look()
        -- Behind the last column the cursor may stand in either row.
        return ("\n" .. screen):sub(-#text) == text and (column == expected or expected == columns)
      end, ("seed %d: column %d of%s"):format(seed, expected, text))
    end
  end)

  terminal.it("stays when the screen is cleared", function()
    local t = terminal.prompt()
    t:ask("'some text'")
    t:type("'typed'")
    t:key("Left")
    t:wait_for_line("> 'typed", "'")
    t:key("C-l")
    t:wait_for("^> 'typed'$")
    t:wait_for_line("> 'typed", "'")
  end)

  terminal.it("searches through what was typed before #readline", function()
    local t = terminal.prompt()
    t:ask("x = 'needle'")
    t:ask("y = 'hay'")
    t:key("C-r")
    t:wait_for("reverse%-i%-search")
    t:type("need")
    t:wait_for("x = 'needle'$")
    t:key("End")
    t:wait_for_line("> x = 'needle'")
    t:type(" x = x .. '!'\n")
    t:wait_for_prompt()
    assert.equal('"needle!"', t:ask("x"))
  end)
end)
