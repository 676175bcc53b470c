-- Links to events, locks and whatever else becomes ready more than once.

local core = ...
local Waitable = core.Waitable

-- The links of an object, core.kept(object).links, are a chain of {f =, quiet =, serial =,
-- before =, after =} from first to last. They are told by the object's bell
-- (waitable.c), which knows up to which serial they are due.

local function remove(list, link)
  if link.before then link.before.after = link.after else list.first = link.after end
  if link.after then link.after.before = link.before else list.last = link.before end
end

-- A quiet link, one of ours, raises nothing but for want of memory: then it is told again.
local function tell_first(list, object)
  local link = list.first
  if link.quiet then
    link.f(object)
    if list.first == link then remove(list, link) end
  else
    remove(list, link)
    core.call_link(link.f, object)
  end
end

-- In the hub. A link that is added meanwhile waits for the next round, so that
-- one that adds itself again does not keep the hub here.
local function tell(object)
  local kept = core.kept(object)
  local list = kept.links
  if not list then return end
  local final = core.bell_due(object)
  while list.first and list.first.serial <= final and core.link_due(object) do
    tell_first(list, object)
  end
  local due, queued = core.bell_due(object)
  if queued then return end
  if not list.first then
    kept.links = nil
    core.close_bell(object)
  elseif list.first.serial <= due and core.link_due(object) then
    core.ring(object)
  end
end

-- @param quiet it is one of ours
function core.link_waitable(object, f, quiet)
  local kept = core.kept(object)
  local list = kept.links
  if not list then
    list = {}
    kept.links = list
  end
  core.open_bell(object, tell)
  local link = { f = f, quiet = quiet, serial = core.new_serial(object), before = list.last }
  if list.last then list.last.after = link else list.first = link end
  list.last = link
  if core.waitable_ready(object) then core.links_due(object) end
end

local function check_self(self, name)
  if not core.is_waitable(self) then
    core.argerror(0, name, "event, lock or queue expected, got " .. core.typename(self))
  end
end

--- Have `f(object)` called in the hub, once, when the object is ready; soon, if it is.
-- Ready are: an Event when it is set, an AsyncResult when it has a result, a lock when a permit
-- is free and nobody waits for it, a queue or channel when a get would not wait. An error in *f* is
-- reported and does not stop other links. It is what `greenlet.wait`, `greenlet.iwait` and
-- `greenlet.select` use.
-- @function Event:rawlink
-- @function AsyncResult:rawlink
-- @function Semaphore:rawlink
-- @function RLock:rawlink
-- @function DummySemaphore:rawlink
-- @function Queue:rawlink
-- @function SimpleQueue:rawlink
-- @function Channel:rawlink
-- @tparam function f what to call; it must not wait
-- @raise bad argument when *f* is not callable
-- @usage opened:rawlink(function() greenlet.spawn(serve) end)
-- @source gevent.event.Event.rawlink
function Waitable:rawlink(f)
  check_self(self, "rawlink")
  if not core.callable(f) then
    core.argerror(1, "rawlink", "function expected, got " .. core.typename(f))
  end
  core.link_waitable(self, f)
end

--- Remove one link to *f*, which is not called from then on, even when notification has begun.
-- No effect if there is none.
-- @function Event:unlink
-- @function AsyncResult:unlink
-- @function Semaphore:unlink
-- @function RLock:unlink
-- @function DummySemaphore:unlink
-- @function Queue:unlink
-- @function SimpleQueue:unlink
-- @function Channel:unlink
-- @tparam function f what was given to `rawlink`
-- @usage opened:unlink(notify)
-- @source gevent.event.Event.unlink
function Waitable:unlink(f)
  check_self(self, "unlink")
  local list = core.kept(self).links
  local link = list and list.first
  while link and not rawequal(link.f, f) do link = link.after end
  if link then remove(list, link) end
end
