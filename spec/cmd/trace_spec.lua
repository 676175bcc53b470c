-- Traces in JSON: their form, that they are true, and that they are written however a program ends.
local cjson = require "cjson"
local run = require "spec.cmd.run"
local schema = require "spec.schema"

local function program(case) return run.program(run.greenlua, case) end

local RULE = cjson.decode(run.read("docs/trace.schema.json"))

-- ---- Reading traces ----

local function nanoseconds(microseconds) return math.floor(microseconds * 1000 + 0.5) end

-- By number of the track: name, function ..., slices in order of time, marks.
local function tracks_of(trace)
  local tracks = {}
  local function track(tid)
    tracks[tid] = tracks[tid] or { tid = tid, slices = {}, marks = {} }
    return tracks[tid]
  end
  for _, event in ipairs(trace.traceEvents) do
    local one = track(event.tid)
    if event.name == "thread_name" then
      for key, value in pairs(event.args) do one[key] = value end
    elseif event.ph == "X" then
      table.insert(one.slices, {
        from = nanoseconds(event.ts), to = nanoseconds(event.ts) + nanoseconds(event.dur),
        what = event.cat, name = event.name, line = event.args and event.args.line,
        reason = event.args and event.args.reason,
      })
    elseif event.ph == "i" then
      table.insert(one.marks, event)
    end
  end
  for _, one in pairs(tracks) do
    table.sort(one.slices, function(a, b) return a.from < b.from end)
  end
  return tracks
end

local function named(tracks, name)
  for _, track in pairs(tracks) do
    if track.name == name then return track end
  end
  error("no track called " .. name)
end

