--- Values as text that people read.
--
-- Tables are read by `next` and `rawget` alone, so no __index, __pairs or __len of theirs
-- runs; __tostring does (scalars.lua tells how). What is shown is bounded in every way, so that
-- a graph of tables that is large, or has more ways than nodes, costs no more than it shows.
-- Whatever a value holds, no control byte gets out but the line ends of the layout, and the line
-- ends and tabs of a text that a __tostring has made, when it is alone.
local cmd = ...

local scalars = cmd.scalars

local inspect = {}

local MOST_STRING = 1000           -- bytes shown of a string inside a table
local MOST_KEYS = 10000            -- of a table, that are sorted
local MOST_NOTED = 20              -- metamethods
local MOST_STEPS = 1000000         -- over keys, to count those that are not shown
local SORTING = 10                 -- steps, for a key

local COLOURS = { string = "32", number = "33", boolean = "35", ["nil"] = "35", key = "34",
                  special = "36", note = "2", error = "31" }

-- ---- Tables ----

local Printer = {}
Printer.__index = Printer

-- Text in the colour of its kind, and its width; what is shown is counted.
function Printer:piece(text, kind)
  self.left = self.left - #text
  local width = scalars.width(text)
  if self.colour and COLOURS[kind] then text = ("\27[%sm%s\27[0m"):format(COLOURS[kind], text) end
  return text, width
end

-- Booleans, and then what has an address: in some order that holds while it lives.
local function before(a, b)
  if type(a) ~= type(b) then return type(a) < type(b) end
  if type(a) == "boolean" then return not a and b end
  return scalars.address(a) < scalars.address(b)
end

-- Numbers, strings, others.
local function sort(keys)
  local numbers, strings, others = {}, {}, {}
  local lists = { number = numbers, string = strings }
  for _, key in ipairs(keys) do
    local list = lists[type(key)] or others
    list[#list + 1] = key
  end
  table.sort(numbers)
  table.sort(strings)
  table.sort(others, before)
  table.move(strings, 1, #strings, #numbers + 1, numbers)
  return table.move(others, 1, #others, #numbers + 1, numbers)
end

local function sequence_length(t, most)
  local n = 0
  while n < most and rawget(t, n + 1) ~= nil do n = n + 1 end
  return n
end

-- Private fields of greenlet's objects, and the methods that they keep for speed; what the
-- text of an exception says.
local function is_hidden(t, key, value)
  local class = scalars.meta_field(t, "__class")
  if (key == "args" or key == "message") and scalars.is_exception(t) then return true end
  if class then return type(key) == "userdata" or type(value) == "function" end
  return scalars.meta_field(t, "__is_class") and type(key) == "string" and key:sub(1, 2) == "__"
end

-- The keys behind a sequence of that length, sorted, and how many there are more: a
-- number, or nil for too many to count.
function Printer:keys(t, length)
  local keys, more = {}, 0
  for key, value in next, t do
    local listed = math.type(key) == "integer" and key >= 1 and key <= length
    self.steps = self.steps - 1
    if self.steps < 0 then return keys, nil end
    if not listed and not is_hidden(t, key, value) then
      if #keys < MOST_KEYS then keys[#keys + 1] = key else more = more + 1 end
    end
  end
  self.steps = self.steps - SORTING * #keys
  return sort(keys), more
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

-- What stands before a table's braces.
local function title(t)
  local name = scalars.meta_field(t, "__name")
  return type(name) == "string" and scalars.safe(name, 100) .. " " or ""
end

-- What is noted of the metatable of a table that has no text of its own: the names of its
-- metamethods.
function Printer:metatable(t)
  local meta = debug.getmetatable(t)
  if meta == nil or t == self.own then return nil end
  local list = {}
  for key in next, meta do
    self.steps = self.steps - 1
    if self.steps < 0 or #list >= MOST_KEYS then break end
    if type(key) == "string" and key:find("^__") and key ~= "__name" then
      list[#list + 1] = scalars.safe(key, 40)
    end
  end
  if #list == 0 and title(t) ~= "" then return nil end
  table.sort(list)
  local shown = table.concat(list, " ", 1, math.min(#list, MOST_NOTED))
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
  local function add(key, value, short)
    local text, width = self:entry(key, value, depth, column)
    list[#list + 1] = { text = text, width = width, short = short }
    self.left = self.left - (short and 2 or column + 2)
  end
  for i = 1, length do
    if self.left <= 0 then break end
    local value = rawget(t, i)
    add(nil, value, type(value) ~= "table")
  end
  local keys, more = self:keys(t, length)
  for _, key in ipairs(keys) do
    if self.left <= 0 or #list >= self.items then break end
    add(key, rawget(t, key))
  end
  local function note(text, width)
    if text then list[#list + 1] = { text = text, width = width } end
  end
  local rest = more and length + #keys + more - #list
  local told = rest and ("... %d more"):format(rest) or "... more"
  if rest ~= 0 then note(self:piece(told, "note")) end
  note(self:metatable(t))
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

function Printer:table(t, depth, column)
  if self.path[t] then return self:piece("<cycle>", "note") end
  if depth > 1 and self.names[t] then
    return self:piece(("<module %s>"):format(scalars.safe(self.names[t], MOST_STRING)), "special")
  end
  local own = scalars.own_text(t)
  if own and depth > 1 then
    return self:piece(scalars.safe(own, MOST_STRING), "special")
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
  local text, width = self:piece(scalars.safe_lines(own, self.left), "special")
  if own:find("\n") then return text end
  self.own = t
  local body, body_width = self:body(t, 1, width + 1)
  if body == "{}" then return text, width end
  return text .. " " .. body, body_width and width + 1 + body_width
end

function Printer:scalar(value, most)
  return self:piece(scalars.text(value, self.names, most or MOST_STRING))
end

function Printer:value(value, depth, column)
  if type(value) == "table" then return self:table(value, depth, column) end
  return self:scalar(value, depth == 1 and self.left or MOST_STRING)
end

local function printer(options)
  return setmetatable({
    colour = options.colour, width = options.width or 80, depth = options.depth or 4,
    items = options.items or 100, left = options.total or 100000, steps = MOST_STEPS,
    names = scalars.known_names(), path = {},
  }, Printer)
end

-- What remains when all else fails: memory, say.
local function failed(value) return ("<%s %s>"):format(type(value), scalars.address(value)) end

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
  local text = inspect.text(value, limits):gsub("%s*[\n\t]%s*", " ")
  if scalars.width(text) <= width then return text end
  return text:sub(1, utf8.offset(text, math.max(width - 2, 1)) - 1) .. "..."
end

return inspect
