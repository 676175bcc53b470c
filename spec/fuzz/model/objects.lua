--- Operations on queues, locks, events, pools and scopes.

-- ---- Queues ----

function is_channel(object) return queues[object].kind == "channel" end

function M.put(object, block, limit)
  local item = new_item(object, call())
  local model = queues[object]
  local noted <close> = closer(function(err) if err ~= nil
    or item.state == "putting" then item.state = "failed" end end)
  wait("put", limit, function()
    if model.shut then return false end
    return is_channel(object) and object.balance > 0 or not is_channel(object) and object:full()
  end, object.put, object, item, block, limit)
  if item.state == "putting" then note_put(item) end
end

function getting(object)
  if queues[object].shut then return false end
  if is_channel(object) then return object.balance < 0 end
  return object:empty()
end

function M.take(object, block, limit)
  local number = call()
  local item = wait("take", limit, function() return getting(object) end, object.get, object,
    block, limit)
  note_got(queues[object], number, item)
end

function M.peek(object, block, limit)
  if is_channel(object) then return end
  local item = wait("peek", limit, function() return getting(object) end, object.peek, object,
    block, limit)
  check(item == "initial" or item.to == queues[object], "peek shows an item of another queue")
end

function M.iterate(object, n)
  local number = call()
  local rest = n
  wait("iterate", nil, function() return getting(object) end, function()
    for item in object:iter() do
      note_got(queues[object], number, item)
      number = call()
      rest = rest - 1
      if rest < 0 then break end
    end
  end)
end

function M.queue_join(object, limit)
  if not object.join then return end
  wait("queue_join", limit, function() return object.unfinished_tasks > 0 end, object.join, object,
    limit)
end
function M.task_done(object) if object.task_done then object:task_done() end end
function M.shutdown(object, immediate)
  local model = queues[object]
  object:shutdown(immediate)
  model.shut = true
  model.dropped = model.dropped or immediate
end
function M.maxsize(object, n)
  if is_channel(object) then return end
  object.maxsize = n > 0 and n or nil
