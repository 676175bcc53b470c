-- Profiles: that times are right, whose they are, and that files are written whatever ends the
-- program.
local json = require "dkjson"
local run = require "spec.cmd.run"
local INTERRUPT = require "spec.interrupt"

-- Runs a script with a profile. Returns the file's text ("" if there is none) and what the program
-- did. `case`: `ending` of the file's name, `shell`: what to do with it, in place of `lua "$@"`.
local function profile(script, case)
  case = case or {}
  local file = run.directory() .. "/profile" .. (case.ending or ".folded")
  local words = ("set -- '--profile=%s' t.lua; "):format(file)
  local result = run.program(run.greenlua, {
    files = { ["t.lua"] = script }, shell = words .. (case.shell or 'lua "$@"'), env = case.env,
  })
  assert.not_equal(run.TIMED_OUT, result.status)
  local exists <close> = io.open(file)
  return exists and run.read(file) or "", result
end

-- What a folded file says: a list of {clock =, root =, stack =, time = (microseconds)}.
local function parse(text)
  local list = {}
  for line in text:gmatch("([^\n]*)\n") do
    local clock, rest, time = line:match("^([^; ]+);(.*) (%d+)$")
    assert.truthy(clock, line)
    list[#list + 1] = { clock = clock, root = rest:match("^[^;]*"), stack = rest,
      time = math.tointeger(time) }
  end
  assert.truthy(text == "" or text:sub(-1) == "\n")
  return list
end

-- How much time is in the stacks of a clock that have all of these texts.
local function time_of(list, clock, ...)
  local sum = 0
  for _, it in ipairs(list) do
    local fits = it.clock == clock
    for _, text in ipairs { ... } do fits = fits and it.stack:find(text, 1, true) end
    if fits then sum = sum + it.time end
  end
  return sum
end

local function time_of_root(list, clock, root)
  local sum = 0
  for _, it in ipairs(list) do
    if it.clock == clock and it.root == root then sum = sum + it.time end
  end
  return sum
end

local function assert_near(expected, value, share)
  local message = ("%s is not within %d %% of %s"):format(value, 100 * share, expected)
  assert.is_true(math.abs(value - expected) <= share * expected, message)
end

-- A machine that is halted for a moment, as virtual ones are, gives the time to whoever ran then: of
-- a few tries one has to be right, which none is if shares are wrong.
local TRIES = 5
local function in_one_try(try)
  return function()
    for _ = 1, TRIES - 1 do
      if pcall(try) then return end
    end
    try()
  end
end

-- What the scripts below have to do.
local SPIN = [[
local function spin(rounds)
  local x = 0
  for i = 1, rounds do x = x + i % 7 end
  return x
end
]]

local SHARES = SPIN .. [[
local function work(rounds)
  for _ = 1, 400 do
    spin(rounds)
    greenlet.sleep(0)
  end
end
local heavy, light = greenlet.spawn(work, 75000), greenlet.spawn(work, 25000)
heavy.name, light.name = "heavy", "light"
]]

