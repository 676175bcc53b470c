-- The mapping functions of Group and Pool: many calls, and their values.
--
-- Each call is a greenlet that is a member of the group, and belongs to a job
-- (job.c), which is told of its end.

local core = ...
local Greenlet = core.Greenlet
local outcome, getcurrent, sleep = core.outcome, core.getcurrent, core.sleep
local job_spawn_all = core.job_spawn_all

-- Calls that are started before they have a turn; as in job.c.
local IN_A_ROW = 64

local function expected(argument, name, what, value)
  core.argerror(argument, name, ("%s expected, got %s"):format(what, core.typename(value)))
end

local function check_callable(f, argument, name)
  if not core.callable(f) then expected(argument, name, "function", f) end
end

local function check_callback(f, name)
  if f ~= nil then check_callable(f, 3, name) end
end

local function check_list(list, name)
  if list == nil then return {} end
  if type(list) ~= "table" then expected(2, name, "list", list) end
  return list
end

-- Of what may have holes, and a metatable.
local function length(list)
  local n = rawget(list, "n")
  return math.type(n) == "integer" and n or #list
end

local function unpack_list(list) return table.unpack(list, 1, length(list)) end

-- ---- Items ----

-- Each of these returns a function that returns true and the next item, or false.

local function from_list(list)
  local i, n = 0, length(list)
  return function()
    i = i + 1
    if i > n then return false end
    return true, list[i]
  end
end

-- As `for ... in f, state, control do`: an item may be several values.
local function from_iterator(f, state, control)
  local function step(first, ...)
    control = first
    if first == nil then return false end
    return true, first, ...
  end
  return function() return step(f(state, control)) end
end

local function is_iterable(source)
  return core.class:class_of(source) and core.callable(source.iter)
end

local function from_source(source, argument, name)
  if is_iterable(source) then return from_iterator(source:iter()) end
  if type(source) == "table" then return from_list(source) end
  expected(argument, name, argument == 2 and "list or function" or "list", source)
end

