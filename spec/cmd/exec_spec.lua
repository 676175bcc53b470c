-- What programs that io.popen and os.execute run inherit from one with many greenlets.

local run = require "spec.cmd.run"

-- What /proc/self says of a child: descriptors, signals, timers.
local SHOW = [[ls -l /proc/self/fd | awk '$NF !~ "^/proc/" && $(NF - 2) > 2 { print "fd", $NF }';
  grep -E '^(SigBlk|SigIgn|SigCgt|Threads):' /proc/self/status; cat /proc/self/timers]]

local GREENLETS = [[
  local queue, lock = require "greenlet.queue", require "greenlet.lock"
  local loop = greenlet.get_hub().loop
  local q, s = queue.Queue(), lock.Semaphore(0)
  greenlet.config.watchdog = 100
  greenlet.signal("USR2", print)
  greenlet.signal("TERM", print)
  loop:stat("/"):start(print)
  loop:async():start(print)
  local child = greenlet.fork()
  if child == 0 then greenlet.sleep(1000) end
  loop:child(child):start(print)
  for i = 1, 250 do
    greenlet.spawn(greenlet.sleep, 1000)
    greenlet.spawn(q.get, q)
    greenlet.spawn(s.acquire, s)
    greenlet.spawn(function() greenlet.get_hub():wait(loop:io(0, "r")) end)
  end
  greenlet.sleep(0.01)
  local function tidy() os.execute("kill -KILL " .. child) end
]]

local function shown(program, prefix, command, suffix)
  local result = run.program(program, {
    script = ("%s\nlocal command = %q\n%s %s os.exit(0)"):format(prefix, SHOW, command, suffix),
  })
  assert.equal("", result.stderr)
  assert.equal(0, result.status)
  assert.matches("SigBlk", result.stdout)
  return result.stdout
end

-- Valgrind 3.19 does not know pidfd_open, and has descriptors of its own.
describe("A program that is run beside 1,000 greenlets #valgrind", function()
  for name, command in pairs {
    ["os.execute"] = "os.execute(command)",
    ["io.popen"] = "io.write(io.popen(command):read('a'))",
    ["os.execute in a greenlet"] = "greenlet.spawn(os.execute, command):join()",
  } do
    it(("has the descriptors and signals that it has in lua, and no more: %s"):format(name), function()
      local plain = command:gsub("greenlet.spawn%((.*)%):join%(%)", function() return
        "os.execute(command)" end)
      assert.equal(shown(run.stock, "", plain, ""),
        shown(run.greenlua, GREENLETS, command, "tidy()"))
    end)
  end
end)

teardown(run.clean)
