--- Greenlets that do not outlive a call.
-- `greenlet.scope(f)` calls `f(s)` and returns its values, but not before all greenlets are dead
-- that `s:spawn` has started: the scope's *children*. Whatever happens, none of them outlives the
-- call.
--
-- ```lua
-- local function fetch(name, seconds)
--   greenlet.sleep(seconds)
--   if name == "bad" then error(name .. " is not there", 0) end
--   print("fetched", name)
-- end
--
-- print(pcall(greenlet.scope, function(s)
--   s:spawn(fetch, "quick", 0.01)
--   s:spawn(fetch, "bad", 0.02)
--   s:spawn(fetch, "slow", 60)
--   greenlet.sleep(60)
-- end))
-- ```
--
-- ```text
-- fetched	quick
-- false	bad is not there
-- ```
--
-- A scope ends before its time when
--
-- - a child, or *f*, fails: that error is raised by the scope;
-- - the *owner*, the greenlet that has called `scope`, is killed, or a Timeout reaches it: that
--   error is raised by the scope;
-- - the option `timeout` expires, which counts from the beginning to the end of the call: it raises
--   the Timeout;
-- - somebody calls `Scope:cancel`.
--
-- Then all children are killed, each once, and *f*, if it still runs, by a GreenletExit, which
-- stops at the scope. The error is raised when all are dead: they may take their time to clean up.
-- A child that catches the kill lives on, and the scope waits for it. What is sent to the owner
-- meanwhile waits until the scope has ended, and is raised in the owner's next wait.
--
-- Errors of the other children and of *f* that come after the first are listed in `err.others`, if
-- *err* is an object of a [class](class.md); if it is not, or is a GreenletExit, which nobody looks
-- at, they are reported. No other errors of children are reported, nor do they count for the exit
-- status: the traceback of the child comes with the error that the scope raises. A child that is
-- killed, and ends by GreenletExit, has not failed.
--
-- ```lua
-- local Broken = greenlet.Exception:extend("Broken")
-- local function cleaning_up(name)
--   return setmetatable({}, {__close = function()
--     greenlet.sleep(0.01)
--     error("cannot clean up " .. name, 0)
--   end})
-- end
--
-- local ok, err = pcall(greenlet.scope, function(s)
--   s:spawn(function()
--     local mess <close> = cleaning_up("a")
--     greenlet.sleep(60)
--   end)
--   greenlet.sleep(0) -- it begins
--   error(Broken("the first"))
-- end)
-- print(err, #err.others, err.others[1])
-- ```
--
-- ```text
-- Broken: the first	1	cannot clean up a
-- ```
--
-- Scopes nest, in *f* and in children: who ends the outer one ends the inner ones. A scope may be
-- opened in a coroutine, which may yield in it. While it has yielded nothing is raised in it;
-- `s:spawn` raises an error when the scope is being ended. If its greenlet ends and the coroutine
-- is left to itself, the children are killed. A child that nothing can wake any more, and that
-- catches a hundred kills, is left alone when the main greenlet waits for it, which gets LoopExit:
-- the only one that can outlive its scope.
-- @page scope Scopes
-- @source trio.open_nursery

-- The one who calls scope is the owner; f runs in it, and what s:spawn makes are
-- the children. Four things end a scope before its time, and each only notes why
-- and kills: an error of a child, an error of f, an error that is sent to the
-- owner, s:cancel. What is raised is decided when all children are dead.

local core = ...
local members_count, members_has, members_list =
  core.members_count, core.members_has, core.members_list

local WAITS_FOR = "the children of a scope"
local MOST_KILLS = 100 -- of a child that nothing can wake and that catches them all

--- A scope, which `greenlet.scope` gives to the function that it calls.
-- @class greenlet.scope.Scope
-- @order spawn cancel shutdown
-- @source trio.Nursery
local Scope = core.class:extend("Scope")

--- An Event for those who want to end in good order, which `Scope:shutdown` sets.
-- @tfield Event Scope.stopping
-- @usage while not s.stopping:wait(1) do check() end

-- What ends f when the scope is to end. It is a kill to everybody but the scope
-- that sent it, where it stops.
local Cancelled = core.GreenletExit:extend("Cancelled")

