-- The prompt on a terminal: what was typed comes back.
local run = require "spec.cmd.run"
local terminal = require "spec.terminal"

describe("the history", function()
  teardown(run.clean)

  -- A prompt whose history is at home, or elsewhere.
  local function prompt(home, env) return terminal.prompt { home = home, env = env } end

  local function leave(t)
    t:key("C-d")
    assert.equal(0, t:status())
    t:close()
  end

  local function sh(script)
    local pipe = assert(io.popen(script))
    local text = pipe:read("a")
    pipe:close()
    return text
  end

  terminal.it("brings back what was typed in this session", function()
    local t = prompt()
    t:ask("'first'")
    t:ask("'second'")
    t:key("Up")
    t:wait_for_line("> 'second'")
    t:key("Up")
    t:wait_for_line("> 'first'")
    t:key("Down")
    t:wait_for_line("> 'second'")
  end)

  terminal.it("brings back what was typed in the session before", function()
    local home = run.directory()
    local t = prompt(home)
    t:ask("'first'")
    t:ask("'second'")
    leave(t)
    t = prompt(home)
    t:key("Up")
    t:wait_for_line("> 'second'")
    t:key("Up")
    t:wait_for_line("> 'first'")
    t:key("Enter")
    t:wait_for("\n\"first\"\n>$")
  end)

  terminal.it("keeps what was typed before an exit", function()
    local home = run.directory()
    local t = prompt(home)
    t:type("os.exit(2)\n")
    assert.equal(2, t:status())
    t = prompt(home)
    t:ask("'last'")
    t:signal("TERM")
    t:status()
    t = prompt(home)
    t:key("Up")
    t:wait_for_line("> 'last'")
    t:key("Up")
    t:wait_for_line("> os.exit(2)")
  end)

  terminal.it("holds a statement of several lines as one, whole and editable", function()
    local home = run.directory()
    local t = prompt(home)
    for _, line in ipairs { "function f()", "  return 'one'" } do
      t:type(line .. "\n")
      t:wait_for_line(">> ")
    end
    t:type("end\n")
    t:wait_for_prompt()
    t:ask("f()")
    leave(t)
    t = prompt(home)
    t:key("Up", "Up")
    t:wait_for("> function f%(%)\n[ >]*return 'one'\n[ >]*end$")
    for _ = 1, 5 do t:key("Left") end
    t:type("!")
    t:key("Enter")
    t:wait_for_prompt()
    assert.equal('"one!"', t:ask("f()"))
  end)

  terminal.it("holds no entry twice in a row, and no empty one", function()
    local t = prompt()
    t:ask("'first'")
    t:ask("'second'")
    t:ask("'second'")
    t:type("\n")
    t:wait_for("\n>\n>$")
    t:type("  \n")
    t:wait_for("\n>\n>\n>$")
    t:key("Up", "Up")
    t:wait_for_line("> 'first'")
  end)

  terminal.it("of two sessions at once loses nothing", function()
    local home = run.directory()
    local one, two = prompt(home), prompt(home)
    for i = 1, 3 do
      one:ask(("'one %d'"):format(i))
      two:ask(("'two %d'"):format(i))
    end
    leave(two)
    leave(one)
    local t = prompt(home)
    local seen = {}
    for _ = 1, 6 do
      t:key("Up")
      t:wait_until(function()
        local text = t:screen():match("> '(%l+ %d)'$")
        if not text or seen[text] then return false end
        seen[text] = true
        return true
      end, "another entry")
    end
    for i = 1, 3 do
      assert.truthy(seen["one " .. i])
      assert.truthy(seen["two " .. i])
    end
  end)

  terminal.it("is a file that belongs to its owner, where XDG wants it", function()
    local home = run.directory()
    local t = prompt(home)
    t:ask("'here'")
    leave(t)
    assert.equal("600\n", sh("stat -c %a " .. home .. "/.local/state/greenlua/history"))
    local state = run.directory() .. "/state"
    t = prompt(home, { XDG_STATE_HOME = state })
    t:key("Up")
    t:ask("'there'")
    leave(t)
    assert.matches("there", run.read(state .. "/greenlua/history"))
    assert.not_matches("here\n", (run.read(state .. "/greenlua/history"):gsub("there", "")))
  end)

  terminal.it("holds 10,000 entries #readline", function()
    local home = run.directory()
    local t = prompt(home)
    t:ask("'sample'")
    leave(t)
    local path = home .. "/.local/state/greenlua/history"
    local sample = run.read(path)
    local entries = {}
    for i = 1, 10500 do entries[i] = (sample:gsub("sample", "entry " .. i)) end
    run.write(path, table.concat(entries))
    t = prompt(home)
    t:key("Up")
    t:wait_for_line("> 'entry 10500'")
    t:key("C-c")
    t:wait_for_prompt()
    t:ask("'one more'")
    leave(t)
    local text = run.read(path)
    assert.matches("one more", text)
    assert.matches("entry 10500'", text)
    t = prompt(home)
    t:key("Up", "Up")
    t:wait_for_line("> 'entry 10500'")
    t:key("M-<")
    t:wait_for("> 'entry 50[012]'$")
  end)

  terminal.it("that cannot be written is reported, and the prompt goes on", function()
    local home = run.directory()
    run.write(home .. "/file", "")
    local t = prompt(home, { XDG_STATE_HOME = home .. "/file" })
    t:type("1 + 1\n")
    t:wait_for("\n2\n")
    t:wait_for("history.*\n>$")
    assert.equal("4", t:ask("2 + 2"))
    t:key("Up", "Up")
    t:wait_for_line("> 1 + 1")
  end)

  terminal.it("survives a file that is no history", function()
    local home = run.directory()
    os.execute("mkdir -p " .. home .. "/.local/state/greenlua")
    run.write(home .. "/.local/state/greenlua/history", ("\0\xff\27[31m\n\n\n"):rep(100) .. "cut")
    local t = prompt(home)
    t:key("Up")
    t:key("C-c")
    t:wait_for_prompt()
    assert.equal("2", t:ask("1 + 1"))
  end)
end)
