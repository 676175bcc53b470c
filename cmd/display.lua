--- What is written while the prompt is shown, above the line that is being typed.

local cmd = ...
local greenlet = require "greenlet"
local edit, output, terminal = cmd.edit, cmd.output, cmd.terminal
local loop = greenlet.get_hub().loop

local REDRAW = 0.03 -- seconds between two times that something is shown: the prompt is drawn again
local LONGEST_TAIL = 4096 -- bytes of a line without end that can be gone on with

local display = {
  tail = "", -- of what was shown above the prompt: what follows its last newline
  next_time = 0, -- when something may be shown again
}

-- A line that is not at its end may go on later: then it is written again, from its beginning.
local function go_on_with(text)
  local rows = math.max(1, (edit.width(display.tail) - 1) // terminal.size() + 1)
  local whole = display.tail .. text
  return ("\27[%dA\r"):format(rows) .. whole, whole
end

--- Write text above the prompt, which is not there meanwhile.
function display.above(text)
  if not text:find("[^\a]") then return terminal.write(text) end -- of readline itself
  edit.hide()
  local written = text
  if display.tail ~= "" then written, text = go_on_with(text) end
  local rest = text:match("[^\n]*$")
  terminal.write(rest == "" and written or written .. "\r\n")
  display.tail = #rest <= LONGEST_TAIL and rest or ""
  edit.show()
end

--- The prompt begins, in a row that has nothing in it.
function display.begin() display.tail = "" end

local function on_output()
  display.watcher:stop() -- until it is taken: the descriptor stays readable
  display.arrived = true
  display.wake()
end

--- Have `wake` called when something has come.
function display.start(wake)
  display.wake = wake
  display.watcher = loop:io(output.start(), "r", false)
  display.watcher:start(on_output)
  display.flusher = loop:prepare(false)
  display.flusher:start(output.flush)
end

--- The opposite.
function display.stop()
  display.watcher:close()
  display.flusher:close()
end

--- Seconds until what has come may be shown; nil if there is nothing.
function display.seconds_left()
  return display.arrived and math.max(0, display.next_time - loop:now()) or nil
end

local function take()
  display.arrived = false
  local text = output.take()
  display.watcher:start(on_output)
  return text
end

--- Show what has come above the prompt, unless that was done just now.
function display.serve()
  if not display.arrived or loop:now() < display.next_time then return end
  local text = take()
  if not text then return end
  display.above(text)
  loop:update_now()
  display.next_time = loop:now() + REDRAW
end

--- Write what has come to the terminal, on which there is no prompt.
function display.pass_on()
  local text = take()
  if text then terminal.write(text) end
end

return display
