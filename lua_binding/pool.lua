--- greenlet.pool: groups of greenlets, and how many of them there may be.
--
-- What is done with the values of many calls is in mapping.lua.

local core = ...
local Greenlet = core.Greenlet
local event, lock, queue = core.module.event, core.module.lock, core.module.queue
local acquire, release = lock.Semaphore.acquire, lock.Semaphore.release
local members_add, members_remove, members_count, members_has, members_list, members_spawn =
  core.members_add, core.members_remove, core.members_count, core.members_has,
  core.members_list, core.members_spawn

local PoolFull = queue.Full:extend("PoolFull")

local function expected(argument, name, what, value)
  core.argerror(argument, name, ("%s expected, got %s"):format(what, core.typename(value)))
end

local function check_greenlet(g, name)
  if not core.is_greenlet(g) then expected(1, name, "greenlet", g) end
end

-- ---- Members ----

local Group = core.class:extend("Group")

--- The class of what `spawn` makes; assign it to a group, or to a derived class.
Group.greenlet_class = Greenlet

local function check_self(self, name)
  if not Group:class_of(self) then expected(0, name, "Group", self) end
end

-- Guests are members that have their place in the list of another group, or of a
-- scope. They are few.
local function find_guest(self, g)
  for i, guest in ipairs(self._guests) do
    if guest.g == g then return i end
  end
end

-- Wake those who wait now.
local function pulse(happening)
  if happening then
    happening:set()
    happening:clear()
  end
end

local function give_up_place(self)
  if self._places then release(self._places) end
end

local function remove_guest(self, g)
  local i = find_guest(self, g)
  if not i then return end
  core.remove_link(g, table.remove(self._guests, i).leave)
  give_up_place(self)
end

-- Dead guests whose link has not been called yet leave now.
local function count_guests(self)
  local guests = self._guests
  for i = #guests, 1, -1 do
    if guests[i] and guests[i].g.dead then guests[i].leave() end
  end
  return #guests
end

local function size(self) return members_count(self._members) + count_guests(self) end

local function contains(self, g)
  return members_has(self._members, g) or (find_guest(self, g) ~= nil and not g.dead)
end

