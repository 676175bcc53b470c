-- What was still known of a greenlet that had ended, or rested, when it was freed.
--
-- Causes: a greenlet whose thread is of no more use (it left a debug hook behind) is freed as it
-- ends, and others may be; but settrace's function was told of it as the origin of the next
-- switch, an interrupt set its hook in the thread that had run last, and a traceback began at the
-- coroutine where the greenlet had called last, which it might have left since.
-- Fixes: a freed origin is forgotten (pair.c) and described as the ended one (raw.c); the hub's
-- thread is the current one while it polls and calls links (garbage.c, greenlet.c); only one that
-- is parked is asked for its innermost thread (l_innermost in runtime.h).
local helper = require "spec.helper"

local function run(script)
  return helper.run(script, { env = { MALLOC_PERTURB_ = "170" } })
end

-- Start a greenlet that is freed as it ends.
local SPOIL = [[
  greenlet.get_hub().exception_stream = false
  local function spoil()
    return greenlet.spawn(function()
      debug.sethook(function() error("left behind") end, "l")
      local line = 1
      line = 2
    end)
  end
]]

describe("a greenlet that is freed as it ends", function()
  it("is an origin for settrace", function()
    local out, err, status = run(SPOIL .. [[
      local switches = 0
      greenlet.settrace(function(_, origin, target)
        switches = switches + 1
        assert(origin ~= nil and target ~= nil)
        tostring(origin)
      end)
      for _ = 1, 20 do
        spoil()
        greenlet.sleep(0)
        collectgarbage()
      end
      greenlet.settrace()
      print(switches > 40)
    ]])
    assert.equal("", err)
    assert.equal("true\n", out)
    assert.equal(1, status) -- as its greenlets failed
  end)

  it("may be the last that ran before an interrupt", function()
    local out, err, status = run(SPOIL .. [[
      local pid = io.open("/proc/self/stat"):read("n")
      greenlet.sleep(0)
      spoil():rawlink(function()
        collectgarbage()
        collectgarbage()
      end)
      os.execute("(sleep 0.05; kill -INT " .. pid .. ") &")
      local ok, err = greenlet.pcall(greenlet.sleep, 5)
      print(ok, greenlet.KeyboardInterrupt:class_of(err) ~= nil)
    ]])
    assert.equal("", err)
    assert.equal("false\ttrue\n", out)
    assert.equal(0, status) -- the rawlinks took the errors
  end)
end)

describe("a traceback", function()
  it("of a greenlet that was never started says so", function()
    local out, err, status = run [[
      print(greenlet.traceback(greenlet.Greenlet(print)))
      local joined = greenlet.Greenlet(print)
      joined:join(0)
      print(greenlet.traceback(greenlet.greenlet(print)))
      joined:kill()
      print(greenlet.traceback(joined))
    ]]
    assert.equal("", err)
    assert.equal("stack traceback:\n\t(not started)\nstack traceback:\n\t(not started)\n" ..
      "stack traceback:\n\t(dead)\n", out)
    assert.equal(0, status)
  end)

  it("of a greenlet does not look at coroutines that it has left", function()
    local out, err, status = run [[
      local g = greenlet.spawn(function()
        coroutine.wrap(function() greenlet.sleep(0) end)()
        collectgarbage()
        collectgarbage()
        print((greenlet.traceback(greenlet.getcurrent()):gsub("\n.*", "")))
      end)
      g:rawlink(function(g)
        collectgarbage()
        collectgarbage()
        print((greenlet.traceback(g):gsub("\n.*", "")))
        print((greenlet.traceback(greenlet.get_hub()):gsub("\n.*", "")))
      end)
      greenlet.sleep(0.002)
    ]]
    assert.equal("", err)
    assert.equal(("stack traceback:\n"):rep(3), out)
    assert.equal(0, status)
  end)
end)
