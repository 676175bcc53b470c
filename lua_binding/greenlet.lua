--- The parts of class Greenlet that are on no hot path: links, spawn
-- callbacks, <close>, and spawn for derived classes.

local core = ...
local Greenlet = core.Greenlet
local insert, remove = table.insert, table.remove -- scripts may change the globals

-- ---- Links ----

-- By greenlet: {f =, kind =} in the order in which they were added. Weak keys:
-- a link lives as long as its greenlet can be asked for it.
local links = setmetatable({}, { __mode = "k" })

local wants = {
  link = function() return true end,
  link_value = function(g) return g:successful() end,
  link_exception = function(g) return not g:successful() end,
}

-- In a raw greenlet of its own. It counts as told when that has begun.
local function start_link(list, entry, g)
  local runner = core.greenlet(entry.f, core.get_hub())
  if list[1] ~= entry then return end -- a finalizer has unlinked it
  remove(list, 1)
  local ok, err = core.pcall(runner.switch, runner, g)
  if ok then return end
  if not runner.dead and not runner.started then insert(list, 1, entry) end
  core.raise(err)
end

-- How often links were told: who sees it change was interrupted, by a debug hook or a finalizer.
local rounds = 0

-- In the hub, again when there was no memory for it. A quiet link, one of ours, raises
-- nothing else, and must stand to be told again.
local function call_links(g)
  rounds = rounds + 1
  local list = links[g]
  while list and #list > 0 do
    local entry = list[1]
    if entry.quiet then
      entry.f(g)
      if list[1] == entry then remove(list, 1) end
    elseif entry.kind == "rawlink" then
      remove(list, 1)
      core.call_link(entry.f, g)
    elseif wants[entry.kind](g) then
      start_link(list, entry, g)
    else
      remove(list, 1)
    end
  end
end

core.notify = call_links

-- Links on a dead greenlet are told soon, in the hub, in a round of their own.
local function have_told(g)
  if not core.watch_death(g) then core.insist(call_links, g) end
end

local function check_self(g, name)
  if not core.is_greenlet(g) or core.is_raw(g) then
    core.argerror(0, name, "Greenlet expected, got " .. core.typename(g))
  end
end

-- Also for raw greenlets, which have no links of their own to scripts.
local function add_link(g, f, kind, quiet)
  if not core.callable(f) then
    core.argerror(1, kind, "function expected, got " .. core.typename(f))
  end
  local round = rounds
  have_told(g) -- what needs memory is done before there is a link
  core.append(links, g, { f = f, kind = kind, quiet = quiet })
  if rounds ~= round then have_told(g) end -- without this one
  if not quiet then core.linked(g) end
  if kind ~= "link_value" and not quiet then core.take(g) end
end
core.add_link = add_link