end
function M.copy(object)
  if object.copy then
    local copy = object:copy()
    check(#copy == #object, "a copy of another length")
  end
end

function M.queue_link(object, f)
  if not object.rawlink then return end
  object:rawlink(function(x)
    check(x == object, "a link with another object")
    if not over then f() end
  end)
end

-- Could it be done now? Of a channel that is not known: its other end may be this very select.
function case_ready(object, how)
  local model = queues[object]
  if how == "wait" then return is_ready(object) end
  if model.kind == "channel" then return model.shut end
  if how == "get" then return not getting(object) end
  return model.shut or not object:full()
end

function M.select(cases, limit)
  local number = call()
  for _, case in ipairs(cases) do
    if case[2] == "put" then case[3] = new_item(case[1], number) end
  end
  local index, item
  local noted <close> = closer(function()
    for i, case in ipairs(cases) do
      if i ~= index and case[3] then case[3].state = "failed" end
    end
  end)
  index, item = wait("select", limit, function()
    for _, case in ipairs(cases) do
      if case_ready(case[1], case[2]) then return false end
    end
    return true
  end, G.select, cases, limit)
  if not index then
    check(limit ~= nil, "a select without limit gave up")
  elseif cases[index][2] == "get" then
    note_got(queues[cases[index][1]], number, item)
  elseif cases[index][2] == "put" then
    note_put(cases[index][3])
  end
end

-- ---- Locks ----

function acquired(object)
  local m = locks[object]
  m.held = m.held + 1
  if m.kind == "dummy" then return end
  if m.kind == "reentrant" then
    check(object.owner == G.getcurrent(), "a lock of somebody else")
    return
  end
  -- Whoever released what another holds gave back a permit that the model still counts as held.
  local held = m.broken and 0 or m.held
  check(object.counter + held <= m.total, "a permit too many")
end

function M.locked(object, block, limit, f)
  local m = locks[object]
  local me = G.getcurrent()
  if not wait("acquire", limit, function()
    if m.kind == "reentrant" then return object.owner ~= nil end
    return object.counter == 0
  end, object.acquire, object, block, limit) then
    check(block == false or limit ~= nil, "acquire gave up")
    return
  end
  acquired(object)
  local held <close> = closer(function()
    if G.getcurrent() ~= me and m.kind == "reentrant" then m.broken = true end
    m.held = m.held - 1
    object:release()
  end)
  f()
end

function M.with(object, f)
  object:with(function()
    acquired(object)
    local held <close> = closer(function() locks[object].held = locks[object].held - 1 end)
    f()
  end)
end

function M.release(object)
  local m = locks[object]
  object:release()
  if m.kind == "semaphore" then
    m.total = m.total + 1
  else
    m.broken = true
  end
end

function M.lock_wait(object, limit)
  wait("lock_wait", limit, function() return not object:ready() end, object.wait, object, limit)
end

function M.hold(object, f)
  local held <close> = object:hold()
  acquired(object)
  local counted <close> = closer(function() locks[object].held = locks[object].held - 1 end)
  f()
end

-- ---- Events and results ----

function M.set(object) object:set() end
function M.clear(object) object:clear() end
function M.event_wait(object, limit)
  local set = wait("event_wait", limit, function() return not object:is_set() end, object.wait,
    object, limit)
  check(set or limit ~= nil, "an event's wait gave up")
end
function M.set_result(object) object:set("value") end
function M.set_error(object, err) object:set_exception(err or "killed") end
function M.get_result(object, block, limit)
  wait("get_result", limit, function() return not object:ready() end, object.get, object, block,
    limit)
  check(object:ready(), "a result before there is one")
end
function M.wait_result(object, limit)
  wait("wait_result", limit, function() return not object:ready() end, object.wait, object, limit)
end

-- ---- Pools ----

-- Whoever waits for a place, or for members.
function pool_wait(pool, limit, f, ...)
  return wait("pool", limit, nil, f, pool, ...)
end

function M.pool_spawn(pool, i, f)
  local record = { entered = 0 }
  g[i] = new_record(pool_wait(pool, nil, pool.spawn, body, record, f), record)
  check_pool(pool)
end
function M.pool_apply(pool, f)
  local value = pool_wait(pool, nil, pool.apply, function(x) f() return x end, { 5 })
  check(value == 5 or G.GreenletExit:class_of(value), "what apply returns")
end
function M.pool_async(pool, f) pool_wait(pool, nil, pool.apply_async, f) end
function M.pool_map(pool, n, f)
  local list = {}
  for i = 1, n do list[i] = i end
  local values = pool_wait(pool, nil, pool.map, function(x) f() return x + 1 end, list)
  check(values.n == n, "the n of a map")
  for i = 1, n do
    check(values[i] == i + 1 or G.GreenletExit:class_of(values[i]), "a value of a map")
  end
end
function imap(pool, how, n, most, f)
  local list = {}
  for i = 1, n do list[i] = i end
  local seen = 0
  wait("imap", nil, nil, function()
    for value in pool[how](pool, { function(x) f() return x end, maxsize = most > 0 and most
      or nil }, list) do
      seen = seen + 1
      if how == "imap" then check(value == seen or G.GreenletExit:class_of(value),
        "a value of an imap") end
    end
  end)
  check(seen == n, "%d values of an imap of %d", seen, n)
end
function M.pool_imap(pool, n, most, f) imap(pool, "imap", n, most, f) end
function M.pool_unordered(pool, n, f) imap(pool, "imap_unordered", n, 0, f) end
function M.pool_add(pool, x, block, limit) pool_wait(pool, nil, pool.add, x, block,
  limit) check_pool(pool) end
function M.pool_discard(pool, x) pool:discard(x) check_pool(pool) end
function M.pool_start(pool, i, f)
  local record = { entered = 0 }
  g[i] = new_record(G.Greenlet(body, record, f), record)
  pool_wait(pool, nil, pool.start, g[i])
end
function M.pool_join(pool, limit, raise)
  local empty = wait("pool_join", limit, function() return #pool > 0 end, pool.join, pool, limit,
    raise)
  check(empty or limit ~= nil, "a pool's join gave up")
end
function M.pool_kill(pool, err, block, limit)
  wait("pool_kill", limit, function() return #pool > 0 end, pool.kill, pool, err, block, limit)
end
function M.pool_killone(pool, x) wait("pool_killone", nil, function() return not x.dead end,
  pool.killone, pool, x) end
function M.pool_wait(pool, limit)
  wait("pool_wait", limit, function() return pool:full() end, pool.wait_available, pool, limit)
end

function M.pool_break(pool, n, f)
  for _ in pool:imap_unordered({ function() f() end, maxsize = 1 }, { 1, 2, 3, 4 }) do
    n = n - 1
    if n < 0 then break end
  end
end
function M.pool_map_async(pool, n)
  local list = {}
  for i = 1, n do list[i] = i end
  local g_ = pool_wait(pool, nil, pool.map_async, function(x) return x * 2 end, list)
  local values = wait("map_async", nil, function() return not g_.dead end, g_.get, g_)
  check(G.GreenletExit:class_of(values) or values.n == n, "the n of a map")
end
function M.pool_callback(pool, f)
  local calls = 0
  pool_wait(pool, nil, pool.apply_cb, function() return 7 end, {}, function(value)
    calls = calls + 1
    check(calls == 1, "a callback was called twice")
    check(value == 7 or G.GreenletExit:class_of(value), "a callback with %s", value)
    if not over then f() end
  end)
end
function M.pool_iterate(pool, err)
  for x in pool:iter() do
    check(not x.dead, "a dead member")
    if x ~= G.getcurrent() and x ~= hub then G.kill(x, err) end
  end
end

-- ---- Scopes ----

scopes = {}
function M.scope(i, limit, f)
  local model
  local checked <close> = closer(function()
    if not model then return end
    for _, x in ipairs(model.children) do check(x.dead, "a child outlives its scope") end
    model.over = true
  end)
  wait("scope", nil, function()
    if not model or not model.body_over then return true end
    for _, x in ipairs(model.children) do if not x.dead then return true end end
    return false
  end, G.scope, function(scope)
    model = { scope = scope, children = {} }
    scopes[i] = model
    s[i] = scope
    local body <close> = closer(function() model.body_over = true end)
    f()
  end, limit and { timeout = limit } or nil)
end
function model_of(scope)
  for _, model in pairs(scopes) do if model.scope == scope then return model end end
end
function M.scope_spawn(scope, i, f)
  if not scope then return end
  local model = model_of(scope)
  local record = { entered = 0 }
  g[i] = new_record(scope:spawn(body, record, f), record)
  if model and not model.over then model.children[#model.children + 1] = g[i] end
end
function M.scope_cancel(scope, err) if scope then scope:cancel(err) end end
function M.scope_shutdown(scope, limit) if scope then scope:shutdown(limit) end end
function M.scope_wait(scope, limit) if scope then M.event_wait(scope.stopping, limit) end end
