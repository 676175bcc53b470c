--- greenlet.config: settings, their types, and what they are called in the environment.
-- What is in effect is known in C: some are rounded, or end where memory does.

local core = ...

local types = {
  track_greenlet_tree = "boolean",
  stack_slots = "integer", stack_size = "integer", stack_move = "boolean",
}

local settings = {}

local function type_of(name)
  if not types[name] then
    error(("unknown setting '%s'"):format(core.tostring(name)), 3)
  end
  return types[name]
end

-- The value as one of the type, or nil and what it is instead.
local function convert(value, kind)
  if type(value) == kind then return value end
  if kind ~= "integer" or type(value) ~= "number" then return nil, core.typename(value) end
  return math.tointeger(value), "a number without integer representation"
end

--- What is in effect.
-- @raise unknown setting
function settings.get(name)
  type_of(name)
  return core.get(name)
end

--- Change a setting.
-- @raise unknown setting; another type; a value out of range, or too late
function settings.set(name, value)
  local kind = type_of(name)
  local converted, got = convert(value, kind)
  if converted == nil then
    local article = kind == "integer" and "an" or "a"
    error(("setting '%s' is %s %s (got %s)"):format(name, article, kind, got), 2)
  end
  local problem = core.set(name, converted)
  if problem then error(("setting '%s' %s"):format(name, problem), 2) end
end

-- ---- The environment ----

local words = { ["0"] = false, ["false"] = false, no = false, off = false,
                ["1"] = true, ["true"] = true, yes = true, on = true }
local units = { [""] = 1, k = 1 << 10, m = 1 << 20 }

local function integer(variable, text)
  local digits, unit = text:match("^(%d+)([kKmM]?)$")
  if not digits then error(("%s: '%s' is no number"):format(variable, text), 0) end
  -- With more digits it would wrap round.
  return #digits > 12 and math.maxinteger or math.tointeger(digits) * units[unit:lower()]
end

--- Take over what a variable says. A word that is none leaves a boolean as it is.
-- @raise what is no number, or out of range: it would go unnoticed for long
function settings.from_environment(name, variable, text)
  local value
  if types[name] == "boolean" then
    value = words[text:lower()]
  elseif text ~= "" then
    value = integer(variable, text)
  end
  if value == nil then return end
  local problem = core.set(name, value)
  if problem then error(("%s %s"):format(variable, problem), 0) end
end

return settings
