--- Classes, from which every class here derives.
-- `Class(...)` makes an object and calls `obj:init(...)`. Methods, and metamethods such as
-- `__tostring`, `__call`, `__lt`, `__close`, that are assigned on a class work on its instances
-- and on those of classes derived from it. A class stands for a new instance of it wherever an
-- exception is expected.
--
-- ```lua
-- local Point = greenlet.class:extend("Point")
-- function Point:init(x, y) self.x, self.y = x, y end
-- function Point.__add(a, b) return Point(a.x + b.x, a.y + b.y) end
-- function Point:__tostring() return ("(%g, %g)"):format(self.x, self.y) end
--
-- local Marked = Point:extend("Marked")
-- print(Point(1, 2) + Marked(10, 20))
-- print(Marked(0, 0):is_a(Point), Point:class_of("text"), Marked.super == Point)
-- ```
--
-- ```text
-- (11, 22)
-- true	false	true
-- ```
-- @page class Classes

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

--- The root of the class system.
-- @class greenlet.class
-- @within class
-- @order extend init is_a class_of
-- @tfield class greenlet.class.super of a class: what it derives from

--- Initialise a new object.
-- It is called with the arguments of the class; a derived class has its own, which calls
-- `Class.super.init(self, ...)` where that is more than this one, which does nothing.
-- @function greenlet.class:init
-- @tparam any ... what the class was called with
-- @switches no
-- @source object.__init__
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
-- @function greenlet.class:extend
-- @tparam string name what `tostring` and messages call its instances
-- @treturn class its `super` is the class that this was called on
-- @raise bad argument
-- @switches no
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

--- Tell whether the object is an instance of a class or of one derived from it.
-- @function greenlet.class:is_a
-- @tparam class class
-- @treturn boolean
-- @switches no
-- @usage if err:is_a(greenlet.Timeout) then print("too slow") end
-- @source isinstance
function root:is_a(class)
  local all = ancestors(self)
  return all ~= nil and all[class] == true
end

--- Tell whether a value is an instance of the class or of one derived from it.
-- It may be any value, also one that is no object.
-- @function greenlet.class:class_of
-- @tparam any value
-- @treturn boolean
-- @switches no
-- @usage if greenlet.Timeout:class_of(err) then print("too slow") end
-- @source isinstance
function root:class_of(value)
  local all = ancestors(value)
  return all ~= nil and all[self] == true
end

core.class = root

--- Attributes of C classes that are written in Lua.
function core.getter(class, name, f) rawget(class, "__getters")[name] = f end
function core.setter(class, name, f) rawget(class, "__setters")[name] = f end

--- Errors and their classes, and the functions that catch them.
-- Any Lua value can be raised, as ever. greenlua itself raises strings for wrong arguments, and
-- objects of these classes. `pcall`, `xpcall` and `coroutine.resume` stop every error but those
-- that are meant for the whole greenlet: an error whose class derives from `BaseException` and not
-- from `Exception` passes through them. So a retry loop round `pcall` cannot swallow a kill, a
-- Timeout or Ctrl-C. On its way such an error closes to-be-closed variables, also those of
-- coroutines that it passes; the handler of an `xpcall` is not called for it. It is what Python's
-- `except Exception` does. `greenlet.pcall` and `greenlet.xpcall` are the same functions, but
-- catch everything.
--
-- ```lua
-- local Refused = greenlet.Exception:extend("Refused")
-- local ok, err = pcall(error, Refused("not today", 42))
-- print(ok, err, err.message, err.args[2], greenlet.Exception:class_of(err))
-- ```
--
-- ```text
-- false	Refused: not today	not today	42	true
-- ```
--
-- [Errors, reports, exit status](failures.md) tells what becomes of errors that nobody catches.
-- @page errors Errors
-- @order pcall xpcall BaseException GreenletExit KeyboardInterrupt Terminated Exception LoopExit
--   InvalidSwitchError ConcurrentObjectUseError

-- ---- Errors ----

--- The root of the errors that are objects.
-- `tostring(e)` is `Name: message`, or `Name` with no message.
-- @class greenlet.BaseException
-- @within errors
-- @tparam[opt] any message
-- @tparam any ... more
-- @switches no
-- @super greenlet.class
-- @tfield any BaseException.message the first argument
-- @tfield table BaseException.args the list of all arguments, with `n`
-- @source BaseException

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

--- A kill: ends a greenlet silently.
-- @class greenlet.GreenletExit
-- @within errors
-- @tparam[opt] any message
-- @tparam any ... more
-- @switches no
-- @super greenlet.BaseException
-- @source greenlet.GreenletExit
local GreenletExit = BaseException:extend("GreenletExit")
GreenletExit.__exit = true

--- The root of the errors that `pcall` stops, for deriving your own.
-- @class greenlet.Exception
-- @within errors
-- @tparam[opt] any message
-- @tparam any ... more
-- @switches no
-- @super greenlet.BaseException
-- @source Exception
local Exception = BaseException:extend("Exception")
Exception.__uncatchable = false

core.BaseException, core.Exception, core.GreenletExit = BaseException, Exception, GreenletExit

--- Ctrl-C, raised in the main greenlet: see [signals](signal.md).
-- @class greenlet.KeyboardInterrupt
-- @within errors
-- @tparam[opt] any message
-- @tparam any ... more
-- @switches no
-- @super greenlet.BaseException
-- @source KeyboardInterrupt
core.KeyboardInterrupt = BaseException:extend("KeyboardInterrupt")

--- SIGTERM or SIGHUP, raised in the main greenlet of greenlua: see [signals](signal.md).
-- @class greenlet.Terminated
-- @within errors
-- @tparam[opt] string message `"SIGTERM"` or `"SIGHUP"`
-- @tparam[opt] integer signal its number
-- @switches no
-- @super greenlet.BaseException
core.Terminated = BaseException:extend("Terminated")

--- Raised in the main greenlet when nothing can ever wake it: see [deadlocks](deadlocks.md).
-- @class greenlet.LoopExit
-- @within errors
-- @tparam[opt] any message
-- @tparam any ... more
-- @switches no
-- @super greenlet.Exception
-- @source gevent.exceptions.LoopExit
core.LoopExit = Exception:extend("LoopExit")

--- A circle of greenlets that wait for each other, raised in the one that closes it if
-- `greenlet.config.deadlock` is `"error"`.
-- @class greenlet.DeadlockError
-- @within errors
-- @tparam[opt] any message
-- @tparam any ... more
-- @switches no
-- @super greenlet.LoopExit
core.DeadlockError = core.LoopExit:extend("DeadlockError")

--- A switch that must not be made: see [what blocks where](blocking.md).
-- @class greenlet.InvalidSwitchError
-- @within errors
-- @tparam[opt] any message
-- @tparam any ... more
-- @switches no
-- @super greenlet.Exception
-- @source gevent.exceptions.InvalidSwitchError
core.InvalidSwitchError = Exception:extend("InvalidSwitchError")

--- Two greenlets wait for one watcher.
-- @class greenlet.ConcurrentObjectUseError
-- @within errors
-- @tparam[opt] any message
-- @tparam any ... more
-- @switches no
-- @super greenlet.Exception
-- @source gevent.exceptions.ConcurrentObjectUseError
core.ConcurrentObjectUseError = Exception:extend("ConcurrentObjectUseError")
