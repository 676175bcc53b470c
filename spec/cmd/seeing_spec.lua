-- What the program tells about its greenlets: when a signal or another process asks, when
-- one does not give way, and at the end.
local run = require "spec.cmd.run"
local patience = require "spec.patience"

local PROGRAM = run.quote(run.resolve(run.greenlua))
-- The script writes `ready` to its stdout, which is a file, when all is as it should be.
local READY = "io.stdout:write('ready\\n') io.stdout:flush() "
local TRIES = 200 * patience -- of 0.05 s

-- sh: functions for all of the tests. The program is called `greenlua`, in the background: $pid.
local TOOLS = ([[
await() { # PATTERN FILE
  for i in $(seq %d); do grep -q -e "$1" "$2" 2>/dev/null && return; sleep 0.05; done
  echo "still waiting for $1 in $2"; exit 99
}
start() { greenlua "$@" >out 2>err & pid=$!; await ready out; }
state() { await ") $1 " /proc/$pid/stat; } # S: waits, T: is stopped
finish() { kill -KILL $pid 2>/dev/null; wait $pid 2>/dev/null; true; }
]]):format(TRIES)

-- Run a shell script with these files, and `greenlua` on the PATH.
local function shell(files, script)
  return run.program(run.greenlua, {
    files = files,
    shell = ('mkdir -p bin && ln -sf %s bin/greenlua && PATH=$PWD/bin:$PATH\n%s\n%s')
      :format(PROGRAM, TOOLS, script),
  })
end

-- What a program prints without what varies, and without the names of functions, some of
-- which are not always known.
local function plain(text)
  return (text:gsub("0x%x+", "0x"):gsub("%d+%.%d+ s", "N s"):gsub("process %d+", "process N")
    :gsub("(s%.lua:%d+) in function <[^>]*>", "%1 in F")
    :gsub("(s%.lua:%d+) in [%w_]+ ", "%1 in F "))
end

local WAITING = [[
local lock = require "greenlet.lock".Lock("door")
lock:acquire()
local function enter() lock:acquire() end
for _ = 1, 5 do greenlet.spawn(enter) end
local beat = greenlet.spawn(function() while true do greenlet.sleep(100) end end)
beat.name = "beat"
]]

describe("SIGUSR1", function()
  teardown(run.clean)

  local function dump(last_line, script)
    return shell({ ["s.lua"] = WAITING .. last_line }, script or [[
      start s.lua
      kill -USR1 $pid
      await 'What keeps the program running' err
      await 'beat waits for sleep' err
      finish
      cat err
    ]])
  end

  it("prints all greenlets of a program that waits", function()
    local text = dump("greenlet.sleep(0) " .. READY .. "greenlet.sleep(1000)").stdout
    assert.matches("greenlua: process %d+: main and 6 greenlets\n", text)
    assert.matches('<greenlet "main" at 0x%x+: main chunk>', text)
    assert.matches('<Greenlet "beat" at', text)
    assert.matches("s.lua:3: in function <s.lua:3>", text)
    assert.matches("beat waits for sleep   s.lua:5 in function <s.lua:5>   %d+%.%d s   spawned s.lua:5", text)
  end)

  it("prints them while a script burns CPU", function()
    local text = dump("greenlet.sleep(0)\n" .. READY .. "while true do end").stdout
    assert.matches("main and 6 greenlets", text)
    assert.matches("running", text)
    assert.matches("s.lua:8: in main chunk", text)
    assert.not_matches("[greenlet.dump]", text, 1, true)
    assert.not_matches("in hook", text, 1, true)
  end)

  it("prints them while a coroutine burns CPU", function()
    local text = dump("greenlet.sleep(0) coroutine.wrap(function()\n" .. READY
      .. "while true do end end)()").stdout
    assert.matches("s.lua:8: in function <s.lua:7>", text)
  end)

  it("says who is in a C function, and prints the rest later", function()
    local text = dump([[
      greenlet.getcurrent().name = "caller"
      greenlet.sleep(0)
      os.execute("echo ready; while ! test -e go; do sleep 0.05; done")
      greenlet.sleep(1000)
    ]], [[
      start s.lua
      kill -USR1 $pid
      await 'runs in C' err
      grep -c 'What keeps' err
      touch go
      await 'beat waits for sleep' err
      finish
      cat err
    ]]).stdout
    assert.matches("^0\n", text)
    assert.matches('greenlua: greenlet "caller" runs in C in \'execute\', called at s.lua:%d+; '
      .. "the loop has not turned for %d+%.%d s\n", text)
    assert.matches("main and 6 greenlets", text)
  end)

  it("is the script's, if that watches it", function()
    local result = shell({ ["s.lua"] = [[
      local event = require "greenlet.event".Event()
      local handler = greenlet.signal("USR1", function() print("mine") event:set() end)
      handler.ref = true
      ]] .. READY .. [[
      event:wait()
      handler:cancel()
      print("cancelled") io.stdout:flush()
      greenlet.sleep(1000)
    ]] }, [[
      start s.lua
      kill -USR1 $pid
      await cancelled out
      cat out err
      kill -USR1 $pid
      await 'main and' err
      finish
    ]])
    assert.equal("ready\nmine\ncancelled\n", result.stdout)
    assert.equal(0, result.status)
  end)

  it("ends the program with GREENLUA_DUMP=off", function()
    local result = shell({ ["s.lua"] = READY .. "greenlet.sleep(1000)" }, [[
      export GREENLUA_DUMP=off
      start s.lua
      kill -USR1 $pid
      wait $pid
      echo $?
      cat err
    ]])
    assert.equal(tostring(128 + 10) .. "\n", result.stdout:match("%d+\n"))
  end)

  it("leaves it alone in a child of the program", function()
    local result = shell({ ["s.lua"] = "os.execute('kill -USR1 $$; echo survived')" },
      "greenlua s.lua")
    assert.equal("", result.stdout)
  end)

  it("may come often", function()
    local result = shell({ ["s.lua"] = [[
      local function count() for i = 1, 1000 do greenlet.sleep(0) end end
      ]] .. READY .. [[
      repeat greenlet.spawn(count):join() until io.open("stop")
      print("end")
    ]] }, [[
      start s.lua
      for i in $(seq 100); do kill -USR1 $pid; done
      await 'main and' err
      touch stop
      wait $pid
      echo $?
      tail -n 1 out
    ]])
    assert.equal("0\nend\n", result.stdout)
  end)
end)

