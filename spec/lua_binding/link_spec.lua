local helper = require "spec.helper"
local greenlet = require "greenlet"
local it = helper.it

local Greenlet = greenlet.Greenlet
local TICK, NEVER = helper.TICK, helper.NEVER

-- A greenlet that succeeds, one that fails: both not started.
local function success() return Greenlet(function() return "value" end) end
local function failure() return Greenlet(error, "failed on purpose", 0) end

-- Run g to its end, with its links, in silence.
local function finish(g)
  return (helper.capture(function()
    g:start()
    g:join()
    helper.settle()
  end))
end

describe("greenlet.Greenlet", function()
  helper.check_leaks()

  describe("link", function()
    it("calls once, with the greenlet, when it is dead", function()
      local calls = {}
      local g = success()
      g:link(function(...) calls[#calls + 1] = { n = select("#", ...), ..., dead = g.dead } end)
      assert.same({}, calls)
      finish(g)
      assert.equal(1, #calls)
      assert.equal(1, calls[1].n)
      assert.is_true(rawequal(g, calls[1][1]))
      assert.is_true(calls[1].dead)
      g:kill()
      helper.settle()
      assert.equal(1, #calls)
    end)

    it("calls after failure and after a kill too", function()
      for _, finished in ipairs { failure(), success() } do
        local called = 0
        finished:link(function() called = called + 1 end)
        finish(finished)
        assert.equal(1, called)
      end
      local called = 0
      local g = greenlet.spawn(greenlet.sleep, NEVER)
      g:link(function() called = called + 1 end)
      greenlet.sleep(0)
      g:kill()
      helper.settle()
      assert.equal(1, called)
    end)

    it("calls when the greenlet was killed before it ran", function()
      local called = 0
      local spawned, unstarted = greenlet.spawn(print), Greenlet(print)
      spawned:link(function() called = called + 1 end)
      unstarted:rawlink(function() called = called + 1 end)
      spawned:kill()
      unstarted:kill()
      helper.settle()
      assert.equal(2, called)
    end)

    it("calls in a raw greenlet of its own, which may block", function()
      local log = {}
      local main = greenlet.getcurrent()
      local g = success()
      local currents = {}
      for i = 1, 2 do
        g:link(function()
          currents[i] = greenlet.getcurrent()
          greenlet.sleep(TICK)
          log[#log + 1] = i
        end)
      end
      finish(g)
      helper.wait_until(function() return #log == 2 end, "the links")
      assert.same({ 1, 2 }, log)
      assert.not_equal(currents[1], currents[2])
      for _, current in ipairs(currents) do
        assert.not_equal(main, current)
        assert.not_equal(greenlet.get_hub(), current)
        assert.not_equal(g, current)
        assert.is_false(Greenlet:class_of(current))
      end
    end)

    it("calls soon after the call, not inside it, on a dead one", function()
      local g = success()
      finish(g)
      local calls = {}
      g:link(function(x) calls[#calls + 1] = { "link", x } end)
      g:rawlink(function(x) calls[#calls + 1] = { "rawlink", x } end)
      g:link_value(function(x) calls[#calls + 1] = { "link_value", x } end)
      g:link_exception(function(x) calls[#calls + 1] = { "link_exception", x } end)
      assert.equal(0, #calls)
      helper.settle()
      assert.equal(3, #calls)
      for i, name in ipairs { "link", "rawlink", "link_value" } do
        assert.equal(name, calls[i][1])
        assert.is_true(rawequal(g, calls[i][2]))
      end
    end)

    it("takes callable objects", function()
      local seen
      local g = success()
      local f = helper.callable(function(x) seen = x end)
      g:link(f)
      assert.equal(1, g:has_links())
      finish(g)
      assert.is_true(rawequal(g, seen))
    end)

    it("calls the same function as often as it was linked", function()
      local called = 0
      local function f() called = called + 1 end
      local g = success()
      g:link(f)
      g:link(f)
      g:rawlink(f)
      assert.equal(3, g:has_links())
      finish(g)
      assert.equal(3, called)
    end)

    it("returns nothing", function()
      local g = success()
      assert.equal(0, select("#", g:link(print)))
      assert.equal(0, select("#", g:rawlink(print)))
      assert.equal(0, select("#", g:link_value(print)))
      assert.equal(0, select("#", g:link_exception(print)))
      g:unlink_all()
    end)
  end)

  describe("rawlink", function()
    it("calls in the hub", function()
      local current
      local g = success()
      g:rawlink(function() current = greenlet.getcurrent() end)
      finish(g)
      assert.equal(greenlet.get_hub(), current)
    end)

    it("must not block, and the attempt is an error that stops nothing", function()
      local err, after
      local g = success()
      g:rawlink(function() greenlet.sleep(TICK) end)
      g:rawlink(function() err = select(2, pcall(greenlet.sleep, 0)) end)
      g:rawlink(function() after = true end)
      local report = finish(g)
      helper.is_a(greenlet.InvalidSwitchError, err)
      assert.is_true(after)
      assert.matches("InvalidSwitchError", report)
    end)
  end)

  describe("the order of links", function()
    it("is that in which they were added, whatever their kind", function()
      local log = {}
      local function note(name) return function() log[#log + 1] = name end end
      local g = success()
      g:link(note "1 link")
      g:rawlink(note "2 rawlink")
      g:link_value(note "3 link_value")
      g:rawlink(note "4 rawlink")
      g:link(note "5 link")
      finish(g)
      assert.same({ "1 link", "2 rawlink", "3 link_value", "4 rawlink", "5 link" }, log)
    end)

    it("has one who joined later woken after the links", function()
      local log = {}
      local g = greenlet.spawn(greenlet.sleep, TICK)
      g:link(function() log[#log + 1] = "link" end)
      g:rawlink(function() log[#log + 1] = "rawlink" end)
      g:join()
      log[#log + 1] = "joined"
      assert.same({ "link", "rawlink", "joined" }, log)
    end)

    it("has the report of an error come first", function()
      local log = {}
      local hub = greenlet.get_hub()
      local stream = hub.exception_stream
      local g = failure()
      g:link(function() log[#log + 1] = "link" end)
      g:rawlink(function() log[#log + 1] = "rawlink" end)
      hub.exception_stream = {
        write = function(self) if log[#log] ~= "report" then log[#log + 1] = "report" end; return self end,
      }
      g:start()
      g:join()
      helper.settle()
      hub.exception_stream = stream
      assert.same({ "report", "link", "rawlink" }, log)
    end)
  end)

  describe("link_value", function()
    it("calls only on success, to which GreenletExit belongs", function()
      local called = {}
      local good, bad, killed = success(), failure(), greenlet.spawn(greenlet.sleep, NEVER)
      good:link_value(function() called.good = true end)
      bad:link_value(function() called.bad = true end)
      killed:link_value(function() called.killed = true end)
      finish(good)
      finish(bad)
      killed:kill()
      helper.settle()
      assert.same({ good = true, killed = true }, called)
    end)
  end)

  describe("link_exception", function()
    it("calls only on an error", function()
      local called = {}
      local good, bad, killed = success(), failure(), greenlet.spawn(greenlet.sleep, NEVER)
      good:link_exception(function() called.good = true end)
      bad:link_exception(function(g) called.bad = g.exception end)
      killed:link_exception(function() called.killed = true end)
      finish(good)
      finish(bad)
      killed:kill()
      helper.settle()
      assert.same({ bad = "failed on purpose" }, called)
    end)

    it("calls after error(nil)", function()
      local called = false
      local g = Greenlet(error, nil)
      g:link_exception(function() called = true end)
      finish(g)
      assert.is_true(called)
    end)

    it("calls when it was killed with an error", function()
      local called = false
      local g = greenlet.spawn(greenlet.sleep, NEVER)
      g:link_exception(function() called = true end)
      helper.capture(function()
        greenlet.sleep(0)
        g:kill("an error")
        helper.settle()
      end)
      assert.is_true(called)
    end)
  end)

  describe("unlink", function()
    for _, kind in ipairs { "link", "link_value", "rawlink" } do
      it("takes back a " .. kind, function()
        local called = false
        local function f() called = true end
        local g = success()
        g[kind](g, f)
        assert.equal(1, g:has_links())
        assert.equal(0, select("#", g:unlink(f)))
        assert.equal(0, g:has_links())
        finish(g)
        assert.is_false(called)
      end)
    end

    it("takes back a link_exception", function()
      local called = false
      local function f() called = true end
      local g = failure()
      g:link_exception(f)
      g:unlink(f)
      finish(g)
      assert.is_false(called)
    end)

    it("removes one of two equal links", function()
      local called = 0
      local function f() called = called + 1 end
      local g = success()
      g:link(f)
      g:link(f)
      g:unlink(f)
      assert.equal(1, g:has_links())
      finish(g)
      assert.equal(1, called)
    end)

    it("is silent for an unknown function and on a dead greenlet", function()
      local g = success()
      g:unlink(print)
      finish(g)
      g:unlink(print)
    end)

    it("takes back a callable object", function()
      local called = false
      local f = helper.callable(function() called = true end)
      local g = success()
      g:link(f)
      g:unlink(f)
      finish(g)
      assert.is_false(called)
    end)

    it("works on a dead one as long as the link was not called", function()
      local called = 0
      local function f() called = called + 1 end
      local g = success()
      finish(g)
      for _, kind in ipairs { "link", "rawlink", "link_value" } do
        g[kind](g, f)
        g:unlink(f)
      end
      helper.settle()
      assert.equal(0, called)
    end)

    for _, kind in ipairs { "link", "rawlink" } do
      it("takes back a later " .. kind .. " while links are being notified", function()
        local log = {}
        local g = success()
        local function third() log[#log + 1] = "third" end
        g[kind](g, function() log[#log + 1] = "first"; g:unlink(third) end)
        g[kind](g, function() log[#log + 1] = "second" end)
        g[kind](g, third)
        g[kind](g, function() log[#log + 1] = "fourth" end)
        finish(g)
        assert.same({ "first", "second", "fourth" }, log)
      end)
    end

    it("takes back a link when a rawlink before it says so, and the reverse", function()
      local log = {}
      local g = success()
      local function link() log[#log + 1] = "link" end
      g:rawlink(function() g:unlink(link) end)
      g:link(link)
      finish(g)
      assert.same({}, log)
      g = success()
      g:link(function() g:unlink(link) end)
      g:rawlink(link)
      finish(g)
      assert.same({}, log)
    end)

    it("may take back the link that is running", function()
      local called = 0
      local g = success()
      local function f() called = called + 1; g:unlink(f) end
      g:rawlink(f)
      finish(g)
      assert.equal(1, called)
    end)
  end)

  describe("unlink_all", function()
    it("takes back everything", function()
      local called = false
      local function f() called = true end
      local g = success()
      g:link(f)
      g:rawlink(f)
      g:link_value(f)
      assert.equal(0, select("#", g:unlink_all()))
      assert.equal(0, g:has_links())
      finish(g)
      assert.is_false(called)
    end)

    it("takes back those not yet called during notification", function()
      local log = {}
      local g = success()
      g:rawlink(function() log[#log + 1] = "first"; g:unlink_all() end)
      g:rawlink(function() log[#log + 1] = "second" end)
      g:link(function() log[#log + 1] = "third" end)
      finish(g)
      assert.same({ "first" }, log)
    end)
  end)

  describe("has_links", function()
    it("counts", function()
      local g = success()
      assert.equal(0, g:has_links())
      g:link(print)
      g:rawlink(print)
      assert.equal(2, g:has_links())
      g:unlink(print)
      assert.equal(1, g:has_links())
      g:unlink_all()
      assert.equal(0, g:has_links())
    end)

    it("is 0 once the links were called", function()
      local g = success()
      g:link(function() end)
      g:rawlink(function() end)
      finish(g)
      assert.equal(0, g:has_links())
    end)
  end)

  describe("an error in a link", function()
    it("is reported and does not stop the others", function()
      local log = {}
      local g = success()
      g:link(function() log[#log + 1] = 1; error("link failed") end)
      g:rawlink(function() log[#log + 1] = 2; error("rawlink failed") end)
      g:link(function() log[#log + 1] = 3 end)
      g:rawlink(function() log[#log + 1] = 4 end)
      local report = finish(g)
      assert.same({ 1, 2, 3, 4 }, log)
      assert.matches("link_spec%.lua:%d+: link failed", report)
      assert.matches("link_spec%.lua:%d+: rawlink failed", report)
    end)

    it("leaves the greenlet's outcome alone", function()
      local g = success()
      g:link(error)
      finish(g)
      assert.equal("value", g.value)
      assert.is_true(g:successful())
    end)
  end)

  describe("a link added by a link", function()
    for _, kind in ipairs { "link", "rawlink" } do
      it("is called in the same round (" .. kind .. ")", function()
        local log = {}
        local g = success()
        g[kind](g, function()
          log[#log + 1] = "first"
          g[kind](g, function() log[#log + 1] = "added" end)
        end)
        g[kind](g, function() log[#log + 1] = "second" end)
        finish(g)
        assert.same({ "first", "second", "added" }, log)
      end)
    end
  end)
end)
