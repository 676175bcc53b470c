--- Locks and semaphores.
-- A greenlet runs until it waits, so locks are needed only round what waits in the middle.
--
-- | class | what it is |
-- |---|---|
-- | `Semaphore([value=1])` | *value* permits; may be released more often than acquired |
-- | `BoundedSemaphore([value=1])` | the same, but to release it too often is an error |
-- | `Lock()` | a BoundedSemaphore of 1 |
-- | `RLock()` | re-entrant: its owner may acquire it again; nobody else may release it |
-- | `DummySemaphore()` | never blocks: for where a lock is asked for and none is needed |
--
-- Locks are fair. Waiters get permits in the order in which they came. A permit that is released
-- while somebody waits is handed to the first of them there and then: nobody overtakes, and whoever
-- releases and acquires again queues behind. A permit that is handed to a greenlet which is killed,
-- or out of time, before it runs goes on to the next: none is ever lost.
--
-- ```lua
-- local lock = require "greenlet.lock"
-- local printer = lock.Lock()
-- local function print_pages(name)
--   for page = 1, 2 do
--     local held <close> = printer:hold()
--     greenlet.sleep(0.001) -- it prints
--     print(name, "page", page)
--   end
-- end
-- greenlet.joinall {greenlet.spawn(print_pages, "Ann"), greenlet.spawn(print_pages, "Bob")}
--
-- local connections = lock.Semaphore(2)
-- print(connections:acquire(), connections:acquire(), connections:acquire(true, 0.01))
-- print(connections:release(), connections)
-- ```
--
-- ```text
-- Ann	page	1
-- Bob	page	1
-- Ann	page	2
-- Bob	page	2
-- true	true	false
-- 1	<Semaphore at 0x55d6a9a64798: 1 free>
-- ```
--
-- The [report of a deadlock](deadlocks.md) says which lock a greenlet waits for, and of an RLock who
-- holds it.
-- @module greenlet.lock
-- @order Lock Semaphore BoundedSemaphore RLock DummySemaphore
-- @source gevent.lock

local core = ...

local Semaphore, RLock = core.Semaphore, core.RLock

-- ---- Scopes ----

-- By lock: the object whose scope's end releases it. It has no state, so all
-- holders share it.
local holds = setmetatable({}, { __mode = "k" })

local hold_meta = { __name = "hold" }
function hold_meta:__close() self.lock:release() end
function hold_meta:__tostring() return "<hold of " .. core.safe_text(self.lock) .. ">" end

--- Acquire it, and release it at the end of the scope, however that is left.
-- By an error and by a kill, too: a greenlet that is killed between `acquire` and `release` keeps
-- its permit, one that holds it so does not.
-- @function Semaphore:hold
-- @function RLock:hold
-- @function DummySemaphore:hold
-- @treturn any what a to-be-closed variable takes
-- @switches yes, unless a permit is free
-- @usage local held <close> = printer:hold()
-- @source with gevent.lock.Semaphore
local function hold(self)
  local held = holds[self]
  if not held then
    if not core.is_waitable(self) then
      core.argerror(0, "hold", "lock expected, got " .. core.typename(self))
    end
    held = setmetatable({ lock = self }, hold_meta)
    holds[self] = held
  end
  self:acquire()
  return held
end

--- Call `f(...)` while holding it.
-- @function Semaphore:with
-- @function RLock:with
-- @function DummySemaphore:with
-- @tparam function f what to call
-- @tparam any ... its arguments
-- @treturn any all values that *f* returns
-- @raise bad argument when *f* is not callable; what *f* raises, after the release
-- @switches yes, unless a permit is free; and where *f* does
-- @usage printer:with(print_page, 1)
-- @source with gevent.lock.Semaphore
local function with(self, f, ...)
  if not core.callable(f) then
    core.argerror(1, "with", "function expected, got " .. core.typename(f))
  end
  local held <close> = hold(self)
  return f(...)
end

-- ---- Semaphores ----