describe("the module in a stock Lua #stock", function()
  teardown(run.clean)

  local directory = run.resolve(run.greenlua):match("^(.*)/")

  local function stock(before, after)
    return shell({ ["s.lua"] = "local greenlet = require 'greenlet' " .. before .. READY
      .. "greenlet.sleep(1000)" }, ([[
      export LUA_CPATH='%s/?.so;;'
      %s s.lua >out 2>err & pid=$!
      await ready out
      kill -USR1 $pid
      %s]]):format(directory, run.quote(run.resolve(run.stock)), after))
  end

  it("leaves SIGUSR1 alone", function()
    assert.equal("138\n", stock("", "wait $pid; echo $?").stdout)
  end)

  it("answers if it is asked to", function()
    local result = stock("greenlet.config.dump = true ",
      "await 'main and' err; greenlua ps $pid; finish")
    assert.matches("main +waits for sleep +s.lua:1", result.stdout)
  end)
end)

describe("greenlua ps and tree", function()
  teardown(run.clean)

  it("print what a running program's greenlets do", function()
    local result = shell({ ["s.lua"] = WAITING .. "greenlet.sleep(0) " .. READY
      .. "greenlet.sleep(1000)" }, [[
      start s.lua
      state S
      greenlua ps $pid && greenlua tree $pid
      echo $?
      finish
      cat err
    ]])
    local text = plain(result.stdout):gsub(" +", " ")
    assert.matches("^process N: main and 6 greenlets\nGREENLET DOES AT SINCE SPAWNED AT\n"
      .. "main waits for sleep s.lua:7 N s\n"
      .. "Greenlet%-0, Greenlet%-1, Greenlet%-2 %.%.%. %(x5%) waits for lock \"door\" held by main "
      .. "s.lua:3 in F N s s.lua:4\n"
      .. "beat waits for sleep s.lua:5 in F N s s.lua:5\n", text)
    assert.matches('<greenlet "main" at 0x: main chunk>', text, 1, true)
    assert.matches("\n0\n$", text)
  end)

  it("are answered by a program that burns CPU", function()
    local result = shell({ ["s.lua"] = READY .. "while true do end" },
      "start s.lua; greenlua ps $pid; echo $?; finish")
    assert.matches("main +runs +s.lua:1 .*\n0\n$", result.stdout)
  end)

  it("say that the program runs in C", function()
    local result = shell({ ["s.lua"] = "os.execute('echo ready; exec sleep 1000')" },
      "start s.lua; greenlua ps $pid; echo $?; pkill -P $pid sleep; finish")
    assert.equal("1\n", result.stdout)
    assert.matches("runs in C in 'execute', called at s.lua:1", result.stderr)
  end)

  it("say that it is stopped", function()
    local result = shell({ ["s.lua"] = READY .. "greenlet.sleep(1000)" },
      "start s.lua; kill -STOP $pid; state T; greenlua ps $pid; echo $?; finish")
    assert.equal("1\n", result.stdout)
    assert.matches("process %d+ is stopped and does not answer\n$", result.stderr)
  end)

  it("disturb no other program", function()
    local result = shell({}, "sleep 1000 & pid=$!; greenlua ps $pid; echo $?; kill -0 $pid && finish")
    assert.equal("1\n", result.stdout)
    assert.matches("process %d+ is no greenlua\n$", result.stderr)
  end)

  it("say that there is no such process", function()
    local result = shell({}, "greenlua tree 999999999; greenlua ps 0; echo $?")
    assert.equal("1\n", result.stdout)
    assert.matches("there is no process 999999999\n.*there is no process 0\n", result.stderr)
  end)

  it("say that it takes no questions", function()
    local result = shell({ ["s.lua"] = READY .. "greenlet.sleep(1000)" },
      "export GREENLUA_DUMP=0; start s.lua; greenlua ps $pid; echo $?; finish")
    assert.equal("1\n", result.stdout)
    assert.matches("process %d+ takes no questions", result.stderr)
  end)

  it("are answered several times at once", function()
    local result = shell({ ["s.lua"] = READY .. "greenlet.sleep(1000)" }, [[
      start s.lua
      askers=
      for i in 1 2 3 4 5 6; do greenlua ps $pid >answer$i & askers="$askers $!"; done
      wait $askers
      cat answer* | grep -c 'main and'
      finish
    ]])
    assert.equal("6\n", result.stdout)
  end)

  it("are names of scripts otherwise", function()
    local result = shell({ ps = "print('script', ...)" },
      "greenlua ps 1; greenlua tree x; greenlua ps 1 2")
    assert.equal("script\t1\nscript\t1\t2\n", result.stdout)
    assert.matches("cannot open tree", result.stderr)
  end)
end)

