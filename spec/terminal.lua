--- Drives programs in a terminal, as a person does: types, looks at the screen, waits until it
-- shows something. tmux provides the terminal, each one by a server of its own, which
-- `terminal.it` ends whatever becomes of the spec.
--
-- Nothing here pauses to be safe: what a spec waits for is a condition, with a bound.
local run = require "spec.cmd.run"
local socket = require "socket"
local busted = require "busted"

local patience = require "spec.patience"

local terminal = {}
terminal.__index = terminal

-- No machine is so slow: how long a spec waits for one thing, in seconds.
local GENEROUS = 20 * patience
local LOOK = 0.015 -- between two looks at the screen, in seconds
local LEFT_ALONE = 300 * patience -- after which a server of which nobody cares ends itself

local open = {} -- the terminals that were started and not ended

-- ---- tmux ----

-- tmux's own settings are those of no user. It must not believe itself inside another one.
local function tmux_command(self, words)
  for i, word in ipairs(words) do words[i] = word == ";" and "\\;" or run.quote(word) end
  return ("env -u TMUX -u TMUX_PANE LC_ALL=C.UTF-8 tmux -u -f /dev/null -S %s %s"):format(
    run.quote(self.server), table.concat(words, " "))
end

local function tmux(self, ...)
  local pipe = assert(io.popen(tmux_command(self, { ... }) .. " 2>&1"))
  local text = pipe:read("a")
  local ok = pipe:close()
  if not ok then error("tmux: " .. text, 0) end
  return text
end

local function feed(self, text, ...)
  local pipe = assert(io.popen(tmux_command(self, { "load-buffer", "-", ";", ... }), "w"))
  pipe:write(text)
  assert(pipe:close(), "tmux took no text")
end

-- ---- Starting and ending ----

local UNSET = "LUA_INIT LUA_INIT_5_4 LUA_PATH LUA_PATH_5_4 LUA_CPATH LUA_CPATH_5_4 NO_COLOR "
  .. "XDG_STATE_HOME XDG_CONFIG_HOME XDG_DATA_HOME COLORTERM COLUMNS LINES TMUX TMUX_PANE EDITOR"

-- What runs in the terminal: the program, between two looks at the terminal's settings. The
-- shell outlives the signals that a key sends to both. It writes each file whole.
local WRAPPER = [[
cd %s || exit
unset %s
%s
trap : INT QUIT
note() { "$@" >%s/new 2>&1; mv %s/new %s/"$name"; }
name=before; note stty -g
sh -c 'echo $$ >"$0/pid.new"; mv "$0/pid.new" "$0/pid"; exec "$@"' %s %s
status=$?
name=after; note stty -g
name=status; note echo $status
exec cat >/dev/null
]]

-- Seconds. On a busy machine nearly any line takes longer than the default of the prompt, and a
-- report would be in the midst of what a spec looks at.
local WATCHDOG = ("%d"):format(20 * require "spec.patience")

