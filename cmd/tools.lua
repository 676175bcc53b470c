--- Commands about the session: :time, :load, :save.

local cmd = ...
local greenlet = require "greenlet"
local text = cmd.text

local commands = {}

-- ---- :time ----

local loop = greenlet.get_hub().loop

-- Seconds that go on, to the microsecond.
local function now()
  loop:update_now()
  return loop:now()
end

-- A span of time, to three digits; what rounds up to 1000 of a unit is of the next.
local function span(seconds)
  if seconds < 0.9995e-3 then return ("%.3g us"):format(seconds * 1e6) end
  if seconds < 0.9995 then return ("%.3g ms"):format(seconds * 1e3) end
  return ("%.3f s"):format(seconds)
end

local function bytes(kilobytes)
  if math.abs(kilobytes) < 1024 then return ("%+.1f KB"):format(kilobytes) end
  return ("%+.1f MB"):format(kilobytes / 1024)
end

local function load_expression(console, argument)
  local chunk, message = console.session:load(argument, "=stdin")
  if not chunk then cmd.commands.fail("%s", message) end
  return chunk
end

-- "1000 f(x)" is no Lua: it means a thousand times.
local function repetitions(argument)
  if load("return " .. argument) or load(argument) then return 1, argument end
  local count, rest = argument:match("^(%d+)%s+(.+)$")
  return math.tointeger(count) or 1, rest or argument
end

local function report(count, wall, cpu, memory)
  local each = count > 1 and ("   %s each"):format(span(wall / count)) or ""
  return ("%s wall, %s CPU, %s of memory%s"):format(span(wall), span(cpu), bytes(memory), each)
end

commands.time = {
  usage = "[times] expression", brief = "how long it takes; times: how often to run it",
  help = [[
Shows the value, then the time that went by, the processor time that the program used meanwhile
(other greenlets may have run, too), and by how much the memory in use grew. A number before the
expression, as in :time 1000 f(x), has it run so many times.]],
  run = function(console, argument)
    if argument == "" then cmd.commands.usage("time") end
    local count, expression = repetitions(argument)
    local chunk = load_expression(console, expression)
    return function()
      local memory, cpu, started = collectgarbage("count"), os.clock(), now()
      for _ = 1, count - 1 do chunk() end
      local values = table.pack(chunk())
      local wall = now() - started
      cpu, memory = os.clock() - cpu, collectgarbage("count") - memory
      if values.n > 0 then console:show(table.unpack(values, 1, values.n)) end
      console:print(report(count, wall, cpu, memory))
    end
  end,
}

-- ---- :load ----

local function read(path)
  local file, message = io.open(path, "rb")
  if not file then cmd.commands.fail("%s", message) end
  local whole, trouble = file:read("a")
  file:close()
  return whole or cmd.commands.fail("%s: %s", path, trouble)
end

-- A first line for the shell stays a line, so that those below keep their numbers.
local function without_shebang(code) return (code:gsub("^#[^\n]*", "")) end

commands.load = {
  usage = "file", brief = "run a file as if it were typed: its locals stay",
  run = function(console, argument)
    if argument == "" then cmd.commands.usage("load") end
    local code = without_shebang(read(argument))
    local chunk, message = console.session:load(code, "@" .. argument)
    if not chunk then cmd.commands.fail("%s", message) end
    return function()
      chunk()
      table.insert(console.entries, code)
    end
  end,
}

-- ---- :save ----

-- Does anything that was typed ask for the last value?
local function uses_last(entries)
  for _, entry in ipairs(entries) do
    if entry:find("%f[%w_]_%d?%f[^%w_]") then return true end
  end
end

-- An entry that gives a value, without what says that it does; nil for one that does not.
local function expression_of(entry)
  local value = entry:match("^%s*=%s*(.*)$") or entry:match("^%s*return%f[^%w_]%s*(.-);?%s*$")
    or entry
  return load("return " .. value) and value
end

local function job_of(entry)
  local job = not load(entry) and entry:match("^(.*)&%s*$")
  if not job then return nil end
  return ("greenlet.spawn(function() %s%s end)"):format(load(job) and "" or "return ", job)
end

-- What was typed, as statements of a script.
local function statement(entry, keeps_last)
  local value = expression_of(entry)
  if value and (keeps_last or not load(entry) or value ~= entry) then return "_ = " .. value end
  -- What begins with a parenthesis would be taken for a call of what comes before.
  return not value and job_of(entry) or (entry:gsub("^%s*%(", ";%0"))
end

local function script(entries)
  local lines, keeps_last = { "#!/usr/bin/env greenlua" }, uses_last(entries)
  for i, entry in ipairs(entries) do lines[i + 1] = statement(entry, keeps_last) end
  return table.concat(lines, "\n") .. "\n"
end

local function exists(path)
  local file <close> = io.open(path, "rb")
  return file ~= nil
end

--- Write a new file, for the command of that name. `argument`: a path, after a `!` if the
-- file may be there. Returns the path.
local function write(argument, content, name)
  local mark, path = argument:match("^(!?)%s*(.-)$")
  if path == "" then cmd.commands.usage(name) end
  if mark == "" and exists(path) then
    cmd.commands.fail("%s exists; :%s! %s overwrites it", path, name, path)
  end
  local file, message = io.open(path, "wb")
  if not file then cmd.commands.fail("%s", message) end
  local written, trouble = file:write(content)
  local closed, at_close = file:close()
  if not written or not closed then cmd.commands.fail("%s: %s", path, trouble or at_close) end
  return path
end

commands.save = {
  usage = "file", brief = "write what was typed, as a script; :save! overwrites", force = true,
  help = [[
What ran without an error, in its order, without its results. A value that was only shown is
assigned to _. :save! file overwrites a file that exists.]],
  run = function(console, argument)
    local content = script(console.entries)
    local path = write(argument, content, "save")
    local ok, message = load(without_shebang(content), "=" .. path)
    console:print(("%d statements are in %s%s"):format(#console.entries, text.clean(path),
      ok and "" or "; it needs your hand: " .. text.clean(message)))
  end,
}

return { commands = commands, write = write }
