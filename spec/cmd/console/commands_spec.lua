-- The prompt on a terminal: its commands.
local run = require "spec.cmd.run"
local terminal = require "spec.terminal"

describe("the command", function()
  teardown(run.clean)

  local t
  local function ask(line) return t:ask(line) end

  local function it(name, body, options)
    terminal.it(name, function()
      t = terminal.prompt(options)
      body()
    end)
  end

  local SLEEPER = "sleeper = greenlet.spawn(function() greenlet.sleep(60) end) "
    .. "sleeper.name = 'Dozy'"

  it(":help names all commands", function()
    local answer = ask(":help")
    for name in ("help ps tree why bt kill doc time load save quit watch"):gmatch("%S+") do
      assert.matches(":" .. name, answer, 1, true)
    end
  end)

  it(":ps lists living greenlets", function()
    ask(SLEEPER)
    local answer = ask(":ps")
    assert.matches("Dozy", answer)
    assert.matches("stdin:1", answer)
  end)

  it(":tree shows who spawned whom", function()
    ask("parent = greenlet.spawn(function() child = greenlet.spawn(greenlet.sleep, 60) "
      .. "child.name = 'Child' greenlet.sleep(60) end) parent.name = 'Parent'")
    assert.matches("Parent.*\n.*Child", ask(":tree"))
  end)

  it(":why shows what one waits for", function()
    ask(SLEEPER)
    ask("waiter = greenlet.spawn(function() sleeper:join() end) waiter.name = 'Waiter'")
    assert.matches("Dozy", ask(":why waiter"))
  end)

  it(":bt shows its stack", function()
    ask(SLEEPER)
    assert.matches("stdin:1", ask(":bt sleeper"))
  end)

  it(":kill kills it", function()
    ask(SLEEPER)
    ask(":kill sleeper")
    assert.equal("true", ask("sleeper.dead"))
  end)

  it(":doc and ? show a function's documentation", function()
    local answer = ask("?greenlet.spawn")
    assert.matches("spawn", answer)
    assert.equal(answer, ask(":doc greenlet.spawn"))
    assert.matches("nowhere", ask("?nowhere"))
  end)

  it("?? shows a function's source", function()
    ask("dofile('mine.lua')")
    assert.matches("return 'from the file'", ask("??mine"))
    assert.matches("nowhere", ask("??nowhere"))
  end, { files = { ["mine.lua"] = "function mine()\n  return 'from the file'\nend\n" } })

  it(":time tells how long an expression takes", function()
    local answer = ask(":time greenlet.sleep(0.01) or 'slept'")
    assert.matches("slept", answer)
    assert.matches("%d+.*s", answer)
  end)

  it(":load runs a file, :save makes one of the session", function()
    ask(":load loaded.lua")
    assert.equal("5", ask("x"))
    ask("y = x + 1")
    ask("error('left out')")
    ask(":save saved.lua")
    local text = run.read(t.directory .. "/saved.lua")
    assert.matches("y = x %+ 1", text)
    assert.not_matches("left out", text)
    ask("x, y = 10, nil")
    ask(":load saved.lua")
    assert.equal("true", ask("y == 11 or y == 6"))
    assert.matches("nowhere.lua", ask(":load nowhere.lua"))
  end, { files = { ["loaded.lua"] = "x = 5" } })

  it(":watch prints a value whenever it changes", function()
    ask("value = 'alpha'")
    t:type(":watch value 0.01\n")
    t:wait_for("alpha\"?\n>$")
    ask("value = 'beta'")
    t:wait_for("\n[^>\n]*beta[^\n]*\n>")
    t:type("'typed")
    t:wait_for_line("> 'typed")
    t:type("' .. value\n")
    t:wait_for("\n\"typedbeta\"\n>$")
  end)

  it(":nonsense is an error that names the nearest", function()
    assert.matches(":quit", ask(":quti"))
    assert.equal("2", ask("1 + 1"))
  end)

  it("does not hide a label of Lua's", function()
    t:type("::again:: x = (x or 0) + 1 if x < 3 then goto again end\n")
    t:wait_for_prompt()
    assert.equal("3", ask("x"))
  end)

  it("comes back from the history", function()
    ask(":ps")
    t:key("Up")
    t:wait_for_line("> :ps")
  end)
end)
