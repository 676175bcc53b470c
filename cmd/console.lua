--- The console: a prompt beside which greenlets run.
--
-- The main greenlet is the prompt: it waits for keys, output and signals, all by one event,
-- and alone calls readline. What is typed is evaluated in a greenlet of its own, for which the
-- prompt waits with the terminal as it was, or does not: a job.

local cmd = ...
local greenlet = require "greenlet"
local event = require "greenlet.event"
local edit, output, terminal = cmd.edit, cmd.output, cmd.terminal
local pcall, main, hub = greenlet.pcall, greenlet.getcurrent(), greenlet.get_hub()
local loop = hub.loop

local SIGWINCH = 28
local REDRAW = 0.03 -- seconds between two times that output is shown above the prompt
local STARVED = 0.2 -- seconds without giving way after which Ctrl-C at the prompt ends a greenlet
local LONGEST_TAIL = 4096 -- bytes of a line without end that can be gone on with
local RECALLED = 9 -- how many values have names, _1 to _9
local LEAVE = "To leave, type Ctrl-D or :quit"

local console = {
  entries = {}, jobs = {},
  values = {}, -- the last ones, newest first
  wake = event.Event(),
  finished = {}, -- jobs whose end is to be told
  tail = "", -- of the output above the prompt: what follows its last newline
  show_at = 0,
}

-- ---- What others write ----

-- Above the prompt, which is not there meanwhile. A line that is not at its end may go on
-- later: then it is written again, from its beginning.
local function show_above(text)
  if not text:find("[^\a]") then return terminal.write(text) end
  edit.hide()
  if console.tail ~= "" then
    local rows = (edit.width(console.tail) - 1) // terminal.size() + 1
    text = ("\27[%dA\r"):format(math.max(rows, 1)) .. console.tail .. text
  end
  local rest = text:match("[^\n]*$")
  terminal.write(rest == "" and text or text .. "\r\n")
  console.tail = #rest <= LONGEST_TAIL and rest:gsub("^\27%[%d+A\r", "") or ""
  edit.show()
end

-- Show what has come. At the prompt, not too often: each time that is drawn again.
local function show_output()
  if not console.arrived then return end
  if console.reading and loop:now() < console.show_at then return end
  console.arrived = false
  local text = output.take()
  console.watchers.output:start(console.on_output)
  if not text then return end
  if console.reading then
    show_above(text)
    loop:update_now()
    console.show_at = loop:now() + REDRAW
  else
    terminal.write(text)
  end
end

function console.on_output()
  console.watchers.output:stop() -- until it is taken: the descriptor stays readable
  console.arrived = true
  console.wake:set()
end

--- Write a line above the prompt, or wherever output goes.
-- @tparam string text what to write, without its newline
function console:print(text) output.write(tostring(text) .. "\n") end

--- Write values as results are shown.
function console:show(...)
  local texts, several = {}, false
  local options = { colour = self.colour, width = terminal.size() }
  for i = 1, select("#", ...) do
    texts[i] = cmd.inspect.text((select(i, ...)), options)
    several = several or texts[i]:find("\n", 1, true)
  end
  self:print(table.concat(texts, several and "\n" or "\t"))
end

-- ---- Waiting ----

-- Something was raised in the main greenlet, which is nobody's program here.
local function caught(err)
  if greenlet.KeyboardInterrupt:class_of(err) then
    console.interrupted = true
  else
    console:print("raised in the main greenlet: " .. console.message(err))
  end
end

-- Until something happens, or for so many seconds.
local function wait(seconds)
  local ok, err = pcall(console.wake.wait, console.wake, seconds)
  console.wake:clear()
  if not ok then return err end
end

-- In the middle of edit.key: wait for a key. False: there is none, go on without.
local function wait_for_key(seconds)
  local err = wait(seconds)
  if err then caught(err) end
  return not console.interrupted and not console.suspended
end

-- ---- Values and errors ----

local function remember_values(...)
  local value = ...
  if value == nil then return end
  table.insert(console.values, 1, value)
  console.values[RECALLED + 1] = nil
  rawset(_G, "_", value)
  for i, old in ipairs(console.values) do rawset(_G, "_" .. i, old) end
