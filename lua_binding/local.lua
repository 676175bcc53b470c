--- Objects whose fields are separate in each greenlet.
-- It is `require "greenlet.local"`, and `greenlet["local"]`; with the dot it would be a syntax
-- error, since `local` is a keyword.
--
-- The main greenlet, raw ones and the hub (in callbacks) have fields of their own like all others;
-- coroutines have those of the greenlet that they run in. The fields are collected when the
-- greenlet is dead, or the object is. For what a greenlet shares with those that it spawns there is
-- `Greenlet.spawn_tree_locals`.
--
-- ```lua
-- local request = require "greenlet.local".new(function(self) self.log = {} end)
-- local function note(text) table.insert(request.log, text) end -- needs no argument to know whose
--
-- local function handle(name)
--   for step = 1, 2 do
--     note(name .. step)
--     greenlet.sleep(0)
--   end
--   print(table.concat(request.log, " "))
-- end
-- greenlet.joinall {greenlet.spawn(handle, "a"), greenlet.spawn(handle, "b")}
-- print(#request.log)
-- ```
--
-- ```text
-- a1 a2
-- b1 b2
-- 0
-- ```
-- @module greenlet.local
-- @source gevent.local

local core = ...

-- Greenlets that have touched a local object keep its fields, by object, in
-- core.kept(g).locals. They go with the object; and with the greenlet's death, though
-- somebody may hold it.
local touching = setmetatable({}, { __mode = "k" })

local notify = core.notify
function core.notify(g)
  if touching[g] then core.kept(g).locals = nil end
  notify(g)
end

local function all_fields(g)
  if not touching[g] then
    core.kept(g).locals = setmetatable({}, { __mode = "k" })
    core.watch_death(g)
    touching[g] = true
  end
  return core.kept(g).locals
end

-- The fields of the current greenlet. init runs when they are first touched;
-- after an error in it, when they are touched again.
local function fields(self)
  local all = all_fields(core.getcurrent())
  local mine = all[self]
  if not mine then
    mine = {}
    all[self] = mine
    local init = core.kept(self).init
    if init then
      local done = false
      local undo <close> = setmetatable({}, { __close = function()
        if not done then all[self] = nil end
      end })
      init(self)
      done = true
    end
  end
  return mine
end

local meta = { __name = "local" }

function meta:__index(key) return fields(self)[key] end
function meta:__newindex(key, value) fields(self)[key] = value end
function meta:__pairs() return next, fields(self), nil end
function meta:__tostring() return ("<local at %p>"):format(self) end

-- The local objects that a greenlet has fields of: a list of {object, fields}.
function core.locals(g)
  local list = {}
  local all = touching[g] and core.kept(g).locals or {}
  for object, mine in pairs(all) do list[#list + 1] = { object, mine } end
  table.sort(list, function(a, b) return tostring(a[1]) < tostring(b[1]) end)
  return list
end

local module = {}

--- Make an object whose fields are separate in each greenlet.
-- @function greenlet.local.new
-- @tparam[opt] function init called as `init(object)` when a greenlet first touches the object, to
--   give it its first fields; it may wait. If it fails, it is called again at the next touch
-- @treturn local the object: reading, assigning and `pairs` concern the current greenlet's fields
-- @raise bad argument when *init* cannot be called
-- @usage local request = require "greenlet.local".new()
--   request.id = 42 -- nil in all other greenlets
-- @source gevent.local.local
function module.new(init)
  if init ~= nil and not core.callable(init) then
    core.argerror(1, "new", "function expected, got " .. core.typename(init))
  end
  local self = setmetatable({}, meta)
  core.kept(self).init = init
  return self
end

return module