local function permits(value, class)
  if value == nil then return 1 end
  core.check_integer(1, class, value)
  if value < 0 then core.argerror(1, class, "value must not be negative") end
  return value
end

--- Make a semaphore: so many permits, to be had in the order of asking.
-- It may be released more often than acquired: then it has more.
-- @class greenlet.lock.Semaphore
-- @order acquire release hold with wait ready locked
-- @tparam[opt=1] integer value permits, 0 or more
-- @tparam[opt] string name for reports
-- @raise bad argument for another value
-- @usage local connections = greenlet.lock.Semaphore(10)
-- @source gevent.lock.Semaphore
function Semaphore:init(value, name)
  core.make_lock(self, permits(value, "Semaphore"))
  core.set_name(self, name, 2, "Semaphore")
end
Semaphore.hold, Semaphore.with = hold, with

--- Make a semaphore that must not be released more often than acquired.
-- @class greenlet.lock.BoundedSemaphore
-- @super greenlet.lock.Semaphore
-- @tparam[opt=1] integer value permits, 0 or more
-- @tparam[opt] string name for reports
-- @raise bad argument for another value
-- @usage local connections = greenlet.lock.BoundedSemaphore(10)
-- @source gevent.lock.BoundedSemaphore
local BoundedSemaphore = Semaphore:extend("BoundedSemaphore")
function BoundedSemaphore:init(value, name)
  core.make_lock(self, permits(value, "BoundedSemaphore"), true)
  core.set_name(self, name, 2, "BoundedSemaphore")
end

--- Make a lock: a BoundedSemaphore of 1.
-- @class greenlet.lock.Lock
-- @super greenlet.lock.BoundedSemaphore
-- @tparam[opt] string name for reports
-- @usage local printer = greenlet.lock.Lock()
-- @source gevent.threading.Lock
local Lock = BoundedSemaphore:extend("Lock")
Lock.__new = core.new_lock
function Lock:init(value, name)
  local first = type(value) == "string" and name == nil
  if first then value, name = nil, value end
  if value ~= nil and value ~= 1 then core.argerror(1, "Lock", "a Lock has one permit") end
  core.make_lock(self, 1, true)
  core.set_name(self, name, first and 1 or 2, "Lock")
end

--- Make a re-entrant lock: its owner may acquire it again, and must release it as often.
-- Nobody else may release it. A coroutine is of the greenlet that it runs in. It has all methods of
-- a `Semaphore`.
-- @class greenlet.lock.RLock
-- @tparam[opt] string name for reports
-- @usage local account = greenlet.lock.RLock()
-- @source gevent.lock.RLock
function RLock:init(name) core.set_name(self, name, 1, "RLock") end
RLock.hold, RLock.with = hold, with

-- ---- DummySemaphore ----

--- Make a semaphore that never blocks, for where a lock is asked for and none is needed.
-- It may be acquired any number of times, by all at once. It has all methods of a `Semaphore`.
-- @class greenlet.lock.DummySemaphore
-- @tparam[opt] any value not used
-- @tparam[opt] string name for reports
-- @usage local log = make_log(greenlet.lock.DummySemaphore())
-- @source gevent.lock.DummySemaphore
local DummySemaphore = core.Waitable:extend("DummySemaphore")
DummySemaphore.__new = Semaphore.__new
DummySemaphore.counter = 1
DummySemaphore.hold, DummySemaphore.with = hold, with

function DummySemaphore:init(_, name) core.set_name(self, name, 2, "DummySemaphore") end

function DummySemaphore.acquire(_, _, timeout)
  core.check_time(timeout, 2, "acquire")
  return true
end

function DummySemaphore.wait(_, timeout)
  core.check_time(timeout, 1, "wait")
  return 1
end

function DummySemaphore.release() return 1 end
function DummySemaphore.locked() return false end
function DummySemaphore.ready() return true end

function DummySemaphore:__tostring()
  return core.state_text(self, "free for all")
end

return {
  Semaphore = Semaphore, BoundedSemaphore = BoundedSemaphore, Lock = Lock, RLock = RLock,
  DummySemaphore = DummySemaphore,
}