local function exports(options, home)
  local env = { HOME = home, INPUTRC = "/dev/null", LC_ALL = "C.UTF-8",
    GREENLUA_WATCHDOG = WATCHDOG }
  for name, value in pairs(options.env or {}) do env[name] = value end
  local list = { ("export PATH=%s:\"$PATH\""):format(run.bin_of(options.program or run.greenlua)) }
  for name, value in pairs(env) do
    list[#list + 1] = value and ("export %s=%s"):format(name, run.quote(value)) or "unset " .. name
  end
  return table.concat(list, "; ")
end

local function words(options)
  if options.shell then return "sh -c " .. run.quote(options.shell) end
  local list = { "lua" }
  for _, word in ipairs(options.args or {}) do list[#list + 1] = run.quote(word) end
  return table.concat(list, " ")
end

local function wrapper(self, options)
  local notes = run.quote(self.notes)
  return WRAPPER:format(run.quote(self.directory), UNSET, exports(options, self.home), notes, notes,
    notes, notes, words(options))
end

--- Start a program in a new terminal.
-- @tparam[opt] table options `args`: a list of arguments for greenlua; or `shell`: a script for
-- sh that runs instead, which finds greenlua by the name `lua`; `program`: what `lua` is instead;
-- `size`: {columns, lines} (80 x 24); `env`: a map of variables, false for one to be unset;
-- `files`: contents by name; `home`: the home directory (a fresh one)
-- @treturn table the terminal, whose methods are below
function terminal.start(options)
  options = options or {}
  local self = setmetatable({}, terminal)
  self.directory, self.notes = run.directory(), run.directory()
  self.home = options.home or run.directory()
  self.server = self.notes .. "/tmux"
  run.write_files(options, self.directory)
  run.write(self.notes .. "/wrapper", wrapper(self, options))
  local size = options.size or { 80, 24 }
  open[#open + 1] = self
  tmux(self, "start-server", ";", "set", "-g", "default-terminal", "tmux-256color", ";",
    "set", "-g", "history-limit", "20000", ";", "set", "-g", "status", "off", ";",
    "set", "-g", "default-size", ("%dx%d"):format(size[1], size[2]), ";",
    "new-session", "-d", "-x", tostring(size[1]), "-y", tostring(size[2]),
    "sh " .. run.quote(self.notes .. "/wrapper"), ";",
    "run-shell", "-b", "-d", tostring(LEFT_ALONE), "-C", "kill-server")
  return self
end

--- Start a program that has a prompt, and wait for that.
function terminal.prompt(options)
  local self = terminal.start(options)
  self:wait_for_prompt()
  return self
end

--- End the terminal, and so what runs in it.
function terminal:close()
  pcall(tmux, self, "kill-server")
  for i = #open, 1, -1 do
    if open[i] == self then table.remove(open, i) end
  end
end

-- ---- Hands ----

--- Type text; a newline is the Enter key.
function terminal:type(text)
  feed(self, text, "paste-buffer", "-d")
end

--- Press keys by tmux's names: "C-c", "Left", "Tab" and so on.
function terminal:key(...)
  tmux(self, "send-keys", ...)
end

--- Paste text, as terminals do: in brackets, if the program wants them.
function terminal:paste(text)
  feed(self, text, "paste-buffer", "-d", "-p")
end

--- Give the terminal another size.
function terminal:resize(columns, lines)
  tmux(self, "resize-window", "-x", tostring(columns), "-y", tostring(lines))
end

--- Send a signal to the program, by its name without SIG.
function terminal:signal(name)
  assert(os.execute(("kill -%s %d"):format(name, self:pid())))
end

-- ---- Eyes ----

local function trimmed(text)
  return (text:gsub("[ \t]+\n", "\n"):gsub("%s+$", ""))
end

--- The text on the screen, without spaces at the ends of lines nor empty lines at the end.
function terminal:screen()
  return trimmed(tmux(self, "capture-pane", "-p"))
end

--- What the terminal showed since its start, lines that it had to break being whole again.
function terminal:scrollback()
  return trimmed(tmux(self, "capture-pane", "-p", "-J", "-S", "-"))
end

--- The text on the screen with its colours, as escape sequences.
function terminal:colours()
  return tmux(self, "capture-pane", "-p", "-e")
end

local function numbers(text)
  local list = {}
  for number in text:gmatch("%d+") do list[#list + 1] = math.tointeger(number) end
  return table.unpack(list)
end

--- Where the cursor is.
-- @treturn integer its column, @treturn integer its line, from 0
function terminal:cursor()
  return numbers(tmux(self, "display", "-p", "#{cursor_x} #{cursor_y}"))
end

--- The screen, and the cursor's column and line, of one moment.
function terminal:look()
  local text = tmux(self, "display", "-p", "#{cursor_x} #{cursor_y}", ";", "capture-pane", "-p")
  local position, screen = text:match("^([^\n]*)\n(.*)$")
  return trimmed(screen), numbers(position)
end

--- What the program may have switched in the terminal, and should have switched back.
function terminal:modes()
  return tmux(self, "display", "-p", "cursor #{cursor_flag} insert #{insert_flag} "
    .. "cursor keys #{keypad_cursor_flag} keypad #{keypad_flag} mouse #{mouse_any_flag} "
    .. "wrap #{wrap_flag} alternate #{alternate_on}")
end

-- ---- Waiting ----

--- Wait until `condition()` is true, and return what it returned.
-- @raise an error that shows the screen, after a generous time
function terminal:wait_until(condition, what)
  local give_up = socket.gettime() + GENEROUS
  while true do
    local found = table.pack(condition())
    if found[1] then return table.unpack(found, 1, found.n) end
    if socket.gettime() > give_up then
      error(("still waiting for %s; the screen:\n%s\n(cursor: column %d, line %d)"):format(
        what or "a condition", self:look()), 0)
    end
    socket.sleep(LOOK)
  end
end

--- Wait until the screen shows something.
-- @param what a pattern that its text matches, or a function of the text, the cursor's column
-- and its line that returns something true
-- @return what the match or the function returned
function terminal:wait_for(what)
  return self:wait_until(function()
    if type(what) == "string" then return self:screen():match(what) end
    return what(self:look())
  end, type(what) == "string" and ("%q"):format(what) or nil)
end

--- Wait until the cursor stands in the last line of the screen, whose text before the cursor is
-- `before` and behind it `after`: of a prompt, say. Spaces at the end of a line do not show.
function terminal:wait_for_line(before, after)
  local text = trimmed(before .. (after or ""))
  local width = utf8.len(before)
  return self:wait_until(function()
    local screen, column, line = self:look()
    return screen:match("[^\n]*$") == text and column == width
      and select(2, screen:gsub("\n", "")) == line
  end, ("the line %q, the cursor at column %d"):format(text, width))
end

--- The same, with the cursor's column, where characters are not one cell each.
function terminal:wait_for_cells(text, column)
  return self:wait_for(function(screen, x, y)
    return screen:match("[^\n]*$") == text and x == column
      and select(2, screen:gsub("\n", "")) == y
  end)
end

--- Wait for the first prompt, or a fresh one.
function terminal:wait_for_prompt()
  return self:wait_for_line("> ")
end

local function after_last(text, line)
  local count, last = 0, nil
  text = "\n" .. text .. "\n"
  local from, to = text:find("\n> " .. line .. "\n", 1, true)
  while from do
    count, last = count + 1, to + 1
    from, to = text:find("\n> " .. line .. "\n", to, true)
  end
  return count, last and text:sub(last, -2)
end

--- Type a line at an empty prompt, wait for the next empty prompt, and tell what was printed.
-- @treturn string the text between them, without its last newline
function terminal:ask(line)
  local before = after_last(self:scrollback(), line)
  self:type(line .. "\n")
  self:wait_until(function()
    return after_last(self:scrollback(), line) > before
  end, "the line " .. line)
  self:wait_for_prompt()
  local _, answer = after_last(self:scrollback(), line)
  return (answer:gsub("\n?>$", ""))
end

-- ---- What became of the program ----

local function note(self, name)
  return self:wait_until(function()
    local file <close> = io.open(self.notes .. "/" .. name)
    return file and file:read("l")
  end, "the program's " .. name)
end

--- The program's process id.
function terminal:pid()
  return math.tointeger(note(self, "pid"))
end

--- Wait for the end of the program.
-- @treturn integer its exit status (128 + n for signal n)
function terminal:status()
  return math.tointeger(note(self, "status"))
end

--- Wait for the end of the program, and tell in what the terminal differs from what it was.
-- @treturn string "" if it was left as it was found
function terminal:damage()
  local found = {}
  if note(self, "before") ~= note(self, "after") then
    found[1] = ("settings %s, not %s"):format(note(self, "after"), note(self, "before"))
  end
  local modes = self:modes()
  if modes ~= "cursor 1 insert 0 cursor keys 0 keypad 0 mouse 0 wrap 1 alternate 0\n" then
    found[#found + 1] = modes
  end
  -- The terminal echoes what nobody reads, brackets as well.
  self:paste("<pasted>")
  self:wait_for("<pasted>")
  if self:screen():find("200~<pasted>", 1, true) then
    found[#found + 1] = "pastes come in brackets"
  end
  return table.concat(found, "; ")
end

-- ---- Specs ----

local absent

--- Why there are no terminals here; false when there are. A bare container may have none.
function terminal.why_absent()
  if absent ~= nil then return absent end
  absent = not os.execute("command -v tmux >/dev/null") and "tmux is not there"
  if not absent then
    local self = setmetatable({ server = run.directory() .. "/tmux" }, terminal)
    local ok, message = pcall(tmux, self, "new-session", "-d", "cat", ";", "has-session")
    absent = not ok and message:gsub("%s+$", "")
    self:close()
  end
  return absent
end

--- `it`, for a spec that starts terminals: they are ended with it. Pending where there are none.
function terminal.it(name, body)
  local reason = terminal.why_absent()
  if reason then return busted.pending(("%s (no terminal here: %s)"):format(name, reason)) end
  return busted.it(name, function()
    local ok, err = pcall(body)
    while #open > 0 do open[#open]:close() end
    if not ok then error(err, 0) end
  end)
end

return terminal
