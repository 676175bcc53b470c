local helper = require "spec.helper"
local greenlet = require "greenlet"
local it = helper.it

local class = greenlet.class

-- What pcall, xpcall and coroutine.resume let pass, and what they stop.
local KILLS = { "BaseException", "GreenletExit", "KeyboardInterrupt" }
local ERRORS = { "Exception", "LoopExit", "InvalidSwitchError", "ConcurrentObjectUseError" }

describe("greenlet.class", function()
  helper.check_leaks()

  describe("extend", function()
    it("derives a class whose super is the parent", function()
      local A = class:extend("A")
      local B = A:extend("B")
      assert.equal(class, A.super)
      assert.equal(A, B.super)
    end)

    it("makes classes that are called to construct, passing every argument to init", function()
      local A = class:extend("A")
      function A:init(...) self.given = table.pack(...) end
      local a = A(1, nil, "x", nil)
      assert.same({ n = 4, 1, nil, "x" }, a.given)
    end)

    it("constructs without an init of its own", function()
      local A = class:extend("A")
      assert.is_true(A():is_a(A))
    end)

    it("calls the init of the nearest ancestor that has one", function()
      local A = class:extend("A")
      function A:init(x) self.x = x end
      local C = A:extend("B"):extend("C")
      assert.equal(5, C(5).x)
    end)

    it("lets an init call that of its super", function()
      local A = class:extend("A")
      function A:init(x) self.x = x end
      local B = A:extend("B")
      function B:init(x, y) B.super.init(self, x); self.y = y end
      local b = B(1, 2)
      assert.same({ 1, 2 }, { b.x, b.y })
    end)

    it("shares methods with descendants, assigned before or after they exist", function()
      local A = class:extend("A")
      function A.early() return "early" end
      local B = A:extend("B")
      local b = B()
      function A.late() return "late" end
      assert.equal("early", b:early())
      assert.equal("late", b:late())
    end)

    it("prefers the method of the subclass", function()
      local A = class:extend("A")
      function A.name() return "A" end
      local B = A:extend("B")
      function B.name() return "B" end
      assert.equal("B", B():name())
      assert.equal("A", A():name())
    end)

    it("keeps fields separate in each object", function()
      local A = class:extend("A")
      local one, two = A(), A()
      one.field = 1
      two.field = 2
      assert.equal(1, one.field)
      assert.equal(2, two.field)
      assert.is_nil(rawget(A, "field"))
    end)

    it("names objects after their class in tostring", function()
      local Parrot = class:extend("Parrot")
      assert.matches("Parrot", tostring(Parrot()))
    end)

    it("refuses a name that is not a string", function()
      assert.matches("bad argument #1 to 'extend'",
        helper.raises(function() class:extend({}) end))
    end)
  end)

  -- Each entry: a metamethod, and how to use it on an object.
  local METAMETHODS = {
    { "__tostring", function(o) return tostring(o) end },
    { "__call", function(o) return (o()) end },
    { "__add", function(o) return o + 1 end },
    { "__sub", function(o) return o - 1 end },
    { "__mul", function(o) return o * 1 end },
    { "__div", function(o) return o / 1 end },
    { "__mod", function(o) return o % 1 end },
    { "__pow", function(o) return o ^ 1 end },
    { "__unm", function(o) return -o end },
    { "__idiv", function(o) return o // 1 end },
    { "__band", function(o) return o & 1 end },
    { "__bor", function(o) return o | 1 end },
    { "__bxor", function(o) return o ~ 1 end },
    { "__bnot", function(o) return ~o end },
    { "__shl", function(o) return o << 1 end },
    { "__shr", function(o) return o >> 1 end },
    { "__concat", function(o) return o .. "" end },
    { "__len", function(o) return #o end },
  }

  -- The same must hold for plain objects and for greenlets, which the binding makes.
  local FAMILIES = {
    { "class", function(name) return class:extend(name) end },
    { "Greenlet", function(name)
      local Sub = greenlet.Greenlet:extend(name)
      function Sub._run() end
      return Sub
    end },
    { "Exception", function(name) return greenlet.Exception:extend(name) end },
    { "Timeout", function(name) return greenlet.Timeout:extend(name) end },
  }

  for _, family in ipairs(FAMILIES) do
    local family_name, derive = family[1], family[2]
    describe("metamethods of a subclass of " .. family_name, function()
      for _, entry in ipairs(METAMETHODS) do
        local event, use = entry[1], entry[2]

        it("has " .. event .. " work on objects made before it was assigned", function()
          local A = derive("A")
          local a = A()
          A[event] = function(self) return rawequal(self, a) and "mine" or "other" end
          assert.equal("mine", use(a))
        end)

        it("has " .. event .. " inherited by classes that were derived before", function()
          local A = derive("A")
          local C = A:extend("B"):extend("C")
          local c = C()
          A[event] = function() return "inherited" end
          assert.equal("inherited", use(c))
          assert.equal("inherited", use(C()))
        end)
      end

      it("has comparisons work", function()
        local A = derive("A")
        local low, high = A(), A()
        low.rank, high.rank = 1, 2
        A.__lt = function(x, y) return x.rank < y.rank end
        A.__le = function(x, y) return x.rank <= y.rank end
        assert.is_true(low < high)
        assert.is_false(high < low)
        assert.is_true(low <= low)
        assert.is_true(high >= low)
      end)

      it("has __eq work", function()
        local A = derive("A")
        local x, y = A(), A()
        assert.is_false(x == y)
        A.__eq = function() return true end
        assert.is_true(x == y)
      end)

      it("has __close work, with the error", function()
        local A = derive("A")
        local closed = {}
        local a = A()
        A.__close = function(self, err) closed[#closed + 1] = { self, err } end
        do
          local held <close> = a
        end
        local err = helper.raises(function()
          local held <close> = a
          error("oops", 0)
        end)
        assert.equal("oops", err)
        assert.equal(2, #closed)
        assert.is_true(rawequal(a, closed[1][1]))
        assert.is_nil(closed[1][2])
        assert.equal("oops", closed[2][2])
      end)

      it("prefers the metamethod of the nearest class", function()
        local A = derive("A")
        local B = A:extend("B")
        B.__tostring = function() return "b" end
        A.__tostring = function() return "a" end
        assert.equal("a", tostring(A()))
        assert.equal("b", tostring(B()))
      end)
    end)
  end

  describe("is_a", function()
    it("is true of the class and of its ancestors only", function()
      local A = class:extend("A")
      local B = A:extend("B")
      local Other = A:extend("Other")
      local b = B()
      assert.is_true(b:is_a(B))
      assert.is_true(b:is_a(A))
      assert.is_true(b:is_a(class))
      assert.is_false(b:is_a(Other))
      assert.is_false(A():is_a(B))
    end)

    it("works on greenlets, timeouts and errors", function()
      assert.is_true(greenlet.Greenlet(print):is_a(greenlet.Greenlet))
      assert.is_true(greenlet.Timeout(1):is_a(greenlet.BaseException))
      assert.is_false(greenlet.Timeout(1):is_a(greenlet.Exception))
      assert.is_true(greenlet.LoopExit():is_a(greenlet.Exception))
    end)
  end)

  describe("class_of", function()
    it("is true of objects of the class and its descendants", function()
      local A = class:extend("A")
      local B = A:extend("B")
      assert.is_true(A:class_of(A()))
      assert.is_true(A:class_of(B()))
      assert.is_false(B:class_of(A()))
      assert.is_true(class:class_of(B()))
    end)

    it("takes any value", function()
      local A = class:extend("A")
      local values = {
        false, true, 0, 1.5, "text", {}, print, function() end, coroutine.create(print), io.stderr,
        setmetatable({}, { __index = function() error("indexed") end }),
        setmetatable({}, { __metatable = "locked" }),
      }
      for _, value in ipairs(values) do
        assert.is_false(A:class_of(value))
        assert.is_false(class:class_of(value))
      end
      assert.is_false(A:class_of(nil))
    end)

    it("is false of a class itself", function()
      local A = class:extend("A")
      assert.is_false(A:class_of(A))
      assert.is_false(greenlet.BaseException:class_of(greenlet.GreenletExit))
    end)
  end)
end)

describe("greenlet errors", function()
  helper.check_leaks()

  it("form the documented hierarchy", function()
    local parents = {
      BaseException = class,
      GreenletExit = greenlet.BaseException,
      Timeout = greenlet.BaseException,
      KeyboardInterrupt = greenlet.BaseException,
      Exception = greenlet.BaseException,
      LoopExit = greenlet.Exception,
      InvalidSwitchError = greenlet.Exception,
      ConcurrentObjectUseError = greenlet.Exception,
    }
    for name, parent in pairs(parents) do
      local instance = greenlet[name]()
      assert.is_true(parent:class_of(instance), name)
      assert.is_true(greenlet.BaseException:class_of(instance), name)
    end
    for _, name in ipairs(KILLS) do
      assert.is_false(greenlet.Exception:class_of(greenlet[name]()), name)
    end
    assert.is_false(greenlet.Exception:class_of(greenlet.Timeout()))
  end)

  for _, names in ipairs { KILLS, ERRORS } do
    for _, name in ipairs(names) do
      it(name .. " has message, args and tostring", function()
        local E = greenlet[name]
        local e = E("what happened", 2, nil)
        assert.equal("what happened", e.message)
        assert.equal(name .. ": what happened", tostring(e))
        assert.equal("what happened", e.args[1])
        assert.equal(2, e.args[2])
      end)

      it(name .. " has only its name when there is no message", function()
        local e = greenlet[name]()
        assert.is_nil(e.message)
        assert.equal(name, tostring(e))
        assert.is_nil(e.args[1])
      end)
    end
  end

  it("show a message of any type", function()
    assert.equal("Exception: 42", tostring(greenlet.Exception(42)))
    assert.equal(42, greenlet.Exception(42).message)
  end)

  it("can be subclassed, and show the subclass's name", function()
    local Mine = greenlet.Exception:extend("Mine")
    local e = Mine("x")
    assert.equal("Mine: x", tostring(e))
    assert.is_true(greenlet.Exception:class_of(e))
    assert.is_false(greenlet.LoopExit:class_of(e))
  end)

  it("take fields of the user's own", function()
    local e = greenlet.Exception("x")
    e.code = 7
    assert.equal(7, e.code)
  end)

  it("are raised as they are, without a position", function()
    local e = greenlet.Exception("x")
    local ok, caught = pcall(error, e)
    assert.is_false(ok)
    assert.is_true(rawequal(e, caught))
    assert.equal("x", caught.message)
  end)
end)

describe("pcall", function()
  helper.check_leaks()

  it("returns every value, nils included", function()
    local result = table.pack(pcall(function(...) return ... end, 1, nil, 3, nil))
    assert.same({ n = 5, true, 1, nil, 3 }, result)
  end)

  it("returns very many values", function()
    local list = {}
    for i = 1, 100000 do list[i] = i end
    local result = table.pack(pcall(table.unpack, list))
    assert.equal(100001, result.n)
    assert.equal(100000, result[100001])
  end)

  it("returns the error as it is, nil included", function()
    assert.same({ n = 2, false, "x" }, table.pack(pcall(error, "x", 0)))
    assert.same({ n = 2, false }, table.pack(pcall(error, nil)))
    assert.same({ n = 2, false }, table.pack(pcall(error)))
    local t = {}
    assert.is_true(rawequal(t, (select(2, pcall(error, t)))))
  end)

  for _, name in ipairs(ERRORS) do
    it("stops " .. name, function()
      local e = greenlet[name]("x")
      local ok, caught = pcall(error, e)
      assert.is_false(ok)
      assert.is_true(rawequal(e, caught))
    end)
  end

  for _, name in ipairs(KILLS) do
    it("lets " .. name .. " pass", function()
      local e = greenlet[name]("x")
      local reached = false
      local caught = helper.raises(function()
        pcall(error, e)
        reached = true
      end)
      assert.is_true(rawequal(e, caught))
      assert.is_false(reached)
    end)
  end

  it("lets a Timeout and subclasses of kills pass", function()
    local Stop = greenlet.GreenletExit:extend("Stop")
    for _, e in ipairs { greenlet.Timeout(1), Stop(), greenlet.BaseException:extend("Own")() } do
      local caught = helper.raises(function() pcall(pcall, pcall, error, e) end)
      assert.is_true(rawequal(e, caught))
    end
  end)

  it("closes to-be-closed variables on a kill's way, innermost first", function()
    local e = greenlet.GreenletExit()
    local closed = {}
    helper.raises(function()
      local outer <close> = helper.closer(function(err) closed[#closed + 1] = { "outer", err } end)
      pcall(function()
        local middle <close> = helper.closer(function(err) closed[#closed + 1] = { "middle", err } end)
        pcall(function()
          local inner <close> = helper.closer(function(err) closed[#closed + 1] = { "inner", err } end)
          error(e)
        end)
      end)
    end)
    assert.equal(3, #closed)
    for i, name in ipairs { "inner", "middle", "outer" } do
      assert.equal(name, closed[i][1])
      assert.is_true(rawequal(e, closed[i][2]))
    end
  end)

  it("stops a kill that a to-be-closed variable turned into an error", function()
    local ok, err = pcall(function()
      local x <close> = helper.closer(function() error("instead", 0) end)
      error(greenlet.GreenletExit())
    end)
    assert.is_false(ok)
    assert.equal("instead", err)
  end)
end)

describe("xpcall", function()
  helper.check_leaks()

  it("passes extra arguments and returns every value", function()
    local result = table.pack(xpcall(function(...) return "r", ... end, print, 1, nil, 3, nil))
    assert.same({ n = 6, true, "r", 1, nil, 3 }, result)
  end)

  it("calls its handler with the error at the point of the error", function()
    local result = table.pack(xpcall(function() error("x", 0) end,
      function(e) return e .. "!", debug.traceback() end))
    assert.equal(2, result.n)
    assert.is_false(result[1])
    assert.equal("x!", result[2])
  end)

  it("hands its handler nil and tables as they are", function()
    local t, seen = {}, nil
    xpcall(error, function(e) seen = e end, t)
    assert.is_true(rawequal(t, seen))
    local called = 0
    xpcall(error, function(e) called = called + 1; assert(e == nil) end, nil)
    assert.equal(1, called)
  end)

  it("lets a kill pass without calling its handler", function()
    for _, name in ipairs(KILLS) do
      local e = greenlet[name]()
      local handled = false
      local caught = helper.raises(function()
        xpcall(error, function() handled = true end, e)
      end)
      assert.is_true(rawequal(e, caught))
      assert.is_false(handled)
    end
  end)

  it("lets a kill pass that its handler raises", function()
    local e = greenlet.GreenletExit()
    local caught = helper.raises(function()
      xpcall(error, function() error(e) end, "x")
    end)
    assert.is_true(rawequal(e, caught))
  end)
end)

describe("coroutine.resume", function()
  helper.check_leaks()

  it("returns false and the error of a coroutine", function()
    local co = coroutine.create(function() error("x", 0) end)
    assert.same({ false, "x" }, { coroutine.resume(co) })
    assert.equal("dead", coroutine.status(co))
  end)

  it("passes values in and out as ever", function()
    local co = coroutine.create(function(...)
      local got = table.pack(coroutine.yield(...))
      return table.unpack(got, 1, got.n)
    end)
    assert.same({ n = 4, true, 1, nil, 3 }, table.pack(coroutine.resume(co, 1, nil, 3)))
    assert.same({ n = 3, true, nil, 2 }, table.pack(coroutine.resume(co, nil, 2)))
    assert.same({ n = 2, false, "cannot resume dead coroutine" }, table.pack(coroutine.resume(co)))
  end)

  it("lets a kill pass, which leaves the coroutine dead and its variables closed", function()
    for _, name in ipairs(KILLS) do
      local e = greenlet[name]()
      local closed
      local co = coroutine.create(function()
        local x <close> = helper.closer(function(err) closed = err end)
        error(e)
      end)
      local caught = helper.raises(function() coroutine.resume(co) end)
      assert.is_true(rawequal(e, caught))
      assert.equal("dead", coroutine.status(co))
      assert.is_true(rawequal(e, closed))
    end
  end)
end)

describe("coroutine.wrap", function()
  helper.check_leaks()

  it("lets a kill pass as it is", function()
    local e = greenlet.GreenletExit("x")
    local f = coroutine.wrap(function() error(e) end)
    assert.is_true(rawequal(e, helper.raises(function() pcall(f) end)))
  end)

  it("raises other errors, which pcall stops", function()
    local f = coroutine.wrap(function() error("x", 0) end)
    local ok, err = pcall(f)
    assert.is_false(ok)
    assert.matches("x$", err)
  end)
end)

describe("greenlet.pcall", function()
  helper.check_leaks()

  it("catches everything", function()
    for _, name in ipairs(KILLS) do
      local e = greenlet[name]()
      local ok, caught = greenlet.pcall(error, e)
      assert.is_false(ok)
      assert.is_true(rawequal(e, caught))
    end
    local t = greenlet.Timeout(1)
    assert.is_true(rawequal(t, (select(2, greenlet.pcall(error, t)))))
    assert.same({ n = 2, false, "x" }, table.pack(greenlet.pcall(error, "x", 0)))
    assert.same({ n = 2, false }, table.pack(greenlet.pcall(error, nil)))
  end)

  it("returns every value", function()
    local result = table.pack(greenlet.pcall(function(...) return ... end, 1, nil, nil))
    assert.same({ n = 4, true, 1 }, result)
  end)
end)

describe("greenlet.xpcall", function()
  helper.check_leaks()

  it("calls its handler for everything", function()
    for _, name in ipairs(KILLS) do
      local e = greenlet[name]()
      local ok, handled = greenlet.xpcall(error, function(err) return { err } end, e)
      assert.is_false(ok)
      assert.is_true(rawequal(e, handled[1]))
    end
  end)

  it("passes extra arguments and returns every value", function()
    local result = table.pack(greenlet.xpcall(function(...) return ... end, print, 1, nil, 3))
    assert.same({ n = 4, true, 1, nil, 3 }, result)
  end)
end)

describe("the replaced functions", function()
  helper.check_leaks()

  -- The same script in the stock interpreter and in this one must print the same.
  local SAME = [[
    local function show(...)
      local t = table.pack(...)
      for i = 1, t.n do t[i] = tostring(t[i]) end
      print(table.concat(t, " | "))
    end
    -- Nothing but these lines may stand between the two tracebacks' ends.
    local function inner() show(debug.traceback("in pcall")) end
    pcall(inner)
    xpcall(inner, print)
    pcall(pcall, inner)
    xpcall(xpcall, print, inner, print)
    xpcall(function() error("boom") end, function(e) show(debug.traceback(e)) end)
    local co = coroutine.create(function() inner(); coroutine.yield(); error("in co") end)
    show(coroutine.resume(co))
    show(debug.traceback(co))
    show(coroutine.resume(co))
    show(debug.traceback(co))
    coroutine.wrap(inner)()
    show(pcall(coroutine.wrap(function() error("wrapped") end)))
    show(pcall(coroutine.wrap(function() error({}, 0) end)) == false)
    -- Messages about wrong arguments name the functions as ever.
    show(pcall(function() pcall() end))
    show(pcall(function() xpcall() end))
    show(pcall(function() xpcall(print) end))
    show(pcall(function() xpcall(print, 1) end))
    show(pcall(function() coroutine.resume() end))
    show(pcall(function() coroutine.resume(print) end))
    show(pcall(function() coroutine.wrap(1) end))
    show(pcall(function() coroutine.create() end))
    show(pcall(function() coroutine.close(coroutine.running()) end))
    show(pcall(coroutine.wrap(function() return pcall(pcall, error, "x") end)))
    show(select("#", pcall(error)), select("#", pcall(error, nil)))
    -- Errors in handlers, coroutines at work, and what may yield.
    show(xpcall(error, function() error("again") end, "x"))
    show(coroutine.isyieldable(), coroutine.running() ~= nil)
    show(coroutine.wrap(function() return coroutine.isyieldable() end)())
    show(pcall(coroutine.yield, 1))
    local dead = coroutine.create(function() end); coroutine.resume(dead)
    show(coroutine.resume(dead))
    show(pcall(coroutine.wrap(function() end)))
    show(coroutine.resume(coroutine.running()))
    local w = coroutine.wrap(function() pcall(function() coroutine.yield("through pcall") end); return "end" end)
    show(w()); show(w())
    w = coroutine.wrap(function()
      return xpcall(function(...) return coroutine.yield("through xpcall"), ... end, print, 8)
    end)
    show(w()); show(w(7))
    w = coroutine.wrap(function()
      return pcall(function() coroutine.yield("then an error"); error("late", 0) end)
    end)
    show(w()); show(w())
    show(coroutine.close(coroutine.create(print)))
    local held = coroutine.create(function()
      local x <close> = setmetatable({}, { __close = function() error("closing", 0) end })
      coroutine.yield()
    end)
    coroutine.resume(held)
    show(coroutine.close(held))
    show(coroutine.status(held))
  ]]

  it("behave, and are named in tracebacks, exactly as in stock Lua", function()
    local wanted, wanted_err, wanted_status, wanted_name = helper.run(SAME, { program = "lua5.4" })
    assert.equal("", wanted_err)
    assert.equal(0, wanted_status)
    local got, err, status, name = helper.run(SAME)
    assert.equal("", err)
    assert.equal(0, status)
    local function plain(text, file)
      return (text:gsub(file:gsub("%p", "%%%0"), "SCRIPT"):gsub("0x%x+", "ADDRESS"))
    end
    assert.equal(plain(wanted, wanted_name), plain(got, name))
  end)

  it("are left alone in a stock interpreter that requires the module #stock", function()
    local stock = helper.program():gsub("greenlua$", "")
    local out, err, status = helper.run(([[
      package.cpath = %q .. "?.so;" .. package.cpath
      local before = { pcall, xpcall, coroutine.resume, coroutine.wrap }
      local greenlet = require "greenlet"
      local after = { pcall, xpcall, coroutine.resume, coroutine.wrap }
      for i = 1, 4 do assert(before[i] == after[i]) end
      assert(rawget(_G, "greenlet") == nil)
      print(greenlet._VERSION ~= nil)
    ]]):format(stock), { program = "lua5.4" })
    assert.equal("", err)
    assert.equal("true\n", out)
    assert.equal(0, status)
  end)
end)
