-- Wrong arguments raise Lua's usual message, at the call, before anything is scheduled.
local helper = require "spec.helper"
local greenlet = require "greenlet"
local it = helper.it

local Greenlet, Timeout = greenlet.Greenlet, greenlet.Timeout
local hub = greenlet.get_hub()
local loop = hub.loop
local NEVER = helper.NEVER

local function f() end

-- Objects to call methods of: made for each call, with no trace left behind.
local function new() return Greenlet(f) end
local function raw() return greenlet.greenlet(f) end
local function timer() return loop:timer(NEVER) end

-- An argument that is missing is "nil" or "no value".
local MISSING = "got n%w+%s?%w*"

-- Each entry: what is called, argument number, function name (nil: not pinned), a pattern for
-- the end of the message inside the parentheses (nil: not pinned), and the call.
local CALLS = {
  -- functions
  { "spawn()", 1, "spawn", nil, function() greenlet.spawn() end },
  { "spawn(nil)", 1, "spawn", nil, function() greenlet.spawn(nil) end },
  { "spawn(42)", 1, "spawn", "got number", function() greenlet.spawn(42) end },
  { "spawn('x')", 1, "spawn", "got string", function() greenlet.spawn("x") end },
  { "spawn({})", 1, "spawn", "got table", function() greenlet.spawn({}, 1, 2) end },
  { "Greenlet.spawn(42)", 1, "spawn", "got number", function() Greenlet.spawn(42) end },
  { "spawn_later()", 1, "spawn_later", "number expected, " .. MISSING, function() greenlet.spawn_later() end },
  { "spawn_later('x', f)", 1, "spawn_later", "number expected, got string",
    function() greenlet.spawn_later("x", f) end },
  { "spawn_later(f)", 1, "spawn_later", "number expected, got function", function() greenlet.spawn_later(f) end },
  { "spawn_later(-1, f)", 1, "spawn_later", nil, function() greenlet.spawn_later(-1, f) end },
  { "spawn_later(1)", 2, "spawn_later", nil, function() greenlet.spawn_later(1) end },
  { "spawn_later(1, 1)", 2, "spawn_later", "got number", function() greenlet.spawn_later(1, 1) end },
  { "spawn_raw()", 1, "spawn_raw", nil, function() greenlet.spawn_raw() end },
  { "spawn_raw('x')", 1, "spawn_raw", "got string", function() greenlet.spawn_raw("x") end },
  { "sleep('x')", 1, "sleep", "number expected, got string", function() greenlet.sleep("x") end },
  { "sleep({})", 1, "sleep", "number expected, got table", function() greenlet.sleep({}) end },
  { "sleep(f)", 1, "sleep", "number expected, got function", function() greenlet.sleep(f) end },
  { "sleep(true)", 1, "sleep", "number expected, got boolean", function() greenlet.sleep(true) end },
  { "idle('x')", 1, "idle", "expected, got string", function() greenlet.idle("x") end },
  { "kill()", 1, "kill", nil, function() greenlet.kill() end },
  { "kill(42)", 1, "kill", "got number", function() greenlet.kill(42) end },
  { "kill({})", 1, "kill", "got table", function() greenlet.kill({}) end },
  { "killall()", 1, "killall", nil, function() greenlet.killall() end },
  { "killall(42)", 1, "killall", "got number", function() greenlet.killall(42) end },
  { "killall({42})", 1, "killall", nil, function() greenlet.killall({ 42 }) end },
  { "killall({}, nil, true, 'x')", 4, "killall", "number expected, got string",
    function() greenlet.killall({ new() }, nil, true, "x") end },
  { "killall({}, nil, true, -1)", 4, "killall", nil, function() greenlet.killall({ new() }, nil, true, -1) end },
  { "joinall()", 1, "joinall", nil, function() greenlet.joinall() end },
  { "joinall(42)", 1, "joinall", "got number", function() greenlet.joinall(42) end },
  { "joinall({42})", 1, "joinall", nil, function() greenlet.joinall({ 42 }) end },
  { "joinall({}, 'x')", 2, "joinall", "number expected, got string", function() greenlet.joinall({ new() }, "x") end },
  { "joinall({}, -1)", 2, "joinall", nil, function() greenlet.joinall({ new() }, -1) end },
  { "joinall({}, nil, nil, 'x')", 4, "joinall", "expected, got string",
    function() greenlet.joinall({ new() }, nil, nil, "x") end },
  { "joinall({}, nil, nil, -1)", 4, "joinall", nil, function() greenlet.joinall({ new() }, nil, nil, -1) end },
  { "wait(42)", 1, "wait", "got number", function() greenlet.wait(42) end },
  { "wait({42})", 1, "wait", nil, function() greenlet.wait({ 42 }) end },
  { "wait({{}})", 1, "wait", nil, function() greenlet.wait({ {} }) end },
  { "wait({}, 'x')", 2, "wait", "number expected, got string", function() greenlet.wait({ new() }, "x") end },
  { "wait({}, -1)", 2, "wait", nil, function() greenlet.wait({ new() }, -1) end },
  { "wait({}, nil, 'x')", 3, "wait", "expected, got string", function() greenlet.wait({ new() }, nil, "x") end },
  { "wait({}, nil, -1)", 3, "wait", nil, function() greenlet.wait({ new() }, nil, -1) end },
  { "iwait(42)", 1, "iwait", "got number", function() greenlet.iwait(42) end },
  { "iwait({}, 'x')", 2, "iwait", "number expected, got string", function() greenlet.iwait({ new() }, "x") end },
  { "iwait({}, -1)", 2, "iwait", nil, function() greenlet.iwait({ new() }, -1) end },
  { "with_timeout('x', f)", 1, "with_timeout", "got string", function() greenlet.with_timeout("x", f) end },
  { "with_timeout(-1, f)", 1, "with_timeout", nil, function() greenlet.with_timeout(-1, f) end },
  { "with_timeout(1)", 2, "with_timeout", nil, function() greenlet.with_timeout(1) end },
  { "with_timeout(1, 42)", 2, "with_timeout", "got number", function() greenlet.with_timeout(1, 42) end },
  { "signal()", 1, "signal", nil, function() greenlet.signal() end },
  { "signal({}, f)", 1, "signal", "got table", function() greenlet.signal({}, f) end },
  { "setswitchinterval()", 1, "setswitchinterval", "number expected, " .. MISSING,
    function() greenlet.setswitchinterval() end },
  { "setswitchinterval('x')", 1, "setswitchinterval", "number expected, got string",
    function() greenlet.setswitchinterval("x") end },
  { "setswitchinterval(-1)", 1, "setswitchinterval", nil, function() greenlet.setswitchinterval(-1) end },
  { "traceback()", 1, "traceback", nil, function() greenlet.traceback() end },
  { "traceback(42)", 1, "traceback", "got number", function() greenlet.traceback(42) end },
  { "settrace(42)", 1, "settrace", "got number", function() greenlet.settrace(42) end },
  { "pcall()", 1, "pcall", "value expected", function() greenlet.pcall() end },
  { "xpcall(f)", 2, "xpcall", nil, function() greenlet.xpcall(f) end },
  { "add_spawn_callback(42)", 1, "add_spawn_callback", "got number", function() Greenlet.add_spawn_callback(42) end },

  -- Greenlet
  { "Greenlet(42)", 1, nil, "got number", function() Greenlet(42) end },
  { "Greenlet({})", 1, nil, "got table", function() Greenlet({}) end },
  { "g:start_later()", 1, "start_later", "number expected, " .. MISSING, function() new():start_later() end },
  { "g:start_later('x')", 1, "start_later", "number expected, got string", function() new():start_later("x") end },
  { "g:start_later(-1)", 1, "start_later", nil, function() new():start_later(-1) end },
  { "g:join('x')", 1, "join", "number expected, got string", function() new():join("x") end },
  { "g:join({})", 1, "join", "number expected, got table", function() new():join({}) end },
  { "g:join(-1)", 1, "join", nil, function() new():join(-1) end },
  { "g:get(true, 'x')", 2, "get", "number expected, got string", function() new():get(true, "x") end },
  { "g:get(true, -1)", 2, "get", nil, function() new():get(true, -1) end },
  { "g:kill(nil, true, 'x')", 3, "kill", "number expected, got string", function() new():kill(nil, true, "x") end },
  { "g:kill(nil, true, -1)", 3, "kill", nil, function() new():kill(nil, true, -1) end },
  { "g:link()", 1, "link", nil, function() new():link() end },
  { "g:link(42)", 1, "link", "got number", function() new():link(42) end },
  { "g:link({})", 1, "link", "got table", function() new():link({}) end },
  { "g:link_value('x')", 1, "link_value", "got string", function() new():link_value("x") end },
  { "g:link_exception('x')", 1, "link_exception", "got string", function() new():link_exception("x") end },
  { "g:rawlink('x')", 1, "rawlink", "got string", function() new():rawlink("x") end },

  -- raw greenlets
  { "greenlet()", 1, "greenlet", nil, function() greenlet.greenlet() end },
  { "greenlet(42)", 1, "greenlet", "got number", function() greenlet.greenlet(42) end },
  { "greenlet(f, 42)", 2, "greenlet", "got number", function() greenlet.greenlet(f, 42) end },
  { "greenlet(f, {})", 2, "greenlet", "got table", function() greenlet.greenlet(f, {}) end },

  -- Timeout
  { "Timeout('x')", 1, nil, "number expected, got string", function() Timeout("x") end },
  { "Timeout({})", 1, nil, "number expected, got table", function() Timeout({}) end },
  { "Timeout(-1)", 1, nil, nil, function() Timeout(-1) end },
  { "Timeout.start_new('x')", 1, "start_new", "got string", function() Timeout.start_new("x") end },
  { "Timeout.start_new(-1)", 1, "start_new", nil, function() Timeout.start_new(-1) end },
  { "t:run()", 1, "run", nil, function() Timeout(1):run() end },
  { "t:run(42)", 1, "run", "got number", function() Timeout(1):run(42) end },

  -- hub and loop
  { "hub:join('x')", 1, "join", "number expected, got string", function() hub:join("x") end },
  { "hub:join(-1)", 1, "join", nil, function() hub:join(-1) end },
  { "hub:wait()", 1, "wait", nil, function() hub:wait() end },
  { "hub:wait(42)", 1, "wait", "got number", function() hub:wait(42) end },
  { "hub:wait(greenlet)", 1, "wait", nil, function() hub:wait(raw()) end },
  { "hub:cancel_wait(42)", 1, "cancel_wait", "got number", function() hub:cancel_wait(42) end },
  { "loop:run_callback()", 1, "run_callback", nil, function() loop:run_callback() end },
  { "loop:run_callback(42)", 1, "run_callback", "got number", function() loop:run_callback(42) end },
  { "loop:timer()", 1, "timer", "number expected, " .. MISSING, function() loop:timer() end },
  { "loop:timer('x')", 1, "timer", "number expected, got string", function() loop:timer("x") end },
  { "loop:timer(-1)", 1, "timer", nil, function() loop:timer(-1) end },
  { "loop:timer(1, 'x')", 2, "timer", "number expected, got string", function() loop:timer(1, "x") end },
  { "loop:timer(1, -1)", 2, "timer", nil, function() loop:timer(1, -1) end },
  { "loop:io()", 1, "io", "number expected, " .. MISSING, function() loop:io() end },
  { "loop:io('x', 'r')", 1, "io", "number expected, got string", function() loop:io("x", "r") end },
  { "loop:io(-1, 'r')", 1, "io", nil, function() loop:io(-1, "r") end },
  { "loop:io(0)", 2, "io", nil, function() loop:io(0) end },
  { "loop:io(0, 'x')", 2, "io", nil, function() loop:io(0, "x") end },
  { "loop:io(0, {})", 2, "io", "got table", function() loop:io(0, {}) end },
  { "loop:signal('x')", 1, "signal", nil, function() loop:signal("x") end },
  { "loop:signal(1000)", 1, "signal", nil, function() loop:signal(1000) end },
  { "loop:child('x')", 1, "child", "number expected, got string", function() loop:child("x") end },
  { "loop:stat()", 1, "stat", "string expected, " .. MISSING, function() loop:stat() end },
  { "loop:stat({})", 1, "stat", "string expected, got table", function() loop:stat({}) end },
  { "loop:stat('x', -1)", 2, "stat", nil, function() loop:stat("x", -1) end },
  { "w:start()", 1, "start", nil, function() timer():start() end },
  { "w:start(42)", 1, "start", "got number", function() timer():start(42) end },
  { "w:start({})", 1, "start", "got table", function() timer():start({}) end },
  { "w:again(42)", 1, "again", "got number", function() timer():again(42) end },
}

