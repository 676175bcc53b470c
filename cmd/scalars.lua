--- Values but tables as text that people read, and text of anybody made safe to show.
--
-- The one metamethod that is called is __tostring, in a coroutine. An error, a yield, a wait
-- of its greenlet, or more than MOST_INSTRUCTIONS make it count as none.
local cmd = ...

local scalars = {}

local MOST_INSTRUCTIONS = 10000000 -- of a __tostring

-- ---- Strings and numbers ----

local ESCAPES = { ["\a"] = "\\a", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r",
                  ["\t"] = "\\t", ["\v"] = "\\v", ["\\"] = "\\\\", ["\""] = "\\\"" }

local function escape_byte(c) return ESCAPES[c] or ("\\x%02X"):format(c:byte()) end

-- Controls of terminals (C1) and what reverses or hides text.
local function is_unsafe(code)
  return code < 0xA0 or code == 0x200B or code == 0x200E or code == 0x200F
    or code >= 0x2028 and code <= 0x202E or code >= 0x2060 and code <= 0x206F
    or code == 0xFEFF or code >= 0xE0000 and code <= 0xE0FFF
end

local function escape_codes(text)
  return (text:gsub("[\xC2-\xF4][\x80-\xBF]+", function(c)
    local code = utf8.codepoint(c)
    if is_unsafe(code) then return ("\\u{%X}"):format(code) end
  end))
end

-- The text with the bytes of the class `controls`, and all that is no UTF-8, escaped.
local function clean(text, controls)
  text = text:gsub(controls, escape_byte)
  local pieces, at = {}, 1
  while at <= #text do
    local _, bad = utf8.len(text, at)
    pieces[#pieces + 1] = escape_codes(text:sub(at, (bad or #text + 1) - 1))
    if bad then pieces[#pieces + 1] = escape_byte(text:sub(bad, bad)) end
    at = (bad or #text) + 1
  end
  return table.concat(pieces)
end

-- The first bytes of a text, whole characters.
local function cut(text, most)
  if #text <= most then return text end
  most = math.max(most, 0) // 1
  while most > 0 and text:find("^[\x80-\xBF]", most + 1) do most = most - 1 end
  return text:sub(1, most)
end

--- At most so many bytes of a text of anybody, in one line and harmless to a terminal.
function scalars.safe(text, most) return clean(cut(text, most), "%c") end

--- The same, with its line ends.
function scalars.safe_lines(text, most) return clean(cut(text, most), "[^%C\n\t]") end

local function quote(text, most)
  local shown = cut(text, most)
  local quoted = "\"" .. clean(shown, "[%c\\\"]") .. "\""
  if #shown == #text then return quoted end
  return ("%s... (%d bytes)"):format(quoted, #text)
end

-- As Lua would read it again, but for what no numeral means.
local function number_text(value)
  if value ~= value then return "nan" end
  if value == math.huge then return "inf" end
  if value == -math.huge then return "-inf" end
  if math.type(value) == "integer" then return ("%d"):format(value) end
  for digits = 14, 17 do
    local text = ("%%.%dg"):format(digits):format(value)
    if tonumber(text) == value then return text:find("[.e]") and text or text .. ".0" end
  end
end

--- The width of safe text: a column for each character.
function scalars.width(text) return utf8.len(text) or #text end

-- ---- What values are called ----

--- A field of its metatable, by rawget.
function scalars.meta_field(value, key)
  local meta = debug.getmetatable(value)
  return type(meta) == "table" and rawget(meta, key) or nil
end

--- Its __tostring's text, as it is, or nil.
function scalars.own_text(value)
  if not scalars.meta_field(value, "__tostring") then return nil end
  local thread = coroutine.create(tostring)
  local function stop()
    debug.sethook(thread, stop, "", 1) -- whatever catches this one
    error("too long", 0)
  end
  debug.sethook(thread, stop, "", MOST_INSTRUCTIONS)
  local ok, text = cmd.without_switches(coroutine.resume, thread, value)
  if ok and coroutine.status(thread) == "dead" then return text end
  coroutine.close(thread)
  return nil
end

--- The address of a value that has one.
function scalars.address(value) return ("%p"):format(value) end

-- "<what 0x...>", for what has no text of its own.
local function anonymous(value, what)
  local name = scalars.meta_field(value, "__name")
  return ("<%s %s>"):format(type(name) == "string" and name or what, scalars.address(value))
end

local LIBRARY_FIELDS = 1000 -- of a module, that are looked at for functions' names

local function add_module(names, module, t)
  local prefix, count = module == "_G" and "" or module .. ".", 0
  if not names[t] or module < names[t] then names[t] = module end
  for key, field in next, t do
    count = count + 1
    if count > LIBRARY_FIELDS then return end
    if type(key) == "string" and type(field) == "function" then
      local name = prefix .. key
      if not names[field] or name < names[field] then names[field] = name end
    end
  end
end

--- Names of the loaded modules, and of their functions, by value: a table that is filled
-- when it is first asked.
function scalars.known_names()
  return setmetatable({}, { __index = function(names, value)
    setmetatable(names, nil)
    local loaded = debug.getregistry()._LOADED
    for module, t in next, type(loaded) == "table" and loaded or {} do
      if type(module) == "string" and type(t) == "table" then add_module(names, module, t) end
    end
    return names[value]
  end })
end

local function function_text(value, names)
  local info = debug.getinfo(value, "S")
  local name = names[value]
  local place = ("%s:%d"):format(info.short_src, info.linedefined)
  if info.what == "C" then place = not name and "C " .. scalars.address(value) end
  return ("<function %s%s%s>"):format(name or "", name and place and " " or "", place or "")
end

-- Is it an object of the class of that name in `greenlet`, or of one that extends it?
local function is_a(value, name)
  local all = scalars.meta_field(value, "__ancestors")
  local module = package.loaded.greenlet
  local class = type(module) == "table" and rawget(module, name)
  return type(all) == "table" and class and all[class] and true or false
end

local function is_greenlet(value) return is_a(value, "Greenlet") or is_a(value, "greenlet") end

--- Is it an exception of ours?
function scalars.is_exception(value) return is_a(value, "BaseException") end

-- What greenlet.util tells of a greenlet, in one line; reads none of its attributes.
local function greenlet_text(value)
  local ok, util = pcall(require, "greenlet.util")
  if not ok then return scalars.own_text(value) end
  local hidden = { running_stacks = false, spawning_stacks = false, locals = false }
  local found, lines = pcall(function() return util.GreenletTree(value):format_lines(hidden) end)
  if not found then return scalars.own_text(value) end
  local state = lines[2] and lines[2]:match("^[%s:]*(waits for.*)$")
  return state and lines[1] .. "; " .. state:gsub("   +", " ") or lines[1]
end

local function special_text(value, names)
  local kind = type(value)
  if kind == "function" then return function_text(value, names) end
  if kind == "thread" then
    return ("<thread %s %s>"):format(scalars.address(value), coroutine.status(value))
  end
  if is_greenlet(value) then return greenlet_text(value) or anonymous(value, "greenlet") end
  return scalars.own_text(value) or anonymous(value, kind)
end

--- A value without its contents, in one line.
-- @param value any value; of a table its name, of a string at most `most` bytes
-- @param names what scalars.known_names returned
-- @param most bytes, about
-- @return the text, and its kind, which tells its colour
function scalars.text(value, names, most)
  local kind = type(value)
  if kind == "string" then return quote(value, most), kind end
  if kind == "number" then return number_text(value), kind end
  if kind == "nil" or kind == "boolean" then return tostring(value), kind end
  return scalars.safe(special_text(value, names), most), "special"
end

return scalars