end

--- What an error says, as text.
function console.message(err)
  if type(err) == "string" or type(err) == "number" then return tostring(err) end
  local meta = debug.getmetatable(err)
  if type(meta) == "table" and rawget(meta, "__tostring") then
    local ok, text = pcall(tostring, err)
    if ok then return text end
  end
  return "error object: " .. cmd.inspect.line(err, 200)
end

local Failure = {
  __name = "error",
  __tostring = function(self)
    return console.message(self.value) .. (self.traceback and "\n" .. self.traceback or "")
  end,
  __index = function(self, key)
    local value = rawget(self, "value")
    if type(value) == "table" or type(value) == "userdata" then return value[key] end
  end,
}

-- The lines of a traceback, but for those of our own at its end.
local function trim(traceback)
  if not traceback then return nil end
  local lines = {}
  for line in traceback:gmatch("[^\n]+") do
    if not line:find("^%s*%[greenlet[.%]]") then lines[#lines + 1] = line end
  end
  return table.concat(lines, "\n")
end

local function show_failure(g)
  local failure = setmetatable({ value = g.exception, traceback = trim(g.traceback) }, Failure)
  rawset(_G, "_err", failure)
  console:print(tostring(failure))
end

-- ---- Jobs ----

local function tell_job(job)
  local g, n = job.greenlet, job.number
  local state = g:successful() and "done" or "failed"
  local line = ("[%d] %s  %s"):format(n, state, job.text:gsub("%s+", " "))
  if not g:successful() then
    console:print(line)
    return show_failure(g)
  end
  local values = table.pack(g:get())
  if values.n == 0 then return console:print(line) end
  for i = 1, values.n do values[i] = cmd.inspect.line(values[i], 200) end
  console:print(line .. "  " .. table.concat(values, "  "))
end

local function tell_finished()
  while #console.finished > 0 do tell_job(table.remove(console.finished, 1)) end
end

local function make_job(g, text)
  local job = { greenlet = g, text = text, number = #console.jobs + 1 }
  console.jobs[job.number] = g
  g.name = "job " .. job.number
  cmd.slice(g)
  console:print(("[%d] %s"):format(job.number, text:gsub("%s+", " ")))
  g:rawlink(function()
    table.insert(console.finished, job)
    console.wake:set()
  end)
end

-- ---- Evaluating ----

local function set_wake() console.wake:set() end

-- Wait until it ends, or is sent to the background. Nothing can wake it: it is told so.
local function attend(g)
  g:rawlink(set_wake)
  while not g.dead and not console.suspended do
    local err = wait()
    if err then g:kill(err, false) end
    show_output()
    tell_finished()
  end
end

-- Run it in a greenlet, for which the prompt waits. True if it has ended without an error.
local function run(text, chunk, background)
  local g = greenlet.Greenlet(chunk)
  cmd.quiet(g)
  g:start()
  if background then
    make_job(g, text)
    return true
  end
  console.foreground, console.suspended = g, false
  attend(g)
  console.foreground, console.suspended = nil, false
  output.flush()
  edit.fresh_row()
  if not g.dead then
    make_job(g, text)
    return true
  elseif not g:successful() then
    show_failure(g)
    return false
  end
  local values = table.pack(g:get())
  if values.n > 0 then
    remember_values(table.unpack(values, 1, values.n))
    console:show(table.unpack(values, 1, values.n))
  end
  return true
end

local function is_command(text) return text:find("^%s*[:?]") and not text:find("^%s*::") end

-- What was pasted may be several statements and an expression, whose value is asked for.
local function load_block(text)
  local chunk, message, incomplete, background = console.session:load(text, "=stdin")
  if chunk or incomplete then return chunk, message, incomplete, background end
  for before, line in text:gmatch("()([^\n]+)") do
    local head, rest = text:sub(1, before - 1), text:sub(before)
    if before > 1 and line:find("%S") and load("return " .. rest) then
      local block = console.session:load(head .. "return " .. rest, "=stdin")
      if block then return block end
    end
  end
  return nil, message
end

-- Does Enter ask for a further line? A blank last line says that there is none.
local function incomplete(text)
  if is_command(text) or text:find("^%s*$") then return false end
  local _, _, more = console.session:load(text, "=stdin")
  return more or false
end

--- Evaluate a text as if it had been typed.
-- @tparam string text Lua, or a command
function console:evaluate(text)
  if is_command(text) then
    run(text, function() cmd.commands.run(self, text) end)
    return
  end
  local chunk, message, _, background = load_block(text)
  if not chunk then
    rawset(_G, "_err", setmetatable({ value = message }, Failure))
    self:print(message)
  elseif run(text, chunk, background) then
    table.insert(self.entries, text)
  end
end

-- ---- The prompt ----

local function prompt(name, default)
  local value = rawget(_G, name)
  if value == nil then return default end
  local ok, text = pcall(tostring, value)
  return ok and text or default
end

local function remember(text)
  if text == console.last then return end
  console.last = text
  edit.remember(text)
  cmd.history.add(text)
end

local function load_history()
  if console.has_history then return end
  console.has_history = true
  for _, text in ipairs(cmd.history.load()) do
    edit.remember(text)
    console.last = text
  end
end

local function common_prefix(list)
  local prefix = list[1]
  for _, text in ipairs(list) do
    local n = 0
    while n < #prefix and prefix:byte(n + 1) == text:byte(n + 1) do n = n + 1 end
    while n > 0 and n < #prefix and prefix:byte(n + 1) & 0xC0 == 0x80 do n = n - 1 end
    prefix = prefix:sub(1, n)
  end
  return prefix
end

local MOST_CANDIDATES = 200

local function in_columns(list)
  local width, lines = 0, {}
  for i = 1, math.min(#list, MOST_CANDIDATES) do width = math.max(width, edit.width(list[i]) + 2) end
  local columns = math.max(1, (terminal.size() - 1) // width)
  local count = math.min(#list, MOST_CANDIDATES)
  local rows = (count + columns - 1) // columns
  for row = 1, rows do
    local line = {}
    for i = row, count, rows do
      line[#line + 1] = list[i] .. (" "):rep(width - edit.width(list[i]))
    end
    lines[row] = (table.concat(line):gsub(" +$", ""))
  end
  if #list > count then lines[#lines + 1] = ("... and %d more"):format(#list - count) end
  return table.concat(lines, "\n") .. "\n"
end

-- In the middle of edit.key: what to put in place of the text between `start` and the cursor.
local function complete(text, point)
  local before = text:sub(1, point)
  if before:find("\n[ \t]*$") then return point, "  " end -- indent
  local start, candidates, suffix = cmd.complete.at(text, point, console.session)
  if not candidates or #candidates == 0 then
    terminal.write("\a")
    return
  end
  if #candidates == 1 then return start, candidates[1] .. (suffix or "") end
  local prefix, typed = common_prefix(candidates), text:sub(start + 1, point)
  if #prefix > #typed then return start, prefix end
  edit.hide()
  terminal.write(in_columns(candidates))
  edit.show()
end

-- Stop as any program does at Ctrl-Z, and go on as if nothing had been.
local function stop()
  console.suspended = false
  edit.pause()
  output.release()
  terminal.stop()
  cmd.on_interrupt(console.on_interrupt)
  cmd.on_suspend(console.on_suspend)
  output.capture()
  edit.go_on()
end

-- What has happened meanwhile. True if what was typed is dropped.
local function look_around()
  if console.interrupted then
    console.interrupted = false
    if edit.cancel() == "" then console:print(LEAVE) end
    return true
  end
  if console.suspended then stop() end
  if console.resized then
    console.resized = false
    edit.resize()
    edit.show()
  end
  tell_finished()
  show_output()
end

-- Read a text. Returns it; nil at the end of the input; false if it was dropped.
local function read_on()
  while true do
    if look_around() then return false end
    if edit.readable() then
      load_history()
      local done, text = edit.key()
      if done then return text end
      pcall(greenlet.sleep, 0)
    elseif edit.stale() then
      edit.show()
    else
      local err = wait(console.arrived and math.max(0, console.show_at - loop:now()) or nil)
      if err then caught(err) end
    end
  end
end

local function read()
  console.tail = ""
  output.capture()
  console.reading, console.suspended, console.interrupted = true, false, false
  edit.begin(prompt("_PROMPT", "> "), prompt("_PROMPT2", ">> "))
  console.watchers.keys:start(set_wake)
  local text = read_on()
  console.watchers.keys:stop()
  console.reading = false
  output.release()
  console.arrived = true -- whatever is left comes before what the evaluation writes
  show_output()
  return text
end

-- ---- Signals ----

-- A greenlet that keeps the prompt waiting is the one that Ctrl-C is for.
local function end_starving(g)
  cmd.quiet(g)
  g:rawlink(function()
    console:print(("%s\n%s\n%s was stopped by Ctrl-C"):format(console.message(g.exception),
      trim(g.traceback), g))
  end)
  g:kill(greenlet.KeyboardInterrupt, false)
end

function console.on_interrupt(running, seconds)
  local foreground = console.foreground
  if foreground and not foreground.dead then
    foreground:kill(greenlet.KeyboardInterrupt, false)
  elseif running and running ~= main and running ~= hub and seconds > STARVED then
    end_starving(running)
  else
    console.interrupted = true
  end
  console.wake:set()
end

function console.on_suspend()
  console.suspended = true
  local foreground = console.foreground
  if foreground and not foreground.dead then cmd.slice(foreground) end
  console.wake:set()
end

-- ---- Leaving ----

local function living()
  local list = {}
  local trees = { require "greenlet.util".GreenletTree.current_tree() }
  while #trees > 0 do
    local tree = table.remove(trees)
    local g = tree.greenlet
    if g ~= main and g ~= hub and not g.dead then list[#list + 1] = g end
    for i = #tree.child_trees, 1, -1 do trees[#trees + 1] = tree.child_trees[i] end
  end
  return list
end

-- May the console end, now that Ctrl-D was typed? Greenlets would end with it.
local function may_leave()
  local list = living()
  if #list == 0 or console.warned or edit.ended() then return true end
  console.warned = true
  console:print(#list == 1 and "1 greenlet is still alive:"
    or ("%d greenlets are still alive:"):format(#list))
  for i = 1, math.min(#list, 20) do
    local told = require "greenlet.util".describe(list[i])
    console:print(("  %s  %s  %s"):format(list[i], told.what or told.state, told.where or ""))
  end
  if #list > 20 then console:print(("  ... and %d more"):format(#list - 20)) end
  console:print("Ctrl-D again to leave and end them")
  return false
end

--- Leave once the evaluation that is under way has ended.
function console:quit() self.left = true end

-- ---- The whole ----

local function start()
  local no_colour = os.getenv("NO_COLOR")
  console.colour = not no_colour or no_colour == ""
  console.session = cmd.source.session()
  rawset(_G, "jobs", console.jobs)
  console.watchers = {
    keys = loop:io(0, "r"),
    output = loop:io(output.wake, "r", false),
    size = loop:signal(SIGWINCH, false),
    flush = loop:prepare(false),
  }
  console.watchers.output:start(console.on_output)
  console.watchers.flush:start(output.flush)
  console.watchers.size:start(function()
    console.resized = true
    console.wake:set()
  end)
  edit.hook { wait = wait_for_key, incomplete = incomplete, complete = complete,
              give_way = function() pcall(greenlet.sleep, 0) end }
  output.flush()
  edit.fresh_row()
end

local function finish()
  for _, watcher in pairs(console.watchers) do watcher:close() end
  cmd.on_suspend(nil)
  cmd.on_interrupt(nil)
end

--- Run the console until the user leaves.
function console.run()
  start()
  repeat
    cmd.on_interrupt(console.on_interrupt)
    cmd.on_suspend(console.on_suspend)
    local text = read()
    if text then
      console.warned = false
      if text:find("%S") then
        remember(text)
        console:evaluate(text)
      end
    elseif text == nil then
      console.left = may_leave()
    end
  until console.left
  finish()
end

return console
