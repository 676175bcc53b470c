--- What was typed in earlier sessions, in a file.
--
-- A line per entry, oldest first; in it \n stands for a line's end and \\ for a
-- backslash. Sessions that run at once append to the same file, each entry in one write
-- under a lock; whoever finds it too long replaces it by its end, under the same lock.
-- Nothing here raises: without the file, history is that of the session alone.
local cmd = ...

local MOST = 10000         -- entries that are kept
local SLACK = 1000         -- how many more the file may get before a session trims it
local MOST_BYTES = 1 << 24 -- of the file, that are looked at

local history = { MOST = MOST }

local last     -- the newest entry: not added twice in a row
local appended = 0 -- by this session since the file was trimmed
local reported = false

--- Where the file is: a path, or nil if the environment does not tell.
-- The XDG Base Directory Specification has relative paths ignored.
function history.path()
  local state = os.getenv "XDG_STATE_HOME"
  if state and state:sub(1, 1) == "/" then return state .. "/greenlua/history" end
  local home = os.getenv "HOME"
  if home and home ~= "" then return home .. "/.local/state/greenlua/history" end
  return nil
end

local ESCAPES = { ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\0"] = "\\0" }
local CHARACTERS = { ["\\"] = "\\", n = "\n", r = "\r", ["0"] = "\0" }

local function escape(text) return (text:gsub("[\\\n\r\0]", ESCAPES)) end

-- An escape that is none stays as it is.
local function unescape(line) return (line:gsub("\\(.)", CHARACTERS)) end

-- Where the first whole line begins: the text may be but the end of the file.
local function first_line(text)
  return #text == MOST_BYTES and (text:find("\n", 1, true) or #text) + 1 or 1
end

-- The lines of a file's text, without empty ones and repetitions.
local function lines(text, pause)
  local list = {}
  for line in text:gmatch("[^\n]+", first_line(text)) do
    if line ~= list[#list] then
      list[#list + 1] = line
      pause()
    end
  end
  return list
end

local function newest(list, count)
  return table.move(list, math.max(1, #list - count + 1), #list, 1, {})
end

-- The newest entries as a text; nil if there are no others. Nobody else runs meanwhile.
local function trim(text)
  local start, _, count = first_line(text), text:gsub("\n", "\n")
  if count <= MOST and #text < MOST_BYTES then return nil end
  for _ = 1, count - MOST do start = text:find("\n", start, true) + 1 end
  return text:sub(start)
end

-- Errors are told once: the prompt goes on.
local function guarded(f, ...)
  local ok, result, message = pcall(f, ...)
  if ok and (result or not message) then return result end
  if reported then return nil end
  reported = true
  return nil, ("history is not saved: %s"):format(tostring(ok and message or result))
end

local function read(path, pause)
  local text, message, code = cmd.files.read(path, MOST_BYTES)
  if not text and code == 2 then return {} end -- ENOENT: the first session
  if not text then return nil, message end
  local list = lines(text, pause)
  if #list > MOST or #text == MOST_BYTES then
    list = newest(list, MOST)
    cmd.files.rewrite(path, MOST_BYTES, trim)
  end
  for i, line in ipairs(list) do
    list[i] = unescape(line)
    pause()
  end
  return list
end

--- The entries of all sessions so far.
-- @tparam[opt] function pause is called after each step, of some microseconds: others may run
-- @return a list of strings, oldest first, at most history.MOST
-- @return nil, or a message, once, if the file cannot be read
function history.load(pause)
  local path = history.path()
  if not path then return {} end
  local list, message = guarded(read, path, pause or function() end)
  list = list or {}
  last = list[#list]
  return list, message
end

local function append(path, text)
  local line = escape(text)
  local ok, message, code = cmd.files.append(path, line)
  if not ok and code == 2 then
    ok, message = cmd.files.make_directory(path:match("^(.*)/"))
    if ok then ok, message = cmd.files.append(path, line) end
  end
  if not ok then return nil, message end
  appended = appended + 1
  if appended >= SLACK then
    appended = 0
    cmd.files.rewrite(path, MOST_BYTES, trim)
  end
  return true
end

--- Add an entry, unless it is empty or repeats the one before.
-- @param text string; may have several lines
-- @return nothing, or nil and a message, once, if it cannot be saved
function history.add(text)
  if text == last or not text:find("%S") then return end
  last = text
  local path = history.path()
  if not path then return end
  local ok, message = guarded(append, path, text)
  if not ok then return nil, message end
end

return history
