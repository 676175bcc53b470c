--- Groups of greenlets, and how many of them there may be.
-- A `Group` knows its members, greenlets that live: who dies leaves it. A `Pool` is a group of
-- limited size, in which who wants to add one waits for a place. Their methods `map`, `imap` and
-- `apply` make calls, each in a member of its own, and give the values.
--
-- ```lua
-- local Pool = require("greenlet.pool").Pool
-- local pool = Pool(2)
--
-- local function work(name, seconds)
--   greenlet.sleep(seconds)
--   print("done", name, "members", #pool)
-- end
-- for i, name in ipairs {"a", "b", "c"} do
--   print("spawn", name, "free", pool:free_count())
--   pool:spawn(work, name, i == 2 and 0.1 or 0.01) -- the third one waits for a place
-- end
-- print("join", pool:join(), #pool)
-- ```
--
-- ```text
-- spawn	a	free	2
-- spawn	b	free	1
-- spawn	c	free	0
-- done	a	members	2
-- done	c	members	2
-- done	b	members	1
-- join	true	0
-- ```
--
-- Values in the order of the items, or of the ends of their calls:
--
-- ```lua
-- local pool = require("greenlet.pool").Pool(3)
--
-- local function slow_square(x)
--   greenlet.sleep(0.01 * (4 - x)) -- later ones are done sooner
--   return x * x
-- end
-- print(table.unpack(pool:map(slow_square, {1, 2, 3})))
-- for value in pool:imap(slow_square, {1, 2, 3}) do io.write(value, " ") end
-- for value in pool:imap_unordered(slow_square, {1, 2, 3}) do io.write(value, " ") end
-- print(pool:apply(slow_square, {3}))
-- ```
--
-- ```text
-- 1	4	9
-- 1 4 9 9 4 1 9
-- ```
-- @module greenlet.pool
-- @order Pool Group PoolFull
-- @source gevent.pool

-- What is done with the values of many calls is in mapping.lua.

local core = ...
local Greenlet = core.Greenlet
local unpack = table.unpack -- scripts may change the globals
local event, lock, queue = core.module.event, core.module.lock, core.module.queue
local acquire, release = lock.Semaphore.acquire, lock.Semaphore.release
local members_add, members_remove, members_count, members_has, members_list, members_spawn =
  core.members_add, core.members_remove, core.members_count, core.members_has,
  core.members_list, core.members_spawn

--- Raised by `Pool:add` and `Pool:start`: no place, or none in time.
-- @class greenlet.pool.PoolFull
-- @super greenlet.queue.Full
-- @source gevent.pool.PoolFull
local PoolFull = queue.Full:extend("PoolFull")

local function expected(argument, name, what, value)
  core.argerror(argument, name, ("%s expected, got %s"):format(what, core.typename(value)))
end

local function check_greenlet(g, name)
  if not core.is_greenlet(g) then expected(1, name, "greenlet", g) end
end

-- ---- Members ----

local Group = core.class:extend("Group")

--- The class of what `Group:spawn` and the calls make, which gets the arguments: Greenlet.
-- May be assigned, to a group and to a derived class.
-- @tfield class Group.greenlet_class
-- @source gevent.pool.Group.greenlet_class
Group.greenlet_class = Greenlet

local function check_self(self, name)
  if not Group:class_of(self) then expected(0, name, "Group", self) end
end

-- Wake those who wait for `_empty` or `_changed`. There is an event for each time, so that whoever
-- takes it before looking misses nothing.
local function pulse(self, name)
  local happening = self[name]
  if happening then
    self[name] = nil
    happening:set()
  end
end

local function give_up_place(self)
  if self._places then release(self._places) end
end

-- Guests are members that have their place in the list of another group, or of a
-- scope: guests.c.
local function remove_guest(self, g)
  local guest = core.drop_guest(self._guests, g, self._members)
  if guest then core.remove_link(g, guest.leave) end
end

