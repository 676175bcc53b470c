--- Does a value have the form that a JSON schema says?
-- As much of JSON Schema as our schemas use: type, const, enum, required, properties,
-- additionalProperties, items, minimum, pattern (a Lua pattern), oneOf by a property's const.
local cjson = require "cjson"

local schema = {}

local function kind_of(value)
  if value == cjson.null then return "null" end
  if type(value) == "table" then return #value > 0 and "array" or "object" end
  if math.type(value) == "integer" or (type(value) == "number" and value % 1 == 0) then
    return "integer"
  end
  return type(value)
end

-- An empty table may be either; an integer is a number, too.
local function is_kind(value, kind)
  local got = kind_of(value)
  return got == kind or (kind == "number" and got == "integer")
    or (kind == "array" and type(value) == "table" and next(value) == nil)
end

local check

local function check_object(value, rule, path)
  for _, name in ipairs(rule.required or {}) do
    if value[name] == nil then return ("%s: no '%s'"):format(path, name) end
  end
  for name, member in pairs(value) do
    local known = (rule.properties or {})[name]
    local problem
    if known then
      problem = check(member, known, path .. "." .. name)
    elseif rule.additionalProperties == false then
      problem = ("%s: unknown '%s'"):format(path, name)
    elseif type(rule.additionalProperties) == "table" then
      problem = check(member, rule.additionalProperties, path .. "." .. name)
    end
    if problem then return problem end
  end
end

-- The one whose constant properties the value has says what is wrong.
local function check_choice(value, rule, path)
  for _, choice in ipairs(rule.oneOf) do
    local fits = true
    for name, property in pairs(choice.properties) do
      fits = fits and (property.const == nil or value[name] == property.const)
    end
    if fits then return check(value, choice, path) end
  end
  return ("%s: none of the choices: %s"):format(path, cjson.encode(value))
end

check = function(value, rule, path)
  if rule.type and not is_kind(value, rule.type) then
    return ("%s: %s is no %s"):format(path, kind_of(value), rule.type)
  end
  if rule.const ~= nil and value ~= rule.const then
    return ("%s: '%s' is not '%s'"):format(path, value, rule.const)
  end
  if rule.minimum and value < rule.minimum then
    return ("%s: %s is less than %s"):format(path, value, rule.minimum)
  end
  if rule.enum then
    local found = false
    for _, word in ipairs(rule.enum) do found = found or word == value end
    if not found then return ("%s: '%s' is no choice"):format(path, value) end
  end
  if rule.oneOf then return check_choice(value, rule, path) end
  if rule.items then
    for i, item in ipairs(value) do
      local problem = check(item, rule.items, ("%s[%d]"):format(path, i))
      if problem then return problem end
    end
  end
  return type(value) == "table" and check_object(value, rule, path) or nil
end

--- What is wrong with a value, or nil.
-- @tparam table rule a schema, decoded
function schema.problem(value, rule) return check(value, rule, "$") end

return schema
