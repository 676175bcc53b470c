-- The prompt on a terminal: what is typed there runs, and its values are shown.
local run = require "spec.cmd.run"
local terminal = require "spec.terminal"

describe("an evaluation at the prompt", function()
  teardown(run.clean)

  local t
  local function ask(line) return t:ask(line) end

  local function it(name, body, options)
    terminal.it(name, function()
      t = terminal.prompt(options)
      body()
    end)
  end

  describe("of an expression", function()
    it("shows its value", function()
      assert.equal("42", ask("6 * 7"))
      assert.equal("42", ask("= 6 * 7"))
      assert.equal("42", ask("return 6 * 7"))
      assert.equal("nil", ask("nil"))
      assert.equal('"a"', ask("'a'"))
      assert.equal("", ask("(function() end)()"))
    end)

    it("shows all values of several", function()
      local answer = ask("1, nil, 'three'")
      assert.matches('^1%s+nil%s+"three"$', answer)
    end)

    it("shows tables with what is in them", function()
      local answer = ask("{b = {1, 'two'}, a = true}")
      assert.matches('^{.*a = true.*b = {.*1.*"two".*}.*}$', answer)
    end)

    it("shows a table that contains itself, and a deep one", function()
      ask("loop = {} loop.itself = loop")
      assert.matches("itself", ask("loop"))
      ask("deep = {} do local t = deep for i = 1, 1000 do t.next = {} t = t.next end end")
      assert.matches("^{", ask("deep"))
    end)

    it("shows where a function comes from, and a greenlet's state", function()
      assert.matches("function.*stdin:1", ask("function() end == nil and 0 or function() end"))
      assert.matches("Greenlet", ask("greenlet.spawn(greenlet.sleep, 60)"))
    end)

    it("prints nothing for statements", function()
      assert.equal("", ask("x = 1"))
      assert.equal("1", ask("x"))
      assert.equal("hello", ask("print('hello')"))
    end)
  end)

  describe("remembers", function()
    it("values in _ and _1 to _9", function()
      ask("'first'")
      ask("'second'")
      assert.equal('"second"', ask("_"))
      ask("'third'")
      assert.equal('"third"', ask("_1"))
      assert.equal("12", ask("12"))
      assert.equal("13", ask("13"))
      assert.equal("12", ask("_2"))
    end)

    it("the last error in _err, with its traceback", function()
      ask("function fails() error('oops') end")
      assert.matches("^stdin:1: oops\nstack traceback:\n", ask("fails()"))
      assert.matches("stdin:1: oops", ask("tostring(_err)"))
      assert.matches("fails", ask("_err.traceback"))
      assert.equal("true", ask("_err ~= nil"))
    end)

    it("top-level locals, for later lines and for closures", function()
      ask("local x, y = 1, 2")
      assert.equal("3", ask("x + y"))
      ask("local function count() x = x + 1 return x end")
      assert.equal("2", ask("count()"))
      assert.equal("2", ask("x"))
      ask("x = 10")
      assert.equal("11", ask("count()"))
      assert.equal("nil", ask("_G.x"))
    end)
  end)

  describe("of several lines", function()
    local function type_lines(...)
      for _, line in ipairs { ... } do
        t:type(line .. "\n")
        t:wait_for(function(_, column) return column == 3 end)
      end
    end

    it("goes on until the statement is complete", function()
      type_lines("for i = 1, 2 do", "print('turn ' .. i)")
      t:type("end\n")
      t:wait_for("turn 1\nturn 2\n>$")
    end)

    it("goes on for an expression", function()
      type_lines("{")
      t:type("#'long' }\n")
      t:wait_for("4.*}\n>$")
    end)

    it("goes on inside a long string", function()
      t:type("[[one\n")
      t:wait_for_line(">> ")
      t:type("two]]\n")
      t:wait_for("\n\"one\\ntwo\"\n>$")
    end)

    it("says what is wrong, and in which line", function()
      assert.matches("^stdin:1: unexpected symbol near '%+'$", ask("+"))
      type_lines("do")
      t:type("+ end\n")
      t:wait_for("\nstdin:2: unexpected symbol near '%+'\n>$")
    end)
  end)

  describe("honours", function()
    it("_PROMPT and _PROMPT2", function()
      t:type("_PROMPT = 'more? ' _PROMPT2 = 'and? '\n")
      t:wait_for_line("more? ")
      t:type("do\n")
      t:wait_for_line("and? ")
      t:type("end\n")
      t:wait_for_line("more? ")
      t:type("_PROMPT = setmetatable({}, {__tostring = function() return 'object: ' end})\n")
      t:wait_for_line("object: ")
    end)

    it("NO_COLOR", function()
      ask("{'text', 1}")
      assert.not_matches("\27", t:colours())
    end, { env = { NO_COLOR = "1" } })

    it("colours where there are any", function()
      ask("{'text', 1}")
      assert.matches("\27%[", t:colours())
    end)
  end)

  describe("that blocks", function()
    it("lets other greenlets run", function()
      ask("queue = greenlet.queue.Queue()")
      ask("g = greenlet.spawn(function() queue:put('from afar') greenlet.sleep(0.02) return 7 end)")
      assert.equal('"from afar"', ask("queue:get()"))
      assert.equal("7", ask("g:get()"))
      ask("greenlet.sleep(0.01)")
      assert.equal("true", ask("g:join() == nil or g:ready()"))
    end)

    it("and that nothing can wake raises a LoopExit", function()
      assert.matches("^LoopExit", ask("greenlet.Greenlet(print):join()"))
      assert.matches("LoopExit", ask("tostring(_err)"))
      assert.equal("2", ask("1 + 1"))
    end)
  end)

  describe("reports", function()
    it("errors of all kinds, and goes on", function()
      assert.matches("^error object.*\nstack traceback:", ask("error({})"))
      assert.matches("nil", ask("error(nil)"))
      ask("failing = setmetatable({}, {__tostring = function() return 'named' end})")
      assert.matches("named", ask("error(failing)"))
      ask("getmetatable(failing).__tostring = error")
      ask("error(failing)")
      assert.matches("stack overflow", ask("local function f() return 1 + f() end f()"))
      assert.equal("2", ask("1 + 1"))
    end)

    it("a value whose metamethods fail, and goes on", function()
      ask("bad = setmetatable({1}, {__tostring = error, __pairs = error, __index = error, "
        .. "__len = error})")
      ask("bad")
      ask("worse = setmetatable({}, {__name = 1, __tostring = function() return 1 end})")
      ask("worse")
      assert.equal("2", ask("1 + 1"))
    end)
  end)

  describe("has the terminal as programs know it", function()
    -- The watchdog would say of what waits for keys that it lets nobody else run.
    local unwatched = { env = { GREENLUA_WATCHDOG = "0" } }

    it("for io.read", function()
      -- What is typed sooner the terminal does not show.
      t:type("print('name:') name = io.read()\n")
      t:wait_for("\nname:$")
      t:type("Emma\n")
      t:wait_for("\nEmma\n>$")
      assert.equal('"Emma"', ask("name"))
    end, unwatched)

    it("for io.read that edits, by the terminal's own means", function()
      -- What is typed sooner the terminal does not show.
      t:type("print('name:') name = io.read()\n")
      t:wait_for("\nname:$")
      t:type("Emil")
      t:wait_for("\nEmil$")
      t:key("BSpace", "BSpace")
      t:wait_for("\nEm$")
      t:type("ma\n")
      t:wait_for("\nEmma\n>$")
      assert.equal('"Emma"', ask("name"))
    end, unwatched)

    it("for other programs", function()
      assert.matches("^three terminals",
        ask("os.execute('test -t 0 && test -t 1 && test -t 2 && echo three terminals')"))
      -- A program that takes the whole screen, and gives it back.
      t:type("os.execute(\"tput smcup; printf here; read x; tput rmcup\")\n")
      t:wait_for("here$")
      t:key("Enter")
      t:wait_for("rmcup\"%)\n.*\n>$")
      assert.equal("2", ask("1 + 1"))
    end, unwatched)

    it("for what asks it for its settings", function()
      local before = run.read(t.notes .. "/before"):match("[^\n]+")
      assert.matches(before, ask("os.execute('stty -g')"), 1, true)
    end)
  end)
end)
