--- What is typed runs in a greenlet of its own, for which the prompt waits, or not: a job.

local cmd = ...
local greenlet = require "greenlet"
local edit, output = cmd.edit, cmd.output
local console, display = cmd.console, cmd.display
local pcall = greenlet.pcall

local RECALLED = 9 -- how many values have names, _1 to _9
local LONGEST_EXPRESSION = 4096 -- bytes, behind statements that are pasted
local LONGEST_LINE = 200 -- characters of a value that is shown in one line

local evaluation = {
  values = {}, -- the last ones, newest first
  jobs = 0, -- how many there have been
}

-- ---- Values and errors ----

local function remember_value(value)
  local values = evaluation.values
  if value == nil then return end
  table.insert(values, 1, value)
  values[RECALLED + 1] = nil
  rawset(_G, "_", value)
  for i, old in ipairs(values) do rawset(_G, "_" .. i, old) end
end

--- What an error says, as text.
function evaluation.message(err)
  if type(err) == "string" or type(err) == "number" then return tostring(err) end
  return cmd.scalars.own_text(err) or "error object: " .. cmd.inspect.line(err, LONGEST_LINE)
end

-- _err: the error as `value`, its `traceback`, and the fields of an error that has some.
local Failure = { __name = "error" }

function Failure:__tostring()
  local traceback = rawget(self, "traceback")
  return evaluation.message(rawget(self, "value")) .. (traceback and "\n" .. traceback or "")
end

function Failure:__index(key)
  local value = rawget(self, "value")
  if type(value) == "table" or type(value) == "userdata" then return value[key] end
end

local function fail(err, traceback)
  local failure = setmetatable({ value = err, traceback = traceback }, Failure)
  rawset(_G, "_err", failure)
  console:print(tostring(failure))
end

-- The lines of a traceback, but for those of the program's own. What was typed is a chunk,
-- though it runs as a function.
local function trim(traceback)
  local lines = {}
  for line in (traceback or ""):gmatch("[^\n]+") do
    if not line:find("^%s*%[greenlet[.%]]") then lines[#lines + 1] = line end
  end
  lines[#lines] = lines[#lines] and lines[#lines]:gsub("in function <stdin:1>$", "in main chunk")
  return #lines > 1 and table.concat(lines, "\n") or nil
end

local function fail_with(g) fail(g.exception, trim(g.traceback)) end

-- ---- Jobs ----

local function title(job) return job.text:gsub("%s+", " ") end

local function tell_end(job)
  local g = job.greenlet
  local killed = greenlet.GreenletExit:class_of(g.value)
  local how = killed and "killed" or g:successful() and "done" or "failed"
  local line = ("[%d] %s  %s"):format(job.number, how, title(job))
  if killed then return console:print(line) end
  if not g:successful() then
    console:print(line)
    return fail_with(g)
  end
  local values = table.pack(g:get())
  for i = 1, values.n do line = line .. "  " .. cmd.inspect.line(values[i], LONGEST_LINE) end
  console:print(line)
end

--- Tell of the jobs that have ended.
function evaluation.tell_finished()
  while #console.finished > 0 do tell_end(table.remove(console.finished, 1)) end
end

-- From now on nobody waits for it, so that it must give way by itself.
local function make_job(g, text)
  evaluation.jobs = evaluation.jobs + 1
  local job = { greenlet = g, text = text, number = evaluation.jobs }
  console.jobs[job.number] = g
  g.name, g.text = "job " .. job.number, text
  cmd.slice(g)
  console:print(("[%d] %s"):format(job.number, title(job)))
  g:rawlink(function()
    table.insert(console.finished, job)
    console.wake()
  end)
end

-- ---- Running ----

-- Wait until it ends or is sent to the background. What is raised in main, LoopExit when
-- nothing can wake it, is meant for it.
local function attend(g)
  g:rawlink(console.wake)
  while not g.dead and not console.suspended do
    local err = console.wait()
    if err then g:kill(err, false) end
    display.pass_on()
    evaluation.tell_finished()
  end
end

-- Ctrl-C and Ctrl-Z may have come already, since Enter. The terminal was the evaluation's, and
-- what it has written need not end in a newline.
local function run_foreground(g)
  console.foreground = g
  if console.interrupted then g:kill(greenlet.KeyboardInterrupt, false) end
  attend(g)
  console.foreground, console.interrupted, console.suspended = nil, false, false
  output.flush()
  edit.fresh_row()
end

local function show_outcome(g)
  if not g:successful() then
    fail_with(g)
    return false
  end
  local values = table.pack(g:get())
  if values.n > 0 then
    remember_value(values[1])
    console:show(table.unpack(values, 1, values.n))
  end
  return true
end

-- True unless it has ended with an error.
local function run(text, chunk, background)
  local g = greenlet.Greenlet(chunk)
  cmd.quiet(g)
  g:start()
  if not background then run_foreground(g) end
  if g.dead then return show_outcome(g) end
  make_job(g, text)
  return true
end

-- ---- Texts ----

local function is_command(text) return text:find("^%s*[:?]") and not text:find("^%s*::") end

-- What is pasted may be several statements and an expression after them, whose value is
-- asked for.
local function load_block(text)
  local chunk, message, incomplete, background = console.session:load(text, "=stdin")
  if chunk then return chunk, nil, background end
  local from = math.max(1, #text - LONGEST_EXPRESSION)
  for before, line in text:gmatch("\n()([^\n]+)", from) do
    local rest = text:sub(before)
    if line:find("%S") and load("return " .. rest) then
      local block = console.session:load(text:sub(1, before - 1) .. "return " .. rest, "=stdin")
      if block then return block end
    end
  end
  return nil, message, nil, incomplete
end

--- Could more lines complete the text?
function evaluation.is_incomplete(text)
  if is_command(text) or not text:find("%S") then return false end
  local _, _, _, incomplete = load_block(text)
  return incomplete or false
end

--- Evaluate a text as if it had been typed: Lua, or a command.
function evaluation.evaluate(text)
  if is_command(text) then
    run(text, function() cmd.commands.run(console, text) end)
    return
  end
  local chunk, message, background = load_block(text)
  if not chunk then
    fail(message)
  elseif run(text, chunk, background) then
    table.insert(console.entries, text)
  end
end

--- End a greenlet that keeps the prompt waiting, and tell of it.
function evaluation.stop(g)
  cmd.quiet(g)
  g:rawlink(function()
    console:print(("%s was stopped by Ctrl-C"):format(g))
    fail_with(g)
  end)
  g:kill(greenlet.KeyboardInterrupt, false)
end

return evaluation
