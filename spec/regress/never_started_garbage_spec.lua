-- Never started greenlets that are garbage, while core still refers to them.
--
-- Cause: one that never started was freed as soon as the collector found it, though another that
-- is garbage in the same cycle joined it or had it as its parent: both then used freed memory. So
-- did the end of the state, which freed greenlets in any order.
-- Fix: the collector comes back to one that is referred to in the next cycle (referred() in
-- garbage.c); greenlets of a closed state leave each other's lists first (greenlet_abandon).
local helper = require "spec.helper"

local stock = os.getenv("LUA") or "lua5.4"
local directory = helper.program():match("^(.*)/[^/]*$") or "build"

-- Freed memory is overwritten, so that its use shows.
local function ends(script, options)
  options = options or {}
  options.env = options.env or {}
  options.env.MALLOC_PERTURB_ = "170"
  local out, err, status = helper.run('local greenlet = require "greenlet"\n' .. script, options)
  assert.equal("", err)
  assert.equal("end\n", out)
  assert.equal(0, status)
end

describe("the collector finds a greenlet that never started", function()
  it("and is the parent of one that is suspended, and has a parent itself", function()
    ends [[
      local main = greenlet.getcurrent()
      for _ = 1, 10 do
        local first = greenlet.greenlet(print)
        local second = greenlet.greenlet(print, first)
        local child = greenlet.greenlet(function() main:switch() end, second)
        child:switch()
        first, second, child = nil
        collectgarbage()
        collectgarbage()
        greenlet.sleep(0)
      end
      print "end"
    ]]
  end)

  it("and is joined by one that has been found waiting before", function()
    ends [[
      local function cycles()
        for _ = 1, 3 do collectgarbage() greenlet.sleep(0) end
      end
      for _ = 1, 3 do
        local sleeper = greenlet.spawn(greenlet.sleep, 0.003)
        greenlet.spawn(function()
          sleeper:join()
          greenlet.Greenlet(print):join()
        end)
        greenlet.sleep(0)
        cycles()
        sleeper:join()
        greenlet.sleep(0)
        cycles()
        cycles()
      end
      print "end"
    ]]
  end)

  it("when the state of a stock Lua is closed, joined by others #stock", function()
    ends([[
      for _ = 1, 100 do
        greenlet.spawn(greenlet.sleep, 60)
        greenlet.spawn(function() greenlet.Greenlet(print):join() end)
        greenlet.spawn(table.sort, { 1, 2 }, function() greenlet.sleep(60) end)
        greenlet.spawn(coroutine.wrap(greenlet.sleep), 60)
      end
      greenlet.greenlet(function() greenlet.getcurrent().parent:switch() end):switch()
      greenlet.Timeout.start_new(60)
      greenlet.get_hub().loop:timer(60):start(print)
      greenlet.sleep(0.01)
      print "end"
    ]], {
      program = stock,
      env = { LUA_CPATH = directory .. "/?.so;;", LUA_INIT = "", LUA_INIT_5_4 = "" },
    })
  end)

  -- A child keeps its parent, and was a leak of both once its parent was replaced.
  it("and was made the parent of one that is suspended", function()
    ends [[
      local main = greenlet.getcurrent()
      local made = setmetatable({}, { __mode = "k" })
      for _ = 1, 20 do
        local child = greenlet.greenlet(function() main:switch() end)
        child:switch()
        child.parent = greenlet.greenlet(print)
        made[child], made[child.parent] = true, true
      end
      for _ = 1, 10 do collectgarbage() greenlet.sleep(0) end
      print(next(made) and "a leak" or "end")
    ]]
  end)
end)
