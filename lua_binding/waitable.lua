-- Links to events, locks and whatever else becomes ready more than once.

local core = ...
local Waitable = core.Waitable

-- The links of an object are a chain (links.h) of {f =, quiet =, serial =, before =, after =}
-- from first to last. They are told by the object's bell (waitable.c), which has the chain, and
-- knows up to which serial they are due.

-- A quiet link, one of ours, raises nothing but for want of memory: then it is told again.
local function tell_first(chain, object)
  local link = chain.first
  if link.quiet then
    link.f(object)
    if chain.first == link then core.unchain_first(chain) end
  else
    core.unchain_first(chain)
    core.call_link(link.f, object)
  end
end

-- In the hub. A link that is added meanwhile waits for the next round, so that
-- one that adds itself again does not keep the hub here.
local function tell(object)
  local chain, final = core.chain_of(object), core.bell_due(object)
  while chain.first and chain.first.serial <= final and core.link_due(object) do
    tell_first(chain, object)
  end
  local due, queued = core.bell_due(object)
  if queued then return end
  if not chain.first then
    core.close_bell(object)
  elseif chain.first.serial <= due and core.link_due(object) then
    core.ring(object)
  end
end

-- @param quiet it is one of ours
function core.link_waitable(object, f, quiet)
  local link = { f = f, quiet = quiet, serial = 0, before = false, after = false }
  while not core.chain(object, link) do core.open_bell(object, tell) end
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
  local chain = core.chain_of(self)
  if chain then core.unchain(chain, f) end
end
