--- Reading what is typed at the prompt.

local cmd = ...
local greenlet = require "greenlet"
local edit, output, terminal = cmd.edit, cmd.output, cmd.terminal
local console, display = cmd.console, cmd.display
local pcall, clock = greenlet.pcall, os.clock
local loop = greenlet.get_hub().loop

local MOST_CANDIDATES = 200 -- of a completion, that are shown
local LONGEST_TURN = 0.001 -- seconds without giving way, while history is loaded
local LEAVE = "To leave, type Ctrl-D or :quit"

local prompt = {}

-- ---- History ----

-- A function that lets others run whenever it has been called for that long.
local function pauses(seconds)
  local last = clock()
  return function()
    if clock() - last < seconds then return end
    pcall(greenlet.sleep, 0)
    last = clock()
  end
end

-- At the first key: who types nothing does not wait for it.
local function load_history()
  if prompt.last then return end
  prompt.last = ""
  local pause = pauses(LONGEST_TURN)
  local list, message = cmd.history.load(pause)
  if message then console:print(message) end
  for _, text in ipairs(list) do
    edit.remember(text)
    prompt.last = text
    pause()
  end
end

--- Keep a text for this and later sessions.
function prompt.remember(text)
  text = text:gsub("\n+$", "")
  if text == prompt.last then return end
  prompt.last = text
  edit.remember(text)
  local _, message = cmd.history.add(text)
  if message then console:print(message) end
end

-- ---- Completion ----

-- The bytes that all of them begin with, as whole characters.
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

local function in_columns(list)
  local count, width = math.min(#list, MOST_CANDIDATES), 1
  for i = 1, count do width = math.max(width, edit.width(list[i]) + 2) end
  local columns = math.max(1, (terminal.size() - 1) // width)
  local rows, lines = (count + columns - 1) // columns, {}
  for row = 1, rows do
    local line = ""
    for i = row, count, rows do
      line = line .. list[i] .. (" "):rep(width - edit.width(list[i]))
    end
    lines[row] = line:gsub(" +$", "")
  end
  if #list > count then lines[#lines + 1] = ("... and %d more"):format(#list - count) end
  return table.concat(lines, "\n") .. "\n"
end

-- In the middle of edit.key: what to put in place of the text between `start` and the cursor;
-- nothing if that is not clear. At the beginning of a further line Tab is for indentation.
local function complete(text, point)
  if text:sub(1, point):find("\n[ \t]*$") then return point, "  " end
  local start, candidates, suffix = cmd.complete.at(text, point, console.session)
  if not candidates or #candidates == 0 then return terminal.write("\a") end
  if #candidates == 1 then return start, candidates[1] .. (suffix or "") end
  local prefix = common_prefix(candidates)
  if #prefix > point - start then return start, prefix end
  display.above(in_columns(candidates))
end

-- ---- Waiting ----

-- Something was raised in the main greenlet, which runs nothing of the user's here.
local function caught(err)
  if greenlet.KeyboardInterrupt:class_of(err) then
    console.interrupted = true
  else
    console:print("raised in the main greenlet: " .. cmd.evaluation.message(err))
  end
end

local function wait(seconds)
  local err = console.wait(seconds)
  if err then caught(err) end
end

-- In the middle of edit.key: false if there is something more urgent than keys.
local function wait_for_key(seconds)
  wait(seconds)
  return not console.interrupted and not console.suspended
end

local function give_way() pcall(greenlet.sleep, 0) end

local function is_incomplete(text) return cmd.evaluation.is_incomplete(text) end

-- Stop as any program does at Ctrl-Z, and go on as if nothing had been.
local function stop()
  console.suspended = false
  edit.pause()
  output.release()
  terminal.stop()
  console.take_signals()
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
  if #console.finished > 0 then cmd.evaluation.tell_finished() end
  display.serve()
end

-- ---- Reading ----

local function read_on()
  while not look_around() do
    if edit.readable() then
      load_history()
      local done, text = edit.key()
      if done then return text end
      give_way()
    elseif edit.stale() then
      edit.show()
    else
      wait(display.seconds_left())
    end
  end
  return false
end

-- The text of a global, or its default. A __tostring is limited: Ctrl-C could not end it here.
local function setting(name, default)
  local value = rawget(_G, name)
  if type(value) == "string" or type(value) == "number" then return tostring(value) end
  return cmd.scalars.own_text(value) or default
end

--- Read a text of one or several lines.
-- @treturn string the text; nil at the end of the input, false if it was dropped by Ctrl-C
function prompt.read()
  display.begin()
  console.suspended, console.interrupted = false, false
  edit.begin(setting("_PROMPT", "> "), setting("_PROMPT2", ">> "))
  if not prompt.keys then
    prompt.keys = loop:io(0, "r")
    console.start_to_wait()
  end
  output.capture()
  prompt.keys:start(console.wake)
  local text = read_on()
  prompt.keys:stop()
  output.release()
  display.pass_on() -- what was written before comes before what the evaluation writes
  return text
end

--- Begin; the terminal's row has to be empty.
function prompt.start()
  edit.hook { wait = wait_for_key, give_way = give_way, complete = complete,
              incomplete = is_incomplete }
end

--- The opposite.
function prompt.stop() prompt.keys:close() end

return prompt
