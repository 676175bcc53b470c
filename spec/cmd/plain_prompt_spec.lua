-- The prompt where there is no terminal, or TERM is dumb: stock lua's, byte for byte.
local run = require "spec.cmd.run"
local terminal = require "spec.terminal"

local function version()
  return run.program(run.greenlua, { args = { "-v" } }).stdout:match("^[%w. ]+")
end

describe("the plain prompt", function()
  teardown(run.clean)

  local function start(program)
    return terminal.prompt { program = program, env = { TERM = "dumb" } }
  end

  terminal.it("starts by itself on a terminal", function()
    local t = start()
    assert.equal(version(), t:screen():match("^[%w. ]+"))
    assert.equal("42", t:ask("6 * 7"))
    t:key("C-d")
    assert.equal(0, t:status())
    assert.equal("", t:damage())
  end)

  local LINES = {
    "1, nil, 'x'", "=2", "x = {", "7 }", "x[1]", "_PROMPT = 'more> '", "print(_PROMPT)",
    "error('no', 0)", "error({})", "+", "local gone = 1", "gone", "",
  }

  terminal.it("shows on a dumb terminal what stock lua shows", function()
    local function session(program)
      local t = start(program)
      for _, line in ipairs(LINES) do
        local _, lines = t:scrollback():gsub("\n", "")
        t:type(line .. "\n")
        t:wait_until(function()
          local text = t:scrollback()
          return select(2, text:gsub("\n", "")) > lines and text:find("\n[>more]+>?$")
        end, "a prompt after " .. line)
      end
      t:key("C-d")
      return t:status(), t:scrollback()
    end
    assert.same({ session(run.stock) }, { session(run.greenlua) })
  end)

  -- Either end may be a terminal alone.
  for how, shell in pairs {
    ["with output to a pipe"] = "lua -i | cat",
    ["with input from a pipe"] = "printf '6 * 7\\n' | lua -i",
    ["without TERM"] = "unset TERM; lua",
  } do
    terminal.it("is that on a terminal " .. how, function()
      local function session(program)
        local t = terminal.start { program = program, shell = shell }
        if not how:find("input") then
          t:wait_for_prompt()
          t:type("6 * 7\n")
          t:wait_for("\n42\n>$")
          t:key("C-d")
        end
        return t:status(), t:scrollback()
      end
      assert.same({ session(run.stock) }, { session(run.greenlua) })
    end)
  end

  for name, how in pairs {
    ["pipes"] = { args = { "-i" }, stdin = table.concat(LINES, "\n") },
    ["pipes, and a last line without an end"] = { args = { "-i" }, stdin = "x = 5\nx + 1" },
    ["pipes and other prompts"] = {
      args = { "-i", "-e", "_PROMPT, _PROMPT2 = 1, setmetatable({}, {__tostring = "
        .. "function() return 'and: ' end})" },
      stdin = "x = {\n1}\n#x\n",
    },
    ["a script"] = { script = "print(...) x = 5", args = { "1" }, stdin = "x\n" },
    ["a script and -i"] = {
      files = { ["s.lua"] = "print(...) x = 5" },
      args = { "-i", "s.lua", "1" }, stdin = "x\n",
    },
    ["very long lines"] = { args = { "-i" }, stdin = "#'" .. ("x"):rep(10000) .. "'\n" },
    ["bytes that are no text"] = { args = { "-i" }, stdin = "'\xff\x01\t'\n" },
  } do
    it("does byte for byte what stock lua does, with " .. name, function()
      local stock = run.program(run.stock, how)
      assert.equal(0, stock.status)
      assert.same(stock, run.program(run.greenlua, how))
    end)
  end

  terminal.it("goes on after Ctrl-C", function()
    local t = start()
    t:type("print(40 + 1) while true do end\n")
    t:wait_for("\n41$")
    t:key("C-c")
    t:wait_for("KeyboardInterrupt\n.*>$")
    assert.equal("42", t:ask("6 * 7"))
    t:key("C-d")
    assert.equal(0, t:status())
  end)

  terminal.it("ends by Ctrl-C while it waits, and leaves what stock lua leaves", function()
    local function interrupted(program)
      local t = start(program)
      t:key("C-c")
      return t:status(), t:damage()
    end
    local stock = { interrupted(run.stock) }
    assert.equal(130, stock[1])
    assert.same(stock, { interrupted(run.greenlua) })
  end)
end)