local function all(self)
  local list = members_list(self._members)
  for _, guest in ipairs(self._guests) do
    if not guest.g.dead then list[#list + 1] = guest.g end
  end
  return list
end

-- The last member is gone, or a guest.
local function left(self)
  if size(self) == 0 then
    pulse(self._empty)
    pulse(self._changed)
  end
end

local function add_guest(self, g, job, tag)
  local function leave()
    remove_guest(self, g)
    if job then core.job_done(job, g, tag) end
    left(self)
  end
  self._guests[#self._guests + 1] = { g = g, leave = leave }
  core.link_quietly(g, leave)
end

-- Make it a member. The place for it is taken, and free again if it is dead, or has
-- become a member meanwhile.
local function join(self, g, job, tag)
  local is_member = contains(self, g)
  local added = is_member or members_add(self._members, g, job, tag)
  if added == nil then
    add_guest(self, g, job, tag)
  elseif is_member or not added then
    give_up_place(self)
    if job then core.link_quietly(g, function() core.job_done(job, g, tag) end) end
  end
  pulse(self._changed)
end

-- As long as the object that this returns is not closed, somebody is about to add
-- members: `kill` waits for them.
local Entering = core.class:extend("entering")
function Entering:init(group)
  self.group = group
  group._adders = group._adders + 1
end

function Entering:pulse() pulse(self.group._changed) end

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
  self._members = core.members(function() left(self) end, places)
end

--- Group(g, ...) or Group(list): greenlets that leave the group when they die.
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

--- Make a greenlet a member. No effect on a dead one, or on a member.
-- @param g any greenlet
function Group:add(g) add(self, "add", g) end

--- Make a greenlet a member, and start it.
-- @param g a Greenlet
function Group:start(g) start(self, g) end

--- Make it a member no longer; it runs on. No effect on others.
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

--- Start f(...) in a new greenlet, which is a member.
-- @param f callable
-- @return the greenlet
function Group:spawn(f, ...)
  check_self(self, "spawn")
  local class = self.greenlet_class
  if class ~= Greenlet then return spawn_of_class(self, class, nil, nil, f, ...) end
  if not core.callable(f) then expected(1, "spawn", "function", f) end
  enter(self)
  pulse(self._changed)
  return members_spawn(self._members, f, ...)
end

-- The same for a call of a job.
function Group:_call(job, tag, f, ...)
  local class = self.greenlet_class
  if class ~= Greenlet then return spawn_of_class(self, class, job, tag, f, ...) end
  enter(self)
  pulse(self._changed)
  return core.job_spawn(job, tag, f, ...)
end

--- Is it a member?
function Group:contains(g)
  check_self(self, "contains")
  return core.is_greenlet(g) and contains(self, g)
end

function Group:__len() return size(self) end

--- for g in group:iter() do: over those who are members now.
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

local function new_event(self, name)
  if not self[name] then
    self[name] = event.Event()
    core.members_tell(self._members)
  end
  return self[name]
end

--- Wait until the group is empty, were it for a moment.
-- @param timeout seconds, a Timeout, or nil for ever
-- @param raise_error raise an error of one that is a member now
-- @return true, or false when the timeout expires
function Group:join(timeout, raise_error)
  check_self(self, "join")
  core.check_time(timeout, 1, "join")
  if size(self) == 0 then return true end
  local list = raise_error and all(self) or {}
  local empty = new_event(self, "_empty"):wait(timeout)
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
  return size(self) > 0 or (self._adders > 0 and self.size ~= 0)
end

--- Kill all members, each once, and those that are added meanwhile.
-- @param exception as for g:kill
-- @param block wait until the group is empty (default true)
-- @param timeout seconds, a Timeout, or nil for ever; when it expires the call ends
function Group:kill(exception, block, timeout)
  check_self(self, "kill")
  core.check_time(timeout, 3, "kill")
  if not busy(self) then return end
  block = block == nil or block
  if block then core.check_may_wait() end
  prepare_to_hit(self)
  hit(self, exception)
  if not block then return end
  local changed, time_left = new_event(self, "_changed"), core.time_left(timeout)
  while busy(self) and changed:wait(time_left()) do hit(self, exception) end
end

--- Kill one member, unless the group has done so before. No effect on a stranger.
-- @param g, exception, block, timeout as for g:kill
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

--- Is there no room for one more? There is always, in a Group.
function Group.full() return false end

--- Wait until there is room for one more: not at all, in a Group.
-- @return 1
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

--- Pool([size [, greenlet_class]]): a Group of at most so many members.
-- @param places int; 0: never any; nil: any number
-- @param class of what it spawns; default Greenlet
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

--- Make a greenlet a member when there is room.
-- @param g any greenlet
-- @param block default true; false: do not wait
-- @param timeout seconds, a Timeout, or nil for ever
-- @raise PoolFull when there is no room, or not in time
function Pool:add(g, block, timeout) add(self, "add", g, block, timeout) end

--- The same with a Greenlet, which is then started.
function Pool:start(g, block, timeout) start(self, g, block, timeout) end

--- How many may be added without waiting; 1 where any number may.
function Pool:free_count()
  check_self(self, "free_count")
  size(self)
  return self._places and self._places.counter or 1
end

--- Is there no room for one more?
function Pool:full() return self:free_count() == 0 end

--- Wait until there is room for one more.
-- @param timeout seconds, a Timeout, or nil for ever
-- @return how many may be added; 0 when the timeout expires
function Pool:wait_available(timeout)
  check_self(self, "wait_available")
  core.check_time(timeout, 1, "wait_available")
  size(self)
  return self._places and self._places:wait(timeout) or 1
end

return { Group = Group, Pool = Pool, PoolFull = PoolFull }
