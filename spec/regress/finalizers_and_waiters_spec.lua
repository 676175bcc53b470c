-- Finalizers that act upon greenlets which are parked, in the middle of the collector's work.
--
-- Cause: the handle of a greenlet that only its holders can wake was a weak value. Lua clears
-- those before it calls finalizers, one of which may kill or wake that very greenlet: it was not
-- found then, and not anchored again. And to make the weak table's entry allocates, so that a
-- finalizer could end the greenlet while it was being entered.
-- Fix: the handle is the key of a table with weak keys, which stay until after the finalizers; a
-- greenlet that has ended meanwhile is left alone (l_demote in garbage.c).
local helper = require "spec.helper"

local function ends(script)
  local out, err, status = helper.run(script, { env = { MALLOC_PERTURB_ = "170" } })
  assert.equal("", err)
  assert.equal("end\n", out)
  assert.equal(0, status)
end

describe("a finalizer", function()
  it("may kill a greenlet that is joined, during the join", function()
    ends [[
      collectgarbage("incremental", 1, 1000)
      for i = 1, 3000 do
        local g = greenlet.Greenlet(print)
        setmetatable({}, { __gc = function()
          if not g.dead then greenlet.kill(g) end
        end })
        g:join(0)
        if i % 3 == 0 then greenlet.spawn(function() return i end) end
        if i % 100 == 0 then greenlet.sleep(0) end
      end
      collectgarbage()
      collectgarbage()
      for _ = 1, 300 do greenlet.spawn(function() greenlet.sleep(0) return 1 end) end
      greenlet.sleep(0.002)
      print "end"
    ]]
  end)

  it("may kill a greenlet that waits for one that is garbage, too", function()
    ends [[
      local killed, closed = 0, 0
      collectgarbage("stop") -- until all of them wait
      for _ = 1, 50 do
        local g = greenlet.spawn(function()
          local variable <close> = setmetatable({}, {
            __close = function() closed = closed + 1 end,
          })
          greenlet.Greenlet(print):join()
        end)
        setmetatable({ g }, { __gc = function(self)
          killed = killed + 1
          greenlet.kill(self[1], greenlet.GreenletExit, false)
        end })
      end
      greenlet.sleep(0)
      collectgarbage("restart")
      for _ = 1, 10 do collectgarbage() greenlet.sleep(0) end
      assert(killed == 50 and closed == 50, ("%d killed, %d closed"):format(killed, closed))
      print "end"
    ]]
  end)
end)
