local helper = require "spec.helper"
local greenlet = require "greenlet"
local it = helper.it

local TICK, NEVER = helper.TICK, helper.NEVER
local hub = greenlet.get_hub()

-- Wait for what nobody brings about.
local function block_for_ever() greenlet.Greenlet(print):join() end

-- Run f in the hub; return what it returns.
local function in_hub(f)
  local result
  hub.loop:run_callback(function() result = table.pack(f()) end)
  helper.wait_until(function() return result end)
  return table.unpack(result, 1, result.n)
end

describe("greenlet.get_hub", function()
  helper.check_leaks()

  it("is always the same greenlet, a child of the main greenlet", function()
    assert.equal(hub, greenlet.get_hub())
    assert.equal(hub, greenlet.spawn(greenlet.get_hub):get())
    assert.equal(greenlet.getcurrent(), hub.parent)
    assert.is_false(hub.dead)
  end)

  it("has a loop, a name, a number and a tostring", function()
    assert.is_not_nil(hub.loop)
    assert.equal("string", type(hub.name))
    assert.equal("integer", math.type(hub.minimal_ident))
    assert.matches("[Hh]ub", tostring(hub))
  end)
end)

describe("the report of an error", function()
  helper.check_leaks()

  it("has the message, the traceback and a line that names the greenlet", function()
    local g
    local report = helper.capture(function()
      g = greenlet.spawn(function() error("what happened") end)
      g.name = "worker"
      g:join()
      helper.settle()
    end)
    assert.matches("hub_spec%.lua:%d+: what happened", report)
    assert.matches("stack traceback:", report)
    local stamp, who, what = report:match("\n(%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ) (<.->>) failed with ([^\n]*)")
    assert.is_not_nil(stamp, report)
    assert.equal(tostring(g), who)
    assert.equal("error", what)
  end)

  it("names the class of an error object", function()
    local Mine = helper.exception("Mine")
    local report = helper.capture(function()
      greenlet.spawn(error, Mine("text")):join()
      helper.settle()
    end)
    assert.matches("Mine: text", report)
    assert.matches("failed with Mine", report)
  end)

  it("is made for an unhandled Timeout", function()
    local report = helper.capture(function()
      greenlet.spawn(error, greenlet.Timeout(1)):join()
      helper.settle()
    end)
    assert.matches("failed with Timeout", report)
  end)

  it("is not made for GreenletExit", function()
    local report = helper.capture(function()
      greenlet.spawn(error, greenlet.GreenletExit("x")):join()
      helper.settle()
    end)
    assert.equal("", report)
  end)

  it("survives an error object whose tostring fails", function()
    local Bad = setmetatable({}, { __tostring = function() error("in tostring") end })
    local report = helper.capture(function()
      local g = greenlet.spawn(error, Bad)
      g:join()
      helper.settle()
      assert.is_true(rawequal(Bad, g.exception))
    end)
    assert.matches("failed with", report)
  end)

  it("leaves the others running", function()
    local done = false
    helper.capture(function()
      greenlet.spawn(error, "x")
      local g = greenlet.spawn(function() greenlet.sleep(TICK); done = true end)
      g:join()
    end)
    assert.is_true(done)
  end)
end)

describe("hub.exception_stream", function()
  helper.check_leaks()

  it("is io.stderr at first", function()
    assert.equal("true\n", (helper.run("print(greenlet.get_hub().exception_stream == io.stderr)")))
    local _, err = helper.run("greenlet.spawn(error, 'to stderr'):join()")
    assert.matches("to stderr", err)
  end)

  it("silences when false", function()
    local out, err = helper.run([[
      greenlet.get_hub().exception_stream = false
      greenlet.spawn(error, "unseen"):join()
      print "done"
    ]])
    assert.equal("done\n", out)
    assert.equal("", err)
  end)

  it("may be a file", function()
    local file = assert(io.tmpfile())
    local before = hub.exception_stream
    hub.exception_stream = file
    greenlet.spawn(error, "into the file"):join()
    helper.settle()
    hub.exception_stream = before
    file:seek("set")
    assert.matches("into the file", file:read("a"))
    file:close()
  end)

  it("may fail without harm", function()
    local before = hub.exception_stream
    hub.exception_stream = { write = function() error("cannot write") end }
    local g = greenlet.spawn(error, "x")
    g:join()
    helper.settle()
    hub.exception_stream = before
    assert.is_true(g.dead)
    assert.equal("after", greenlet.spawn(function() return "after" end):get())
  end)
end)

