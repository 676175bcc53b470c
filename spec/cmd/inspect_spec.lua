local parts = require "spec.cmd.parts"
local run = require "spec.cmd.run"

describe("cmd.inspect", function()
  teardown(run.clean)

  local inspect = parts.new().inspect

  local function text(value, options) return inspect.text(value, options) end

  describe("text", function()
    it("shows numbers as Lua would read them again", function()
      for value, expected in pairs {
        [1] = "1", [-7] = "-7", [0.1] = "0.1", [1 / 3] = "0.3333333333333333", [1e300] = "1e+300",
        [math.huge] = "inf", [-math.huge] = "-inf",
        [math.mininteger] = "-9223372036854775808", [5e-324] = "4.9406564584125e-324",
        [0.1 + 0.2] = "0.30000000000000004",
      } do
        assert.equal(expected, text(value))
      end
      assert.equal("9007199254740992.0", text(2.0 ^ 53))
      assert.equal("1e+15", text(1e15))
      assert.equal("-0.0", text(-0.0))
      assert.equal("nan", text(0 / 0))
      for seed = 1, 1000 do
        math.randomseed(seed)
        local value = string.unpack("d", string.pack("j", math.random(0)))
        if value == value then assert.equal(value, tonumber(text(value)) or math.huge * value) end
      end
    end)

    it("shows nil, booleans and strings", function()
      assert.same({ "nil", "true", "false", '""' }, { text(), text(true), text(false), text "" })
      assert.equal([["a \"b\" 'c' \\ \n\t\r\x00"]], text "a \"b\" 'c' \\ \n\t\r\0")
    end)

    it("keeps UTF-8, and escapes all that could reach a terminal as a control", function()
      assert.equal('"é ∀ 😀 \u{200D}"', text "é ∀ 😀 \u{200D}")
      assert.equal([["\x1B[31m\x7F\a"]], text "\27[31m\127\7")
      local reversing = "\u{9B}2J \u{202E}\u{FEFF}\u{E0041}"
      assert.equal([["\u{9B}2J \u{202E}\u{FEFF}\u{E0041}"]], text(reversing))
      local broken = "\xFF\xC3a\xE2\x82\xED\xA0\x80\x80"
      assert.equal([["\xFF\xC3a\xE2\x82\xED\xA0\x80\x80"]], text(broken))
    end)

    it("cuts long strings inside tables, and tells how long they are", function()
      assert.equal(10002, #text(("x"):rep(10000)))
      local shown = text { ("x"):rep(10000) }
      assert.matches("x\"%.%.%. %(10000 bytes%)", shown)
      assert.is_true(#shown < 1100)
      local cut = text({ ("é"):rep(5000) })
      assert.is_nil(cut:find("\\x", 1, true))
    end)

    it("puts a short table on one line", function()
      assert.equal("{}", text {})
      assert.equal("{ 1, 2, x = 3 }", text { 1, 2, x = 3 })
      assert.equal('{ { a = 1 }, {}, "b" }', text { { a = 1 }, {}, "b" })
    end)

    it("indents a long one: its sequence first, then its keys in order", function()
      local value = {
        ("a"):rep(30), ("b"):rep(30), [4] = "after a hole", [1.5] = "float", [-1] = "minus",
        z = { 1, 2 }, ["a key"] = 1, ["end"] = 2, [true] = 3, _x1 = ("c"):rep(30),
        nested = { ("d"):rep(40), ("e"):rep(40) },
      }
      assert.equal([=[
{
  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
  [-1] = "minus",
  [1.5] = "float",
  [4] = "after a hole",
  _x1 = "cccccccccccccccccccccccccccccc",
  ["a key"] = 1,
  ["end"] = 2,
  nested = {
    "dddddddddddddddddddddddddddddddddddddddd",
    "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
  },
  z = { 1, 2 },
  [true] = 3
}]=], text(value, { width = 80 }))
    end)

    it("keeps within the width where it can", function()
      local value = {}
      for i = 1, 100 do value[i] = i value["key" .. i] = { i, { i } } end
      for _, width in ipairs { 20, 40, 80, 200 } do
        for line in text(value, { width = width, items = 1000 }):gmatch "[^\n]+" do
          assert.is_true(#line <= width, line)
        end
      end
    end)

    it("shows a cycle as such, and what is shared each time", function()
      local t, shared = {}, { 1 }
      t.t, t.deep, t.a, t.b = t, { { t } }, shared, shared
      assert.equal("{ a = { 1 }, b = { 1 }, deep = { { <cycle> } }, t = <cycle> }", text(t))
    end)

    it("limits depth, entries and bytes", function()
      assert.equal("{ { {...} } }", text({ { { { 1 } } } }, { depth = 2 }))
      assert.equal("{ 1, 2, ... 3 more }", text({ 1, 2, 3, 4, a = 5 }, { items = 2 }))
      local wide = {}
      for i = 1, 100 do wide[i] = { "x", "y" } end
      local short = text(wide, { total = 200 })
      assert.is_true(#short < 1000)
      assert.matches("%.%.%. %d+ more\n}$", short)
    end)

    it("takes no longer than it shows for a graph with more ways than nodes", function()
      local graph = { "leaf" }
      for _ = 1, 60 do graph = { graph, graph, graph, a = graph } end
      assert.is_true(#text(graph, { depth = 100, total = 10000 }) < 200000)
      local big = {}
      for i = 1, 20000 do big["k" .. i] = i end
      local many = {}
      for i = 1, 100 do many[i] = big end
      assert.is_not_nil(text(many, { total = 1000000 }):find("... more", 1, true))
      assert.matches("%.%.%. 19900 more", text(big))
    end)

    it("tells where a function comes from", function()
      local f = load("\nreturn function() end", "=place")()
      assert.equal("<function place:2>", text(f))
      assert.equal("<function string.format>", text(string.format))
      assert.equal("<function print>", text(print))
      assert.matches("^<function C 0x%x+>$", text((("x"):gmatch "y")))
    end)

    it("tells a thread's status, and a module's name", function()
      local thread = coroutine.create(coroutine.yield)
      assert.matches("^<thread 0x%x+ suspended>$", text(thread))
      coroutine.resume(thread)
      coroutine.resume(thread)
      assert.matches("^<thread 0x%x+ dead>$", text(thread))
      assert.equal("{ <module string> }", text { string })
      assert.matches("^{\n.*format = <function string.format>", text(string))
    end)

    it("uses __tostring and __name", function()
      local Point = { __name = "Point" }
      assert.equal("Point { x = 1 }", text(setmetatable({ x = 1 }, Point)))
      Point.__index = Point
      assert.equal("Point { x = 1, <metatable __index> }", text(setmetatable({ x = 1 }, Point)))
      Point.__tostring = function(p) return "(" .. p.x .. "\27)" end
      local p = setmetatable({ x = 1 }, Point)
      assert.equal("(1\\x1B) { x = 1 }", text(p))
      assert.equal("{ (1\\x1B) }", text { p })
      assert.equal("{ [(1\\x1B)] = 1 }", text { [p] = 1 })
      Point.__tostring = function() return "two\nlines" end
      assert.equal("two\nlines", text(p))
      assert.equal("{ two\\nlines }", text { p })
      assert.matches("^file %(0x%x+%)$", text(io.stdout))
    end)

    it("notes a metatable", function()
      assert.equal("{ <metatable> }", text(setmetatable({}, {})))
      assert.equal("{ 1, <metatable __len __mode> }",
        text(setmetatable({ 1 }, { __mode = "k", __len = error, other = 1, __metatable = nil })))
    end)

    it("trusts no metamethod", function()
      local function fails() error "x" end
      local function endless() while true do pcall(function() while true do end end) end end
      local meta = { __index = fails, __pairs = fails, __len = fails, __eq = fails, __lt = fails,
                     __concat = fails, __newindex = fails, __call = fails }
      for _, bad in ipairs { fails, endless, coroutine.yield, 5, {}, function() end,
                             function() return fails end } do
        meta.__tostring = bad
        assert.matches("^{%s+1,%s+<metatable .*__tostring>%s+}$", text(setmetatable({ 1 }, meta)))
        local inner = setmetatable({}, { __tostring = bad })
        assert.equal("{ { <metatable __tostring> } }", text { inner })
      end
      assert.equal("{ 1, <metatable> }", text(setmetatable({ 1 }, { __name = {} })))
      meta.__tostring, meta.__metatable = nil, false
      assert.matches("^{%s+1,%s+<metatable ", text(setmetatable({ 1 }, meta)))
    end)

    it("colours by kind if asked to", function()
      local value = { 1, "x", true, a = print }
      assert.is_nil(text(value):find "\27")
      local coloured = text(value, { colour = true })
      assert.is_not_nil(coloured:find("\27[32m\"x\"\27[0m", 1, true))
      assert.equal(text(value), (coloured:gsub("\27%[[%d;]*m", "")))
      local long = {}
      for i = 1, 100 do long[i] = ("%d"):format(i) end
      assert.equal(text(long), (text(long, { colour = true }):gsub("\27%[[%d;]*m", "")))
    end)

    it("takes any value", function()
      math.randomseed(1)
      local keep = {}
      local function value(depth)
        local kind = math.random(depth > 0 and 9 or 6)
        if kind == 1 then return math.random(1000) / 3 end
        if kind == 2 then return math.random(0) end
        if kind == 3 then return math.random(2) == 1 end
        if kind == 4 then
          local bytes = {}
          for i = 1, math.random(0, 60) do bytes[i] = string.char(math.random(0, 255)) end
          return table.concat(bytes)
        end
        if kind == 5 then return keep[math.random(#keep + 1)] or print end
        if kind == 6 then return coroutine.create(print) end
        local t = {}
        keep[#keep + 1] = t
        for _ = 1, math.random(0, 8) do
          t[math.random(2) == 1 and #t + 1 or value(depth - 1) or 1] = value(depth - 1)
        end
        return t
      end
      for _ = 1, 300 do
        local v = value(4)
        local options = { width = math.random(100), depth = math.random(6),
                          items = math.random(30), total = math.random(2000) }
        local shown = text(v, options)
        assert.is_nil(shown:find "[^%C\n]")
        assert.is_not_nil(utf8.len(shown))
        local line = inspect.line(v, options.width)
        assert.is_nil(line:find "%c")
        assert.is_true(utf8.len(line) <= math.max(options.width, 4))
      end
    end)
  end)

  describe("line", function()
    it("fits a width", function()
      assert.equal('{ 1, { a = "é" } }', inspect.line({ 1, { a = "é" } }, 80))
      assert.equal('{ 1, { a = "é...', inspect.line({ 1, { a = "éé" } }, 16))
      assert.equal("two lines", inspect.line(setmetatable({}, { __tostring = function()
        return "two\n  lines"
      end }), 80))
    end)
  end)

  -- Greenlets and objects of the module need the real program.
  local function shown(script, status)
    local result = run.program(run.greenlua, { script = parts.OF_THE_PROGRAM .. [[
      local text = cmd.inspect.text
      local function show(value) print((text(value):gsub("0x%x+", "ADDRESS"))) end
    ]] .. script })
    assert.same({ "", status or 0 }, { result.stderr, result.status })
    return result.stdout
  end

  describe("of greenlet's values", function()
    it("tells a greenlet's state, without taking anything from it", function()
      local output = shown([[
        local g = greenlet.spawn(greenlet.sleep, 1000)
        local named = greenlet.spawn(function() return 5 end)
        named.name = "bob\27"
        greenlet.get_hub().exception_stream = false
        local bad = greenlet.spawn(error, "oops", 0)
        greenlet.sleep(0)
        show(g) show { named } show(bad) show(greenlet.getcurrent())
        show(greenlet.get_hub())
        g:kill()]], 1)
      local lines = {}
      for line in output:gmatch "[^\n]+" do lines[#lines + 1] = line end
      assert.matches("^<Greenlet at ADDRESS: function .*>; waits for .*sleep", lines[1])
      assert.matches('<Greenlet "bob\\x1B" at ADDRESS: .*>; finished with 5', lines[2] .. lines[3])
      assert.matches('failed with "oops"$', lines[#lines - 2])
      assert.equal('<greenlet "main" at ADDRESS: main chunk>', lines[#lines - 1])
      assert.equal('<Hub "hub" at ADDRESS: event loop>', lines[#lines])
    end)

    it("leaves an unobserved failure to be reported", function()
      local result = run.program(run.greenlua, { script = parts.OF_THE_PROGRAM .. [[
        local bad = greenlet.spawn(error, "oops", 0)
        greenlet.spawn(function() cmd.inspect.text { bad } end)]] })
      assert.matches("oops", result.stderr)
      assert.equal(1, result.status)
    end)

    it("shows objects and classes", function()
      assert.equal([[
<Queue at ADDRESS: 2 items>
{ <Queue at ADDRESS: 2 items> }
Noop(3) { seconds = 3 }
{ class Noop, Noop(3) }
]], shown [[
        local q = require "greenlet.queue".Queue()
        q:put(1) q:put(2)
        local Noop = greenlet.class:extend "Noop"
        function Noop:init(seconds) self.seconds = seconds end
        function Noop:__tostring() return ("Noop(%d)"):format(self.seconds) end
        show(q) show { q } show(Noop(3)) show { Noop, Noop(3) }]])
    end)

    it("never switches, whatever a __tostring does", function()
      assert.equal("InvalidSwitchError: cannot switch greenlets in this call\n"
        .. "{ <metatable __tostring> }\n{ caught }\nother\n", shown [[
        local function waits() greenlet.sleep(0) return "waited" end
        greenlet.spawn(print, "other")
        show(setmetatable({}, { __tostring = function()
          print(select(2, pcall(waits)))
          return waits()
        end }))
        show { setmetatable({}, { __tostring = function()
          pcall(waits)
          return "caught"
        end }) }
        greenlet.sleep(0)]])
    end)
  end)
end)