describe("--watchdog", function()
  teardown(run.clean)

  -- The reports are in a file that the script can read, and follow its output.
  local function watch(script, options)
    return shell({ ["s.lua"] = script }, ("greenlua %s s.lua 2>err; status=$?; cat err; exit $status")
      :format(options or "--watchdog=0.05"))
  end

  -- Burns CPU until the report is there: no longer, and no shorter, on any machine.
  local BURN = [[
    local function burn()
      local file repeat file = io.open("err") until file and file:read("a"):find("given way")
    end
  ]]

  it("reports who burns CPU, once", function()
    local result = watch(BURN .. [[
      greenlet.spawn(burn).name = "hog"
      greenlet.sleep(0.01)
    ]])
    local text = plain(result.stdout)
    assert.matches('^greenlua: watchdog: <Greenlet "hog" at 0x: function <s.lua:%d+>> '
      .. "has not given way for N s %(N s on the CPU%)\nstack traceback:\n", text)
    assert.matches("s.lua:2: in function <s.lua:1>", text)
    assert.equal(1, select(2, text:gsub("watchdog:", "")))
  end)

  it("reports who is in a C function, once", function()
    local result = watch([[
      greenlet.spawn(function()
        os.execute("while ! grep -q watchdog err; do sleep 0.05; done; sleep 0.2")
      end).name = "caller"
      greenlet.sleep(0.01)
    ]])
    assert.equal("greenlua: watchdog: greenlet \"caller\" has not given way for N s: it runs in C in "
      .. "'execute', called at s.lua:2\n", plain(result.stdout))
  end)

  it("reports the main greenlet and callbacks in the hub", function()
    local result = watch(BURN .. "burn()")
    assert.matches('<greenlet "main" at', result.stdout)
    result = watch(BURN .. [[
      greenlet.get_hub().loop:timer(0):start(burn)
      greenlet.sleep(0.01)
    ]])
    assert.matches('<Hub "hub" at', result.stdout)
  end)

  it("says nothing of greenlets that wait, or take turns", function()
    local result = watch([[
      greenlet.spawn(function() greenlet.sleep(0.3) end)
      local function turns() for _ = 1, 20000 do greenlet.sleep(0) end end
      greenlet.joinall { greenlet.spawn(turns), greenlet.spawn(turns) }
      greenlet.sleep(0.3)
      print "end"
    ]], "--watchdog=10")
    assert.equal("end\n", result.stdout)
  end)

  it("can be set, read and turned off by the script", function()
    local result = watch([[
      local config = greenlet.config
      print(config.watchdog)
      config.watchdog = 0.5
      print(config.watchdog)
      config.watchdog = 0
      config.watchdog = 0
      print(config.watchdog, pcall(function() config.watchdog = -1 end))
      print(pcall(function() config.watchdog = true end))
    ]], "")
    assert.equal("0.0\n0.5\n0.0\tfalse\ts.lua:7: setting 'watchdog' is out of range "
      .. "(0.01 to 86400 seconds, or 0)\nfalse\ts.lua:8: setting 'watchdog' is a number (got boolean)\n",
      result.stdout)
  end)

  for value, message in pairs {
    x = "--watchdog: 'x' is no number of seconds", ["0.001"] = "--watchdog is out of range",
    ["-1"] = "--watchdog is out of range", nan = "--watchdog: 'nan' is no number of seconds",
  } do
    it("refuses " .. value, function()
      local result = watch("print 'runs'", "--watchdog=" .. value)
      assert.not_matches("runs", result.stdout)
      assert.matches(message, result.stdout, 1, true)
      assert.equal(1, result.status)
    end)
  end
end)