describe("the CPU time of a profile", function()
  teardown(run.clean)

  it("is that of the greenlet that had it", in_one_try(function()
    local list = parse((profile(SHARES)))
    local heavy, light = time_of_root(list, "cpu", "heavy"), time_of_root(list, "cpu", "light")
    assert_near(3, heavy / light, 0.05)
    -- Nearly all of it is in the function that takes it.
    assert_near(heavy, time_of(list, "cpu", "heavy;work (t.lua:6);spin (t.lua:1)"), 0.05)
  end))

  it("is right for turns that are shorter than the time between two samples", in_one_try(function()
    local list = parse((profile((SHARES:gsub("400", "20000"):gsub("75000", "900"):gsub("25000", "300")))))
    local heavy, light = time_of_root(list, "cpu", "heavy"), time_of_root(list, "cpu", "light")
    assert_near(3, heavy / light, 0.2) -- a turn has more to it than its work
  end))

  it("is that of the process", in_one_try(function()
    local text, result = profile(SHARES .. "greenlet.joinall {heavy, light} print(os.clock())")
    assert_near(tonumber(result.stdout) * 1e6, time_of(parse(text), "cpu"), 0.1)
  end))

  it("is that of the functions, called from wherever", in_one_try(function()
    local list = parse((profile(SPIN .. [[
local function one() spin(300000) end
local function three() spin(900000) end
for _ = 1, 60 do
  three()
  one()
end]])))
    local path = "main;main chunk (t.lua);"
    local one = time_of(list, "cpu", path .. "one (t.lua:6);spin (t.lua:1)")
    assert_near(3, time_of(list, "cpu", path .. "three (t.lua:7);spin (t.lua:1)") / one, 0.2)
  end))

  it("goes through coroutines", in_one_try(function()
    local list = parse((profile(SPIN .. [[
local function inner()
  while true do
    spin(100000)
    coroutine.yield()
  end
end
local function outer()
  local step = coroutine.wrap(inner)
  for _ = 1, 50 do step() end
end
greenlet.spawn(outer)]])))
    local all = time_of_root(list, "cpu", "outer (t.lua:12)")
    local inside = 0
    for _, it in ipairs(list) do
      if it.clock == "cpu" and it.stack:find("^outer %(t.lua:12%);[^;]*;inner %(t.lua:6%);spin") then
        inside = inside + it.time
      end
    end
    assert_near(all, inside, 0.1)
  end))

  it("of a C function is told by its name", in_one_try(function()
    local list = parse((profile("local t = {} for i = 1, 8 do t[1] = ('x'):rep(5e7) end")))
    assert.truthy(time_of(list, "cpu", "main;main chunk (t.lua);string.rep [C]") > 0.5 * time_of(list, "cpu"))
  end))

  it("of callbacks is the hub's", in_one_try(function()
    local list = parse((profile(SPIN .. [[
local loop, count = greenlet.get_hub().loop, 0
local function again()
  spin(300000)
  count = count + 1
  if count < 50 then loop:run_callback(again) end
end
loop:run_callback(again)
greenlet.wait()]])))
    assert.truthy(time_of(list, "cpu", "hub;", "again (t.lua:7);spin (t.lua:1)") > 0.8 * time_of(list, "cpu"))
  end))

  it("of a deep stack keeps its root and the innermost calls", in_one_try(function()
    local list = parse((profile(SPIN .. [[
local function down(n)
  if n == 0 then return (spin(15000000)) end
  return 1 + down(n - 1)
end
greenlet.spawn(down, 5000)]])))
    local deep = time_of(list, "cpu", "down (t.lua:6);[calls left out];down (t.lua:6);", ";spin (t.lua:1)")
    assert_near(time_of(list, "cpu"), deep, 0.2)
  end))

  it("of many greenlets of one function is together, with how many there were", function()
    local text = profile(SPIN .. [[
local function worker() spin(1000) end
for _ = 1, 2000 do greenlet.spawn(worker) end]], { ending = ".html" })
    local data = json.decode((text:match('<script type="application/json" id="profile">(.-)</script>')))
    local found
    for _, share in ipairs(data.shares) do
      local frame = data.frames[data.nodes[share[1] + 1][2] + 1]
      if frame[2] == "worker" then found = share end
    end
    assert.equal(2000, found[2])
    assert.truthy(#data.shares < 5)
  end)
end)

describe("the waiting time of a profile", function()
  teardown(run.clean)

  -- Each part of a program prints what it has measured itself.
  it("is as long as the waits were", in_one_try(function()
    local text, result = profile([[
local loop = greenlet.get_hub().loop
local function now() loop:update_now() return loop:now() end
local function waiter()
  local began = now()
  for _ = 1, 3 do greenlet.sleep(0.1) end
  print((now() - began) * 1e6)
end
local g = greenlet.spawn(waiter)
g.name = "sleeper"]])
    local list, measured = parse(text), tonumber(result.stdout)
    local slept = time_of(list, "wait", "sleeper;waiter (t.lua:3);greenlet.sleep [C];[sleep]")
    assert.truthy(slept >= 299000, slept)
    assert_near(measured, time_of_root(list, "wait", "sleeper"), 0.05)
    assert.truthy(time_of(list, "wait", "main;[end of the loop]") >= slept)
  end))

  it("is right for many short waits", in_one_try(function()
    local text, result = profile([[
local loop = greenlet.get_hub().loop
local function now() loop:update_now() return loop:now() end
local function short() for _ = 1, 2000 do greenlet.sleep(0.0001) end end
local began = now()
greenlet.spawn(short):join()
print((now() - began) * 1e6)]])
    local list = parse(text)
    local all = time_of_root(list, "wait", "short (t.lua:3)") + time_of_root(list, "cpu", "short (t.lua:3)")
    assert_near(tonumber(result.stdout), all, 0.15)
  end))

  it("says what for", function()
    local list = parse((profile([[
local lock, events = greenlet.lock.RLock("accounts"), greenlet.event.Event()
local queue = greenlet.queue.Queue()
local function taker() lock:acquire() greenlet.sleep(0.05) lock:release() end
local function getter() queue:get() end
greenlet.spawn(taker).name = "first"
greenlet.spawn(taker).name = "second"
greenlet.spawn(function() events:wait() end).name = "third"
local got = greenlet.spawn(getter)
greenlet.sleep(0.1)
events:set()
queue:put(1)
got:join()]])))
    local waits = {
      { 'second;taker (t.lua:3);', ';[acquire of lock "accounts"]', 45000 },
      { "third;", ";[set of ", 90000 }, { "getter (t.lua:4);", ";[get from Queue made at t.lua:2]", 90000 },
      { "main;main chunk (t.lua);", "greenlet.sleep [C];[sleep]", 90000 },
    }
    for _, wait in ipairs(waits) do
      assert.truthy(time_of(list, "wait", wait[1], wait[2]) >= wait[3], wait[1])
    end
  end)

  it("for a turn is apart", function()
    local list = parse((profile(SPIN .. [[
local function busy() spin(10000000) end
for _ = 1, 3 do greenlet.spawn(busy) end]])))
    local cpu = time_of_root(list, "cpu", "busy (t.lua:6)")
    -- The second waits for the first, the third for both; and all of them for other processes.
    assert.truthy(time_of(list, "wait", "busy (t.lua:6);[ready]") > 0.9 * cpu)
  end)

  it("of those that are left at the end is there", function()
    local list = parse((profile([[
local function forever() greenlet.sleep(1e9) end
greenlet.spawn(forever)
greenlet.sleep(0.1)
os.exit(0)]])))
    assert.truthy(time_of(list, "wait", "forever (t.lua:1);greenlet.sleep [C];[sleep]") >= 99000)
  end)
end)

describe("a profiled script", function()
  teardown(run.clean)

  local function same_output(script)
    local plain = run.program(run.greenlua, { script = script })
    local _, profiled = profile(script)
    assert.same(plain, profiled)
    assert.equal("", plain.stderr)
    assert.truthy(#plain.stdout > 0)
  end

  it("has its own count hooks called as often", function()
    same_output(SPIN .. [[
local count = 0
debug.sethook(function() count = count + 1 end, "", 100003)
spin(20000000)
local hook, mask, every = debug.gethook()
print(count, type(hook), mask, every)]])
  end)

  it("has its own hooks called for calls, returns and lines", function()
    same_output(SPIN .. [[
local counts = {}
local co = coroutine.create(function()
  for i = 1, 5 do spin(200000) coroutine.yield(i) end
end)
debug.sethook(co, function(event) counts[event] = (counts[event] or 0) + 1 end, "crl")
while coroutine.resume(co) do spin(1000000) end
for _, event in ipairs { "call", "return", "line" } do print(event, counts[event]) end
print(debug.gethook())]])
  end)

  it("raises, yields and returns as ever", function()
    same_output(SPIN .. [[
local function recur(n) if n > 0 then return recur(n - 1) end spin(1000) error({ n }) end
for i = 1, 2000 do
  local ok, err = pcall(recur, 20)
  assert(not ok and err[1] == 0)
end
local g = greenlet.spawn(function() for i = 1, 200 do spin(10000) greenlet.sleep(0) end return "done" end)
print(g:get(), pcall(error, "message"), select("#", string.byte(("x"):rep(200), 1, -1)))]])
  end)
end)

describe("the file of a profile", function()
  teardown(run.clean)

  local function assert_whole(text)
    assert.truthy(time_of(parse(text), "cpu") > 0)
  end

  -- A script that has worked is busy, or waits, when something ends it.
  local BUSY = SPIN .. "spin(3000000)\n"

  it("is written when the program fails", function()
    local text, result = profile(BUSY .. "error('no')")
    assert.equal(1, result.status)
    assert_whole(text)
  end)

  local function assert_written_by(code)
    local text, result = profile(BUSY .. code)
    assert.equal(3, result.status)
    assert_whole(text)
  end

  it("is written by os.exit", function()
    assert_written_by("os.exit(3)")
    assert_written_by("os.exit(3, true)")
    assert_written_by("greenlet.spawn(os.exit, 3) greenlet.sleep(9)")
  end)

  it("is written by os.exit in a greenlet that closes the state #leaks", function()
    assert_written_by("greenlet.spawn(os.exit, 3, true) greenlet.sleep(9)")
  end)

  it("is written when a signal ends the program", function()
    local ready = 'io.open("ready", "w"):close()\n'
    local shell = [[lua "$@" & pid=$!
      until test -e ready; do sleep 0.01; done
      kill -%s $pid; wait $pid]]
    local waiting, running = "greenlet.sleep(60)", "while true do spin(1000) end"
    -- In C, where no hook comes: by its default action.
    local in_c = "string.find(('a'):rep(50), ('a*'):rep(25) .. 'b')"
    for _, way in ipairs { { "TERM", waiting, 143 }, { "TERM", running, 143 }, { "HUP", waiting, 129 },
        { "TERM", in_c, 143 } } do
      local text, result = profile(BUSY .. ready .. way[2], { shell = shell:format(way[1]) })
      assert.equal(way[3], result.status, way[1] .. " " .. way[2] .. result.stderr)
      assert_whole(text)
    end
    for _, code in ipairs { waiting, running } do -- Ctrl-C, which a shell's background ignores
      local text, result = profile(BUSY .. INTERRUPT .. code)
      assert.equal(130, result.status)
      assert_whole(text)
    end
  end)

  it("is not that of a forked child", function()
    local text, result = profile(BUSY .. [[
local pid = greenlet.fork()
if pid == 0 then
  local function child() spin(30000000) end
  child()
  print(greenlet.profile.file())
  os.exit(0)
end
print(greenlet.waitpid(pid))]])
    assert.equal("nil\ntrue\texit\t0\n", result.stdout)
    assert_whole(text)
    assert.equal(0, time_of(parse(text), "cpu", "child (t.lua"))
    assert.truthy(time_of(parse(text), "wait", "main;main chunk (t.lua)", "[child]") > 0)
  end)

  it("can be taken by a child that goes on with all", function()
    local text, result = profile(BUSY .. [[
local pid = greenlet.fork { keep = true }
local file = "part" .. (pid == 0 and "2" or "1") .. ".folded"
if pid == 0 then
  greenlet.profile.start(file)
  spin(3000000)
  greenlet.profile.stop()
  print(#io.open(file):read("a") > 0)
  os.exit(0)
end
print(greenlet.waitpid(pid))]])
    assert.equal("true\ntrue\texit\t0\n", result.stdout)
    assert_whole(text)
  end)

  it("keeps its form whatever greenlets and files are called", function()
    local script = BUSY .. [[
local function work() spin(2000000) greenlet.sleep(0.001) end
for _, name in ipairs { "a;b 7", "line\none\t", "", "</script><script>alert(1)</script>", "\xff\xfe é" } do
  greenlet.spawn(work).name = name
end
load("local spin = ... spin(2000000)", "@odd;name\n 3.lua")(spin)
load("local spin = ...\n spin(2000000)")(spin)]]
    local list = parse((profile(script)))
    for _, root in ipairs { "a:b 7", "line one ", "", "</script><script>alert(1)</script>" } do
      assert.truthy(time_of_root(list, "cpu", root) > 0, root)
    end
    assert.truthy(time_of(list, "cpu", ";main chunk (odd:name  3.lua)") > 0)
    assert.truthy(time_of(list, "cpu", ";main chunk (local spin = ...)") > 0)
    local page = profile(script, { ending = ".html" })
    assert.falsy(page:find("<script>alert", 1, true))
    local data, _, problem = json.decode((page:match('<script type="application/json" id="profile">(.-)</script>')))
    assert.is_nil(problem)
    local names = {}
    for _, frame in ipairs(data.frames) do
      if frame ~= 0 then names[frame[2]] = true end
    end
    for _, name in ipairs { "a;b 7", "line\none\t", "", "</script><script>alert(1)</script>", "��  é" } do
      assert.truthy(names[name:gsub("  é", " é")], name)
    end
  end)

  it("is that of the environment's variable, too", function()
    local directory = run.directory()
    local result = run.program(run.greenlua, { script = "print(greenlet.profile.file())",
      env = { GREENLUA_PROFILE = directory .. "/p.folded" } })
    assert.equal(directory .. "/p.folded\n", result.stdout)
    assert.truthy(parse(run.read(directory .. "/p.folded")))
  end)

  it("has no name that the program would not understand", function()
    local result = run.program(run.greenlua, { args = { "--profile=p.txt", "-e", "print(1)" } })
    assert.same({ stdout = "", status = 1,
      stderr = "lua: --profile needs a file whose name ends in .html or .folded (got 'p.txt')\n" }, result)
    result = run.program(run.greenlua, { args = { "--profile", "-e", "print(1)" } })
    assert.equal(1, result.status)
    assert.matches("'%-%-profile' needs a value: %-%-profile=FILE\n", result.stderr)
  end)

  it("must be one that can be written", function()
    local result = run.program(run.greenlua, { args = { "--profile=/no/such/p.html", "-e", "print(1)" } })
    assert.same({ stdout = "", status = 1, stderr =
      "lua: --profile cannot be written to '/no/such/p.html': No such file or directory\n" }, result)
    local full = run.program(run.greenlua, { shell = [[
      ln -s /dev/full p.folded && lua --profile=p.folded -e 'for i = 1, 1e7 do end']] })
    assert.equal(0, full.status)
    assert.matches("^greenlua: the profile cannot be written to '.*/p.folded': No space left", full.stderr)
  end)
end)

describe("greenlet.profile", function()
  teardown(run.clean)

  it("takes the profile of a part", function()
    local result = run.program(run.greenlua, { script = SPIN .. [[
local function before() spin(3000000) end
local function part() spin(3000000) end
before()
local waiter = greenlet.spawn(function() greenlet.sleep(0.2) end)
greenlet.sleep(0)
greenlet.profile.start("p.folded", { interval = 0.0005 })
part()
greenlet.sleep(0.05)
print(greenlet.profile.file():match("[^/]*$"), greenlet.config.profile:sub(1, 1))
greenlet.profile.stop()
before()
print(greenlet.profile.file(), greenlet.config.profile)
io.write(io.open("p.folded"):read("a"))]] })
    assert.equal("", result.stderr)
    local head, text = result.stdout:match("^(.-\n.-\n)(.*)$")
    assert.equal("p.folded\t/\nnil\t\n", head)
    local list = parse(text)
    assert.truthy(time_of(list, "cpu", "main;main chunk (t.lua);part (t.lua:7);spin (t.lua:1)") > 0)
    assert.equal(0, time_of(list, "cpu", "before"))
    assert.truthy(time_of(list, "wait", "function (t.lua:9)", "[sleep]") >= 49000)
  end)

  it("is refused what it cannot do", function()
    local result = run.program(run.greenlua, { script = [[
local profile = greenlet.profile
local function try(f, ...) print((select(2, pcall(f, ...)))) end
try(profile.stop)
try(profile.start)
try(profile.start, "")
try(profile.start, "a\0.html")
try(profile.start, "p.txt")
try(profile.start, ".html")
try(profile.start, "no/such/p.html")
try(profile.start, "p.html", 1)
try(profile.start, "p.html", { intervall = 1 })
try(profile.start, "p.html", { interval = "1" })
try(profile.start, "p.html", { interval = 0 })
try(profile.start, "p.html", { interval = 0/0 })
profile.start("p.html")
try(profile.start, "q.html")
try(function() greenlet.config.profile = "q.html" end)
profile.stop()
greenlet.config.profile = "r.html"
greenlet.config.profile = ""
print(io.open("q.html"), #io.open("r.html"):read("a") > 0)]] })
    assert.equal("", result.stderr)
    assert.equal(([[
there is no profile to stop
t.lua:2: bad argument #1 to 'start' (string expected, got nil)
t.lua:2: bad argument #1 to 'start' (the name of a file is expected)
t.lua:2: bad argument #1 to 'start' (the name of a file is expected)
t.lua:2: bad argument #1 to 'start' (a profile needs a file whose name ends in .html or .folded (got 'p.txt'))
t.lua:2: bad argument #1 to 'start' (a profile needs a file whose name ends in .html or .folded (got '.html'))
t.lua:2: bad argument #1 to 'start' (a profile cannot be written to 'no/such/p.html': No such file or directory)
t.lua:2: bad argument #2 to 'start' (table expected, got number)
t.lua:2: bad argument #2 to 'start' (there is no option 'intervall')
t.lua:2: bad argument #2 to 'start' (interval: number expected, got string)
t.lua:2: bad argument #1 to 'start' (a profile has an interval out of range (0.0001 to 10 seconds))
t.lua:2: bad argument #1 to 'start' (a profile has an interval out of range (0.0001 to 10 seconds))
t.lua:2: bad argument #1 to 'start' (a profile is being written to '%s/p.html')
t.lua:17: setting 'profile' is on already
nil	true
]]):format(result.stdout:match("being written to '(.-)/p%.html'")), result.stdout)
  end)
end)
