-- The end of the program: what it waits for, and what it returns.
--
-- Causes: a greenlet that was ended by error(nil) was taken for one that a kill had ended, as no
-- killer was noted either; classes that a script adds to hub.NOT_ERROR were not printed, but
-- counted; and a greenlet that catches each kill and waits again was waited for.
-- Fixes: a killer must have been noted (outcome.c); the hub's own list is asked (hub.lua); those
-- that resist get another kill, and after a hundred are left alone (core.finish in hub.lua).
local helper = require "spec.helper"

local function returns(expected, script)
  local out, err, status = helper.run(script)
  assert.equal(expected, status, out .. err)
  return out, err
end

describe("the exit status", function()
  for _, value in ipairs { "nil", "false", "'text'", "greenlet.Exception('x')" } do
    it("is 1 after a greenlet ended by error(" .. value .. ")", function()
      local _, err = returns(1, "greenlet.spawn(function() error(" .. value .. ") end)")
      assert.truthy(err:find("failed with", 1, true), err)
    end)
  end

  it("is 0 after an error of a class in hub.NOT_ERROR", function()
    local out, err = returns(0, [[
      local Quiet = greenlet.Exception:extend("Quiet")
      greenlet.get_hub().NOT_ERROR = { greenlet.GreenletExit, Quiet }
      local g = greenlet.spawn(function() error(Quiet()) end)
      greenlet.get_hub().loop:run_callback(function() error(Quiet()) end)
      g:join()
      print(Quiet:class_of(g.exception) ~= nil)
    ]])
    assert.equal("", err)
    assert.equal("true\n", out)
  end)

  it("is 1 after an error of another class", function()
    returns(1, [[
      local Loud = greenlet.Exception:extend("Loud")
      greenlet.get_hub().NOT_ERROR = { greenlet.GreenletExit }
      greenlet.spawn(function() error(Loud()) end)
    ]])
  end)
end)

describe("the end of a program that failed", function()
  it("does not wait for a greenlet that resists", function()
    local out, err = returns(1, [[
      local kills = 0
      greenlet.spawn(function()
        while true do
          greenlet.pcall(greenlet.sleep, 1000)
          kills = kills + 1
          if kills == 1 then print "caught" end
        end
      end)
      greenlet.sleep(0)
      error("at the end", 0)
    ]])
    assert.equal("caught\n", out)
    assert.truthy(err:find("at the end", 1, true), err)
  end)

  it("waits for those that wait while they close their variables", function()
    local out = returns(1, [[
      greenlet.spawn(function()
        local variable <close> = setmetatable({}, { __close = function()
          greenlet.sleep(0.01)
          print "closed"
        end })
        greenlet.sleep(1000)
      end)
      greenlet.sleep(0)
      error("at the end", 0)
    ]])
    assert.equal("closed\n", out)
  end)
end)
