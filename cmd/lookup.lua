--- Commands that tell what something is: ?name, and the topics of :help.

local cmd = ...
local text = cmd.text

local MOST_WIDE = 100 -- columns of a line about a value
local MANUAL = "https://www.lua.org/manual/5.4/manual.html#pdf-"

local lookup, commands = {}, {}

-- ---- The documentation of public functions ----

--- The names of the topics of `:help`, sorted.
function lookup.topics()
  local names = {}
  for name in pairs(cmd.docs and cmd.docs.topics() or {}) do names[#names + 1] = name end
  table.sort(names)
  return names
end

-- The class of an object, or a class itself; nil for other values.
local function class_of(value)
  local meta = debug.getmetatable(value)
  if type(meta) ~= "table" then return nil end
  local class = rawget(meta, "__is_class") and value or rawget(meta, "__class")
  return type(class) == "table" and class or nil
end

-- What is known of a field of an object, or of its class if `field` is nil. Classes of users
-- have what the class has that they come from.
local function by_class(object, field)
  local class = class_of(object)
  while class do
    local entry = cmd.docs.find(field and class.__name .. ":" .. field or class.__name)
    if entry and entry.kind ~= "list" then return entry end
    class = class.super
  end
end

-- ---- Values of the session ----

-- A method is found as a field is.
local function dotted(name) return (name:gsub(":", ".")) end

-- A path: to look something up must call nothing of the user's, as far as one can tell.
local function is_path(name)
  return name:find("^[%a_][%w_.:%[%]\"']*$") and load("return " .. dotted(name)) ~= nil
end

--- The value of a path: true and the value, or false.
function lookup.value(console, name)
  if not is_path(name) then return false end
  local chunk = console.session:load(dotted(name), "=stdin")
  if not chunk then return false end
  return pcall(chunk)
end

-- The entry of a name, or of what that is in the session.
local function documented(console, name)
  local entry = cmd.docs.find(name)
  if entry and entry.kind ~= "list" then return entry end
  local object, field = name:match("^(.*)[.:]([%a_][%w_]*)$")
  local ok, value = lookup.value(console, object or name)
  return ok and value ~= nil and by_class(value, field) or entry
end

-- ---- What is said of values that have no documentation ----

local libraries = { coroutine = true, debug = true, io = true, math = true, os = true,
                    package = true, string = true, table = true, utf8 = true }

-- The name of a function of Lua's own libraries that is the value of `name`.
local function standard(name, value)
  local library, field = name:match("^(%l%w*)%.(%w+)$")
  if libraries[library] then
    return rawequal(value, package.loaded[library][field]) and name or nil
  end
  local known = type(value) == "function" and rawequal(value, package.loaded._G[name])
  return known and debug.getinfo(value, "S").what == "C" and name or nil
end

-- The comment that ends just above a function, and its first line.
local function heading(console, f)
  local lines, info = cmd.listing.lines(console, f)
  if not lines then return nil end
  local from = info.linedefined
  while from > 1 and lines[from - 1]:find("^%s*%-%-") do from = from - 1 end
  return text.block(lines, from, info.linedefined)
end

local function about_value(console, name, value)
  local known = standard(name, value)
  if known then return ("%s is Lua's own: %s%s"):format(known, MANUAL, known) end
  if type(value) ~= "function" then
    return ("%s: %s\n%s"):format(name, type(value), cmd.inspect.line(value, MOST_WIDE))
  end
  local info = debug.getinfo(value, "S")
  if info.what == "C" then return name .. " is a function written in C" end
  local head = heading(console, value)
  local place = ("%s:%d"):format(info.short_src, info.linedefined)
  return ("%s is a function of %s%s"):format(name, place, head and "\n" .. head or "")
end

-- ---- :doc ----

-- The documented name whose last part is most like a name.
local function nearest(name)
  local full, short = {}, {}
  for i, other in ipairs(cmd.docs.names()) do
    short[i] = other:match("[%a_][%w_]*$") or other
    full[short[i]] = full[short[i]] or other
  end
  return is_path(name) and full[text.nearest(name:match("[%w_]*$"), short)]
end

--- Print what is known of a name: a topic, a public function, a value of the session.
-- Raises a complaint if nothing is.
function lookup.explain(console, name)
  local entry = documented(console, name)
  local known = cmd.docs.topics()[name] or entry and entry.text
  if known then return console:print(known) end
  local ok, value = lookup.value(console, name)
  if ok and value ~= nil then return console:print(about_value(console, name, value)) end
  local other = nearest(name)
  cmd.commands.fail("nothing is known of %s%s", name,
    other and "; did you mean " .. other .. "?" or "")
end

commands.doc = {
  usage = "name", brief = "what a function, a class, a module or a value is",
  help = [[
The name may be whole, as greenlet.spawn or Queue:get, or the end of one: ?spawn. Of a variable
it is what its class says: ?q and ?q.get for a queue q. ?name is the same.]],
  run = function(console, argument)
    if argument == "" then cmd.commands.usage("doc") end
    lookup.explain(console, argument)
  end,
}

lookup.commands = commands
return lookup