describe("hub:handle_error", function()
  helper.check_leaks()

  local original
  before_each(function() original = hub.handle_error end)
  after_each(function() hub.handle_error = original end)

  it("is called with the hub, the greenlet, the error and the traceback", function()
    local calls = {}
    hub.handle_error = function(...) calls[#calls + 1] = table.pack(...) end
    local e = helper.exception()("x")
    local g = greenlet.spawn(error, e)
    local report = helper.capture(function()
      g:join()
      helper.settle()
    end)
    assert.equal("", report)
    assert.equal(1, #calls)
    assert.is_true(rawequal(hub, calls[1][1]))
    assert.is_true(rawequal(g, calls[1][2]))
    assert.is_true(rawequal(e, calls[1][3]))
    assert.matches("traceback", calls[1][4])
  end)

  it("is called with the callback or the watcher that failed", function()
    local contexts = {}
    hub.handle_error = function(_, context) contexts[#contexts + 1] = context end
    local callback = hub.loop:run_callback(error, "x")
    helper.settle()
    local watcher = hub.loop:timer(0)
    watcher:start(error, "y")
    helper.wait_until(function() return #contexts == 2 end)
    watcher:close()
    assert.is_true(rawequal(callback, contexts[1]))
    assert.is_true(rawequal(watcher, contexts[2]))
  end)

  it("may fail without harm", function()
    hub.handle_error = function() error("the handler failed") end
    local g
    helper.capture(function()
      g = greenlet.spawn(error, "x")
      g:join()
      helper.settle()
    end)
    assert.is_true(g.dead)
    assert.equal("after", greenlet.spawn(function() return "after" end):get())
  end)

  it("can be called", function()
    local report = helper.capture(function()
      hub:handle_error("a context", "an error", "a traceback")
    end)
    assert.matches("a context", report)
    assert.matches("an error", report)
    assert.matches("a traceback", report)
  end)

  it("prints nothing for the classes of NOT_ERROR", function()
    local report = helper.capture(function()
      hub:handle_error("a context", greenlet.GreenletExit(), "")
    end)
    assert.equal("", report)
  end)
end)

describe("hub:print_exception", function()
  helper.check_leaks()

  local original
  before_each(function() original = hub.print_exception end)
  after_each(function() hub.print_exception = original end)

  it("prints the context, the error and the traceback", function()
    local report = helper.capture(function()
      hub:print_exception("a context", helper.exception("Mine")("text"), "a traceback")
    end)
    assert.matches("Mine: text", report)
    assert.matches("a traceback", report)
    assert.matches("a context failed with Mine", report)
  end)

  it("may be replaced by assignment", function()
    local calls = {}
    hub.print_exception = function(...) calls[#calls + 1] = table.pack(...) end
    local g = greenlet.spawn(error, "x", 0)
    local report = helper.capture(function()
      g:join()
      helper.settle()
    end)
    assert.equal("", report)
    assert.equal(1, #calls)
    assert.is_true(rawequal(hub, calls[1][1]))
    assert.is_true(rawequal(g, calls[1][2]))
    assert.equal("x", calls[1][3])
  end)
end)

describe("hub.NOT_ERROR and hub.SYSTEM_ERROR", function()
  helper.check_leaks()

  local function contains(list, class)
    for _, entry in ipairs(list) do if rawequal(entry, class) then return true end end
    return false
  end

  it("list GreenletExit and KeyboardInterrupt", function()
    assert.is_true(contains(hub.NOT_ERROR, greenlet.GreenletExit))
    assert.is_true(contains(hub.SYSTEM_ERROR, greenlet.KeyboardInterrupt))
  end)

  it("have errors of added classes not printed", function()
    local Quiet = helper.exception("Quiet")
    local list = { Quiet }
    table.move(hub.NOT_ERROR, 1, #hub.NOT_ERROR, 2, list)
    local before = hub.NOT_ERROR
    hub.NOT_ERROR = list
    local report = helper.capture(function()
      local g = greenlet.spawn(error, Quiet("x"))
      g:join()
      helper.settle()
      helper.is_a(Quiet, g.exception)
    end)
    hub.NOT_ERROR = before
    assert.equal("", report)
  end)

  it("have a KeyboardInterrupt of a greenlet raised in the main greenlet", function()
    local e = greenlet.KeyboardInterrupt("x")
    helper.capture(function()
      greenlet.spawn(error, e)
      assert.is_true(rawequal(e, helper.raises(greenlet.sleep, NEVER)))
    end)
  end)

  it("have a KeyboardInterrupt of a callback raised in the main greenlet", function()
    local e = greenlet.KeyboardInterrupt("x")
    helper.capture(function()
      hub.loop:run_callback(error, e)
      assert.is_true(rawequal(e, helper.raises(greenlet.sleep, NEVER)))
    end)
  end)
end)

describe("hub:join", function()
  helper.check_leaks()

  it("returns true when nothing is left, as often as one likes", function()
    local done = false
    greenlet.spawn(function() greenlet.sleep(TICK); done = true end)
    assert.is_true(hub:join())
    assert.is_true(done)
    assert.is_true(hub:join())
    assert.is_true(hub:join(TICK))
    assert.is_false(hub.dead)
  end)

  it("returns false when the timeout expires", function()
    local g = greenlet.spawn(greenlet.sleep, NEVER)
    assert.is_false(hub:join(TICK))
    assert.is_true(g.active)
    g:kill()
  end)

  it("does not wait for what has ref=false", function()
    local watcher = hub.loop:timer(NEVER, 0, false)
    watcher:start(print)
    assert.is_true(hub:join())
    watcher:close()
  end)

  it("is for the main greenlet only", function()
    local ok = greenlet.spawn(function() return (pcall(hub.join, hub)) end):get()
    assert.is_false(ok)
  end)
end)

describe("hub:wait", function()
  helper.check_leaks()

  it("starts the watcher, waits until it fires and stops it", function()
    local watcher = hub.loop:timer(TICK)
    local other = false
    greenlet.spawn(function() other = true end)
    hub:wait(watcher)
    assert.is_true(other)
    assert.is_false(watcher.active)
    watcher:close()
  end)

  it("can be killed, which stops the watcher", function()
    local watcher = hub.loop:timer(NEVER)
    local g = greenlet.spawn(hub.wait, hub, watcher)
    greenlet.sleep(0)
    assert.is_true(watcher.active)
    g:kill()
    assert.is_false(watcher.active)
    watcher:close()
  end)

  it("raises ConcurrentObjectUseError in a second greenlet", function()
    local near, far = helper.socket_pair()
    local watcher = hub.loop:io(near:getfd(), "r")
    local first = greenlet.spawn(function() hub:wait(watcher); return "read" end)
    greenlet.sleep(0)
    local second = greenlet.spawn(function() return select(2, pcall(hub.wait, hub, watcher)) end)
    helper.is_a(greenlet.ConcurrentObjectUseError, second:get())
    assert.is_true(first.active)
    far:send("x")
    assert.equal("read", first:get())
    watcher:close()
    near:close()
    far:close()
  end)
end)

describe("hub:cancel_wait", function()
  helper.check_leaks()

  it("raises the error in the waiting greenlet, from the loop", function()
    local near, far = helper.socket_pair()
    local watcher = hub.loop:io(near:getfd(), "r")
    local e = helper.exception()("closed")
    local caught
    local g = greenlet.spawn(function() caught = select(2, pcall(hub.wait, hub, watcher)) end)
    greenlet.sleep(0)
    hub:cancel_wait(watcher, e)
    assert.is_nil(caught)
    g:join()
    assert.is_true(rawequal(e, caught))
    assert.is_false(watcher.active)
    watcher:close()
    near:close()
    far:close()
  end)

  it("does nothing when nobody waits", function()
    local watcher = hub.loop:timer(NEVER)
    hub:cancel_wait(watcher, "x")
    helper.settle()
    watcher:close()
  end)
end)

describe("InvalidSwitchError", function()
  helper.check_leaks()

  it("is raised at once by waiting in the hub", function()
    local waits = {
      { "sleep", function() greenlet.sleep(TICK) end },
      { "sleep(0)", function() greenlet.sleep(0) end },
      { "idle", function() greenlet.idle() end },
      { "join", function(g) g:join() end },
      { "get", function(g) g:get() end },
      { "joinall", function(g) greenlet.joinall { g } end },
      { "wait", function(g) greenlet.wait { g } end },
      { "iwait", function(g) for _ in greenlet.iwait { g } do return end end },
      { "kill", function(g) g:kill() end },
      { "killall", function(g) greenlet.killall { g } end },
      { "hub:wait", function(_, watcher) hub:wait(watcher) end },
    }
    for _, entry in ipairs(waits) do
      local name, f = entry[1], entry[2]
      local g = greenlet.spawn(greenlet.sleep, NEVER)
      local watcher = hub.loop:timer(NEVER)
      greenlet.sleep(0)
      local ok, err = in_hub(function() return greenlet.pcall(f, g, watcher) end)
      assert.is_false(ok, name)
      assert.is_true(greenlet.InvalidSwitchError:class_of(err), name .. ": " .. tostring(err))
      watcher:close()
      g:kill()
    end
  end)

  it("is reported and stops nothing when a callback does not catch it", function()
    local after = false
    local report = helper.capture(function()
      hub.loop:run_callback(greenlet.sleep, TICK)
      hub.loop:run_callback(function() after = true end)
      helper.settle()
    end)
    assert.matches("InvalidSwitchError", report)
    assert.is_true(after)
  end)

  it("is raised in the wait of a greenlet that somebody switched into", function()
    local caught, survived
    local g = greenlet.spawn_raw(function()
      caught = select(2, pcall(greenlet.sleep, NEVER))
      greenlet.sleep(TICK)
      survived = true
    end)
    greenlet.sleep(0)
    hub.loop:run_callback(function() g:switch("a wrong value") end)
    helper.wait_until(function() return survived end)
    helper.is_a(greenlet.InvalidSwitchError, caught)
  end)
end)

describe("LoopExit", function()
  helper.check_leaks()

  it("is raised in the main greenlet when nothing can wake it, and the hub stays usable", function()
    for _ = 1, 3 do
      local err = helper.raises(block_for_ever)
      helper.is_a(greenlet.LoopExit, err)
      assert.matches("[Tt]his operation would block forever", err.message)
      greenlet.sleep(TICK)
      assert.equal("v", greenlet.spawn(function() return "v" end):get())
    end
  end)

  it("is an Exception, so that pcall stops it", function()
    local ok, err = pcall(block_for_ever)
    assert.is_false(ok)
    helper.is_a(greenlet.LoopExit, err)
  end)

  it("is not raised while a watcher can still fire", function()
    local g = greenlet.Greenlet(function() return "started late" end)
    local watcher = hub.loop:timer(TICK)
    watcher:start(function() g:start() end)
    assert.equal("started late", g:get())
    watcher:close()
  end)

  it("carries a report of every blocked greenlet, the main one too, and where it waits", function()
    local never = greenlet.Greenlet(print)
    never.name = "never started"
    local line
    local waiter = greenlet.spawn(function()
      line = debug.getinfo(1, "l").currentline + 1
      never:join()
    end)
    waiter.name = "the waiter"
    local main_line = debug.getinfo(1, "l").currentline + 1
    local err = helper.raises(function() waiter:join() end)
    helper.is_a(greenlet.LoopExit, err)
    assert.matches("hub_spec%.lua:" .. line, err.message)
    assert.matches("hub_spec%.lua:" .. main_line, err.message)
    assert.is_not_nil(err.message:find("join of the waiter", 1, true), err.message)
    assert.is_not_nil(err.message:find("join of never started", 1, true), err.message)
    waiter:kill()
    never:kill()
  end)
end)

describe("hub:destroy", function()
  helper.check_leaks()

  it("lets a later get_hub make another one", function()
    local out, err, status = helper.run([[
      greenlet.sleep(0.001)
      greenlet.get_hub():destroy()
      greenlet.get_hub()
      greenlet.sleep(0.001)
      print(greenlet.spawn(function() return "works" end):get())
    ]])
    assert.equal("", err)
    assert.equal("works\n", out)
    assert.equal(0, status)
  end)
end)