describe("--leaks", function()
  teardown(run.clean)

  local LEAKING = [[
local Queue = require "greenlet.queue".Queue
local jobs = Queue()
jobs.name = "jobs"
_G.jobs = jobs
local function consume() jobs:get() end
for _ = 1, 3 do greenlet.spawn(consume) end
local function lost() Queue():get() end
greenlet.spawn(lost)
if ... then greenlet.sleep(0) collectgarbage() collectgarbage() greenlet.sleep(0) end
]]
  local function leaks(options, arguments)
    return shell({ ["s.lua"] = LEAKING },
      ("greenlua %s s.lua %s"):format(options, arguments or ""))
  end

  local EXPECTED = [[
greenlua: 4 greenlets are still blocked at the end of the program
  Greenlet-0, Greenlet-1, Greenlet-2 (x3) wait for get from queue "jobs"   s.lua:5 in F   N s   spawned s.lua:6
]]

  it("lists who is blocked at the end", function()
    local result = leaks("--leaks=warn")
    local text = plain(result.stderr)
    assert.equal(EXPECTED, text:sub(1, #EXPECTED))
    assert.matches("s.lua:7 in F +N s   spawned s.lua:8\n$", text)
    assert.equal(0, result.status)
  end)

  it("lists those that were garbage before, too", function()
    assert.matches("4 greenlets are.*s.lua:7 in lost", leaks("--leaks=warn", "1").stderr)
  end)

  it("makes the program fail with =error", function()
    local result = leaks("--leaks=error")
    assert.matches("4 greenlets are", result.stderr)
    assert.equal(1, result.status)
    assert.equal(1, leaks("", "; GREENLUA_LEAKS=error greenlua s.lua").status)
  end)

  it("says nothing of a program that ends well, fails, or ends itself", function()
    for script, status in pairs {
      ["greenlet.spawn(greenlet.sleep, 0.01)"] = 0,
      ["os.exit(true)"] = 0,
      ["local e = require'greenlet.event'.Event() greenlet.spawn(e.wait, e) os.exit(4)"] = 4,
    } do
      local result = shell({ ["s.lua"] = script }, "greenlua --leaks=error s.lua")
      assert.equal("", result.stderr)
      assert.equal(status, result.status)
    end
    local result = shell({ ["s.lua"] = LEAKING .. "error 'failed'" }, "greenlua --leaks=warn s.lua")
    assert.not_matches("blocked", result.stderr)
    assert.equal(1, result.status)
  end)

  it("refuses other words", function()
    local result = shell({}, "GREENLUA_LEAKS=x greenlua -e 'print(1)'")
    assert.equal("", result.stdout)
    assert.matches("GREENLUA_LEAKS: 'x' is none of off, warn, error", result.stderr, 1, true)
    assert.equal(1, result.status)
    result = shell({}, "greenlua --leaks=x -e 'print(1)'")
    assert.matches("--leaks=x", result.stderr, 1, true)
    assert.equal(1, result.status)
  end)
end)

describe("--why-alive", function()
  teardown(run.clean)

  it("tells what keeps the program running, with its owners", function()
    local result = shell({ ["s.lua"] = [[
local loop = greenlet.get_hub().loop
local ticker = loop:timer(0.5, 0.5)
ticker:start(function() if io.open("stop") then os.exit(0) end end)
greenlet.spawn(function() greenlet.sleep(1000) end).name = "sleeper"
greenlet.spawn(function() require "greenlet.event".Event():wait(1000) end).name = "patient"
greenlet.signal("USR2", print)
]] }, [[
      greenlua --why-alive s.lua 2>err & pid=$!
      await 'timer every' err
      touch stop
      wait $pid
      cat err
    ]])
    local text = plain(result.stdout)
    assert.equal([[
greenlua: the program goes on because of
  sleeper waits for sleep   s.lua:4 in F   N s   spawned s.lua:4
  patient waits for set of Event made at s.lua:5   s.lua:5 in F   N s   spawned s.lua:5
  timer every N s   calls function <s.lua:3>   started at s.lua:3: in main chunk by <greenlet "main" at 0x: main chunk>
]], text)
  end)

  it("says nothing if the program ends soon", function()
    local result = shell({}, "greenlua --why-alive -e 'greenlet.spawn(greenlet.sleep, 0.01)'")
    assert.equal("", result.stderr)
    assert.equal(0, result.status)
  end)
end)

describe("--report=unobserved", function()
  teardown(run.clean)

  local FAILING = [[
local function fail(message) error(message, 0) end
local taken = greenlet.spawn(fail, "taken")
_G.kept = greenlet.spawn(fail, "kept")
greenlet.spawn(fail, "lost")
local function settle() for _ = 1, 5 do greenlet.sleep(0) end end
settle()
collectgarbage() collectgarbage()
settle()
io.stderr:write("later\n")
pcall(taken.get, taken)
]]
  local function report(script, options)
    local result = shell({ ["s.lua"] = script }, ("greenlua %s s.lua"):format(options))
    local lines = {}
    for line in result.stderr:gmatch("[^\n]+") do
      if line:find("^%a+$") then lines[#lines + 1] = line end
    end
    return table.concat(lines, " "), result.status
  end

  it("prints what nobody can take at once, the rest at the end", function()
    local text, status = report(FAILING, "--report=unobserved")
    assert.equal("lost later kept", text)
    assert.equal(1, status)
  end)

  it("is off by default", function()
    assert.equal("taken kept lost later", (report(FAILING, "")))
    assert.equal("taken kept lost later", (report(FAILING, "--report=now")))
  end)

  it("prints before os.exit ends the program", function()
    local text, status = report(FAILING .. "os.exit(7)", "--report=unobserved")
    assert.equal("lost later kept", text)
    assert.equal(7, status)
  end)

  it("prints nothing if all are taken", function()
    local text, status = report([[
      local function fail(message) error(message, 0) end
      local function ignore() end
      local list = {}
      for i = 1, 8 do list[i] = greenlet.spawn(fail, "failed") end
      list[1]:link(ignore) list[2]:link_exception(ignore) list[3]:rawlink(ignore)
      pcall(greenlet.joinall, { list[4] }, nil, true)
      pcall(list[5].get, list[5])
      list[6]:join() local _ = list[6].exception
      list[7]:join() _ = list[7].traceback
      list[8]:join() _ = list[8].exc_info
      pcall(greenlet.scope, function(s) s:spawn(fail, "failed") end)
      greenlet.spawn(function() greenlet.sleep(1) end):kill("failed")
    ]], "--report=unobserved")
    assert.equal("", text)
    assert.equal(0, status)
  end)

  it("prints errors of callbacks at once: nobody can take them", function()
    local text, status = report([[
      greenlet.get_hub().loop:run_callback(error, "callback", 0)
      greenlet.sleep(0.01)
      io.stderr:write("later\n")
    ]], "--report=unobserved")
    assert.equal("callback later", text)
    assert.equal(1, status)
  end)
end)
