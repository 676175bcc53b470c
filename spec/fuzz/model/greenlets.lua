--- Operations on greenlets: base.lua tells how the files of this directory go together.

-- ---- Greenlets: operations ----

function M.spawn(i, f)
  local record = { entered = 0 }
  g[i] = new_record(G.spawn(body, record, f), record)
end

function M.spawn_later(i, seconds, f)
  local record = { entered = 0 }
  g[i] = new_record(G.spawn_later(seconds, body, record, f), record)
end

function M.new(i, f)
  local record = { entered = 0 }
  g[i] = new_record(G.Greenlet(body, record, f), record)
end

Pinned = G.Greenlet:extend("Pinned")
Pinned.pinned = true
function M.pinned(i, f)
  local record = { entered = 0 }
  g[i] = new_record(Pinned.spawn(body, record, f), record)
end

Derived = G.Greenlet:extend("Derived")
function Derived:init(record, f)
  Derived.super.init(self)
  self.record, self.f = record, f
end
function Derived:_run() return body(self.record, self.f) end
function Derived:__tostring() return "a Derived" end
function M.derived(i, f)
  local record = { entered = 0 }
  g[i] = new_record(Derived(record, f), record)
  g[i]:start()
end

function M.start(x) G.Greenlet.start(x) end
function M.start_later(x, seconds) G.Greenlet.start_later(x, seconds) end

function M.raw(i, f)
  g[i] = G.greenlet(f)
  raws[g[i]] = true
end
function M.raw_under(i, parent, f)
  g[i] = G.greenlet(f, parent)
  raws[g[i]] = true
end
function M.spawn_raw(i, f)
  g[i] = G.spawn_raw(f)
  raws[g[i]] = true
end

function suspended(f, ...) return wait("switch", nil, nil, f, ...) end
function M.switch(x) suspended(x.switch, x, 1, nil) end
function M.throw(x, err) suspended(x.throw, x, err) end
function M.reparent(x, parent) x.parent = parent end

function is_raw(x) return not record_of[x] end

function M.kill(x, err, block, limit)
  if is_raw(x) then return G.kill(x, err) end
  wait("kill", limit, function() return not x.dead end, x.kill, x, err, block, limit)
  if block ~= false and limit == nil and x ~= G.getcurrent() then check(x.dead,
    "a kill that did not wait") end
end
function M.kill_later(x, err) G.kill(x, err) end
function M.killall(list, err, block, limit)
  wait("killall", limit, function()
    for _, x in ipairs(list) do if not x.dead then return true end end
    return false
  end, G.killall, list, err, block, limit)
end

-- ---- Links ----

