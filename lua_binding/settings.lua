--- Settings, as fields of greenlet.config and in the environment.
-- Reading or assigning an unknown setting is an error, and so is a value of the wrong type or out
-- of range. In the environment a setting is called GREENLUA_ and its name in capitals. Booleans
-- are 1, true, yes, on and 0, false, no, off there; anything else is the default. A number may be
-- followed by `k` or `m`; one that is none, or out of range, ends the program with a message.
--
-- `stack_slots` and `stack_size` can be assigned until greenlets have run, that is before the
-- program first waits or switches; afterwards it is an error. They tell what is in effect: where
-- address space is limited (`ulimit -v`), fewer stacks than asked for may have been reserved. More
-- stacks than the default make nothing faster; see [C modules and stacks](c_modules.md).
--
-- ```lua
-- greenlet.config.stack_size = 16 << 20 -- for a library that needs deep C stacks
-- print(greenlet.config.stack_size)
-- greenlet.spawn(print, "runs"):join()
-- print(pcall(function() greenlet.config.stack_slots = 8 end))
-- ```
--
-- ```text
-- 16777216
-- runs
-- false	script.lua:4: setting 'stack_slots' cannot be changed any more: greenlets have run
-- ```
-- @page config Settings
-- @tfield boolean greenlet.config.track_greenlet_tree keep the [spawn
--   tree](life.md#the-spawn-tree); default true. Without it spawning is cheaper
-- @tfield integer greenlet.config.stack_slots how many C stacks greenlets share, 1 to 1048576;
--   default 64
-- @tfield integer greenlet.config.stack_size address space of each in bytes, rounded up to pages,
--   64 KB to 1 GB; default 4 MB
-- @tfield boolean greenlet.config.stack_move for debugging C modules: move stacks away at every
--   switch; default false
-- @tfield boolean greenlet.config.dump print what all greenlets do at SIGUSR1; default true
-- @tfield number greenlet.config.watchdog report a greenlet that does not give way for so many
--   seconds, 0.01 to 86400; default 0: never, but 0.1 at the prompt of a terminal
-- @tfield boolean greenlet.config.why_alive tell what keeps the program running after its last
--   line; default false
-- @tfield string greenlet.config.leaks tell which greenlets are blocked for ever at the end: `warn`,
--   or `error`, which makes the exit status 1; default `off`
-- @tfield string greenlet.config.report `unobserved`: report only the errors that nobody takes;
--   default `now`
-- @tfield string greenlet.config.deadlock what is done when greenlets begin to wait in a circle:
--   `warn`, `error` or `off`; default `warn`
-- @tfield string greenlet.config.trace the file that a [trace](timeline.md) goes to, `*.json` or
--   `*.html`; `%p` in it is the number of the process; `""` ends the trace and writes it; default
--   `""`: none
-- @tfield string greenlet.config.flight_recorder the file, `*.json` or `*.html`, that the
--   [flight recorder](timeline.md) writes after a deadlock, an error or a crash, and at SIGUSR2;
--   default `""`: it is off
-- @tfield string greenlet.config.profile the file that a [profile](profiling.md) goes to, `*.html` or
--   `*.folded`; `""` ends the profile and writes it; default `""`: none

-- Settings and their types. What is in effect is known in C: some are rounded, or end where memory
-- does.

local core = ...

local types = {
  track_greenlet_tree = "boolean",
  stack_slots = "integer", stack_size = "integer", stack_move = "boolean",
  dump = "boolean", watchdog = "seconds", why_alive = "boolean",
  -- One of these words:
  leaks = { "off", "warn", "error" }, report = { "now", "unobserved" },
  deadlock = { "off", "warn", "error" },
  trace = "file", flight_recorder = "file", profile = "file",
}

local lua_types = { seconds = "number", file = "string" }

local settings = {}

local function type_of(name)
  if not types[name] then
    error(("unknown setting '%s'"):format(core.tostring(name)), 3)
  end
  return types[name]
end

local articles = {
  boolean = "a boolean", integer = "an integer", seconds = "a number", file = "the name of a file",
}

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
  if kind == "file" and type(value) == "string" and value:find("\0", 1, true) then
    return nil, "a name with a zero byte"
  end
  if type(value) == (lua_types[kind] or kind) then return value end
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

local function file(_, text) return text end

local readers = { integer = integer, seconds = seconds, file = file }

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
