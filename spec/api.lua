--- Compares the docstrings with the API as it is at run time. Run by greenlua, by docs_spec.lua.
--
--     greenlua spec/api.lua help.lua
--
-- help.lua is what scripts/docs/generate.lua writes. Prints a line for each public thing without a
-- docstring, and for each docstring of a thing that is not there.

local MODULES = { "event", "lock", "queue", "pool", "local", "util", "select", "scope", "monkey",
  "trace", "profile" }

local documented = {}
for _, entry in ipairs(dofile(arg[1]).entries) do documented[entry.name] = entry end

local function is_class(value)
  local meta = type(value) == "table" and getmetatable(value)
  return type(meta) == "table" and rawget(meta, "__is_class") == true
end

local function class_of(object)
  return debug.getmetatable(object).__class
end

-- ---- What there is ----

local classes, samples = {}, {} -- by the name that docstrings use

local function add_sample(name, object)
  samples[name] = object
  classes[name] = classes[name] or class_of(object)
end

local function add_classes(module)
  for name, value in pairs(module) do
    if is_class(value) then classes[name] = value end
  end
end

-- Things whose classes have no name in the API, or whose fields are not their class's.
local function add_samples()
  local hub = greenlet.get_hub()
  local loop = hub.loop
  add_sample("Hub", hub)
  add_sample("loop", loop)
  add_sample("callback", loop:run_callback(function() end))
  for _, kind in ipairs { "async", "idle", "prepare", "check", "fork" } do
    add_sample(kind, loop[kind](loop))
  end
  add_sample("timer", loop:timer(1))
  add_sample("io", loop:io(1, "w"))
  add_sample("signal", loop:signal(10))
  add_sample("child", loop:child(1))
  add_sample("stat", loop:stat("/"))
  classes.watcher = classes.timer.super
  local handler = greenlet.signal("USR1", print)
  handler:cancel()
  add_sample("signal_handler", handler)
  samples["greenlet.class"] = greenlet.Greenlet
  add_sample("BaseException", greenlet.BaseException("a message"))
  add_sample("GreenletTree", greenlet.util.GreenletTree.current_tree())
  add_sample("Pool", greenlet.pool.Pool(1))
  greenlet.scope(function(scope) add_sample("Scope", scope) end)
end

-- ---- What has no docstring ----

local function has_docstring(owner, name)
  return documented[owner .. ":" .. name] or documented[owner .. "." .. name]
end

-- A class's name in docstrings of its members: some have two.
local function owners_of(class)
  local owners = {}
  for name, known in pairs(classes) do
    local full = (name == "greenlet" or name == "class") and "greenlet." .. name or name
    if known == class then owners[#owners + 1] = full end
  end
  return owners
end

-- What is inherited, or takes the place of something inherited, is documented there.
local function member_is_documented(class, name)
  while class do
    for _, owner in ipairs(owners_of(class)) do
      if has_docstring(owner, name) then return true end
    end
    class = rawget(class, "super")
  end
  return false
end

-- What lies in a class because of how it is made, and is none of its users' business.
local HIDDEN = {
  ["greenlet.greenlet.spawning_stack_limit"] = true, -- Greenlet's, kept for all in one place
  ["Semaphore.owner"] = true, -- nil: RLock's
}

local function is_hidden(class, name)
  return name:find("^_") or HIDDEN[owners_of(class)[1] .. "." .. name]
end

local function missing(...) print("has no docstring: " .. table.concat({ ... })) end

local function check_class(name, class)
  for _, members in ipairs { class, rawget(class, "__getters") or {} } do
    for key in pairs(members) do
      if not is_hidden(class, key) and not member_is_documented(class, key) then
        missing(owners_of(class)[1], ".", key)
      end
    end
  end
  if not classes[name] then missing(name) end
end

local function check_module(name, module)
  if type(module) == "function" then
    if not documented[name] then missing(name) end
    return
  end
  if not documented[name] then missing(name) end
  for key, value in pairs(module) do
    local full = name .. "." .. key
    if not documented[full] then missing(full) end
    if is_class(value) then check_class(key, value) end
  end
end

-- ---- Docstrings of what is not there ----

local function lookup(path)
  local value = _G
  for part in path:gmatch("[^.]+") do
    if type(value) ~= "table" then return nil end
    local ok, found = pcall(function() return value[part] end)
    if not ok then return nil end -- greenlet.config refuses what it does not know
    value = found
  end
  return value
end

-- The class `greenlet` is greenlet.greenlet to docstrings: greenlet is the module.
local function owner_class(owner)
  local value = lookup(owner)
  if is_class(value) then return value end
  return owner ~= "greenlet" and classes[owner] or nil
end

local function has_field(owner, class, field)
  local getters = rawget(class, "__getters")
  return class[field] ~= nil or (getters and getters[field] ~= nil) or
         (samples[owner] ~= nil and samples[owner][field] ~= nil)
end

local function exists(name, entry)
  local owner, separator, member = name:match("^(.+)([.:])([%w_]+)$")
  if entry.kind == "module" then return pcall(require, name) end
  if entry.kind == "class" and classes[member or name] then return true end
  local class = owner and owner_class(owner)
  if not class then return separator == "." and lookup(name) ~= nil end
  if entry.kind == "field" then return has_field(owner, class, member) end
  return type(class[member]) == "function"
end

-- ---- Both ----

add_classes(greenlet)
for _, name in ipairs(MODULES) do
  local module = require("greenlet." .. name)
  if type(module) == "table" then add_classes(module) end
end
add_samples()

check_module("greenlet", greenlet)
for _, name in ipairs(MODULES) do check_module("greenlet." .. name, greenlet[name]) end
for name, class in pairs(classes) do check_class(name, class) end

for name, entry in pairs(documented) do
  if not exists(name, entry) then print("is not there: " .. name) end
end
