--- greenlet.config: settings, their types, and what they are called in the environment.
-- What is in effect is known in C: some are rounded, or end where memory does.

local core = ...

local types = {
  track_greenlet_tree = "boolean",
  stack_slots = "integer", stack_size = "integer", stack_move = "boolean",
  dump = "boolean", watchdog = "seconds", why_alive = "boolean",
  -- One of these words:
  leaks = { "off", "warn", "error" }, report = { "now", "unobserved" },
  deadlock = { "off", "warn", "error" },
}

local settings = {}

local function type_of(name)
  if not types[name] then
    error(("unknown setting '%s'"):format(core.tostring(name)), 3)
  end
  return types[name]
end

local articles = { boolean = "a boolean", integer = "an integer", seconds = "a number" }

-- What values of the kind are called.
local function noun(kind)
  return articles[kind] or "one of " .. table.concat(kind, ", ")
end

local function choice(value, words)
  if type(value) ~= "string" then return nil, core.typename(value) end
  for _, word in ipairs(words) do
    if word == value then return value end
  end
  return nil, ("'%s'"):format(value)
end

-- The value as one of the kind, or nil and what it is instead.
local function convert(value, kind)
  if type(kind) == "table" then return choice(value, kind) end
  if type(value) == (kind == "seconds" and "number" or kind) then return value end
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
    error(("setting '%s' is %s (got %s)"):format(name, noun(kind), got), 2)
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

local function seconds(variable, text)
  if words[text:lower()] == false then return 0 end
  local value = tonumber(text)
  return value or error(("%s: '%s' is no number of seconds"):format(variable, text), 0)
end

local function word(variable, text, kind)
  local value, got = choice(text, kind)
  return value or error(("%s: %s is none of %s"):format(variable, got, table.concat(kind, ", ")), 0)
end

local readers = { integer = integer, seconds = seconds }

--- Take over what a variable, or an option of the program, says. A word that is none
-- leaves a boolean as it is.
-- @raise what is no number, no such word, or out of range: it would go unnoticed for long
function settings.from_environment(name, variable, text)
  local kind, value = types[name], nil
  if kind == "boolean" then
    value = words[text:lower()]
  elseif text ~= "" then
    value = (readers[kind] or word)(variable, text, kind)
  end
  if value == nil then return end
  local problem = core.set(name, value)
  if problem then error(("%s %s"):format(variable, problem), 0) end
end

return settings
