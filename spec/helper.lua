--- What the specs share: times, leak checks, captured reports, fresh processes.
--
-- Specs run under greenlua itself (busted --lua=build/greenlua), so an `it` body
-- is the main greenlet and may sleep, spawn and join.

local greenlet = require "greenlet"
local busted = require "busted"
local lfs = require "lfs"
local patience = require "spec.patience"

local helper = {}

-- ---- Times, in seconds. No spec names another figure. ----

helper.TICK = 0.001      -- the shortest sleep that needs the loop's clock
helper.SHORT = 0.01      -- clearly later than TICK
helper.LATER = 0.1 * patience -- a timeout before which what takes TICKs is over, on a busy machine too
helper.NEVER = 1000      -- a wait that no spec sits out
helper.GENEROUS = 10 * patience -- no machine is so slow: the one bound on how long a thing may take

-- What is known about the run. busted loads this file anew for every spec file, but
-- keeps its own table.
local run = rawget(busted, "greenlua_run")
if not run then
  run = { failed = false, test = "?" }
  rawset(busted, "greenlua_run", run)
  local function note_failure() run.failed = true; return nil, true end
  busted.subscribe({ "error" }, note_failure)
  busted.subscribe({ "failure" }, note_failure)
  busted.subscribe({ "test", "start" }, function(element)
    run.test = element.name
    return nil, true
  end)
  -- Specs make greenlets fail on purpose, which the program counts as failures of the
  -- process. Only what busted counts decides the exit status of a run.
  busted.subscribe({ "exit" }, function()
    if not run.failed then
      io.stdout:flush()
      os.exit(0)
    end
    return nil, true
  end)
end

-- ---- Small tools ----

--- Let everything that is ready run, links of links included.
function helper.settle()
  for _ = 1, 5 do greenlet.sleep(0) end
end

--- Call f(x), with a pause after n instructions, in a debug hook, that lets others run until nobody
-- has anything to do.
function helper.interrupted(n, f, x)
  debug.sethook(function()
    n = n - 1
    if n > 0 then return end
    debug.sethook()
    greenlet.idle()
  end, "", 1)
  f(x)
  debug.sethook()
end

--- Sleep in TICKs until `condition()` is true; fails the spec after GENEROUS seconds.
function helper.wait_until(condition, what)
  local started = os.time()
  while not condition() do
    if os.time() - started > helper.GENEROUS then
      error("still waiting for " .. (what or "a condition"), 2)
    end
    greenlet.sleep(helper.TICK)
  end
end

--- The error that `f(...)` raises, kills included; fails the spec when there is none.
function helper.raises(f, ...)
  local result = table.pack(greenlet.pcall(f, ...))
  if result[1] then error("no error was raised", 2) end
  return result[2]
end

--- Fails the spec unless `value` is an object of `class`; returns `value`.
function helper.is_a(class, value)
  if not class:class_of(value) then
    error(("an object of %s expected, got %s"):format(tostring(class), tostring(value)), 2)
  end
  return value
end

--- A value for a to-be-closed variable that calls `f(error)` when it is closed.
function helper.closer(f)
  return setmetatable({}, { __close = function(_, err) f(err) end })
end

--- A callable that is not a function.
function helper.callable(f)
  return setmetatable({}, { __call = function(_, ...) return f(...) end })
end

--- An Exception as scripts define them.
function helper.exception(name)
  return greenlet.Exception:extend(name or "Mine")
end

--- Collect garbage until `condition()` holds; kills of garbage happen in the loop.
-- Returns whether it does.
function helper.collect_until(condition)
  for _ = 1, 20 do
    collectgarbage()
    greenlet.sleep(helper.TICK)
    if condition() then return true end
  end
  return false
end

--- The two ends of a TCP connection to this machine (LuaSocket objects).
function helper.socket_pair()
  local socket = require "socket"
  local listener = assert(socket.bind("127.0.0.1", 0))
  local _, port = listener:getsockname()
  local near = assert(socket.connect("127.0.0.1", port))
  local far = assert(listener:accept())
  listener:close()
  return near, far
end

--- This process's id.
function helper.pid()
  local file <close> = assert(io.open("/proc/self/stat"))
  return (file:read("n"))
end

-- ---- Leaks ----

-- libev opens these for itself at first use and keeps them.
local LIBEV_OWN = {
  ["anon_inode:[eventpoll]"] = true,
  ["anon_inode:[eventfd]"] = true,
  ["anon_inode:[timerfd]"] = true,
  ["anon_inode:inotify"] = true,
}