--- Have `f(g)` called in a raw greenlet of its own when the greenlet is dead.
-- It may block. Links are called once, in the order in which they were added, after the report of
-- an error; one that is added to a dead greenlet is called soon. The same *f* linked twice is
-- called twice. A link that a link adds is called in the same round. An error in a link is reported
-- and does not stop the others. [Takes](failures.md#who-takes-an-error) the greenlet's error.
--
-- ```lua
-- local g = greenlet.spawn(function() return 42 end)
-- g:link(function(done) print("linked", done.value) end)
-- g:link_exception(function() print("never called here") end)
-- print(g:has_links())
-- g:join()
-- ```
--
-- ```text
-- 2
-- linked	42
-- ```
-- @function Greenlet:link
-- @tparam function f any callable
-- @raise bad argument: *f* cannot be called
-- @switches no
-- @usage g:link(function(g) print(g.value) end)
-- @source gevent.Greenlet.link
function Greenlet:link(f)
  check_self(self, "link")
  add_link(self, f, "link")
end

--- Have `f(g)` called as by `link`, but only if the greenlet ends without an error.
-- Does not take the error.
-- @function Greenlet:link_value
-- @tparam function f any callable
-- @raise bad argument: *f* cannot be called
-- @switches no
-- @source gevent.Greenlet.link_value
function Greenlet:link_value(f)
  check_self(self, "link_value")
  add_link(self, f, "link_value")
end

--- Have `f(g)` called as by `link`, but only if the greenlet dies of an error.
-- [Takes](failures.md#who-takes-an-error) the error.
-- @function Greenlet:link_exception
-- @tparam function f any callable
-- @raise bad argument: *f* cannot be called
-- @switches no
-- @source gevent.Greenlet.link_exception
function Greenlet:link_exception(f)
  check_self(self, "link_exception")
  add_link(self, f, "link_exception")
end

--- Have `f(g)` called in the hub when the greenlet is dead.
-- It must not block. In everything else it is as `link`.
-- [Takes](failures.md#who-takes-an-error) the error.
-- @function Greenlet:rawlink
-- @tparam function f any callable
-- @raise bad argument: *f* cannot be called
-- @switches no
-- @source gevent.Greenlet.rawlink
function Greenlet:rawlink(f)
  check_self(self, "rawlink")
  add_link(self, f, "rawlink")
end

local function remove_link(g, f)
  if links[g] then core.take_out(links[g], f) end
end
core.remove_link = remove_link

--- Remove one link to *f*.
-- It is not called from then on, even when notification has begun. No error if there is none.
-- @function Greenlet:unlink
-- @tparam function f what was linked
-- @switches no
-- @source gevent.Greenlet.unlink
function Greenlet:unlink(f)
  check_self(self, "unlink")
  remove_link(self, f)
end

--- Remove all links.
-- @function Greenlet:unlink_all
-- @switches no
-- @source gevent.Greenlet.unlink_all
function Greenlet:unlink_all()
  local list = links[self]
  while list and #list > 0 do remove(list) end
end

--- Count the links.
-- @function Greenlet:has_links
-- @treturn integer how many there are
-- @switches no
-- @source gevent.Greenlet.has_links
function Greenlet:has_links()
  return (links[self] and #links[self] or 0) + core.count_joins(self)
end

-- ---- <close> ----

-- Leaving a scope joins; leaving it by an error kills with that error.
function Greenlet:__close(err)
  if err ~= nil then
    self:kill(err)
  else
    self:join()
  end
end

-- ---- Spawning ----

local callbacks, count = {}, 0

--- Have `f(g)` called at every start and start_later of any greenlet, of every class.
-- Adding one twice calls it once. It is called inside the spawn; `g.started` is true by then.
-- @function Greenlet.add_spawn_callback
-- @tparam function f any callable
-- @raise bad argument: *f* cannot be called
-- @switches no
-- @source gevent.Greenlet.add_spawn_callback
function Greenlet.add_spawn_callback(f)
  if not core.callable(f) then
    core.argerror(1, "add_spawn_callback", "function expected, got " .. core.typename(f))
  end
  if not callbacks[f] then
    count = count + 1
    callbacks[f] = count
  end
  core.set("spawn_callbacks", true)
end

--- End the calls of *f* that `Greenlet.add_spawn_callback` began.
-- An unknown one is no error.
-- @function Greenlet.remove_spawn_callback
-- @tparam function f what was added
-- @switches no
-- @source gevent.Greenlet.remove_spawn_callback
function Greenlet.remove_spawn_callback(f)
  if f == nil then return end
  callbacks[f] = nil
  core.set("spawn_callbacks", next(callbacks) ~= nil)
end

function core.run_spawn_callbacks(g)
  local list = {}
  for f, number in pairs(callbacks) do list[#list + 1] = { f, number } end
  -- By their numbers as they were: in a debug hook others may run, and remove some.
  table.sort(list, function(a, b) return a[2] < b[2] end)
  for _, entry in ipairs(list) do entry[1](g) end
end

-- spawn and spawn_later are functions, not methods: each class has its own.
local function bind(class)
  rawset(class, "spawn", function(...)
    local g = class(...)
    g:start()
    return g
  end)
  --- Start `run(...)` in a new greenlet after some seconds.
  -- For a class derived from Greenlet, `Sub.spawn_later(seconds, ...)` passes the other arguments
  -- to the constructor.
  -- @function greenlet.spawn_later
  -- @function Greenlet.spawn_later
  -- @tparam number seconds from now
  -- @tparam function run any callable
  -- @tparam any ... its arguments
  -- @treturn Greenlet the new one
  -- @raise bad argument: negative seconds, *run* cannot be called
  -- @switches no
  -- @usage greenlet.spawn_later(60, print, "a minute has passed")
  -- @source gevent.spawn_later
  rawset(class, "spawn_later", function(seconds, ...)
    core.check_number(1, "spawn_later", seconds)
    if class == Greenlet and not core.callable((...)) then
      core.argerror(2, "spawn_later", "function expected, got " .. core.typename(...))
    end
    local g = class(...)
    g:start_later(seconds)
    return g
  end)
end
Greenlet.__extended = bind

local spawn = Greenlet.spawn
bind(Greenlet)
rawset(Greenlet, "spawn", spawn)

core.class_setting(Greenlet, "spawning_stack_limit", 10, function(limit)
  core.check_integer(1, "spawning_stack_limit", limit)
  if limit < 0 or limit > 250 then
    core.argerror(1, "spawning_stack_limit", "limit out of range")
  end
  core.set("spawning_stack_limit", limit)
end)

-- ---- Pinned ones ----

core.inherited_setting(core.greenlet, "pinned", function(value)
  if value ~= nil and type(value) ~= "boolean" then
    error(("attribute 'pinned' is a boolean (got %s)"):format(core.typename(value)), 4)
  end
  core.set("pinning", true) -- from now on C asks
end)
