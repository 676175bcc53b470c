-- Links to events, locks and whatever else becomes ready more than once.

local core = ...
local Waitable = core.Waitable

-- The links of an object, core.kept(object).links, are a chain of {f =, serial =,
-- before =, after =} from first to last. Those with a serial up to `due` are told by
-- the callback that is queued.

local function remove(list, link)
  if link.before then link.before.after = link.after else list.first = link.after end
  if link.after then link.after.before = link.before else list.last = link.before end
end

local tell

local function queue(object, list)
  core.loop:run_callback(tell, object)
  list.queued = true
end

-- In the hub. A link that is added meanwhile waits for the next round, so that
-- one that adds itself again does not keep the hub here.
function tell(object)
  local kept = core.kept(object)
  local list = kept.links
  if not list then return end
  local final = list.due
  list.queued = false
  while list.first and list.first.serial <= final and core.link_due(object) do
    local link = list.first
    remove(list, link)
    core.call_link(link.f, object)
  end
  if list.queued then return end
  if not list.first then
    kept.links = nil
    core.set_linked(object, false)
  elseif list.first.serial <= list.due and core.link_due(object) then
    queue(object, list)
  end
end

-- The object is ready, or was: all links that it has now are to be told.
function core.links_due(object)
  local list = core.kept(object).links
  list.due = list.serial
  if not list.queued then queue(object, list) end
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
  local kept = core.kept(self)
  local list = kept.links
  if not list then
    list = { serial = 0, due = 0 }
    kept.links = list
  end
  list.serial = list.serial + 1
  local link = { f = f, serial = list.serial, before = list.last }
  if list.last then list.last.after = link else list.first = link end
  list.last = link
  core.set_linked(self, true)
  if core.waitable_ready(self) then core.links_due(self) end
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
