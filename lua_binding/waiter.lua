--- The state of one wait for many objects: wait.lua has who uses it.

local core = ...

local waiter = {}

function waiter.check_list(list, argument, name)
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

function waiter.check_count(count, argument, name)
  if count == nil then return end
  core.check_integer(argument, name, count)
  if count < 0 then core.argerror(argument, name, "count must not be negative") end
end

function waiter.describe(objects)
  local first = objects[1]
  if #objects == 1 then return core.safe_text(first) end
  return ("%d objects, the first of them %s"):format(#objects, core.safe_text(first))
end

-- The state of one wait: links all objects, collects those that become ready.
local Waiter = {}
Waiter.__index = Waiter

function waiter.new(objects, timeout)
  local self = setmetatable({
    objects = table.move(objects, 1, #objects, 1, {}),
    first = 1, last = 0, ready = table.move(objects, 1, #objects, 1, {}),
    what = waiter.describe(objects), timeout = timeout,
  }, Waiter)
  -- Runs in the hub, again if there is no memory for a call: that comes first, and
  -- there is room in `ready` from the start.
  self.notify = function(object)
    if self.waiting then core.unpark(self.waiting) end
    self.waiting = nil
    self.last = self.last + 1
    self.ready[self.last] = object
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
      -- Looked at again by who can be woken, for in a debug hook one may become ready.
      local woken = self.first <= self.last or core.park(self.what, time, self)
      self.waiting = nil
      if not woken and self.first > self.last then return nil end
    end
  end
  local object = self.ready[self.first]
  self.ready[self.first] = false
  self.first = self.first + 1
  return object
end

-- The same for objects of any kind, and with a Timeout.
local function collect_any(objects, timeout, count, each)
  local list = {}
  local self <close> = waiter.new(objects, timeout)
  self:link()
  while #list < count do
    local object = self:next()
    if object == nil then break end
    list[#list + 1] = object
    if each then each(object) end
  end
  return list
end

--- The ready ones of `objects`, at most `count`, in the order of readiness.
-- @param each called with each as soon as it is ready; of greenlets alone, it may be
--   called once one has failed with all that are dead
function waiter.collect(objects, timeout, count, each)
  count = count and math.min(count, #objects) or #objects
  if count == 0 then return {} end
  local list = waiter.join(objects, timeout, count, each)
  return list or collect_any(objects, timeout, count, each)
end

--- The same, if they are all greenlets; else nil.
-- @param plain only if check_list would not find fault with them
function waiter.join(objects, timeout, count, each, plain)
  local list, failed = core.join_many(objects, count, timeout, each, plain)
  if failed then
    for _, object in ipairs(list) do each(object) end
  end
  return list
end

return waiter
