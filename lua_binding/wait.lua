--- Waiting for many objects: wait, iwait, joinall, killall.
-- An object is anything with rawlink and unlink.

local core = ...

local function check_list(list, argument, name)
  if type(list) ~= "table" then
    core.argerror(argument, name, "list expected, got " .. core.typename(list))
  end
  for i, object in ipairs(list) do
    local ok, rawlink = core.pcall(function() return object.rawlink, object.unlink end)
    if not ok or not core.callable(rawlink) then
      core.argerror(argument, name,
        ("item %d has no rawlink: %s"):format(i, core.typename(object)))
    end
  end
end

local function check_count(count, argument, name)
  if count == nil then return end
  core.check_integer(argument, name, count)
  if count < 0 then core.argerror(argument, name, "count must not be negative") end
end

-- The state of one wait: links all objects, collects those that become ready.
local Waiter = {}
Waiter.__index = Waiter

local function new_waiter(objects, timeout, what)
  local self = setmetatable({
    objects = table.move(objects, 1, #objects, 1, {}),
    first = 1, last = 0, ready = {}, what = what, timeout = timeout,
  }, Waiter)
  self.notify = function(object)
    self.last = self.last + 1
    self.ready[self.last] = object
    local waiting = self.waiting
    self.waiting = nil
    if waiting then core.unpark(waiting) end
  end
  if type(timeout) == "number" then self.deadline = core.clock() + timeout end
  return self
end

function Waiter:link()
  for i, object in ipairs(self.objects) do
    core.link_quietly(object, self.notify)
    self.linked = i
  end
end

function Waiter:unlink()
  for i = 1, self.linked or 0 do
    core.unlink(self.objects[i], self.notify)
  end
  self.linked = 0
end

function Waiter:__close() self:unlink() end

-- Those that are ready already are told in the hub, at its next turn: a poll
-- must let that happen.
local function remaining(self)
  if not self.deadline then return self.timeout end
  local seconds = self.deadline - core.clock()
  return seconds > 0 and seconds or 0
end

function Waiter:next()
  while self.first > self.last do
    local time = remaining(self)
    if time == 0 then
      if self.polled then return nil end
      self.polled = true
      core.sleep(0)
    else
      self.waiting = core.getcurrent()
      local woken = core.park(self.what, time)
      self.waiting = nil
      if not woken and self.first > self.last then return nil end
    end
  end
  local object = self.ready[self.first]
  self.ready[self.first] = nil
  self.first = self.first + 1
  return object
end

local function describe(objects)
  local first = objects[1]
  if #objects == 1 then return core.safe_text(first) end
  return ("%d objects, the first of them %s"):format(#objects, core.safe_text(first))
end

-- A rawlink that does not take a greenlet's error: waiting is not asking.
function core.link_quietly(object, f)
  if core.is_greenlet(object) then
    core.add_link(object, f, "rawlink", true)
  else
    object:rawlink(f)
  end
end

function core.unlink(object, f)
  if core.is_greenlet(object) then
    core.remove_link(object, f)
  else
    object:unlink(f)
  end
end

-- The ready ones of `objects`, at most `count`, in the order of readiness.
local function collect(objects, timeout, count, each)
  local list = {}
  count = count and math.min(count, #objects) or #objects
  if count == 0 then return list end
  local waiter <close> = new_waiter(objects, timeout, describe(objects))
  waiter:link()
  while #list < count do
    local object = waiter:next()
    if object == nil then break end
    list[#list + 1] = object
    if each then each(object) end
  end
  return list
end

--- Wait for objects to become ready.
-- @param objects list of anything with rawlink and unlink; nil (main greenlet
--   only): until nothing is left to run
-- @param timeout seconds, a Timeout, or nil for ever
-- @param count wait for so many only
-- @return the list of the ready ones, in the order in which they became ready;
--   without objects true, or false on timeout
function core.wait(objects, timeout, count)
  core.check_time(timeout, 2, "wait")
  check_count(count, 3, "wait")
  if objects == nil then return core.join(timeout) end
  check_list(objects, 1, "wait")
  return collect(objects, timeout, count)
end

--- The same as an iterator: for object in iwait(objects) do ... end.
-- Leaving the loop early unlinks the rest.
function core.iwait(objects, timeout, count)
  core.check_time(timeout, 2, "iwait")
  check_count(count, 3, "iwait")
  if objects == nil then
    local done
    return function()
      if done then return nil end
      done = true
      return core.join(timeout)
    end
  end
  check_list(objects, 1, "iwait")
  local left = count and math.min(count, #objects) or #objects
  local waiter = new_waiter(objects, timeout, describe(objects))
  local function step()
    if left == 0 then
      waiter:unlink()
      return nil
    end
    left = left - 1
    if not waiter.linked then waiter:link() end
    return waiter:next()
  end
  return step, nil, nil, waiter
end

--- Wait for all greenlets of a list, or for count of them.
-- @return the list of those finished, in the order in which they finished
-- @raise the first error seen, with raise_error
function core.joinall(list, timeout, raise_error, count)
  check_list(list, 1, "joinall")
  core.check_time(timeout, 2, "joinall")
  check_count(count, 4, "joinall")
  local function each(g)
    if core.is_greenlet(g) and g:ready() and not g:successful() then
      core.take(g)
      core.raise((core.failure(g)))
    end
  end
  return collect(list, timeout, count, raise_error and each or nil)
end

--- Kill every greenlet of a list, raw ones too.
-- @param exception as for g:kill
-- @param block wait until all are dead (default true)
-- @raise Timeout when the timeout expires first
function core.killall(list, exception, block, timeout)
  if type(list) ~= "table" then
    core.argerror(1, "killall", "list expected, got " .. core.typename(list))
  end
  for i, g in ipairs(list) do
    if not core.is_greenlet(g) then
      core.argerror(1, "killall", ("item %d: greenlet expected, got %s")
        :format(i, core.typename(g)))
    end
  end
  core.check_time(timeout, 4, "killall")
  list = table.move(list, 1, #list, 1, {})
  local current, self_listed = core.getcurrent(), false
  for _, g in ipairs(list) do
    if g == current then
      self_listed = true
    else
      core.kill(g, exception)
    end
  end
  if block == nil or block then
    local others = {}
    for _, g in ipairs(list) do
      if g ~= current and not g.dead then others[#others + 1] = g end
    end
    if #collect(others, timeout) < #others then
      core.raise(core.Timeout:class_of(timeout) and timeout or core.Timeout(timeout))
    end
  end
  if self_listed then
    if block == nil or block then
      core.raise(core.instantiate(exception == nil and core.GreenletExit or exception))
    end
    core.kill(current, exception)
  end
end
