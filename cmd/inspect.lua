--- Values as text that people read.
--
-- Tables are read by `next` and `rawget` alone, so no __index, __pairs or __len of theirs
-- runs; the one metamethod that is called is __tostring, in a coroutine, where an error,
-- a yield, or more than MOST_INSTRUCTIONS make it count as none. It may block: then it
-- blocks the greenlet that asks for the text, and a kill passes as through any call.
-- Whatever a value holds, no control byte gets out but the line ends of the layout.
local cmd = ...

local inspect = {}

local MOST_INSTRUCTIONS = 10000000 -- of a __tostring
local MOST_STRING = 1000           -- bytes shown of a string inside a table
local MOST_KEYS = 10000            -- of a table, that are sorted
local MOST_STEPS = 1000000         -- over keys, to count those that are not shown

local COLOURS = { string = "32", number = "33", boolean = "35", ["nil"] = "35", key = "34",
                  special = "36", note = "2", error = "31" }

-- ---- Scalars ----

local ESCAPES = { ["\a"] = "\\a", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r",
                  ["\t"] = "\\t", ["\v"] = "\\v", ["\\"] = "\\\\", ["\""] = "\\\"" }

local function escape_byte(c) return ESCAPES[c] or ("\\x%02X"):format(c:byte()) end

-- Controls of terminals (C1) and what reverses or hides text.
local function is_unsafe(code)
  return code < 0xA0 or code >= 0x200B and code <= 0x200F or code >= 0x2028 and code <= 0x202E
    or code >= 0x2060 and code <= 0x206F or code == 0xFEFF or code >= 0xE0000 and code <= 0xE0FFF
end

local function escape_codes(text)
  return (text:gsub("[\xC2-\xF4][\x80-\xBF]+", function(c)
    local code = utf8.codepoint(c)
    if is_unsafe(code) then return ("\\u{%X}"):format(code) end
  end))
end

-- Text of anybody, safe for a terminal: `controls` is a pattern of what is escaped.
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
local function cut(text, bytes)
  if #text <= bytes then return text end
  while bytes > 0 and text:find("^[\x80-\xBF]", bytes + 1) do bytes = bytes - 1 end
  return text:sub(1, bytes)
end