-- One of each, to the end of the shortest.
local function zip(readers)
  return function()
    local items = { n = #readers }
    for i, read in ipairs(readers) do
      local more, item = read()
      if not more then return false end
      items[i] = item
    end
    return true, unpack_list(items)
  end
end

-- What imap and map take after f: lists, or what a generic for takes. Returns the
-- closing value of that, too.
local function read_items(name, ...)
  local first, state, control, closing = ...
  if core.callable(first) and not is_iterable(first) then
    return from_iterator(first, state, control), closing
  end
  local readers = table.pack(...)
  for i = 1, math.max(1, readers.n) do readers[i] = from_source(readers[i], i + 1, name) end
  return #readers == 1 and readers[1] or zip(readers)
end

-- ---- map ----

-- What a map knows of its calls. `failure` is the first one, in the order of the
-- items, that has failed, and `before` how many that come before it are not done.
local function new_map(members, items)
  local map = { values = {}, waiting = false, failure = false, err = false, before = false }
  local job
  job = core.job(members, function(g, i)
    local ok, value = outcome(g)
    if ok then map.values[i] = value end
    local before = map.before
    if not ok and i < (map.failure or math.huge) then
      before = core.job_before(job, i)
    elseif map.failure and i < map.failure then
      before = before - 1
    end
    if map.waiting and (before == 0 or core.job_left(job) == 0) then
      core.unpark(map.waiting)
      map.waiting = false
    end
    -- What could fail, and then is done again, is behind us.
    map.before = before
    if not ok and i < (map.failure or math.huge) then map.failure, map.err = i, value end
  end, items, map.values)
  map.job = job
  return map
end

local function finish(map, n)
  core.job_tell(map.job)
  repeat
    map.waiting = getcurrent() -- before it looks, for in a debug hook the last call may end
    local done = core.job_left(map.job) == 0 or map.before == 0
    local ok, err = true, nil
    if not done then ok, err = core.pcall(core.park, "the calls of a map", nil, map) end
    map.waiting = false
    if not ok then core.raise(err) end
  until done
  if map.failure then core.raise(map.err) end
  map.values.n = n
  return map.values
end

-- Map a plain list in a group of plain Greenlets.
local function map_list(group, f, list)
  local map, n, places = new_map(group._members, list), length(list), group._places
  local i, no_place = 1, false
  do
    local entering <close> = group:_entering()
    while i <= n and map.before ~= 0 do
      i, no_place = job_spawn_all(map.job, f, i, n, no_place, places)
      entering:pulse()
      if not no_place and i <= n then sleep(0) end
    end
  end
  return finish(map, n)
end

-- The next call of a job, if there is an item: returns whether there was.
local function call_next(job, group, f, more, ...)
  if more then group:_call(job, core.job_begun(job) + 1, f, ...) end
  return more
end

local function map_each(group, f, read, closing)
  local closed <close> = closing
  local map, n = new_map(group._members), 0
  while map.before ~= 0 and call_next(map.job, group, f, read()) do
    n = n + 1
    if n % IN_A_ROW == 0 then sleep(0) end
  end
  return finish(map, n)
end

-- ---- imap ----

-- All of this is done in the hub, again if there was no memory: an entry that is in
-- the queue already must not be put there twice.

-- An entry is a dead greenlet, or {error} of a source.
local function deliver_ordered(map, i, entry)
  local early = map.early
  if i < map.first then return end
  early[i] = entry
  while early[map.first] do
    map.queue:put(early[map.first])
    early[map.first] = nil
    map.first = map.first + 1
  end
end

local function deliver_at_once(map, entry)
  local given = map.given
  if given[entry] then return end
  given[entry] = false -- memory for what follows
  map.queue:put(entry)
  given[entry] = true
end

local function deliver(map, i, entry)
  if map.ordered then deliver_ordered(map, i, entry) else deliver_at_once(map, entry) end
end

local function check_over(map)
  if map.all_started and core.job_left(map.job) == 0 then map.queue:shutdown() end
end

local function new_imap(members, ordered, maxsize)
  local map = {
    ordered = ordered, first = 1, early = {}, queue = core.module.queue.UnboundQueue(),
    given = setmetatable({}, { __mode = "k" }), all_started = false, failed = false,
    failure = { false },
    room = maxsize and core.module.lock.Semaphore(maxsize),
  }
  map.job = core.job(members, function(g, i)
    deliver(map, i, g)
    check_over(map)
  end)
  return map
end

local function call_all(map, group, f, read, closing)
  local closed <close> = closing
  repeat
    if map.room then map.room:acquire() end
  until not call_next(map.job, group, f, read())
end

-- What the greenlet of an imap does.
local function run_imap(map, ...)
  local ok, err = core.pcall(call_all, map, ...)
  if ok or core.is_exit(err) then return end
  map.failed = true
  map.failure[1] = err
end

-- It is dead. Who iterates hears of it even if there was no memory for it to begin.
local function feeder_died(map, feeder)
  if not map.failed and not feeder:successful() then
    map.failed = true
    map.failure[1] = feeder.exception
  end
  if map.failed then deliver(map, core.job_begun(map.job) + 1, map.failure) end
  map.all_started = true -- not before that: there is no putting after the end
  check_over(map)
end

local function give(ok, ...)
  if ok then return ... end
  core.raise((...))
end

local function next_values(map)
  if map.over then return nil end
  if map.room and not map.asked then
    map.asked = true
    map.room:release()
  end
  local ok, entry = core.pcall(map.queue.get, map.queue)
  map.asked = false
  if not ok then
    if not core.module.queue.ShutDown:class_of(entry) then core.raise(entry) end
    map.over = true
    return nil
  end
  if core.is_greenlet(entry) then return give(outcome(entry)) end
  core.raise(entry[1])
end

-- The iterator is left, or garbage: no more calls.
local function stop(token) core.kill(token.spawner) end

local token_meta = { __name = "imap", __close = stop, __gc = stop }

-- f, or {f, maxsize = n}
local function read_options(f, name)
  if core.callable(f) then return f end
  if type(f) ~= "table" then expected(1, name, "function", f) end
  check_callable(f[1], 1, name)
  for key in pairs(f) do
    if key ~= 1 and key ~= "maxsize" then
      core.argerror(1, name, ("unknown option '%s'"):format(core.tostring(key)))
    end
  end
  local maxsize = f.maxsize
  if maxsize ~= nil then
    core.check_integer(1, name, maxsize)
    if maxsize < 0 then core.argerror(1, name, "maxsize must not be negative") end
  end
  return f[1], maxsize
end

local function imap(group, name, ordered, options, ...)
  local f, maxsize = read_options(options, name)
  local read, closing = read_items(name, ...)
  local map = new_imap(group._members, ordered, maxsize)
  local spawner = Greenlet(run_imap, map, group, f, read, closing)
  core.link_quietly(spawner, function() feeder_died(map, spawner) end)
  spawner:start()
  local token = setmetatable({ map = map, spawner = spawner }, token_meta)
  return function() return next_values(token.map) end, nil, nil, token
end

-- ---- The methods ----

local function call_back(callback, ...)
  if callback then Greenlet.spawn(callback, ...) end
  return ...
end

-- Give the class Group its mapping functions.
function core.mapping(Group)
  --- Call `f(...)` in a member and wait for its values.
  -- Called by a member it calls *f* in that: so members may use a full pool.
  -- @function Group:apply
  -- @tparam function f what to call
  -- @tparam[opt] table args the list of its arguments, with `n` if it has holes
  -- @treturn any all values of *f*
  -- @raise the error of *f*; bad argument
  -- @switches yes
  -- @usage print(pool:apply(fetch, {url}))
  -- @source gevent.pool.Group.apply
  function Group:apply(f, args)
    check_callable(f, 1, "apply")
    args = check_list(args, "apply")
    if self:contains(getcurrent()) then return f(unpack_list(args)) end
    core.check_may_wait()
    return self:spawn(f, unpack_list(args)):get()
  end

  --- Call `f(...)` in a member, wait for its values, and start `callback(...)` with them.
  -- The callback runs in a greenlet that is no member.
  -- @function Group:apply_cb
  -- @tparam function f what to call
  -- @tparam[opt] table args the list of its arguments, with `n` if it has holes
  -- @tparam[opt] function callback what to start with the values
  -- @treturn any all values of *f*
  -- @raise the error of *f*; bad argument
  -- @switches yes
  -- @usage pool:apply_cb(fetch, {url}, print)
  -- @source gevent.pool.Group.apply_cb
  function Group:apply_cb(f, args, callback)
    check_callable(f, 1, "apply_cb")
    args = check_list(args, "apply_cb")
    check_callback(callback, "apply_cb")
    return call_back(callback, self:apply(f, args))
  end

  --- Start `f(...)` in a member, and then `callback(...)` with its values; wait for nothing.
  -- @function Group:apply_async
  -- @tparam function f what to call
  -- @tparam[opt] table args the list of its arguments, with `n` if it has holes
  -- @tparam[opt] function callback what is called with the values in a greenlet that is no member
  -- @treturn Greenlet one whose values are those of *f*; in a full pool it is no member, but one
  --   that waits for a place
  -- @raise bad argument
  -- @usage local g = pool:apply_async(fetch, {url})
  -- @source gevent.pool.Group.apply_async
  function Group:apply_async(f, args, callback)
    check_callable(f, 1, "apply_async")
    args = check_list(args, "apply_async")
    check_callback(callback, "apply_async")
    if self:full() then return Greenlet.spawn(self.apply_cb, self, f, args, callback) end
    local g = self:spawn(f, unpack_list(args))
    if callback then g:link_value(function() callback(g:get()) end) end
    return g
  end

  --- Call `f(item)` for each item of a list, each in a member, and wait for all values.
  -- If calls fail it raises the error of the first one in the order of the items, as soon as all
  -- before it are done; it starts no more calls then, and leaves those alone that run. It is the
  -- same if the greenlet that maps is killed or its time is up.
  -- @function Group:map
  -- @tparam function f what to call
  -- @tparam any ... a list (with `n` if it has holes), an object with a method `iter`, a queue for
  --   one, or what a generic `for` takes
  -- @treturn table the list of their first values in the order of the items, with `n`
  -- @raise the error of a call; bad argument
  -- @switches yes
  -- @usage local sizes = pool:map(fetch, urls)
  --   pool:map(check, io.lines(path))
  -- @source gevent.pool.Group.map
  function Group:map(f, ...)
    check_callable(f, 1, "map")
    local read, closing = read_items("map", ...)
    core.check_may_wait()
    local list = ...
    local plain = self.greenlet_class == Greenlet and select("#", ...) == 1
      and type(list) == "table" and not core.rawmetatable(list)
    if plain then return map_list(self, f, list) end
    return map_each(self, f, read, closing)
  end

  --- Call `f(item)` for each item as `Group:map`, then `callback(result)`, and return the result.
  -- @function Group:map_cb
  -- @tparam function f what to call
  -- @tparam any list a list, an object with a method `iter`, or an iterator
  -- @tparam[opt] function callback what is called with the list of values
  -- @treturn table the list of their first values in the order of the items, with `n`
  -- @raise the error of a call, or of the callback; bad argument
  -- @switches yes
  -- @usage pool:map_cb(fetch, urls, save)
  -- @source gevent.pool.Group.map_cb
  function Group:map_cb(f, list, callback)
    check_callback(callback, "map_cb")
    local result = self:map(f, list)
    if callback then callback(result) end
    return result
  end

  --- Start `Group:map_cb` in a greenlet that is no member.
  -- @function Group:map_async
  -- @tparam function f what to call
  -- @tparam any list a list, an object with a method `iter`, or an iterator
  -- @tparam[opt] function callback what is called with the list of values
  -- @treturn Greenlet one whose value is that list
  -- @raise bad argument
  -- @usage local sizes = pool:map_async(fetch, urls):get()
  -- @source gevent.pool.Group.map_async
  function Group:map_async(f, list, callback)
    check_callable(f, 1, "map_async")
    read_items("map_async", list)
    check_callback(callback, "map_async")
    return Greenlet.spawn(self.map_cb, self, f, list, callback)
  end

  --- Iterate over all values of each call `f(item, ...)`, in the order of the items.
  -- Calls are started whether somebody asks for their values or not, as many as there is room for.
  -- The error of an item, or of the iterator that gives the items, is raised when its turn comes;
  -- the next call of the iterator goes on behind it. A call that returns nil ends a loop, as in
  -- every `for`. When a loop is left no more calls are started; nor when the iterator is
  -- [garbage](garbage.md).
  -- @function Group:imap
  -- @tparam function|table f what to call; `{f, maxsize = n}`: no more than *n* values are held for
  --   the one who iterates
  -- @tparam any ... lists (with `n` if they have holes): *f* gets an item of each, until the
  --   shortest ends; or what a generic `for` takes
  -- @treturn function for a generic `for`, and what else that takes
  -- @raise bad argument; in the loop, the error of a call
  -- @switches yes, in the loop
  -- @usage for text in pool:imap(fetch, urls) do print(#text) end
  -- @source gevent.pool.Group.imap
  function Group:imap(f, ...) return imap(self, "imap", true, f, ...) end

  --- Iterate over all values of each call `f(item, ...)`, in the order in which the calls end.
  -- Everything else is as in `Group:imap`.
  -- @function Group:imap_unordered
  -- @tparam function|table f what to call; `{f, maxsize = n}`: no more than *n* values are held for
  --   the one who iterates
  -- @tparam any ... lists (with `n` if they have holes), or what a generic `for` takes
  -- @treturn function for a generic `for`, and what else that takes
  -- @raise bad argument; in the loop, the error of a call
  -- @switches yes, in the loop
  -- @usage for text in pool:imap_unordered(fetch, urls) do print(#text) end
  -- @source gevent.pool.Group.imap_unordered
  function Group:imap_unordered(f, ...) return imap(self, "imap_unordered", false, f, ...) end
end