local function is_kill(err)
  return core.BaseException:class_of(err) and not core.Exception:class_of(err)
end

-- ---- Ending before its time ----

local function kill_children(self)
  for _, g in ipairs(members_list(self._members)) do core.kill(g) end
end

-- Is f where a kill of the owner would reach it? Not while it has yielded to who
-- resumes the coroutine that the scope is in.
local function reaches_body(self)
  return self._body and not (self._co and coroutine.status(self._co) == "suspended")
end

local function cancel(self, spares_body)
  if self._cancelled then return end
  kill_children(self)
  if not spares_body and reaches_body(self) then
    self._token = self._token or Cancelled("the scope is being ended")
    core.kill(self._owner, self._token)
  end
  self._cancelled = true -- at last: without memory for all of it, it is done again
end

-- Note an error: the first ends the scope. `g` is the child that died of it.
local function fail(self, err, traceback, g)
  local errors = self._errors
  if not (g and errors[g]) then
    if g then errors[g] = false end -- memory for what follows
    errors[#errors + 1] = { err = err, traceback = traceback, g = g }
    if g then errors[g] = true end
  end
  cancel(self)
end

-- A kill of the owner must not be lost to an error of a child that came first:
-- whoever catches errors would go on.
local function fail_with_kill(self, err, traceback)
  fail(self, err, traceback)
  local errors = self._errors
  if not is_kill(errors[1].err) then
    table.insert(errors, 1, table.remove(errors))
  end
end

-- There is an event for each change, so that whoever takes it before looking misses nothing.
local function changed(self)
  local event = self._changed
  if event then
    self._changed = nil
    event:set()
  end
end

-- A child is dead, and so many are left. In the hub, again if there was no memory.
local function child_died(self, g, left)
  if not core.outcome(g) then fail(self, core.failure(g), g.traceback, g) end
  local held = self._held
  if left == 0 and held and held.waiting then
    core.unpark(held.waiting)
    held.waiting = false
  end
  changed(self)
end

-- ---- The end ----

-- One wait for the children, if there are any left. What is sent meanwhile is held. They may all
-- end before the wait begins, in a debug hook: so they are looked at again by who can be woken.
local function outlast(self, held)
  held.waiting = core.getcurrent()
  if members_count(self._members) == 0 then return end
  local woken, what = core.outlast(WAITS_FOR, held, self)
  held.waiting = false
  if woken then return end
  local deadlock = woken == nil and what
  if deadlock then self._kills = self._kills + 1 end
  if woken == nil and not deadlock then
    fail(self, core.InvalidSwitchError("somebody switched into a greenlet that was waiting"))
  elseif not self._cancelled then
    fail(self, deadlock and core.loop_exit(self) or core.take_held(held))
  elseif deadlock or core.KeyboardInterrupt:class_of(what) then
    kill_children(self) -- whoever presses Ctrl-C twice has no patience
  end
end

-- Wait until all children are dead, whatever happens. The first error that is
-- sent ends the scope, if nothing has before; the others wait their turn.
local function settle(self)
  if members_count(self._members) == 0 then return end
  local held = self._held or { waiting = false }
  self._held = held -- for __close, should Ctrl-C come between two waits
  while members_count(self._members) > 0 and self._kills < MOST_KILLS do
    outlast(self, held)
  end
  core.pend(held)
  if self._kills == MOST_KILLS then fail(self, core.loop_exit(self)) end
end

-- An error on its own does not say what else has failed. One that nobody will
-- look at is reported as well.
local function add_others(err, others)
  local all = { table.unpack(err.others or {}) }
  for _, other in ipairs(others) do all[#all + 1] = other.err end
  err.others = all
end

local function report(other)
  if other.g then
    core.report_failure(other.g)
  else
    core.loop:run_callback(core.callback_failed, "greenlet.scope", other.err, other.traceback)
  end
end

local function tell_others(err, others)
  local told = core.class:class_of(err) and core.pcall(add_others, err, others)
  if told and (Cancelled:class_of(err) or not core.is_exit(err)) then return end
  for _, other in ipairs(others) do report(other) end
end

-- The body is over, well or by an error.
local function body_ended(self, ok, err, traceback)
  self._body = false
  local token = self._token
  if token then core.forget(token) end
  if ok then return end
  if token and rawequal(err, token) then
    -- What failed in scopes inside this one when it was ended.
    for _, other in ipairs(err.others or {}) do fail(self, other) end
  elseif is_kill(err) then
    fail_with_kill(self, err, traceback)
  else
    fail(self, err, traceback)
  end
end

local function close(self)
  self._ended = true
  if self._timer then self._timer:cancel() end
  if self._abandoned then core.remove_link(self._owner, self._abandoned) end
  changed(self)
end

local function finish(self)
  settle(self)
  close(self)
  local errors = self._errors
  if #errors == 0 then return end
  local first = table.remove(errors, 1)
  if #errors > 0 then tell_others(first.err, errors) end
  core.raise_again(first.err, first.traceback)
end

-- The scope is left without its end having been seen to: a coroutine that it was
-- in was closed, or something failed that must not.
function Scope:__close(err)
  if self._ended then return end
  if self._body then
    body_ended(self, err == nil, err)
    cancel(self)
  elseif err ~= nil then
    fail(self, err)
  end
  finish(self)
end

-- ---- Methods ----

local function check_self(self, name)
  if not Scope:class_of(self) then
    core.argerror(0, name, "Scope expected, got " .. core.typename(self))
  end
end

local function is_new(g)
  return core.is_greenlet(g) and not core.is_raw(g) and not g.started and not g.dead
end

local function check_open(self)
  if self._ended then core.argerror(0, "spawn", "the scope has ended") end
  if self._cancelled then
    core.checkpoint() -- the kill that is on its way to the body, or to a child
    core.argerror(0, "spawn", "the scope is being ended")
  end
end

--- Start a child: `g(...)` in a new greenlet, or a Greenlet that is there already.
-- It may be called by anybody, by children too, until the scope ends.
-- @function Scope:spawn
-- @tparam function|Greenlet g what to run; or a Greenlet that is not started, and in no group
-- @tparam any ... arguments of *g*
-- @treturn Greenlet the child
-- @raise bad argument; an error when the scope has ended or is being ended
-- @usage local page = s:spawn(fetch, url)
-- @source trio.Nursery.start_soon
function Scope:spawn(g, ...)
  check_self(self, "spawn")
  local is_callable = core.callable(g)
  if not is_callable and not is_new(g) then
    core.argerror(1, "spawn", "function or new Greenlet expected, got " .. core.typename(g))
  end
  check_open(self)
  if is_callable then return core.members_spawn(self._members, g, ...) end
  if not core.members_add(self._members, g) then
    core.argerror(1, "spawn", "the greenlet is in a group or scope already")
  end
  g:start()
  return g
end

--- End the scope: kill the children, and *f* if that is still running. Wait for nothing.
-- The scope raises *err* then; without one it returns: nothing, if *f* was still running. No effect
-- on a scope that is being ended already.
-- @function Scope:cancel
-- @tparam[opt] any err any value; of a class an instance is made
-- @usage if found then s:cancel() end
-- @source trio.CancelScope.cancel
function Scope:cancel(err)
  check_self(self, "cancel")
  if self._ended or self._cancelled then return end
  if err ~= nil then
    fail(self, core.instantiate(err))
  else
    cancel(self)
  end
end

-- Is nobody else in the scope than the current greenlet?
local function alone(self, current)
  local count = members_count(self._members)
  if members_has(self._members, current) then count = count - 1 end
  return count == 0 and (not self._body or current == self._owner)
end

--- Ask everybody else to come to an end, wait for that, and then kill what is left.
-- It sets `s.stopping`, waits until everybody else in the scope has ended, but not longer than
-- *grace*, and then cancels the scope; called by the owner it leaves *f* alone.
--
-- ```lua
-- greenlet.scope(function(s)
--   local function serve(name, seconds)
--     while not s.stopping:wait(seconds) do end -- a round of work takes so long
--     print(name, "has come to an end")
--   end
--   s:spawn(serve, "one", 0.01)
--   s:spawn(serve, "two", 0.01)
--   s:spawn(greenlet.sleep, 60) -- does not listen
--   greenlet.sleep(0.02)
--   print("all by themselves:", s:shutdown(0.05))
-- end, {timeout = 5})
-- ```
--
-- ```text
-- one	has come to an end
-- two	has come to an end
-- all by themselves:	false
-- ```
-- @function Scope:shutdown
-- @tparam[opt] number|Timeout grace seconds to wait; nil: for ever
-- @treturn boolean true if all others ended by themselves
-- @switches yes, unless nobody else is there
-- @usage greenlet.signal("TERM", function() s:shutdown(10) end)
function Scope:shutdown(grace)
  check_self(self, "shutdown")
  core.check_time(grace, 1, "shutdown")
  if self._ended then return true end
  core.check_may_wait()
  self.stopping:set()
  local current, left = core.getcurrent(), core.time_left(grace)
  repeat
    local event = core.keep(self, "_changed", core.module.event.Event())
    if alone(self, current) then return true end
  until not event:wait(left())
  cancel(self, current == self._owner)
  return false
end

function Scope:__tostring()
  local state = self._ended and "ended" or self._cancelled and "being ended" or "open"
  return ("<Scope at %p: %s, %d children>"):format(self, state, members_count(self._members))
end

-- ---- Opening ----

local function check_options(options)
  if options == nil then return end
  if type(options) ~= "table" then
    core.argerror(2, "scope", "table expected, got " .. core.typename(options))
  end
  for name in pairs(options) do
    if name ~= "timeout" then
      core.argerror(2, "scope", ("unknown option '%s'"):format(core.tostring(name)))
    end
  end
  core.check_time(options.timeout, 2, "scope")
end

local function start_timer(self, timeout)
  local timer = core.Timeout:class_of(timeout) and timeout or core.Timeout(timeout)
  if timer.pending then return end -- somebody else's: it will be raised, and no more
  self._timer = timer
  timer:start()
end

-- A coroutine may be left to itself, with the scope in it, when its greenlet ends.
local function note_coroutine(self)
  self._co = coroutine.running()
  if self._owner == core.main() then return end
  self._abandoned = function() cancel(self) end
  core.link_quietly(self._owner, self._abandoned)
end

local function open(timeout)
  local self = Scope()
  self._owner = core.getcurrent()
  self._errors = {}
  self._kills = 0
  self._members = core.members(function(g, left) child_died(self, g, left) end, nil, true)
  self._body = true
  self.stopping = core.module.event.Event()
  if core.in_coroutine() then note_coroutine(self) end
  if timeout ~= nil then start_timer(self, timeout) end -- at last: it must not be left alone
  return self
end

local function leave(self, ok, ...)
  body_ended(self, ok, (...), self._traceback)
  finish(self)
  if ok then return ... end
end

--- Call `f(s)`, and do not return before all greenlets are dead that `s:spawn` has started.
-- The first error, of *f* or of a child, kills the others and is raised when they are dead; so is
-- what the caller is killed with. What else fails is listed in `err.others` if *err* is an object,
-- else reported.
-- @function greenlet.scope
-- @within scope
-- @tparam function f called as `f(s)`, with a new `Scope`
-- @tparam[opt] table options `timeout`: seconds or a Timeout, for the whole call
-- @treturn any all values of *f*; nothing when `Scope:cancel` has ended it
-- @raise the first error; Timeout; what the caller is killed with. InvalidSwitchError in the hub
--   and inside `__gc`
-- @switches yes, where *f* does, and while there are children
-- @usage greenlet.scope(function(s)
--     for _, url in ipairs(urls) do s:spawn(fetch, url) end
--   end, {timeout = 10})
-- @source trio.open_nursery
local function scope(f, options)
  if not core.callable(f) then
    core.argerror(1, "scope", "function expected, got " .. core.typename(f))
  end
  check_options(options)
  core.check_may_wait()
  local self <close> = open(options and options.timeout)
  return leave(self, core.xpcall(f, function(err)
    if not is_kill(err) then self._traceback = core.full_traceback(err) end
    return err
  end, self))
end

return scope