local function descriptors()
  local count, names = 0, {}
  for entry in lfs.dir("/proc/self/fd") do
    if tonumber(entry) then
      local target = lfs.symlinkattributes("/proc/self/fd/" .. entry, "target")
      -- The directory being read is itself a descriptor, gone by now.
      if target and not LIBEV_OWN[target] and not target:find("^/proc/%d+/fd$") then
        count = count + 1
        names[#names + 1] = entry .. " -> " .. target
      end
    end
  end
  return count, names
end

local function active_watchers()
  return greenlet.get_hub().loop.activecnt
end

--- Start watching for leaks. Returns a function that fails when a greenlet started
-- since then still lives, a watcher is still active or a descriptor still open.
function helper.watch_leaks()
  local started = setmetatable({}, { __mode = "k" })
  local function remember(g) started[g] = true end
  greenlet.Greenlet.add_spawn_callback(remember)
  local watchers, open = active_watchers(), descriptors()

  local function find()
    local found = {}
    for g in pairs(started) do
      if g.active then found[#found + 1] = "living greenlet " .. tostring(g) end
    end
    local now = active_watchers()
    if now > watchers then
      found[#found + 1] = ("%d more active watchers"):format(now - watchers)
    end
    local count, names = descriptors()
    if count > open then
      found[#found + 1] = ("%d more descriptors: %s"):format(count - open, table.concat(names, ", "))
    end
    return found
  end

  return function()
    greenlet.Greenlet.remove_spawn_callback(remember)
    local found
    -- What ends by itself within a few turns, or is mere garbage, is no leak.
    for attempt = 1, 50 do
      found = find()
      if #found == 0 then return end
      if attempt % 10 == 0 then collectgarbage() end
      greenlet.sleep(attempt % 10 == 0 and helper.SHORT or 0)
    end
    for g in pairs(started) do
      if g.active then g:kill(nil, false) end
    end
    greenlet.sleep(0)
    error("left behind: " .. table.concat(found, "; "), 2)
  end
end

--- In a describe: every `it` below it must leave nothing behind. Called after an
-- after_each of the same describe, it lets that one clear away first.
function helper.check_leaks()
  local check
  busted.before_each(function() check = helper.watch_leaks() end)
  busted.after_each(function()
    local ok, message = pcall(check)
    if not ok then error(("'%s' %s"):format(run.test, tostring(message)), 0) end
  end)
end

--- `it`, but a kill or a Timeout that escapes the body fails the spec. By itself it
-- would pass through busted's xpcall and end the whole run.
function helper.it(name, body)
  return busted.it(name, function()
    local ok, err = greenlet.pcall(body)
    if ok then return end
    if greenlet.BaseException:class_of(err) and not greenlet.Exception:class_of(err) then
      err = "escaped from the spec: " .. tostring(err)
    end
    error(err, 0)
  end)
end

-- ---- Reports ----

--- What the hub reports (as text) while `f(...)` runs, then what `f` returned.
-- Nothing reaches stderr meanwhile.
function helper.capture(f, ...)
  local hub = greenlet.get_hub()
  local pieces, stream = {}, hub.exception_stream
  hub.exception_stream = {
    write = function(self, ...)
      for i = 1, select("#", ...) do pieces[#pieces + 1] = tostring((select(i, ...))) end
      return self
    end,
  }
  local result = table.pack(greenlet.pcall(f, ...))
  hub.exception_stream = stream
  if not result[1] then error(result[2], 0) end
  return table.concat(pieces), table.unpack(result, 2, result.n)
end

-- ---- Fresh processes ----

local function quoted(word)
  return "'" .. tostring(word):gsub("'", [['\'']]) .. "'"
end

local function slurp(name)
  local file <close> = assert(io.open(name, "rb"))
  return file:read("a")
end

--- The program under test.
function helper.program()
  return os.getenv("GREENLUA") or "build/greenlua"
end

--- Run a script's text in a process of its own.
-- @param script text, written to a file whose name is the fourth result
-- @param options program: another interpreter; flags: a shell text before the script's
--   name; args: a list of arguments; env: a map of variables; input: text for stdin;
--   memory: a limit for its address space, in KB
-- @return stdout, stderr, exit status (124: it had to be ended after 20 s), file name
function helper.run(script, options)
  options = options or {}
  local files = { script = os.tmpname(), out = os.tmpname(), err = os.tmpname() }
  local file = assert(io.open(files.script, "wb"))
  file:write(script)
  file:close()
  local command = { "env" }
  if options.memory then command = { "ulimit -v " .. options.memory .. "; env" } end
  for name, value in pairs(options.env or {}) do
    command[#command + 1] = quoted(name .. "=" .. value)
  end
  command[#command + 1] = ("timeout %d"):format(20 * patience)
  command[#command + 1] = quoted(options.program or helper.program())
  command[#command + 1] = options.flags or ""
  command[#command + 1] = quoted(files.script)
  for _, argument in ipairs(options.args or {}) do command[#command + 1] = quoted(argument) end
  if options.input then
    files.input = os.tmpname()
    file = assert(io.open(files.input, "wb"))
    file:write(options.input)
    file:close()
  end
  command[#command + 1] = "<" .. (options.input and quoted(files.input) or "/dev/null")
  command[#command + 1] = ">" .. quoted(files.out) .. " 2>" .. quoted(files.err)
  local _, _, status = os.execute(table.concat(command, " "))
  local out, err = slurp(files.out), slurp(files.err)
  for _, name in pairs(files) do os.remove(name) end
  return out, err, status, files.script
end

return helper
