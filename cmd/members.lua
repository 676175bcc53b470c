--- What may follow a value and a dot or colon.
--
-- Nothing of the user's runs: fields are looked up raw, and through __index where that is a
-- table. What greenlet's own objects have comes from their classes; attributes that are
-- computed are offered by name, and are not read.
local cmd = ...

local members = {}

local MOST = 1000       -- candidates
local MOST_STEPS = 500000 -- keys looked at
local MOST_LEVELS = 30  -- of __index

-- ---- Collecting ----

local Candidates = {}
Candidates.__index = Candidates

--- What is found, without repetitions: add(text), full(), sorted().
-- @param prefix string: what candidates begin with
function members.collect(prefix)
  return setmetatable({ prefix = prefix, seen = {}, list = {}, steps = 0 }, Candidates)
end

function Candidates:full() return #self.list >= MOST or self.steps >= MOST_STEPS end

function Candidates:add(text)
  local fits = text:sub(1, #self.prefix) == self.prefix
  if self.seen[text] or not fits or #self.list >= MOST then return end
  self.seen[text] = true
  self.list[#self.list + 1] = text
end

function Candidates:sorted()
  table.sort(self.list)
  return self.list
end

-- ---- Fields ----

local function raw_meta(value)
  local meta = debug.getmetatable(value)
  return type(meta) == "table" and meta or nil
end

-- The table that is asked for fields which a value lacks, or nil: for an object of a
-- class, that class, whose own metatable leads to the class above.
local function beyond(value)
  local meta = raw_meta(value)
  if not meta then return nil end
  local index = rawget(meta, "__index")
  if type(index) == "table" then return index end
  local class = rawget(meta, "__class")
  return type(class) == "table" and class ~= value and class or nil
end

--- The value of a field, without running anything.
function members.field(value, key)
  for _ = 1, MOST_LEVELS do
    if type(value) == "table" then
      local found = rawget(value, key)
      if found ~= nil then return found end
    end
    value = beyond(value)
    if value == nil then return nil end
  end
end

local function is_callable(value)
  if type(value) == "function" then return true end
  local meta = raw_meta(value)
  return meta ~= nil and type(value) ~= "string" and rawget(meta, "__call") ~= nil
end

local function is_identifier(text)
  return text:find("^[%a_][%w_]*$") ~= nil and not cmd.lexer.keywords[text]
end

local UNDERSCORE = ("_"):byte()

-- Fields that begin with _ are offered to who has typed that.
local function add_fields(candidates, t, methods)
  local prefix, length = candidates.prefix, #candidates.prefix
  for key, value in next, t do
    candidates.steps = candidates.steps + 1
    if candidates:full() then return end
    if type(key) == "string" and key:sub(1, length) == prefix and is_identifier(key)
      and (length > 0 or key:byte() ~= UNDERSCORE) and (not methods or is_callable(value)) then
      candidates:add(key)
    end
  end
end

--- Add all that can be asked of a value by `.` or, methods, by `:`.
function members.add(candidates, value, methods)
  for _ = 1, MOST_LEVELS do
    if value == nil or candidates:full() then return end
    if type(value) == "table" then
      add_fields(candidates, value, methods)
      local getters = rawget(value, "__getters")
      if type(getters) == "table" and not methods then add_fields(candidates, getters) end
    end
    value = beyond(value)
  end
end

return members
