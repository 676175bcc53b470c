--- The class system and the errors.
-- A class is a table; its instances share a metatable, kept in class.__meta.
-- Metamethods assigned on a class go to that metatable and to those of the
-- classes derived from it that have none of their own.

local core = ...

local function is_class(value)
  local meta = type(value) == "table" and getmetatable(value)
  return type(meta) == "table" and rawget(meta, "__is_class") == true
end

local weak = { __mode = "k" }

local function heirs(class)
  local list = rawget(class, "__heirs")
  if not list then
    list = setmetatable({}, weak)
    rawset(class, "__heirs", list)
  end
  return list
end

-- Hand a metamethod down to those who inherit it.
local function inherit(class, key, value)
  class.__meta[key] = value
  for heir in pairs(heirs(class)) do
    if rawget(heir, key) == nil then inherit(heir, key, value) end
  end
end

local private = { __meta = true, __heirs = true, __name = true, __index = true,
                  __newindex = true, __new = true, __gc = true, __metatable = true }

-- Settings that are read like fields of a class, by class and name: assigning
-- one calls a function. The value is kept in the class above, so that the key
-- stays absent here and __newindex hears of every assignment.
local settings = {}

function core.class_setting(class, name, value, f)
  settings[class] = settings[class] or {}
  settings[class][name] = f
  rawset(class.super, name, value)
end

-- The same for a field that derived classes may have each for itself, by name.
-- Its value is kept between the class and the one above.
local inherited = {}

function core.inherited_setting(class, name, f)
  inherited[name] = { class = class, f = f }
end

local function assign_inherited(class, key, value)
  local meta = getmetatable(class)
  inherited[key].f(value)
  if meta.__index == class.super then
    meta.__index = setmetatable({}, { __index = class.super })
  end
  meta.__index[key] = value
end

local function assign(class, key, value)
  if inherited[key] and class.__meta.__ancestors[inherited[key].class] then
    return assign_inherited(class, key, value)
  end
  local setting = settings[class] and settings[class][key]
  if setting then
    setting(value)
    rawset(class.super, key, value)
    return
  end
  rawset(class, key, value)
  if type(key) ~= "string" or key:sub(1, 2) ~= "__" or private[key] then return end
  inherit(class, key, value)
end

-- What instances do with keys that they do not have is decided by accessors,
-- which look for these two in the class.
local function assign_accessor(class, key, value)
  rawset(class, key, value)
  class.__meta[key] = core.accessor(class, key)
  for heir in pairs(heirs(class)) do
    if rawget(heir, key) == nil then assign_accessor(heir, key, nil) end
  end
end

local function name(class) return "class " .. class.__name end

local function assign_any(class, key, value)
  if key == "__index" or key == "__newindex" then
    assign_accessor(class, key, value)
  else
    assign(class, key, value)
  end
end

local root = { __name = "class" }
root.__meta = { __name = "class", __index = root, __class = root, __ancestors = { [root] = true } }

-- The metatable of a class (of itself, not of its instances). Every class has
-- one like it, whose __index is its super.
setmetatable(root, {
  __name = "class", __is_class = true, __call = core.construct, __tostring = name,
  __newindex = assign_any,
})

function root:init() end

-- What an object looks like whose class does not say.
rawset(root, "__tostring", function(self)
  return ("<%s at %p>"):format(core.rawmetatable(self).__name, self)
end)
root.__meta.__tostring = root.__tostring

-- Make a table with a __name a class.
function core.derive(super, class)
  core.set_super(super, class)
  heirs(super)[class] = true
  return class
end

--- Derive a class.
-- @param name string: what tostring and error messages call its instances
-- @return the class; its `super` is self
-- @usage local Noop = greenlet.Greenlet:extend("Noop")
function root:extend(name)
  if not is_class(self) then core.argerror(0, "extend", "class expected, got " .. type(self)) end
  if type(name) ~= "string" then
    core.argerror(1, "extend", "string expected, got " .. core.typename(name))
  end
  local class = core.derive(self, { __name = name })
  local extended = self.__extended
  if extended then extended(class) end
  return class
end

local function ancestors(value)
  local meta = core.rawmetatable(value)
  return meta and rawget(meta, "__ancestors")
end

--- Is the object an instance of the class or of one derived from it?
function root:is_a(class)
  local all = ancestors(self)
  return all ~= nil and all[class] == true
end

--- Is any value, also one that is no object, an instance of this class?
function root:class_of(value)
  local all = ancestors(value)
  return all ~= nil and all[self] == true
end

core.class = root

--- Attributes of C classes that are written in Lua.
function core.getter(class, name, f) rawget(class, "__getters")[name] = f end
function core.setter(class, name, f) rawget(class, "__setters")[name] = f end

-- ---- Errors ----

local BaseException = root:extend("BaseException")

function BaseException:init(...)
  self.args = table.pack(...)
  self.message = (...)
end

function BaseException:__tostring()
  local name = core.rawmetatable(self).__name
  if self.message == nil then return name end
  return name .. ": " .. tostring(self.message)
end

-- pcall, xpcall and coroutine.resume let pass what has this mark (protect.c).
BaseException.__uncatchable = true

local GreenletExit = BaseException:extend("GreenletExit")
GreenletExit.__exit = true
local Exception = BaseException:extend("Exception")
Exception.__uncatchable = false

core.BaseException, core.Exception, core.GreenletExit = BaseException, Exception, GreenletExit
core.KeyboardInterrupt = BaseException:extend("KeyboardInterrupt")
core.LoopExit = Exception:extend("LoopExit")
core.DeadlockError = core.LoopExit:extend("DeadlockError")
core.InvalidSwitchError = Exception:extend("InvalidSwitchError")
core.ConcurrentObjectUseError = Exception:extend("ConcurrentObjectUseError")
