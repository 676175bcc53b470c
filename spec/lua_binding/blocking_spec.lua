-- A greenlet may wait anywhere: inside callbacks of Lua's C functions,
-- metamethods, coroutines. Stock Lua calls most of these places "a C-call boundary".
local helper = require "spec.helper"
local greenlet = require "greenlet"
local it = helper.it

local TICK, NEVER = helper.TICK, helper.NEVER

local function object(event, f) return setmetatable({}, { [event] = f }) end

-- Load a module called "spec.blocking.place" by `loader`.
local serial = 0
local function load_module(loader)
  serial = serial + 1
  local name = "spec.blocking.place" .. serial
  package.preload[name] = loader
  local tidy <close> = helper.closer(function()
    package.preload[name] = nil
    package.loaded[name] = nil
  end)
  return require(name)
end

-- Each place: its name, a function that calls block() there (more than once, maybe)
-- and the text that the function must come to when every block() returns.
local PLACES = {
  { "a table.sort comparator", function(block)
    local t = { 3, 1, 2 }
    table.sort(t, function(a, b) block(); return a < b end)
    return table.concat(t)
  end, "123" },
  { "a string.gsub callback", function(block)
    return (("abc"):gsub(".", function(c) block(); return c:upper() end))
  end, "ABC" },
  { "the __index of string.gsub's table", function(block)
    return (("abc"):gsub(".", object("__index", function(_, c) block(); return c:upper() end)))
  end, "ABC" },
  { "__tostring under tostring", function(block)
    return tostring(object("__tostring", function() block(); return "text" end))
  end, "text" },
  { "__tostring under string.format", function(block)
    return ("<%s>"):format(object("__tostring", function() block(); return "text" end))
  end, "<text>" },
  { "__index under table.concat", function(block)
    return table.concat(setmetatable({}, {
      __index = function(_, i) block(); return "i" .. i end,
      __len = function() block(); return 3 end,
    }), ",")
  end, "i1,i2,i3" },
  { "__newindex under table.insert", function(block)
    local stored
    table.insert(setmetatable({}, {
      __len = function() return 0 end,
      __newindex = function(_, i, v) block(); stored = i .. v end,
    }), "x")
    return stored
  end, "1x" },
  { "__index under table.unpack", function(block)
    return table.concat({ table.unpack(object("__index", function(_, i) block(); return i end), 1, 3) })
  end, "123" },
  { "a require loader", function(block)
    return load_module(function() block(); return "module" end)
  end, "module" },
  { "a package searcher", function(block)
    local function searcher(name)
      if name == "spec.blocking.searched" then
        block()
        return function() block(); return "found" end
      end
    end
    table.insert(package.searchers, 2, searcher)
    local tidy <close> = helper.closer(function()
      for i, f in ipairs(package.searchers) do
        if f == searcher then table.remove(package.searchers, i) break end
      end
      package.loaded["spec.blocking.searched"] = nil
    end)
    return (require "spec.blocking.searched")
  end, "found" },
  { "a load reader", function(block)
    local pieces = { "return ", "'loa", "ded'" }
    local i = 0
    return assert(load(function() block(); i = i + 1; return pieces[i] end))()
  end, "loaded" },
  { "pcall", function(block)
    return select(2, pcall(function() block(); return "result" end))
  end, "result" },
  { "xpcall", function(block)
    return select(2, xpcall(function() block(); return "result" end, print))
  end, "result" },
  { "an xpcall handler", function(block)
    return select(2, xpcall(error, function(e) block(); return e .. " handled" end, "error", 0))
  end, "error handled" },
  { "an xpcall handler of a runtime error", function(block)
    return select(2, xpcall(function() local n = nil; return n.x end, function() block(); return "handled" end))
  end, "handled" },
  { "an iterator", function(block)
    local got = {}
    for i in function(_, last) block(); if (last or 0) < 3 then return (last or 0) + 1 end end do
      got[#got + 1] = i
    end
    return table.concat(got)
  end, "123" },
  { "__pairs", function(block)
    local got = {}
    for k in pairs(object("__pairs", function() block(); return next, { x = 1 } end)) do got[#got + 1] = k end
    return table.concat(got)
  end, "x" },
  { "__close", function(block)
    local result
    do
      local x <close> = helper.closer(function() block(); result = "closed" end)
    end
    return result
  end, "closed" },
  { "__close after an error", function(block)
    local closed
    local err = select(2, pcall(function()
      local x <close> = helper.closer(function(e) block(); closed = e end)
      error("oops", 0)
    end))
    return err .. closed
  end, "oopsoops" },
  { "__close after an error in a coroutine", function(block)
    local closed
    pcall(coroutine.wrap(function()
      local x <close> = helper.closer(function(e) block(); closed = e end)
      error("oops", 0)
    end))
    return closed
  end, "oops" },
  { "__close under coroutine.close", function(block)
    local result
    local co = coroutine.create(function()
      local x <close> = helper.closer(function() block(); result = "closed" end)
      coroutine.yield()
    end)
    coroutine.resume(co)
    coroutine.close(co)
    return result
  end, "closed" },
  { "__index", function(block)
    return object("__index", function(_, k) block(); return k end).key
  end, "key" },
  { "__newindex", function(block)
    local stored
    object("__newindex", function(_, k, v) block(); stored = k .. v end).k = "v"
    return stored
  end, "kv" },
  { "__call", function(block) return (object("__call", function() block(); return "called" end)()) end, "called" },
  { "__add", function(block) return object("__add", function() block(); return "sum" end) + 1 end, "sum" },
  { "__unm", function(block) return -object("__unm", function() block(); return "minus" end) end, "minus" },
  { "__concat", function(block)
    return "a" .. object("__concat", function(a) block(); return a .. "b" end)
  end, "ab" },
  { "__len", function(block) return #object("__len", function() block(); return "long" end) end, "long" },
  { "__eq", function(block)
    local mt = { __eq = function() block(); return true end }
    return tostring(setmetatable({}, mt) == setmetatable({}, mt))
  end, "true" },
  { "__lt", function(block)
    return tostring(object("__lt", function() block(); return true end) < 1)
  end, "true" },
  { "__le", function(block)
    return tostring(object("__le", function() block(); return true end) <= 1)
  end, "true" },
  { "a coroutine", function(block)
    return coroutine.wrap(function() block(); return "from the coroutine" end)()
  end, "from the coroutine" },
  { "a coroutine that yields too", function(block)
    local got = {}
    for v in coroutine.wrap(function()
      for i = 1, 3 do block(); coroutine.yield(i); block() end
    end) do
      block()
      got[#got + 1] = v
    end
    return table.concat(got)
  end, "123" },
  { "a coroutine inside a coroutine", function(block)
    local outer = coroutine.create(function()
      local inner = coroutine.create(function() block(); return "inner" end)
      local _, result = coroutine.resume(inner)
      return result
    end)
    return select(2, coroutine.resume(outer))
  end, "inner" },
  { "a sort inside a gsub inside a coroutine inside a sort", function(block)
    local result
    table.sort({ 2, 1 }, function(a, b)
      result = coroutine.wrap(function()
        return (("x"):gsub("x", function()
          local t = { 2, 1 }
          table.sort(t, function(c, d) block(); return c < d end)
          return table.concat(t)
        end))
      end)()
      return a < b
    end)
    return result
  end, "12" },
  { "fifty nested gsubs", function(block)
    local function nest(n)
      if n == 0 then block(); return "bottom" end
      return (("x"):gsub("x", function() return nest(n - 1) end))
    end
    return nest(50)
  end, "bottom" },
  { "a debug hook", function(block)
    local hooked = false
    local function hook()
      debug.sethook()
      block()
      hooked = true
    end
    local tidy <close> = helper.closer(function() debug.sethook() end)
    debug.sethook(hook, "", 1)
    local x = 0
    for i = 1, 100 do x = x + i end
    return hooked and "hooked" or "not hooked"
  end, "hooked" },
}

describe("waiting inside", function()
  helper.check_leaks()

  -- Somebody who runs whenever the one that waits lets it.
  local function competitor()
    local c = { turns = 0 }
    c.greenlet = greenlet.spawn(function()
      while not c.stop do
        c.turns = c.turns + 1
        greenlet.sleep(0)
      end
    end)
    function c:finish()
      self.stop = true
      self.greenlet:join()
    end
    return c
  end

  for _, place in ipairs(PLACES) do
    local name, run, wanted = place[1], place[2], place[3]

    describe(name, function()
      it("lets others run, in the main greenlet", function()
        local rival = competitor()
        local turns
        local got = run(function()
          local before = rival.turns
          greenlet.sleep(TICK)
          turns = math.min(turns or NEVER, rival.turns - before)
        end)
        rival:finish()
        assert.equal(wanted, got)
        assert.is_true(turns > 0)
      end)

      it("lets others run, in a spawned greenlet", function()
        local rival = competitor()
        local turns
        local g = greenlet.spawn(run, function()
          local before = rival.turns
          greenlet.sleep(TICK)
          turns = math.min(turns or NEVER, rival.turns - before)
        end)
        local got = g:get()
        rival:finish()
        assert.equal(wanted, got)
        assert.is_true(turns > 0)
      end)

      it("lets many do it at once", function()
        local all = {}
        for i = 1, 100 do all[i] = greenlet.spawn(run, function() greenlet.sleep(0) end) end
        greenlet.joinall(all, nil, true)
        for i = 1, 100 do assert.equal(wanted, all[i].value) end
      end)

      it("can be killed, which closes to-be-closed variables", function()
        local log = {}
        local waiting, after = false, false
        local g = greenlet.spawn(function()
          local outer <close> = helper.closer(function(err) log[#log + 1] = { "outer", err } end)
          run(function()
            local inner <close> = helper.closer(function(err) log[#log + 1] = { "inner", err } end)
            waiting = true
            greenlet.sleep(NEVER)
            after = true
          end)
          after = true
        end)
        helper.wait_until(function() return waiting end)
        g:kill()
        assert.is_true(g.dead)
        helper.is_a(greenlet.GreenletExit, g.value)
        assert.is_false(after)
        assert.equal(2, #log)
        assert.equal("inner", log[1][1])
        assert.equal("outer", log[2][1])
        assert.is_true(rawequal(g.value, log[1][2]))
        assert.is_true(rawequal(g.value, log[2][2]))
      end)

      it("can time out, in the main greenlet", function()
        local closed
        local t = greenlet.Timeout.start_new(TICK)
        local caught = helper.raises(run, function()
          local inner <close> = helper.closer(function(err) closed = err end)
          greenlet.sleep(NEVER)
        end)
        t:close()
        assert.is_true(rawequal(t, caught))
        assert.is_true(rawequal(t, closed))
      end)
    end)
  end
end)

describe("a greenlet killed inside a debug hook", function()
  helper.check_leaks()

  it("leaves hooks working in those that come after it", function()
    local function hooked_after(action)
      local hooked = false
      debug.sethook(function() debug.sethook(); action(); hooked = true end, "", 1)
      local x = 0
      for i = 1, 100 do x = x + i end
      return hooked
    end
    local all = {}
    for i = 1, 10 do all[i] = greenlet.spawn(hooked_after, function() greenlet.sleep(NEVER) end) end
    greenlet.sleep(0)
    greenlet.killall(all)
    for i = 1, 20 do all[i] = greenlet.spawn(hooked_after, function() end) end
    for i = 1, 20 do assert.is_true(all[i]:get()) end
  end)
end)

describe("waiting inside __gc", function()
  helper.check_leaks()

  it("raises a clear error, which harms nobody", function()
    local result, current
    local rival = greenlet.spawn(function() greenlet.sleep(TICK); return "rival" end)
    local g = greenlet.spawn(function()
      current = greenlet.getcurrent()
      setmetatable({}, { __gc = function() result = table.pack(greenlet.pcall(greenlet.sleep, TICK)) end })
      collectgarbage()
      collectgarbage()
      return "went on"
    end)
    assert.equal("went on", g:get())
    assert.equal("rival", rival:get())
    assert.is_false(result[1])
    assert.matches("__gc", tostring(result[2]))
    assert.is_not_nil(current)
  end)

  it("raises the error for each kind of wait", function()
    local other = greenlet.spawn(greenlet.sleep, NEVER)
    greenlet.sleep(0)
    local waits = {
      function() greenlet.sleep(0) end,
      function() other:join() end,
      function() other:get() end,
      function() greenlet.idle() end,
      function() greenlet.joinall { other } end,
      function() greenlet.wait { other } end,
      function() other:kill() end,
    }
    for i, wait in ipairs(waits) do
      local result
      do
        setmetatable({}, { __gc = function() result = table.pack(greenlet.pcall(wait)) end })
      end
      collectgarbage()
      collectgarbage()
      assert.is_false(result[1], "wait " .. i)
      assert.matches("__gc", tostring(result[2]))
    end
    other:kill()
  end)

  it("does not keep one from spawning there", function()
    local ran = false
    do
      setmetatable({}, { __gc = function() greenlet.spawn(function() ran = true end) end })
    end
    collectgarbage()
    collectgarbage()
    helper.wait_until(function() return ran end)
  end)
end)
