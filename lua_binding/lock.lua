--- greenlet.lock: locks and semaphores.

local core = ...

local Semaphore, RLock = core.Semaphore, core.RLock

-- ---- Scopes ----

-- By lock: the object whose scope's end releases it. It has no state, so all
-- holders share it.
local holds = setmetatable({}, { __mode = "k" })

local hold_meta = { __name = "hold" }
function hold_meta:__close() self.lock:release() end
function hold_meta:__tostring() return "<hold of " .. core.safe_text(self.lock) .. ">" end

--- Acquire it until the end of the scope: local held <close> = lock:hold()
-- @return an object for a to-be-closed variable
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

--- Call f(...) while holding it.
-- @return what f returns
-- @raise bad argument when f is not callable; what f raises, after the release
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

--- Semaphore([value=1 [, name]]): so many permits, to be had in the order of asking.
function Semaphore:init(value, name)
  core.make_lock(self, permits(value, "Semaphore"))
  core.set_name(self, name, 2, "Semaphore")
end
Semaphore.hold, Semaphore.with = hold, with

--- BoundedSemaphore([value=1 [, name]]): one that must not be released too often.
local BoundedSemaphore = Semaphore:extend("BoundedSemaphore")
function BoundedSemaphore:init(value, name)
  core.make_lock(self, permits(value, "BoundedSemaphore"), true)
  core.set_name(self, name, 2, "BoundedSemaphore")
end

--- Lock([name]): one permit. For who replaces another semaphore by it, also Lock(1, name).
local Lock = BoundedSemaphore:extend("Lock")
Lock.__new = core.new_lock
function Lock:init(value, name)
  local first = type(value) == "string" and name == nil
  if first then value, name = nil, value end
  if value ~= nil and value ~= 1 then core.argerror(1, "Lock", "a Lock has one permit") end
  core.make_lock(self, 1, true)
  core.set_name(self, name, first and 1 or 2, "Lock")
end

--- RLock([name]): whoever has it may acquire it again, and must release it as often.
function RLock:init(name) core.set_name(self, name, 1, "RLock") end
RLock.hold, RLock.with = hold, with

-- ---- DummySemaphore ----

--- DummySemaphore([value [, name]]): may be acquired any number of times, by all at once.
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
