-- greenlet.fork and greenlet.waitpid, in programs of their own.

local run = require "spec.cmd.run"

-- Forgotten children must not outlive a spec by long: timeout(1) ends the whole group.
local function check(script, expected, status, stderr)
  local result = run.program(run.greenlua, { script = script })
  assert.equal(stderr or "", result.stderr)
  assert.equal(expected, result.stdout)
  assert.equal(status or 0, result.status)
  return result
end

local PREFIX = [[
  local function closer(name)
    return setmetatable({}, {__close = function() print("closed", name, child) end})
  end
  local function idle(name)
    greenlet.spawn(function() local c <close> = closer(name) greenlet.sleep(1000) end)
  end
  local function in_child(f, ...)
    local pid = greenlet.fork()
    if pid ~= 0 then return print("ended", greenlet.waitpid(pid)) end
    child = "in the child"
    return f(...)
  end
]]

-- Valgrind 3.19 does not know pidfd_open.
describe("greenlet.fork #valgrind", function()
  it("goes on in the child in main, with its exit status", function()
    check(PREFIX .. [[in_child(os.exit, 3)]], "ended\tnil\texit\t3\n")
    check(PREFIX .. [[in_child(function() local c <close> = closer "main's" end)
      print("main", child)]],
      "closed\tmain's\tin the child\nmain\tin the child\nended\ttrue\texit\t0\nmain\tnil\n")
  end)

  it("goes on in the child in a greenlet, whose end is that of the child", function()
    check(PREFIX .. [[
      local c <close> = closer "main"
      greenlet.spawn(in_child, function()
        greenlet.spawn(print, "spawned", child)
      end):join()
      print("main", child)]],
      "spawned\tin the child\nended\ttrue\texit\t0\nmain\tnil\nclosed\tmain\tnil\n")
  end)

  it("leaves what others have open and are linked to to the parent", function()
    check(PREFIX .. [[
      local c <close> = closer "main"
      idle "other"
      local loop = greenlet.get_hub().loop
      local happened = {}
      local function note(what)
        if child then os.exit(9) end
        happened[#happened + 1] = what
      end
      greenlet.spawn(greenlet.sleep, 0.001):link(function() note "link" end)
      loop:timer(0.001):start(note, "timer")
      loop:run_callback(note, "callback")
      local g = greenlet.spawn_later(0.001, note, "later")
      greenlet.spawn(in_child, function()
        greenlet.sleep(0.02)
        print("others", g.dead, greenlet.joinall({g})[1] == g)
      end):join()
      while #happened < 4 do greenlet.sleep(0.001) end
      table.sort(happened)
      print(table.concat(happened, " "))
      os.exit(0)]],
      "others\ttrue\ttrue\nended\ttrue\texit\t0\ncallback later link timer\n")
  end)

  it("tells watchers of forks", function()
    check(PREFIX .. [[
      greenlet.get_hub().loop:fork(false):start(function() print("forked", child) end)
      in_child(greenlet.sleep, 0.001) os.exit()]], "forked\tin the child\nended\ttrue\texit\t0\n")
  end)

  it("writes what is buffered once", function()
    check([[io.write("once\n") local pid = greenlet.fork()
      if pid == 0 then io.write("child\n") os.exit() end
      greenlet.waitpid(pid) io.write("parent\n")]], "once\nchild\nparent\n")
  end)

  it("reports the error that ends the child, with status 1", function()
    local result = run.program(run.greenlua, { script = PREFIX .. [[
      greenlet.spawn(in_child, error, "oops"):join()]] })
    assert.equal("ended\tnil\texit\t1\n", result.stdout)
    assert.matches("^t.lua:%d+: oops\nstack traceback:.* failed with error\n", result.stderr)
    assert.equal(0, result.status)
  end)

  it("tells the child of a deadlock, with status 3", function()
    local result = run.program(run.greenlua, { script = PREFIX .. [[
      greenlet.spawn(in_child, function() require "greenlet.queue".Queue():get() end):join()]] })
    assert.equal("ended\tnil\texit\t3\n", result.stdout)
    assert.matches("^LoopExit: .*1 greenlet waits", result.stderr)
  end)

  it("makes a child that closes at SIGTERM and dies by it", function()
    check(PREFIX .. [[
      greenlet.spawn(in_child, function()
        local c <close> = closer "child's"
        os.execute("kill -TERM $PPID")
        greenlet.sleep(1000)
      end):join()]], "closed\tchild's\tin the child\nended\tnil\tsignal\t15\n")
  end)

  it("works in a coroutine, a link, pcall and a __close handler", function()
    for _, code in ipairs {
      "coroutine.wrap(in_child)(os.exit, 4)",
      "coroutine.wrap(function() greenlet.sleep(0) in_child(os.exit, 4) end)()",
      "local g = greenlet.spawn(greenlet.sleep) g:link(function() in_child(os.exit, 4) end) g:join() "
        .. "greenlet.sleep(0) greenlet.wait()",
      "pcall(in_child, os.exit, 4)",
      "do local c <close> = setmetatable({}, {__close = function() in_child(os.exit, 4) end}) end",
      "local g = greenlet.greenlet(function() in_child(os.exit, 4) end) g:switch()",
      "for _ in pairs(setmetatable({}, {__pairs = function() in_child(os.exit, 4) return next, {} end}))"
        .. " do end",
      "table.sort({1, 2}, function() in_child(os.exit, 4) return false end)",
    } do
      check(PREFIX .. code, "ended\tnil\texit\t4\n")
    end
  end)

  it("is refused in the hub and in a finalizer", function()
    check([[
      local hub = greenlet.get_hub()
      hub.loop:run_callback(function() print(pcall(greenlet.fork)) end)
      greenlet.sleep(0.001)
      setmetatable({}, {__gc = function() print(pcall(greenlet.fork)) end})
      collectgarbage()]],
      "false\tInvalidSwitchError: cannot block in the hub: a callback or rawlink must not wait\n"
      .. "false\tInvalidSwitchError: cannot switch greenlets inside __gc\n")
  end)

  it("keeps all greenlets and watchers in the child if it is asked to", function()
    check(PREFIX .. [[
      local other = greenlet.spawn(function() greenlet.sleep(0.01) return 6 end)
      local pid = greenlet.fork {keep = true}
      if pid == 0 then os.exit(other:get()) end
      print(other:get(), greenlet.waitpid(pid))]], "6\tnil\texit\t6\n")
  end)

  it("wants a table of options", function()
    local message = "bad argument #1 to '?fork'? %(table expected, got number%)"
    assert.matches(message, run.program(run.greenlua, { e = "greenlet.fork(1)" }).stderr)
  end)

  it("ends scopes and frees pools of the greenlets that are gone", function()
    check(PREFIX .. [[
      local workers = require "greenlet.pool".Pool(1)
      workers:spawn(greenlet.sleep, 0.05)
      greenlet.scope(function(s)
        s:spawn(greenlet.sleep, 0.05)
        in_child(function() workers:spawn(print, "worker", child):join() end)
      end)
      if child then os.exit() end]], "worker\tin the child\nended\ttrue\texit\t0\n")
  end)

  it("makes children of children, with few stacks and moving ones", function()
    for _, setting in ipairs { "STACK_SLOTS", "STACK_MOVE" } do
      local result = run.program(run.greenlua, {
        env = { ["GREENLUA_" .. setting] = "1" },
        script = PREFIX .. [[
          for i = 1, 50 do idle(i) end
          greenlet.sleep(0)
          local function fork(depth)
            if depth == 0 then os.exit(5) end
            for i = 1, 5 do greenlet.spawn(greenlet.sleep, 1000) end
            greenlet.sleep(0)
            collectgarbage()
            local pid = greenlet.fork()
            if pid == 0 then return fork(depth - 1) end
            os.exit(select(3, greenlet.waitpid(pid)))
          end
          greenlet.spawn(fork, 6):join()]],
      })
      assert.same({ "", "", 5 }, { result.stdout, result.stderr, result.status })
    end
  end)

  it("works in stock lua #stock", function()
    local result = run.program(run.stock, {
      env = { LUA_CPATH = run.resolve(run.greenlua):gsub("[^/]*$", "") .. "?.so;;" },
      script = "local greenlet = require 'greenlet' " .. PREFIX .. [[
        local c <close> = closer "main"
        greenlet.spawn(in_child, function() greenlet.sleep(0.001) print("child") end):join()]],
    })
    assert.equal("", result.stderr)
    assert.equal("child\nended\ttrue\texit\t0\nclosed\tmain\tnil\n", result.stdout)
  end)
end)

describe("greenlet.waitpid #valgrind", function()
  it("lets others run meanwhile, up to its timeout", function()
    check([[
      local pid = greenlet.fork()
      if pid == 0 then greenlet.sleep(1000) end
      local ticks = 0
      local g = greenlet.spawn(function() while true do greenlet.sleep(0.001) ticks = ticks + 1 end end)
      print(greenlet.waitpid(pid, 0))
      print(greenlet.waitpid(pid, 0.05))
      print(ticks > 0)
      print(greenlet.waitpid(pid, greenlet.Timeout(0.001)))
      g:kill()
      os.execute("kill -KILL " .. pid)
      print(greenlet.waitpid(pid))]],
      "nil\ttimeout\nnil\ttimeout\ntrue\nnil\ttimeout\nnil\tsignal\t9\n")
  end)

  it("polls, and knows no strangers", function()
    check([[
      local pid = greenlet.fork()
      if pid == 0 then os.exit() end
      local ok repeat ok = greenlet.waitpid(pid, 0) until ok
      print(greenlet.waitpid(pid))
      print(greenlet.waitpid(1, 0))
      print(select(2, pcall(greenlet.waitpid, 0)):match("bad.*"))]],
      "nil\tNo child processes\t10\nnil\tNo child processes\t10\n"
      .. "bad argument #1 to 'waitpid' (pid of a child expected)\n")
  end)
end)

teardown(run.clean)