-- Dead guests whose link has not been called yet have no place any more.
local function count_guests(self)
  local guests = self._guests
  for i = #guests, 1, -1 do
    local guest = guests[i] -- none, if others have left meanwhile
    if guest and guest.g.dead then core.drop_guest(guests, guest.g, self._members) end
  end
  return #guests
end

local function size(self) return members_count(self._members) + count_guests(self) end

local function contains(self, g)
  return members_has(self._members, g)
    or (core.find_guest(self._guests, g) ~= nil and not g.dead)
end

local function all(self)
  local list = members_list(self._members)
  for _, guest in ipairs { unpack(self._guests) } do
    if not guest.g.dead then list[#list + 1] = guest.g end
  end
  return list
end

-- The last member is gone, or a guest.
local function left(self)
  if size(self) == 0 then
    pulse(self, "_empty")
    pulse(self, "_changed")
  end
end

-- Returns whether it was none before.
local function add_guest(self, g, job, tag)
  local function leave() -- in the hub, again if there was no memory for all of it
    core.drop_guest(self._guests, g, self._members)
    if job then core.job_done(job, g, tag) end
    job = nil
    left(self)
  end
  local added = core.add_guest(self._guests, { g = g, leave = leave })
  if added then core.link_quietly(g, leave) end
  return added
end

-- Make it a member. The place for it is taken, and free again if it is dead, or has
-- become a member meanwhile.
local function join(self, g, job, tag)
  local is_member = contains(self, g)
  local added = is_member or members_add(self._members, g, job, tag)
  if added == nil then added = add_guest(self, g, job, tag) end
  if is_member or not added then
    give_up_place(self)
    if job then core.link_quietly(g, function() core.job_done(job, g, tag) end) end
  end
  pulse(self, "_changed")
end

-- As long as the object that this returns is not closed, somebody is about to add
-- members: `kill` waits for them.
local Entering = core.class:extend("entering")
function Entering:init(group)
  self.group = group
  group._adders = group._adders + 1
end

function Entering:pulse() pulse(self.group, "_changed") end

function Entering:__close()
  self.group._adders = self.group._adders - 1
  self:pulse()
end

-- A place for one more; false if there is none, or none in time.
local function enter(self, block, timeout)
  if not self._places or acquire(self._places, false) then return true end
  if block == false or timeout == 0 then size(self) end -- makes the dead leave
  local entering <close> = Entering(self)
  return acquire(self._places, block, timeout)
end

local function add(self, name, g, block, timeout)
  check_self(self, name)
  check_greenlet(g, name)
  core.check_time(timeout, 3, name)
  if g.dead or contains(self, g) then return end
  if not enter(self, block, timeout) then core.raise(PoolFull()) end
  join(self, g)
end

local function start(self, g, block, timeout)
  if not core.is_greenlet(g) or core.is_raw(g) then expected(1, "start", "Greenlet", g) end
  add(self, "start", g, block, timeout)
  g:start()
end

-- ---- Group ----

local function open(self, places)
  self._guests = {}
  self._places = places
  if places then
    core.note_no_holders(places)
    core.kept(places).pool = self
  end
  self._adders = 0
  self._members = core.members(function() left(self) end, places, false,
    function() pulse(self, "_changed") end)
end

--- Make a group of greenlets, which leave it when they die.
-- `#group` is how many members there are. A greenlet may be in several groups; one that is dead is
-- never a member.
-- @class greenlet.pool.Group
-- @call greenlet.pool.Group(g, ...)
-- @call greenlet.pool.Group(list)
-- @order spawn add start discard contains iter join kill killone map imap imap_unordered apply
-- @tparam[opt] Greenlet|table ... its first members, or one list of them
-- @raise bad argument for what is no greenlet
-- @usage local group = greenlet.pool.Group()
-- @source gevent.pool.Group
function Group:init(...)
  local list = ...
  if select("#", ...) ~= 1 or core.is_greenlet(list) then list = table.pack(...) end
  if type(list) ~= "table" then expected(1, "Group", "greenlet or list", list) end
  for i = 1, rawget(list, "n") or #list do
    if not core.is_greenlet(list[i]) then expected(i, "Group", "greenlet", list[i]) end
  end
  open(self)
  for i = 1, rawget(list, "n") or #list do add(self, "Group", list[i]) end
end

--- Make a greenlet a member. No effect on a dead one, nor on a member.
-- @function Group:add
-- @tparam Greenlet g any greenlet, raw ones too
-- @raise bad argument
-- @usage group:add(greenlet.getcurrent())
-- @source gevent.pool.Group.add
function Group:add(g) add(self, "add", g) end

--- Make a Greenlet a member and start it.
-- @function Group:start
-- @tparam Greenlet g not a raw one
-- @raise bad argument
-- @usage group:start(Beeper("beep"))
-- @source gevent.pool.Group.start
function Group:start(g) start(self, g) end

--- Take a member out, which runs on. No effect on one that is none.
-- @function Group:discard
-- @tparam Greenlet g any greenlet
-- @raise bad argument
-- @usage group:discard(g)
-- @source gevent.pool.Group.discard
function Group:discard(g)
  check_self(self, "discard")
  check_greenlet(g, "discard")
  local removed, job, tag = members_remove(self._members, g)
  if job then core.link_quietly(g, function() core.job_done(job, g, tag) end) end
  if not removed then remove_guest(self, g) end
  if self._hit then self._hit[g] = nil end
  left(self)
end

-- A new member of a class that is not Greenlet itself.
local function spawn_of_class(self, class, job, tag, ...)
  local g = class(...)
  enter(self)
  if job then core.job_begin(job) end
  join(self, g, job, tag)
  g:start()
  return g
end

--- Start `f(...)` in a new greenlet, which is a member. In a full pool, wait for a place.
-- Those who wait get places in the order of coming.
-- @function Group:spawn
-- @tparam function f what to run; with another `greenlet_class`, what its constructor takes
-- @tparam any ... its arguments
-- @treturn Greenlet the new one
-- @raise bad argument when *f* cannot be called
-- @switches no; in a pool that is full: yes
-- @usage for _, url in ipairs(urls) do pool:spawn(fetch, url) end
-- @source gevent.pool.Group.spawn
function Group:spawn(f, ...)
  check_self(self, "spawn")
  local class = self.greenlet_class
  if class ~= Greenlet then return spawn_of_class(self, class, nil, nil, f, ...) end
  if not core.callable(f) then expected(1, "spawn", "function", f) end
  pulse(self, "_changed")
  return members_spawn(self._members, f, ...)
end

-- The same for a call of a job.
function Group:_call(job, tag, f, ...)
  local class = self.greenlet_class
  if class ~= Greenlet then return spawn_of_class(self, class, job, tag, f, ...) end
  pulse(self, "_changed")
  return core.job_spawn(job, tag, f, ...)
end

--- Tell whether a greenlet is a member.
-- @function Group:contains
-- @tparam any g what may be one
-- @treturn boolean
-- @usage print(group:contains(g))
-- @source in gevent.pool.Group
function Group:contains(g)
  check_self(self, "contains")
  return core.is_greenlet(g) and contains(self, g)
end

function Group:__len() return size(self) end

--- Iterate over those who are members now.
-- @function Group:iter
-- @treturn function for a generic `for`
-- @usage for g in group:iter() do print(g.name) end
-- @source for g in gevent.pool.Group
function Group:iter()
  check_self(self, "iter")
  local list, i = all(self), 0
  return function()
    i = i + 1
    return list[i]
  end
end

function Group:__tostring()
  return ("<%s at %p: %d members>"):format(core.rawmetatable(self).__name, self, size(self))
end

-- ---- Waiting for the members, and killing them ----

-- What `pulse` will set. To be asked for before what is waited for is looked at.
local function next_event(self, name)
  local happening = event.Event()
  core.kept(happening).pool = self
  core.members_tell(self._members)
  return core.keep(self, name, happening)
end

--- Wait until the group is empty, if only for a moment.
-- @function Group:join
-- @tparam[opt] number|Timeout timeout seconds; 0 polls, nil waits for ever
-- @tparam[opt=false] boolean raise_error raise, and take, an error of one that is a member now
-- @treturn boolean true; false when the timeout expires first
-- @switches yes, unless the group is empty
-- @usage pool:join(nil, true)
-- @source gevent.pool.Group.join
function Group:join(timeout, raise_error)
  check_self(self, "join")
  core.check_time(timeout, 1, "join")
  if size(self) == 0 then return true end
  local list = raise_error and all(self) or {}
  local happening = next_event(self, "_empty")
  local empty = size(self) == 0 or happening:wait(timeout)
  for _, g in ipairs(list) do
    if g.dead and not core.is_raw(g) and not g:successful() then core.raise(g.exception) end
  end
  return empty
end

-- Kill those members that have not been hit yet, the current greenlet last.
local function hit(self, exception)
  local current, own = core.getcurrent(), false
  for _, g in ipairs(all(self)) do
    if not self._hit[g] then
      self._hit[g] = true
      if g == current then own = true else core.kill(g, exception) end
    end
  end
  if own then core.kill(current, exception) end
end

-- Whom the group has killed, so that it does so once.
local function prepare_to_hit(self)
  self._hit = self._hit or setmetatable({}, { __mode = "k" })
end

-- Are there members, or somebody who will add some as soon as there are none?
local function busy(self)
  local adders = self._adders + core.members_entering(self._members)
  return size(self) > 0 or (adders > 0 and self.size ~= 0)
end

--- Kill all members, and those that are added meanwhile.
-- Those are the ones for which a spawn was waiting for a place, say. Each is killed once, however
-- often this is called. Called by a member, it kills that last.
-- @function Group:kill
-- @tparam[opt=GreenletExit] any exception as for `Greenlet:kill`
-- @tparam[opt=true] boolean block wait until the group is empty
-- @tparam[opt] number|Timeout timeout seconds; when it expires the call ends
-- @switches yes, unless the group is empty or *block* is false
-- @usage pool:kill()
-- @source gevent.pool.Group.kill
function Group:kill(exception, block, timeout)
  check_self(self, "kill")
  core.check_time(timeout, 3, "kill")
  if not busy(self) then return end
  block = block == nil or block
  if block then core.check_may_wait() end
  prepare_to_hit(self)
  if not block then return hit(self, exception) end
  local time_left = core.time_left(timeout)
  repeat
    local changed = next_event(self, "_changed")
    hit(self, exception)
  until not busy(self) or not changed:wait(time_left())
end

--- Kill one member, unless the group has done so before. No effect on one that is none.
-- @function Group:killone
-- @tparam Greenlet g any greenlet
-- @tparam[opt=GreenletExit] any exception as for `Greenlet:kill`
-- @tparam[opt=true] boolean block wait until it is dead
-- @tparam[opt] number|Timeout timeout seconds; when it expires the call ends
-- @raise bad argument
-- @switches yes, unless there is nothing to kill or *block* is false
-- @usage group:killone(g)
-- @source gevent.pool.Group.killone
function Group:killone(g, exception, block, timeout)
  check_self(self, "killone")
  check_greenlet(g, "killone")
  core.check_time(timeout, 4, "killone")
  prepare_to_hit(self)
  if not contains(self, g) or self._hit[g] then return end
  block = block == nil or block
  if block then core.check_may_wait() end
  self._hit[g] = true
  core.kill(g, exception)
  if block then Greenlet.join(g, timeout) end
end

--- Return false: there is always room for one more in a Group.
-- @function Group:full
-- @treturn boolean false
-- @usage print(group:full())
-- @source gevent.pool.Group.full
function Group.full() return false end

--- Return 1 at once: there is always room for one more in a Group.
-- @function Group:wait_available
-- @tparam[opt] number|Timeout timeout seconds
-- @treturn integer 1
-- @usage group:wait_available()
-- @source gevent.pool.Group.wait_available
function Group.wait_available(_, timeout)
  core.check_time(timeout, 1, "wait_available")
  return 1
end

Group._entering = Entering
core.mapping(Group)

-- ---- Pool ----

local Pool = Group:extend("Pool")

local function check_class(class)
  if class == nil then return end
  local meta = type(class) == "table" and rawget(class, "__meta")
  local good = meta and meta.__ancestors[Greenlet]
  if not good then expected(2, "Pool", "Greenlet class", class) end
end

--- Make a Group that never has more than so many members.
-- `spawn`, `add` and `start` wait for a place, in the order of coming; so do the calls of `map` and
-- its kin.
-- @class greenlet.pool.Pool
-- @super greenlet.pool.Group
-- @tparam[opt] integer size most members; 0: there is never room; nil: any number
-- @tparam[opt=Greenlet] class greenlet_class of what it spawns
-- @raise bad argument
-- @usage local pool = greenlet.pool.Pool(10)
-- @source gevent.pool.Pool

--- The most members that it may have; nil: any number.
-- @tfield integer Pool.size
-- @source gevent.pool.Pool.size
function Pool:init(places, class)
  if places ~= nil then
    core.check_integer(1, "Pool", places)
    if places < 0 then core.argerror(1, "Pool", "size must not be negative") end
  end
  check_class(class)
  self.size = places
  self.greenlet_class = class
  open(self, places and lock.Semaphore(places))
end

--- Make a greenlet a member; if there is no room, wait for it.
-- No effect on a dead one, nor on a member.
-- @function Pool:add
-- @tparam Greenlet g any greenlet, raw ones too
-- @tparam[opt=true] boolean block false: do not wait
-- @tparam[opt] number|Timeout timeout seconds; nil waits for ever
-- @raise PoolFull when the timeout expires, or at once with `block=false`
-- @switches yes, if there is no room and *block* is not false
-- @usage pool:add(g, true, 5)
-- @source gevent.pool.Pool.add
function Pool:add(g, block, timeout) add(self, "add", g, block, timeout) end

--- Make a Greenlet a member and start it; if there is no room, wait for it.
-- @function Pool:start
-- @tparam Greenlet g not a raw one
-- @tparam[opt=true] boolean block false: do not wait
-- @tparam[opt] number|Timeout timeout seconds; nil waits for ever
-- @raise PoolFull when the timeout expires, or at once with `block=false`
-- @switches yes, if there is no room and *block* is not false
-- @usage pool:start(Beeper("beep"))
-- @source gevent.pool.Pool.start
function Pool:start(g, block, timeout) start(self, g, block, timeout) end

--- Count the places that are free.
-- @function Pool:free_count
-- @treturn integer 1 in a pool without a size
-- @usage print(pool:free_count())
-- @source gevent.pool.Pool.free_count
function Pool:free_count()
  check_self(self, "free_count")
  size(self)
  return self._places and self._places.counter or 1
end

--- Tell whether there is no room for one more.
-- @function Pool:full
-- @treturn boolean
-- @usage if pool:full() then print("busy") end
-- @source gevent.pool.Pool.full
function Pool:full() return self:free_count() == 0 end

--- Wait until there is room for one more, and take no place.
-- @function Pool:wait_available
-- @tparam[opt] number|Timeout timeout seconds; 0 polls, nil waits for ever
-- @treturn integer how many places are free; 0 when the timeout expires
-- @switches yes, unless there is room
-- @usage if pool:wait_available(5) == 0 then print("still busy") end
-- @source gevent.pool.Pool.wait_available
function Pool:wait_available(timeout)
  check_self(self, "wait_available")
  core.check_time(timeout, 1, "wait_available")
  size(self)
  return self._places and self._places:wait(timeout) or 1
end

return { Group = Group, Pool = Pool, PoolFull = PoolFull }
