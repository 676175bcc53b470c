--- Waiting for many objects: wait, iwait, joinall, killall.
-- An object is anything with rawlink and unlink.

local core = ...

-- A rawlink that does not take a greenlet's error: waiting is not asking. f raises nothing
-- but for want of memory; then it is called again, and must find done what it has done.
function core.link_quietly(object, f)
  if core.is_greenlet(object) then
    core.add_link(object, f, "rawlink", true)
  elseif core.is_waitable and core.is_waitable(object)
    and rawequal(object.rawlink, core.Waitable.rawlink) then
    core.link_waitable(object, f, true)
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

--- Wait for several objects to become ready, or until nothing is left to run.
-- Objects are greenlets, events, queues, locks: anything with the methods `rawlink` and `unlink`.
-- An object that is listed twice counts twice; `count=0` returns `{}`. Does not take the errors of
-- greenlets. Without objects, which only the main greenlet may ask for, it waits until nothing is
-- left to run.
--
-- ```lua
-- local function after(seconds, name) greenlet.sleep(seconds) return name end
-- local list = {greenlet.spawn(after, 0.06, "slow"), greenlet.spawn(after, 0.02, "fast")}
-- for g in greenlet.iwait(list) do print(g.value) end
-- print(#greenlet.wait(list), #greenlet.wait(list, nil, 1))
-- ```
--
-- ```text
-- fast
-- slow
-- 2	1
-- ```
-- @function greenlet.wait
-- @tparam[opt] table objects a list; nil: see above
-- @tparam[opt] number|Timeout timeout seconds; nil: for ever
-- @tparam[opt] integer count wait for so many only
-- @treturn table the ready ones, in the order in which they became ready; without objects true, or
--   false on timeout
-- @raise bad argument: an item without `rawlink`; InvalidSwitchError: no objects, and not the main
--   greenlet
-- @switches yes
-- @source gevent.wait
function core.wait(objects, timeout, count)
  local dead = objects ~= nil and core.waiter.join(objects, timeout, count, nil, true)
  if dead then return dead end
  core.check_time(timeout, 2, "wait")
  core.waiter.check_count(count, 3, "wait")
  if objects == nil then return core.join(timeout) end
  core.waiter.check_list(objects, 1, "wait")
  return core.waiter.collect(objects, timeout, count)
end

--- Iterate over objects as they become ready.
-- As `greenlet.wait`, but an iterator. Leaving its loop early unlinks the rest.
-- @function greenlet.iwait
-- @tparam table objects a list of anything with `rawlink` and `unlink`
-- @tparam[opt] number|Timeout timeout seconds for all together; nil: for ever
-- @tparam[opt] integer count stop after so many
-- @treturn function for a generic `for`
-- @raise bad argument: an item without `rawlink`
-- @switches yes, in each round that has to wait
-- @usage for g in greenlet.iwait(list) do print(g.value) end
-- @source gevent.iwait
function core.iwait(objects, timeout, count)
  core.check_time(timeout, 2, "iwait")
  core.waiter.check_count(count, 3, "iwait")
  if objects == nil then
    local done
    return function()
      if done then return nil end
      done = true
      return core.join(timeout)
    end
  end
  core.waiter.check_list(objects, 1, "iwait")
  local left = count and math.min(count, #objects) or #objects
  local waiter = core.waiter.new(objects, timeout)
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

local function raise_failure(g)
  if core.is_greenlet(g) and g:ready() and not g:successful() then
    core.take(g)
    core.raise((core.failure(g)))
  end
end

--- Wait for all greenlets of a list, or for some of them.
--
-- ```lua
-- greenlet.get_hub().exception_stream = false -- no reports
-- local bad = greenlet.spawn(error, "no luck")
-- local good = greenlet.spawn(greenlet.sleep, 0.01)
-- print(pcall(greenlet.joinall, {good, bad}, nil, true))
-- ```
--
-- ```text
-- false	no luck
-- ```
-- @function greenlet.joinall
-- @tparam table list of greenlets, or anything that `greenlet.wait` takes
-- @tparam[opt] number|Timeout timeout seconds; nil: for ever
-- @tparam[opt=false] boolean raise_error raise the first error seen, and
--   [take](failures.md#who-takes-an-error) it
-- @tparam[opt] integer count wait for so many only
-- @treturn table those finished, in the order in which they finished
-- @raise bad argument; the first error, with *raise_error*
-- @switches yes
-- @source gevent.joinall
function core.joinall(list, timeout, raise_error, count)
  local each = raise_error and raise_failure or nil
  local dead = core.waiter.join(list, timeout, count, each, true)
  if dead then return dead end
  core.waiter.check_list(list, 1, "joinall")
  core.check_time(timeout, 2, "joinall")
  core.waiter.check_count(count, 4, "joinall")
  return core.waiter.collect(list, timeout, count, each)
end

--- Kill every greenlet of a list, raw ones too.
-- If the list holds the current greenlet, that one goes last.
-- @function greenlet.killall
-- @tparam table list of greenlets
-- @tparam[opt=GreenletExit] any exception as for `Greenlet:kill`
-- @tparam[opt=true] boolean block wait until all are dead
-- @tparam[opt] number|Timeout timeout seconds to wait at most; nil: for ever
-- @raise Timeout when the timeout expires first; bad argument: an item that is no greenlet
-- @switches with *block*
-- @usage greenlet.killall(workers)
-- @source gevent.killall
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
    if #core.waiter.collect(others, timeout) < #others then
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