local function quote(text, most)
  local shown = cut(text, most)
  local quoted = "\"" .. clean(shown, "[%c\\\"]") .. "\""
  if #shown == #text then return quoted end
  return ("%s... (%d bytes)"):format(quoted, #text)
end

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

-- Display columns, with one for each character; bytes of broken text are escaped before.
local function width_of(text) return utf8.len(text) or #text end

-- ---- What values are called ----

local function meta_field(value, key)
  local meta = debug.getmetatable(value)
  return type(meta) == "table" and rawget(meta, key) or nil
end

-- Its __tostring's text, or nil.
local function own_text(value)
  if not meta_field(value, "__tostring") then return nil end
  local thread = coroutine.create(tostring)
  debug.sethook(thread, function() error("too long", 0) end, "", MOST_INSTRUCTIONS)
  local ok, text = coroutine.resume(thread, value)
  if ok and coroutine.status(thread) == "dead" then return text end
  coroutine.close(thread)
  return nil
end

local function address(value) return ("%p"):format(value) end

-- "<what 0x...>", for what has no text of its own.
local function anonymous(value, what)
  local name = meta_field(value, "__name")
  return ("<%s %s>"):format(type(name) == "string" and name or what, address(value))
end

local LIBRARY_FIELDS = 1000 -- of a module, that are looked at for functions' names

-- Names of the loaded modules, and of their functions, by value.
local function known_names()
  local names = {}
  local loaded = debug.getregistry()._LOADED
  for module, value in next, type(loaded) == "table" and loaded or {} do
    if type(module) == "string" and type(value) == "table" then
      if not names[value] or module < names[value] then names[value] = module end
      local prefix, count = module == "_G" and "" or module .. ".", 0
      for key, field in next, value do
        count = count + 1
        if count > LIBRARY_FIELDS then break end
        if type(key) == "string" and type(field) == "function" then
          local name = prefix .. key
          if not names[field] or name < names[field] then names[field] = name end
        end
      end
    end
  end
  return names
end

local function function_text(value, names)
  local info = debug.getinfo(value, "S")
  local name = names[value] and " " .. names[value] or ""
  if info.what == "C" then
    return name ~= "" and ("<function%s>"):format(name) or ("<function C %s>"):format(address(value))
  end
  return ("<function%s %s:%d>"):format(name, info.short_src, info.linedefined)
end

local function is_greenlet(value)
  local all = meta_field(value, "__ancestors")
  local module = package.loaded.greenlet
  return type(all) == "table" and type(module) == "table"
    and (all[rawget(module, "Greenlet")] or all[rawget(module, "greenlet")]) and true or false
end

-- What greenlet.util tells of a greenlet, in one line; reads none of its attributes.
local function greenlet_text(value)
  local ok, util = pcall(require, "greenlet.util")
  if not ok then return own_text(value) end
  local hidden = { running_stacks = false, spawning_stacks = false, locals = false }
  local found, lines = pcall(function() return util.GreenletTree(value):format_lines(hidden) end)
  if not found then return own_text(value) end
  local state = lines[2] and lines[2]:match("^[%s:]*(waits for.*)$")
  return state and lines[1] .. "; " .. state:gsub("   +", " ") or lines[1]
end

local function special_text(value, names)
  local kind = type(value)
  if kind == "function" then return function_text(value, names) end
  if kind == "thread" then
    return ("<thread %s %s>"):format(address(value), coroutine.status(value))
  end
  if is_greenlet(value) then return greenlet_text(value) or anonymous(value, "greenlet") end
  return own_text(value) or anonymous(value, kind)
end

-- ---- Tables ----

local Printer = {}
Printer.__index = Printer

-- Text in the colour of its kind, and its width; what is shown is counted.
function Printer:piece(text, kind)
  self.left = self.left - #text
  local width = width_of(text)
  if self.colour and COLOURS[kind] then text = ("\27[%sm%s\27[0m"):format(COLOURS[kind], text) end
  return text, width
end

local RANKS = { number = 1, string = 2, boolean = 3 }

local function before(a, b)
  local rank_a, rank_b = RANKS[type(a)] or 4, RANKS[type(b)] or 4
  if rank_a ~= rank_b then return rank_a < rank_b end
  if rank_a <= 2 then return a < b end
  if rank_a == 3 then return not a and b end
  if type(a) ~= type(b) then return type(a) < type(b) end
  return address(a) < address(b)
end

local function sequence_length(t, most)
  local n = 0
  while n < most and rawget(t, n + 1) ~= nil do n = n + 1 end
  return n
end

-- Private fields of greenlet's objects, and the methods that they keep for speed.
local function is_hidden(t, key, value)
  local class = meta_field(t, "__class")
  if class then return type(key) == "userdata" or type(value) == "function" end
  return meta_field(t, "__is_class") and type(key) == "string" and key:sub(1, 2) == "__"
end

-- The keys behind a sequence of that length, sorted, and how many there are more: a
-- number, or true for too many to count.
function Printer:keys(t, length)
  local keys, more = {}, 0
  for key, value in next, t do
    local listed = math.type(key) == "integer" and key >= 1 and key <= length
    self.steps = self.steps - 1
    if self.steps < 0 then return keys, true end
    if not listed and not is_hidden(t, key, value) then
      if #keys < MOST_KEYS then keys[#keys + 1] = key else more = more + 1 end
    end
  end
  table.sort(keys, before)
  return keys, more
end

local function is_identifier(key)
  return type(key) == "string" and key:find("^[%a_][%w_]*$") ~= nil
    and not cmd.lexer.keywords[key]
end

function Printer:key(key)
  if is_identifier(key) then
    local text, width = self:piece(key, "key")
    return text .. " = ", width + 3
  end
  local text, width = self:scalar(key)
  return "[" .. text .. "] = ", width + 5
end

-- What is noted of a metatable: the names of its metamethods.
function Printer:metatable(t)
  local meta = debug.getmetatable(t)
  if meta == nil or meta_field(t, "__tostring") then return nil end
  local list = {}
  for key in next, meta do
    if #list >= MOST_KEYS then break end
    if type(key) == "string" and key:find("^__") and key ~= "__name" then
      list[#list + 1] = clean(cut(key, 40), "%c")
    end
  end
  table.sort(list)
  local shown = table.concat(list, " ", 1, math.min(#list, 20))
  return self:piece(("<metatable%s>"):format(shown == "" and "" or " " .. shown), "note")
end

-- An entry's text and width (nil: several lines), at a column.
function Printer:entry(key, value, depth, column)
  local head, head_width = "", 0
  if key ~= nil then head, head_width = self:key(key) end
  local text, width = self:value(value, depth + 1, column + head_width)
  return head .. text, width and head_width + width
end

-- The entries of a table: a list of {text=, width=}, scalar elements marked `short`.
function Printer:entries(t, depth, column)
  local list, length = {}, sequence_length(t, self.items)
  local function add(...)
    local text, width = self:entry(...)
    list[#list + 1] = { text = text, width = width }
    return list[#list]
  end
  for i = 1, length do
    if self.left <= 0 then break end
    local value = rawget(t, i)
    add(nil, value, depth, column).short = type(value) ~= "table"
  end
  local shown = #list
  local keys, more = self:keys(t, math.max(length, shown))
  for _, key in ipairs(keys) do
    if self.left <= 0 or #list >= self.items then break end
    add(key, rawget(t, key), depth, column)
  end
  local rest = more == true or length + #keys + more - #list
  if rest == true or rest > 0 then
    local text, width = self:piece(rest == true and "... more" or ("... %d more"):format(rest), "note")
    list[#list + 1] = { text = text, width = width }
  end
  local note, width = self:metatable(t)
  if note then list[#list + 1] = { text = note, width = width } end
  return list
end

local function one_line(list)
  local texts, width = {}, 2
  for i, entry in ipairs(list) do
    if not entry.width then return nil end
    texts[i], width = entry.text, width + entry.width + 2
  end
  return "{ " .. table.concat(texts, ", ") .. " }", width
end

-- Short elements share lines.
local function many_lines(list, indent, room)
  local lines, used = {}, math.huge
  for i, entry in ipairs(list) do
    local text = entry.text .. (i < #list and "," or "")
    if entry.short and entry.width and used + entry.width + 2 <= room then
      lines[#lines] = lines[#lines] .. " " .. text
      used = used + entry.width + 2
    else
      lines[#lines + 1] = indent .. text
      used = entry.short and entry.width and entry.width + 1 or math.huge
    end
  end
  return "{\n" .. table.concat(lines, "\n") .. "\n" .. indent:sub(3) .. "}"
end

function Printer:body(t, depth, column)
  if next(t) == nil and not debug.getmetatable(t) then return "{}", 2 end
  if depth > self.depth or self.left <= 0 then return self:piece("{...}", "note") end
  self.path[t] = true
  local list = self:entries(t, depth, 2 * depth)
  self.path[t] = nil
  if #list == 0 then return "{}", 2 end
  local text, width = one_line(list)
  if text and column + width <= self.width then return text, width end
  return many_lines(list, ("  "):rep(depth), self.width - 2 * depth)
end

-- What stands before a table's braces.
local function title(t)
  local name = meta_field(t, "__name")
  return type(name) == "string" and clean(cut(name, 100), "%c") .. " " or ""
end

function Printer:table(t, depth, column)
  if self.path[t] then return self:piece("<cycle>", "note") end
  if depth > 1 and self.names[t] then
    return self:piece(("<module %s>"):format(clean(self.names[t], "%c")), "special")
  end
  local own = own_text(t)
  if own and depth > 1 then
    return self:piece(clean(cut(own, MOST_STRING), "%c"), "special")
  elseif own then
    return self:object(t, own)
  end
  local head, width = "", 0
  if title(t) ~= "" then head, width = self:piece(title(t), "special") end
  local text, body_width = self:body(t, depth, column + width)
  return head .. text, body_width and width + body_width
end

-- A table with a text of its own, on top: its lines, and its fields behind a single line.
function Printer:object(t, own)
  local text, width = self:piece(clean(cut(own, self.left), "[^%C\n\t]"), "special")
  if own:find("\n") then return text end
  local body, body_width = self:body(t, 1, width + 1)
  if body == "{}" then return text, width end
  return text .. " " .. body, body_width and width + 1 + body_width
end

function Printer:scalar(value)
  local kind = type(value)
  if kind == "string" then return self:piece(quote(value, MOST_STRING), "string") end
  if kind == "number" then return self:piece(number_text(value), "number") end
  if kind == "nil" or kind == "boolean" then return self:piece(tostring(value), kind) end
  if kind == "table" then
    return self:piece(clean(cut(own_text(value) or anonymous(value, kind), 200), "%c"), "special")
  end
  local text = special_text(value, self.names)
  return self:piece(clean(cut(text, MOST_STRING), "%c"), "special")
end

function Printer:value(value, depth, column)
  if type(value) == "table" then return self:table(value, depth, column) end
  if type(value) == "string" and depth == 1 then
    return self:piece(quote(value, self.left), "string")
  end
  return self:scalar(value)
end

local function printer(options)
  return setmetatable({
    colour = options.colour, width = options.width or 80, depth = options.depth or 4,
    items = options.items or 100, left = options.total or 100000, steps = MOST_STEPS,
    names = known_names(), path = {},
  }, Printer)
end

-- What remains when all else fails: memory, say.
local function failed(value) return ("<%s %s>"):format(type(value), address(value)) end

--- A value as text, in several lines if it takes them; tables begin with their sequence,
-- then come keys in order.
-- @param value any value
-- @param options table or nil: `colour` (false) with escape sequences of terminals; `width`
--   (80) columns; `depth` (4) levels of tables; `items` (100) entries of each table; `total`
--   (100000) bytes, about
-- @return string, without a line end at its end
function inspect.text(value, options)
  local ok, text = pcall(function() return (printer(options or {}):value(value, 1, 0)) end)
  return ok and text or failed(value)
end

--- A value in one line without colours.
-- @param value any value
-- @param width number of columns; default 80
-- @return string
function inspect.line(value, width)
  width = width or 80
  local limits = { width = math.huge, depth = 3, items = 20, total = 4 * width }
  local text = inspect.text(value, limits):gsub("%s*\n%s*", " ")
  if width_of(text) <= width then return text end
  return text:sub(1, utf8.offset(text, math.max(width - 2, 1)) - 1) .. "..."
end

return inspect
