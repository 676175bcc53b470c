-- The prompt on a terminal: the Tab key.
local run = require "spec.cmd.run"
local terminal = require "spec.terminal"

describe("Tab", function()
  teardown(run.clean)

  local t

  local function it(name, body, options)
    terminal.it(name, function()
      t = terminal.prompt(options)
      body()
    end)
  end

  -- Type the beginning, press Tab, see the whole.
  local function completes(beginning, whole)
    t:type(beginning)
    t:wait_for_line("> " .. beginning)
    t:key("Tab")
    t:wait_for(function(text) return text:match("[^\n]*$"):sub(1, #whole + 2) == "> " .. whole end)
    t:key("C-c")
    t:wait_for_prompt()
  end

  it("completes globals", function()
    t:ask("some_global = 1")
    completes("print(some_gl", "print(some_global")
    completes("colle", "collectgarbage")
  end)

  it("completes keywords", function()
    completes("func", "function")
    completes("x = 1 repe", "x = 1 repeat")
  end)

  it("completes locals of the session", function()
    t:ask("local some_local = 1")
    completes("1 + some_l", "1 + some_local")
  end)

  it("completes fields along a path", function()
    t:ask("outer = {inner = {leaf_one = 1, other = 2}}")
    completes("outer.in", "outer.inner")
    completes("outer.inner.le", "outer.inner.leaf_one")
    completes("print(string.for", "print(string.format")
  end)

  it("completes methods, of userdata and of classes, too", function()
    completes("('x'):rever", "('x'):rever")
    t:ask("s = 'x'")
    completes("s:rever", "s:reverse")
    t:ask("g = greenlet.spawn(greenlet.sleep, 60)")
    completes("g:joi", "g:join")
    t:ask("class = {method_one = function() end} class.__index = class")
    t:ask("object = setmetatable({}, class)")
    completes("object:meth", "object:method_one")
  end)

  it("completes file names in strings", function()
    completes("io.open('some_f", "io.open('some_file.txt")
    completes("io.open('directory/in", "io.open('directory/inside.txt")
  end, { files = { ["some_file.txt"] = "", ["directory/inside.txt"] = "" } })

  it("completes module names after require", function()
    completes('require "my_mod', 'require "my_module')
    completes('require("greenl', 'require("greenlet')
  end, { files = { ["my_module.lua"] = "" } })

  it("completes commands", function()
    completes(":qu", ":quit")
  end)

  it("shows what there is to choose from, and leaves the line", function()
    t:ask("choice_one, choice_two = 1, 2")
    t:type("print(cho")
    t:wait_for_line("> print(cho")
    t:key("Tab", "Tab")
    t:wait_for("choice_one%s+choice_two")
    t:wait_for_line("> print(choice_")
    t:type("two)\n")
    t:wait_for("\n2\n>$")
  end)

  it("never calls what a script wrote", function()
    t:ask("trap = setmetatable({}, {__index = function() print('called') end})")
    t:type("trap.x")
    t:key("Tab", "Tab")
    t:type("y")
    t:wait_for_line("> trap.xy")
    assert.not_matches("called\n", t:screen())
  end)

  it("in the middle of a line leaves the rest", function()
    t:ask("some_global = 1")
    t:type("print(some_gl, 2)")
    t:key("Left", "Left", "Left", "Left")
    t:wait_for_line("> print(some_gl", ", 2)")
    t:key("Tab")
    t:wait_for("> print%(some_global.*, 2%)$")
  end)

  it("at the beginning of a line, or with nothing to find, does no harm", function()
    t:key("Tab")
    t:type("nothing_of_that_name")
    t:key("Tab", "Tab")
    t:type(" = 5\n")
    t:wait_for_prompt()
    assert.equal("5", t:ask("nothing_of_that_name"))
  end)

  it("while other greenlets print leaves the line whole", function()
    t:ask("some_global = greenlet.spawn(function() for i = 1, 100 do print(i) "
      .. "greenlet.sleep(0.01) end end)")
    t:type("print(some_gl")
    t:key("Tab")
    t:wait_for("\n> print%(some_global *$")
    t:wait_for("\n100\n> print%(some_global *$")
  end)
end)