describe("a call with wrong arguments", function()
  helper.check_leaks()

  local scheduled
  local function note() scheduled = scheduled + 1 end

  before_each(function()
    scheduled = 0
    Greenlet.add_spawn_callback(note)
  end)
  after_each(function() Greenlet.remove_spawn_callback(note) end)

  for _, entry in ipairs(CALLS) do
    local what, number, name, ending, call = table.unpack(entry, 1, 5)
    it("raises at " .. what, function()
      local active, pending = loop.activecnt, loop.pendingcnt
      local ok, err = pcall(call)
      assert.is_false(ok, "no error was raised")
      assert.equal("string", type(err))
      local got_number, got_name, detail = err:match("bad argument #(%d+) to '([^']*)' %((.*)%)$")
      assert.is_not_nil(got_number, err)
      assert.equal(tostring(number), got_number, err)
      if name then assert.equal(name, got_name:match("[^.:]*$"), err) end
      if ending then
        assert.is_not_nil(detail:find(ending .. "$"), err)
        assert.is_not_nil(detail:find("expected", 1, true), err)
      end
      assert.matches("^[^\n]*bad_arguments_spec%.lua:%d+: ", err)
      -- Nothing was scheduled.
      assert.equal(0, scheduled)
      assert.equal(active, loop.activecnt)
      assert.equal(pending, loop.pendingcnt)
    end)
  end

  -- A method called with a dot, or on something else.
  local STRANGERS = {
    { "Greenlet.join()", function() Greenlet.join() end },
    { "Greenlet.join({})", function() Greenlet.join({}) end },
    { "Greenlet.get(42)", function() Greenlet.get(42) end },
    { "Greenlet.start(Greenlet)", function() Greenlet.start(Greenlet) end },
    { "Greenlet.kill(io.stderr)", function() Greenlet.kill(io.stderr) end },
    { "Greenlet.link(raw)", function() Greenlet.link(raw(), f) end },
    { "Timeout.start({})", function() Timeout.start({}) end },
    { "Timeout.cancel(greenlet)", function() Timeout.cancel(new()) end },
    { "raw.switch()", function() raw().switch() end },
    { "raw.switch({})", function() raw().switch({}) end },
    { "raw.throw(42)", function() raw().throw(42) end },
    { "hub.join({})", function() hub.join({}) end },
    { "hub.wait({})", function() hub.wait({}) end },
    { "loop.timer({})", function() loop.timer({}, 1) end },
    { "loop.run_callback(hub)", function() loop.run_callback(hub, f) end },
    { "timer.start(loop)", function() timer().start(loop, f) end },
    { "timer.again(io)", function() timer().again(loop:io(0, "r"), f) end },
    { "timer.send", function() loop:async().send(timer()) end },
  }

  for _, entry in ipairs(STRANGERS) do
    it("raises at " .. entry[1], function()
      local active = loop.activecnt
      local ok, err = pcall(entry[2])
      assert.is_false(ok, "no error was raised")
      assert.matches("expected, got", tostring(err))
      assert.equal(0, scheduled)
      assert.equal(active, loop.activecnt)
    end)
  end

  it("raises when the callback of a watcher is missing on an active one too", function()
    local w = timer()
    w:start(f)
    assert.is_false((pcall(function() w:start(42) end)))
    assert.is_true(w.active)
    assert.is_true(rawequal(f, w.callback))
    w:close()
  end)

  it("raises when a closed watcher is started", function()
    local w = timer()
    w:close()
    assert.is_false((pcall(function() w:start(f) end)))
    assert.is_false(w.active)
  end)
end)