function add_link(x, f, how)
  if is_raw(x) then return end
  local record = { g = x, calls = 0, how = how }
  links[#links + 1] = record
  record.f = function(object)
    check(object == x, "a link with another object")
    check(object.dead, "a link of one that lives")
    check(not record.unlinked, "a link that was unlinked")
    record.calls = record.calls + 1
    check(record.calls == 1, "a link that was called twice")
    if not over then f() end
  end
  x[how](x, record.f)
  record.linked = true
end
function M.link(x, f) add_link(x, f, "link") end
function M.link_value(x, f) add_link(x, f, "link_value") end
function M.link_exception(x, f) add_link(x, f, "link_exception") end
function M.rawlink(x, f) add_link(x, f, "rawlink") end
function M.link_result(x, result) if not is_raw(x) then x:link(result) end end
function M.unlink(n)
  local record = links[#links - n]
  if not record then return end
  record.g:unlink(record.f)
  if record.calls == 0 then record.unlinked = true end
end
function M.unlink_all(x)
  if is_raw(x) then return end
  x:unlink_all()
  for _, record in ipairs(links) do
    if record.g == x and record.calls == 0 then record.unlinked = true end
  end
end

-- ---- Waits for greenlets ----

function M.join(x, limit)
  wait("join", limit, function() return not x.dead end, G.Greenlet.join, x, limit)
  if limit == nil then check(x.dead, "join came back before the end") end
end

function M.get(x, block, limit)
  local values = table.pack(wait("get", limit, function() return not x.dead end, G.Greenlet.get, x,
    block, limit))
  check(x.dead, "get came back before the end")
  local record = record_of[x]
  if record and record.returned then
    check(values.n == 3 and values[1] == record.value and values[2] == "second", "what get returns")
  end
end

function check_list(done, list, count)
  local seen = {}
  for _, x in ipairs(list) do seen[x] = (seen[x] or 0) + 1 end
  for _, x in ipairs(done) do
    check((seen[x] or 0) > 0, "one that was not asked for")
    seen[x] = seen[x] - 1
  end
  if count then check(#done <= math.max(count, 0) or count == 0, "more than were asked for") end
end

function M.joinall(list, limit, raise, count)
  if count == 0 then count = nil end
  local done = wait("joinall", limit, function()
    local living = 0
    for _, x in ipairs(list) do if not x.dead then living = living + 1 end end
    return living > 0 and (not count or #list - living < count)
  end, G.joinall, list, limit, raise, count)
  check_list(done, list)
  for _, x in ipairs(done) do check(x.dead, "joinall returns one that lives") end
  if limit == nil then
    check(#done >= math.min(count or #list, #list), "joinall came back too early")
  end
end

function is_ready(x)
  if queues[x] then
    return queues[x].shut or queues[x].kind == "channel" and x.balance > 0
      or queues[x].kind ~= "channel" and not x:empty()
  end
  return x:ready()
end

function M.wait(list, limit, count)
  if count == 0 then count = nil end
  local done = wait("wait", limit, function()
    local ready = 0
    for _, x in ipairs(list) do if is_ready(x) then ready = ready + 1 end end
    return ready < (count or #list)
  end, G.wait, list, limit, count)
  check_list(done, list, count)
  if limit == nil then check(#done >= math.min(count or #list, #list),
    "wait came back too early") end
end

function M.iwait(list, limit, n)
  local done = {}
  local function pending()
    local left = {}
    for _, x in ipairs(list) do left[x] = (left[x] or 0) + 1 end
    for _, x in ipairs(done) do left[x] = left[x] - 1 end
    for x, number in pairs(left) do
      if number > 0 and is_ready(x) then return false end
    end
    return true
  end
  local all = wait("iwait", limit, pending, function()
    for x in G.iwait(list, limit) do
      done[#done + 1] = x
      if #done == n then return false end
    end
    return true
  end)
  check_list(done, list)
  if limit == nil and all then check(#done == #list, "iwait left some out") end
end

function M.sleep(seconds)
  local before = C.now()
  wait("sleep", seconds, nil, G.sleep, seconds)
  check(C.now() - before >= seconds - 0.002, "slept too short: %g", C.now() - before)
end
-- While a trace function waits, the loop goes round and round for the watcher that has woken this.
function M.idle() if not traced then wait("idle", nil, nil, G.idle) end end

-- ---- Errors, variables, timeouts, coroutines ----

function M.raise(err)
  error(err, 0)
end

function M.closing(f)
  local times, counted = 0, not in_coroutine()
  local variable <close> = closer(function()
    times = times + 1
    check(times == 1, "a variable that was closed twice")
    if counted then closed = closed + 1 end
    if not over then f() end
  end)
  if counted then opened = opened + 1 end
  M.sleep(0.001)
end

function M.bound(f)
  local record = { entered = 0 }
  do
    local x <close> = new_record(G.spawn(body, record, f), record)
    blocked[G.getcurrent()] = nil
  end
  check(record.g.dead, "one that outlives its block")
end

function limit(seconds) return G.Timeout(seconds) end

function M.with_timeout(seconds, f)
  G.with_timeout(seconds, f)
end
function M.with_value(seconds, f)
  local value = G.with_timeout({ seconds, timeout_value = "late" },
    function() f() return "early" end)
  check(value == "early" or value == "late", "what with_timeout returns")
end
function M.start_timeout(i, seconds, err)
  timeouts[i] = G.Timeout.start_new(seconds, err)
  closing[#closing + 1] = timeouts[i]
end
function M.cancel_timeout(i) if timeouts[i] then timeouts[i]:cancel() end end
function M.close_timeout(i) if timeouts[i] then timeouts[i]:close() end end
function M.run_timeout(i, seconds, err, f)
  timeouts[i] = G.Timeout(seconds, err)
  timeouts[i]:run(f)
end

function M.coroutine(i, f) coroutines[i] = coroutine.create(f) end
function M.resume(i)
  if coroutines[i] then
    local ok, err = coroutine.resume(coroutines[i])
    if not ok then check_error(err) end
  end
end
function M.yield() if in_coroutine() then coroutine.yield() end end
function M.close_coroutine(i) if coroutines[i] then coroutine.close(coroutines[i]) end end

function M.sort(f)
  local list = { 3, 1, 2 }
  table.sort(list, function(a, b)
    f()
    return a < b
  end)
end
function M.gsub(f) ("ab"):gsub(".", function() f() end) end
function M.metamethod(f)
  local object = setmetatable({}, { __index = function() f() return 1 end,
    __add = function() f() return 2 end })
  check(object.field + (object + 1) == 3, "metamethods")
end

-- Deep in C: the stack that is kept of who waits here is a large one.
function M.deep(n, f)
  local function level(left)
    if left == 0 then return f() end
    ("x"):gsub(".", function() level(left - 1) end)
  end
  level(n * 15)
end

-- Others run at any instruction of the library's Lua parts. What is raised meanwhile is dropped.
function give_way()
  if debug.getinfo(2, "S").source:find("^=%[greenlet") then G.pcall(G.sleep, 0) end
end
function M.hooked(n, f)
  debug.sethook(give_way, "", n * 7 + 1)
  local unhooked <close> = closer(function() debug.sethook() end)
  f()
end

function M.many(n)
  local list = {}
  for i = 1, n * 30 do list[i] = G.spawn(G.sleep, i % 3 * 0.001) end
  M.joinall(list)
end

function M.wait_all(limit)
  if G.getcurrent() == main then wait("wait", limit, nil, G.wait, nil, limit) end
end
function M.hub_join(limit)
  if G.getcurrent() == main then wait("hub_join", limit, nil, hub.join, hub, limit) end
end