-- The names of its waits, in order.
local function waits(track)
  local list = {}
  for _, slice in ipairs(track.slices) do
    if slice.what == "wait" then list[#list + 1] = slice.name end
  end
  return list
end

local function time(track, what)
  local sum = 0
  for _, slice in ipairs(track.slices) do
    if slice.what == what then sum = sum + slice.to - slice.from end
  end
  return sum
end

local MOST = 20000 -- events whose form is looked at: it takes long

-- What must hold for every trace.
local function check(text)
  local trace = cjson.decode(text)
  local events = trace.traceEvents
  trace.traceEvents = { table.unpack(events, 1, math.min(#events, MOST)) }
  assert.is_nil(schema.problem(trace, RULE))
  trace.traceEvents = events
  assert.is_nil(text:find("<", 1, true))
  local tracks = tracks_of(trace)
  local running = 0
  for _, track in pairs(tracks) do
    assert.is_string(track.name)
    for i = 2, #track.slices do
      assert.is_true(track.slices[i - 1].to <= track.slices[i].from)
    end
    running = running + time(track, "run")
  end
  assert.is_true(running <= nanoseconds(trace.otherData.to - trace.otherData.from))
  local begins = {}
  for _, event in ipairs(trace.traceEvents) do
    if event.ph == "s" then begins[event.id] = event end
  end
  for _, event in ipairs(trace.traceEvents) do
    if event.ph == "f" then assert.is_true(begins[event.id].ts <= event.ts) end
  end
  return tracks, trace, running
end

-- The trace of a script that ends with status 0 and says nothing.
local function traced(script, case)
  case = case or {}
  local result = program {
    files = { ["t.lua"] = script }, env = case.env,
    shell = ("%slua %s t.lua && cat t.json"):format(case.before or "", case.options or "--trace=t.json"),
  }
  assert.equal("", result.stderr)
  assert.equal(0, result.status)
  return check(result.stdout)
end

-- ---- What it tells ----

local KNOWN = [[
local lock, queue = greenlet.lock.Lock("accounts"), greenlet.queue
local jobs, event = queue.Channel(), greenlet.event.Event()
jobs.name = "jobs"
local function named(name, f, ...)
  local g = greenlet.spawn(f, ...)
  g.name = name
  return g
end
local holder = named("holder", function()
  lock:acquire()
  greenlet.sleep(0.002)
  lock:release()
end)
local waiter = named("waiter", function() lock:acquire() lock:release() end)
local getter = named("getter", function() jobs:get() event:wait() end)
local putter = named("putter", function()
  greenlet.sleep(0.001)
  jobs:put("job")
  greenlet.sleep(0)
  event:set()
end)
local joiner = named("joiner", function() holder:join() end)
local victim = named("victim", function() greenlet.sleep(1000) end)
local failed = named("failed", function() greenlet.sleep(0.001) error(greenlet.GreenletExit()) end)
local later = greenlet.spawn_later(0.001, function() end)
later.name = "later"
named("killer", function() greenlet.sleep(0.001) greenlet.kill(victim, nil, false) end)
joiner:link(function() end)
local inner = named("inner", function()
  coroutine.wrap(function()
    greenlet.sleep(0.001)
  end)()
end)
greenlet.joinall { holder, waiter, getter, putter, joiner, victim, failed, later, inner }
]]

local function check_known(tracks)
  assert.same({ "sleep" }, waits(named(tracks, "holder")))
  assert.same({ 'acquire of lock "accounts"' }, waits(named(tracks, "waiter")))
  assert.same({ 'get from channel "jobs"', "set of Event made at t.lua:2" },
    waits(named(tracks, "getter")))
  assert.same({ "sleep" }, waits(named(tracks, "putter")))
  assert.same({ "join of holder" }, waits(named(tracks, "joiner")))
  assert.same({ "sleep" }, waits(named(tracks, "victim")))
  assert.same({ "join of all of 9 greenlets", "end of the loop" }, waits(named(tracks, "main")))
  local seen = {}
  for _, wait in ipairs(waits(named(tracks, "hub"))) do seen[wait] = true end
  assert.same({ poll = true }, seen)
end

describe("A trace", function()
  teardown(run.clean)

  it("tells what each greenlet waits for, and where", function()
    local tracks = traced(KNOWN)
    check_known(tracks)
    local slice = named(tracks, "waiter").slices
    assert.equal("t.lua:14", slice[3].line)
    assert.equal("acquire of", slice[3].reason)
    assert.equal("t.lua:31", named(tracks, "inner").slices[3].line)
  end)

  for name, value in pairs { GREENLUA_STACK_SLOTS = "1", GREENLUA_STACK_MOVE = "1" } do
    it(("tells the same with %s=%s"):format(name, value), function()
      check_known(traced(KNOWN, { env = { [name] = value } }))
    end)
  end

  it("says who spawned whom, and where", function()
    local tracks = traced(KNOWN)
    local main, holder, later = named(tracks, "main"), named(tracks, "holder"), named(tracks, "later")
    assert.equal(main.tid, holder.spawner)
    assert.equal(main.tid, later.spawner)
    assert.equal("t.lua:5", holder.spawned)
    assert.equal("t.lua:9", holder["function"])
    assert.is_nil(main.spawner)
  end)

  it("marks spawns, kills, links and ends", function()
    local tracks = traced(KNOWN)
    local function marks(name, kind)
      local list = {}
      for _, mark in ipairs(named(tracks, name).marks) do
        if mark.name == kind then list[#list + 1] = mark.args.target or mark.args.how end
      end
      return list
    end
    assert.equal(10, #marks("main", "spawn"))
    assert.same({ named(tracks, "victim").tid }, marks("killer", "kill"))
    assert.same({ named(tracks, "joiner").tid }, marks("main", "link"))
    assert.same({ "value" }, marks("holder", "end"))
    assert.same({ "killed" }, marks("victim", "end"))
    assert.same({}, marks("main", "end"))
  end)

  it("says by an error how one ended that failed", function()
    local result = program {
      files = { ["t.lua"] = "greenlet.spawn(error, 'oops').name = 'f' greenlet.sleep(0)" },
      shell = "lua --trace=t.json t.lua 2>/dev/null; cat t.json",
    }
    local marks = named(check(result.stdout), "f").marks
    assert.equal("error", marks[#marks].args.how)
  end)

  it("has arrows from who wakes to who is woken", function()
    local tracks, trace = traced(KNOWN)
    local from, to = named(tracks, "putter").tid, named(tracks, "getter").tid
    local ids, found = {}, 0
    for _, event in ipairs(trace.traceEvents) do
      if event.ph == "s" and event.tid == from then ids[event.id] = true end
    end
    for _, event in ipairs(trace.traceEvents) do
      if event.ph == "f" and event.tid == to and ids[event.id] then found = found + 1 end
    end
    assert.equal(2, found) -- the job, and the event
  end)

  it("counts who lives and who is ready", function()
    local _, trace = traced [[
      local list = {}
      for i = 1, 20 do list[i] = greenlet.spawn(greenlet.sleep, 0.001) end
      greenlet.joinall(list)
      for _ = 1, 1000 do greenlet.sleep(0) end
    ]]
    local most, last = 0, nil
    for _, event in ipairs(trace.traceEvents) do
      if event.ph == "C" then
        most, last = math.max(most, event.args.ready), event.args
      end
    end
    assert.is_true(most > 0 and most <= 20)
    assert.same({ living = 2, ready = 0 }, last)
  end)

  it("accounts for the time that the process computes", function()
    local _, trace, running = traced [[
      local function work()
        for _ = 1, 20 do
          for i = 1, 100000 do local _ = i % 7 end
          greenlet.sleep(0)
        end
      end
      local list = {}
      for i = 1, 10 do list[i] = greenlet.spawn(work) end
      greenlet.joinall(list)
    ]]
    assert.is_true(running >= 0.95 * nanoseconds(trace.otherData.cpu))
  end)

  it("has the text of lines", function()
    local _, trace = traced("greenlet.sleep(0.001)\n")
    assert.equal("greenlet.sleep(0.001)", trace.otherData.sources["t.lua:1"])
  end)

  it("shows names as they are", function()
    local names = { "</script><script>alert(1)</script>", "\1\n\"\\", "na\195\175ve \240\159\152\128" }
    local script = { "local g" }
    for i, name in ipairs(names) do
      script[i + 1] = ("g = greenlet.spawn(greenlet.sleep, 0) g.name = %q"):format(name)
    end
    local tracks = traced(table.concat(script, "\n"))
    for _, name in ipairs(names) do named(tracks, name) end
    named(traced "greenlet.spawn(greenlet.sleep, 0).name = 'a\\xFFb'", "a\239\191\189b")
  end)

  it("shows the beginning of a very long name", function()
    local tracks = traced [[
      local g = greenlet.spawn(greenlet.sleep, 0)
      g.name = "a" .. ("\u{e4}"):rep(1 << 20)
      g:join()
    ]]
    assert.is_table(named(tracks, "a" .. ("\u{e4}"):rep(499)))
  end)

  it("calls raw greenlets, and waits in a switch", function()
    local tracks = traced [[
      local main = greenlet.getcurrent()
      local raw = greenlet.greenlet(function() main:switch() end)
      raw.name = "raw"
      raw:switch()
      raw:switch()
    ]]
    assert.same({ "switch to raw", "switch to raw", "end of the loop" }, waits(named(tracks, "main")))
    assert.same({ "switch to main" }, waits(named(tracks, "raw")))
  end)

  it("tells descriptors, selects and members of pools", function()
    local tracks = traced [[
      local function named(name, f, ...) greenlet.spawn(f, ...).name = name end
      local q = greenlet.queue.Queue()
      named("selects", function() greenlet.select({ { q, "get" } }) end)
      named("reads", function()
        local watcher <close> = greenlet.get_hub().loop:io(0, "r")
        greenlet.get_hub():wait(watcher)
      end)
      greenlet.sleep(0.001)
      q:put(1)
    ]]
    assert.same({ "read fd 0" }, waits(named(tracks, "reads")))
    assert.same({ "select of 1 case" }, waits(named(tracks, "selects")))
  end)

  it("of 40,000 switches has every one", function()
    local tracks = traced [[
      local function f() for _ = 1, 20000 do greenlet.sleep(0) end end
      local a, b = greenlet.spawn(f), greenlet.spawn(f)
      a.name, b.name = "a", "b"
      greenlet.joinall { a, b }
    ]]
    local runs = 0
    for _, slice in ipairs(named(tracks, "a").slices) do
      if slice.what == "run" then runs = runs + 1 end
    end
    assert.equal(20001, runs)
  end)
end)

-- ---- A part of a program ----

describe("greenlet.trace", function()
  teardown(run.clean)

  it("traces a part", function()
    local tracks, trace = traced([[
      local old = greenlet.spawn(greenlet.sleep, 0.005)
      old.name = "old"
      greenlet.sleep(0)
      greenlet.trace.start("t.json")
      assert(greenlet.trace.file():match("/t%.json$"))
      local new = greenlet.spawn(greenlet.sleep, 0.001)
      new.name = "new"
      greenlet.joinall { old, new }
      greenlet.trace.stop()
      assert(greenlet.trace.file() == nil)
      greenlet.spawn(greenlet.sleep, 0).name = "too late"
    ]], { options = "" })
    assert.same({ "sleep" }, waits(named(tracks, "old")))
    assert.equal("run", named(tracks, "main").slices[1].what)
    assert.is_false(pcall(named, tracks, "too late"))
    local spawns = 0
    for _, event in ipairs(trace.traceEvents) do
      spawns = spawns + (event.name == "spawn" and 1 or 0)
    end
    assert.equal(1, spawns)
  end)

  it("names nobody whom a greenlet switched to before, and who may be no more", function()
    local tracks = traced([[
      local main, waiting = greenlet.getcurrent(), {}
      for i = 1, 100 do
        local gone = greenlet.greenlet(function() main:switch() end)
        waiting[i] = greenlet.greenlet(function() gone:switch() end)
        waiting[i]:switch()
        pcall(gone.throw, gone)
      end
      for _ = 1, 5 do collectgarbage() greenlet.sleep(0.001) end
      greenlet.trace.start("t.json")
      waiting[1].name = "first"
      greenlet.sleep(0.001)
      greenlet.trace.stop()
    ]], { options = "" })
    assert.same({ "switch" }, waits(named(tracks, "first")))
  end)

  it("knows of a wait only what was noted while it traced", function()
    local tracks = traced([[
      local lock, jobs = greenlet.lock.Lock("old"), greenlet.queue.Queue()
      lock:acquire()
      greenlet.trace.start("t.json")
      local g = greenlet.spawn(function() lock:acquire() jobs:get() end)
      g.name = "getter"
      greenlet.sleep(0.001)
      greenlet.trace.stop()
      lock:release()
      greenlet.sleep(0.001)
      greenlet.trace.start("t.json")
      greenlet.sleep(0.001)
      greenlet.trace.stop()
      os.exit(0)
    ]], { options = "" })
    assert.same({ "get from" }, waits(named(tracks, "getter")))
    assert.is_nil(named(tracks, "getter").slices[1].line)
  end)

  it("takes none that is to start later for a ready one", function()
    local tracks = traced([[
      local g = greenlet.spawn_later(0.01, function() end)
      g.name = "later"
      greenlet.trace.start("t.json")
      g:join()
      greenlet.trace.stop()
    ]], { options = "" })
    local later, hub = named(tracks, "later"), named(tracks, "hub")
    assert.is_true(later.slices[1].from >= hub.slices[2].to) -- when that has polled
  end)

  it("asks no metatable of the globals", function()
    traced([[
      arg = nil
      setmetatable(_G, { __index = function(_, key) error("no global " .. key) end })
      greenlet.trace.start("t.json")
      greenlet.trace.stop()
    ]], { options = "" })
  end)

  it("can be begun again, in a greenlet, a coroutine and the hub", function()
    traced([[
      local function round()
        greenlet.trace.start("t.json")
        greenlet.spawn(greenlet.sleep, 0)
        greenlet.trace.stop()
      end
      round()
      greenlet.spawn(round):join()
      coroutine.wrap(round)()
      greenlet.get_hub().loop:run_callback(round)
      greenlet.sleep(0.001)
    ]], { options = "" })
  end)

  local bad = {
    ["nil"] = "string expected, got nil", ["''"] = "the name of a file is expected",
    ["'a\\0.json'"] = "the name of a file is expected",
    ["'t.txt'"] = "a trace needs a file whose name ends in .json or .html (got 't.txt')",
    ["'no/t.json'"] = "a trace cannot be written to 'no/t.json': No such file or directory",
    ["'/dev/null/t.json'"] = "a trace cannot be written to '/dev/null/t.json': Not a directory",
  }
  for argument, problem in pairs(bad) do
    it("refuses " .. argument, function()
      local result = program { e = ("print(pcall(greenlet.trace.start, %s))"):format(argument) }
      assert.equal("", result.stderr)
      assert.is_truthy(result.stdout:find(problem, 1, true), result.stdout)
    end)
  end

  it("refuses a second trace, and to stop none", function()
    local result = program { e = [[
      print(pcall(greenlet.trace.stop))
      greenlet.trace.start("a.json")
      print(pcall(greenlet.trace.start, "b.json"))
      greenlet.trace.stop()
      print(greenlet.trace.file(), io.open("b.json"))
    ]] }
    assert.is_truthy(result.stdout:match(
      "^false\t.-there is no trace to stop\nfalse\t.-a trace is being written to '[^\n]*/a%.json'%)\n"
      .. "nil\tnil\tb%.json: No such file"), result.stdout)
  end)

  it("says that a file cannot be written", function()
    local result = program { e = [[
      greenlet.trace.start("t.json")
      local problem = io.open("/dev/full", "w") and os.remove("t.json")
      greenlet.trace.stop()
    ]] }
    assert.equal("", result.stderr)
    result = program { shell = "ln -s /dev/full t.json; lua --trace=t.json -e ''" }
    assert.is_truthy(result.stderr:match(
      "^greenlua: cannot write the trace /.*/t%.json: No space left on device\n$"), result.stderr)
  end)
end)

-- ---- How programs end ----

describe("The file of a trace", function()
  teardown(run.clean)

  local endings = {
    ["an error"] = "error('oops')",
    ["os.exit"] = "os.exit(true)",
    ["os.exit in a greenlet"] = "greenlet.spawn(os.exit, 3) greenlet.sleep(1000)",
    ["os.exit that closes the state, in a greenlet"] =
      "greenlet.spawn(os.exit, true, true) greenlet.sleep(1000)",
    ["a deadlock"] = "g:kill() greenlet.event.Event():wait()",
    ["SIGTERM"] = "os.execute('kill $PPID') greenlet.sleep(1000)",
    ["SIGINT"] = "io.popen('kill -INT $PPID'):close() greenlet.sleep(1000)",
    ["SIGSEGV #asan"] = "os.execute('kill -SEGV $PPID') greenlet.sleep(1000)",
  }
  for name, code in pairs(endings) do
    it("is written after " .. name, function()
      local result = program {
        files = { ["t.lua"] = "local g = greenlet.spawn(greenlet.sleep, 1000) g.name = 'sleeper'\n"
          .. "greenlet.sleep(0.001)\n" .. code },
        shell = "env --default-signal lua --trace=t.json t.lua >/dev/null 2>&1; cat t.json",
      }
      assert.same({ "sleep" }, waits(named(check(result.stdout), "sleeper")))
    end)
  end

  it("stays where the script began, and is the parent's alone", function()
    local tracks = traced([[
      os.execute("mkdir other")
      for _ = 1, 2 do
        local pid = greenlet.fork()
        if pid == 0 then
          for _ = 1, 10000 do greenlet.sleep(0) end
          os.exit(0)
        end
        greenlet.waitpid(pid)
      end
    ]])
    assert.is_table(named(tracks, "main"))
  end)

  it("is named by the environment, too, unless an option says otherwise", function()
    local result = program { env = { GREENLUA_TRACE = "a.json" }, shell =
      "lua -e '' && ls && lua --trace=b.json -e '' && rm a.json && lua --trace=c.json -e '' && ls" }
    assert.equal("", result.stderr)
    assert.equal("a.json\nb.json\nc.json\n", result.stdout)
  end)

  it("may have the number of the process in its name", function()
    local result = program { shell = [[
      lua --trace=t-%p.json -e 'print(greenlet.trace.file():match("t%-%d+%.json$"))'; ls]] }
    local said, there = result.stdout:match("^(t%-%d+%.json)\n(.*)\n$")
    assert.equal(said, there)
  end)

  it("must have a name that says what it is", function()
    local result = program { shell = "lua --trace=t.txt -e 'print(1)'; echo $?; lua --trace -e ''" }
    assert.equal("1\n", result.stdout)
    assert.is_truthy(result.stderr:find(
      "--trace needs a file whose name ends in .json or .html (got 't.txt')", 1, true))
    assert.is_truthy(result.stderr:find("'--trace' needs a value: --trace=FILE\nusage: ", 1, true))
  end)
end)

-- ---- The flight recorder ----

describe("The flight recorder", function()
  teardown(run.clean)

  local function flight(script, shell)
    local result = program {
      files = { ["t.lua"] = script },
      shell = "env --default-signal lua --flight-recorder=f.json t.lua >/dev/null" .. (shell or "")
        .. "; [ ! -e f.json ] || cat f.json",
    }
    return result.stdout ~= "" and check(result.stdout), result
  end

  local SLEEPER = "local g = greenlet.spawn(greenlet.sleep, 1000) g.name = 'sleeper'\n"
    .. "greenlet.sleep(0.001)\n"

  local reasons = {
    ["a deadlock"] = { "greenlet.config.deadlock = 'off' g:kill() greenlet.event.Event():wait()",
      "deadlock" },
    ["greenlets that wait in a circle while others run"] = { [[
      local a, b
      a = greenlet.spawn(function() b:join() end)
      b = greenlet.spawn(function() a:join() end)
      greenlet.sleep(0.01)
      os.exit(0)]], "deadlock" },
    ["an error that nobody takes in main"] = { "error('oops')", "error" },
    ["an error of a greenlet that nobody takes"] = {
      "greenlet.spawn(error, 'oops') greenlet.sleep(0.001) os.exit(0)", "failure" },
    ["SIGUSR2"] = { "os.execute('kill -USR2 $PPID') os.exit(0)", "SIGUSR2" },
    ["SIGSEGV #asan"] = { "os.execute('kill -SEGV $PPID') greenlet.sleep(1000)", "a signal" },
    ["SIGABRT"] = { "os.execute('kill -ABRT $PPID') greenlet.sleep(1000)", "abort" },
  }
  for name, reason in pairs(reasons) do
    it("is written after " .. name, function()
      local tracks, result = flight(SLEEPER .. reason[1])
      assert.same({ "sleep" }, waits(named(tracks, "sleeper")))
      assert.is_truthy(result.stderr:find(
        ("greenlua: flight recorder: %s: the last "):format(reason[2]), 1, true), result.stderr)
    end)
  end

  it("must have a file that can be written", function()
    local result = program { shell = [[
      lua --flight-recorder=no/f.json -e 'print(1)'; echo $?
      touch f.json; lua --flight-recorder=f.json/g.json -e 'print(1)'; echo $?]] }
    assert.equal("1\n1\n", result.stdout)
    assert.equal("lua: --flight-recorder cannot be written to 'no/f.json': No such file or directory\n"
      .. "lua: --flight-recorder cannot be written to 'f.json/g.json': Not a directory\n",
      result.stderr)
  end)

  it("is not written when all is well", function()
    local tracks, result = flight("greenlet.sleep(0.001)")
    assert.is_false(tracks)
    assert.equal("", result.stderr)
  end)

  it("keeps the last events, and who lives", function()
    local result = program {
      files = { ["t.lua"] = SLEEPER .. [[
        g.name = "old sleeper"
        local function f() for _ = 1, 70000 do greenlet.sleep(0) end end
        greenlet.joinall { greenlet.spawn(f), greenlet.spawn(f) }
        error("now")
      ]] },
      shell = "lua --flight-recorder=f.json t.lua 2>/dev/null; cat f.json",
    }
    local tracks, trace = check(result.stdout)
    assert.equal(131072, trace.otherData.events)
    assert.is_true(trace.otherData.lost > 8000)
    assert.is_true(trace.otherData.from > 0)
    local old = named(tracks, "old sleeper")
    assert.same({ "sleep" }, waits(old))
    assert.equal("t.lua:1", old.spawned)
    local counted = {}
    for _, event in ipairs(trace.traceEvents) do
      if event.ph == "C" then counted[#counted + 1] = event.args.living end
    end
    assert.equal(5, counted[1])
    assert.equal(3, counted[#counted]) -- main, the hub and the sleeper
  end)

  it("has a name of its own where none is given", function()
    local result = program { shell =
      "lua --flight-recorder -e 'error(1)' 2>/dev/null; ls; grep -c 'id=\"trace\"' *.html" }
    assert.is_truthy(result.stdout:match("^greenlua%-flight%-%d+%.html\n1\n$"), result.stdout)
  end)

  it("is a setting, which may be changed", function()
    local result = program { e = [[
      greenlet.config.flight_recorder = "a.json"
      greenlet.config.flight_recorder = "b.json"
      print((greenlet.config.flight_recorder:match("[^/]*$")))
      os.execute("kill -USR2 $PPID")
      greenlet.config.flight_recorder = ""
      print(greenlet.config.flight_recorder, io.open("a.json"), (io.open("b.json")))
    ]] }
    assert.is_truthy(result.stdout:match("^b%.json\n\tnil\tfile %("), result.stdout)
  end)

  it("does not wait for who might read it", function()
    local result = program { shell = [[
      mkfifo f.json
      lua --flight-recorder=f.json -e 'error "oops"']] }
    assert.is_truthy(result.stderr:match(
      "^greenlua: cannot write the trace /.*/f%.json: No such device or address\n"), result.stderr)
  end)

  it("goes on when it cannot be changed", function()
    local result = program { e = [[
      greenlet.config.flight_recorder = "a.json"
      print(pcall(function() greenlet.config.flight_recorder = "b.txt" end))
      print((greenlet.config.flight_recorder:match("[^/]*$")))
      os.execute("kill -USR2 $PPID")
      print((io.open("a.json")))
    ]] }
    assert.is_truthy(result.stdout:match("^false\t[^\n]*'b%.txt'[^\n]*\na%.json\nfile %("),
      result.stdout)
  end)
end)
