--- The operations of the random programs that program.lua writes, and what must come of them.
--
-- Called with the C functions of operations.c, the text of a program, and whether to tell what
-- happens. The model:
--
-- - whoever was started runs once, or was killed before; it is dead in the end, with the value or
--   the error that its function ended with; whatever waits for that learns just this;
-- - when nothing goes on any more, each that still waits does so for something that has not
--   happened: no wake-up is lost, no limit expires late, none early;
-- - every link is called once if its greenlet is dead, unless it was unlinked;
-- - what was put into a queue was got once or is still there; first in, first out;
-- - permits are conserved, a lock has one owner, a pool has no more members than its size;
-- - to-be-closed variables are closed, once; nobody outlives a scope;
-- - errors are those that programs make, or belong to the operation; no other text comes.

local C, program, talkative = ...
local G = greenlet
local queue, lock, event = G.queue, G.lock, G.event
local hub = G.get_hub()
local loop = hub.loop
local main = G.getcurrent()
local MOST = 300          -- operations in one run
local MOST_COLLECTIONS, MOST_REPORTS = 4, 20
local LATE = 0.25         -- so late may nobody be, virtually
local A_WHILE = 60        -- after which nothing that has a limit goes on

local function fail(text, ...) C.fail(text:format(...)) end
local function check(condition, ...) if not condition then fail(...) end end

local Stop = G.BaseException:extend("Stop")
local Mine = G.Exception:extend("Mine")
local Mute = G.Exception:extend("Mute")
function Mute:__tostring() error("no text") end

-- ---- Errors ----

local KNOWN = {
  "killed$", "killed\nstack", "no text", "^42\nstack", "cyclic parent chain",
  "the scope has ended", "scope is",
  "un%-acquired lock", "released too many times", "task_done%(%) called too many",
  "cannot resume", "cannot close a running coroutine", "cannot close a normal coroutine",
  "attempt to yield", "attempt to compare two table values", "invalid order function for sorting",
  "parent of this greenlet cannot be set", "has no rawlink", "the hub cannot be killed",
  "would form a cycle",
  "Timeout cannot be started in the hub", "that nobody holds", "has its result already",
  "more often than acquired", "task_done was called too often",
  "object with rawlink expected", "^stack traceback",
  "C stack overflow", "stack overflow", "error in error handling",
}
local unknown = os.getenv("FUZZ_ERRORS") -- print them in place of failing

local function check_error(err)
  if type(err) ~= "string" then return end
  for _, pattern in ipairs(KNOWN) do
    if err:find(pattern) then return end
  end
  if unknown then io.stderr:write("ERROR ", err, "\n") return end
  fail("an unknown error: %s", err)
end

-- ---- To-be-closed variables ----

local opened, closed = 0, 0

local function closer(f)
  return setmetatable({}, { __close = function(_, err) return f(err) end })
end

-- A coroutine that is dropped does not close its variables.
local function in_coroutine() return coroutine.isyieldable() end

-- ---- Greenlets ----

local records = {}                                   -- of all Greenlets that were made
local raws = setmetatable({}, { __mode = "k" })
local record_of = setmetatable({}, { __mode = "k" })
local blocked = setmetatable({}, { __mode = "k" })   -- what each waits for, as the model sees it
local values = 0

local over = false -- the program has ended: nobody does anything any more

local function new_record(g, record)
  if record.g == g then return g end
  record.g = g
  record_of[g] = record
  records[#records + 1] = record
  return g
end

local function body(record, f)
  if not record.g then new_record(G.getcurrent(), record) end -- a spawn callback has failed
  record.entered = record.entered + 1
  check(record.entered == 1, "a greenlet began twice")
  check(G.getcurrent() == record.g, "a body in another greenlet")
  local ending <close> = closer(function(err)
    record.ended, record.err = true, err
  end)
  if f then f() end
  values = values + 1
  record.value = values
  record.returned = true
  return values, "second", nil
end

local function dead_well(record)
  local g = record.g
  if not g.dead then return end
  check(g:ready() and not g.active and not g.started, "a dead greenlet that is not ready")
  if record.entered == 0 then
    check(g:successful() == G.GreenletExit:class_of(g.value), "one that never ran succeeded")
    return
  end
  check(record.ended, "dead, but its function has not ended")
  local class = (record.err == G.GreenletExit or record.err == Stop) and record.err
  if class then -- an instance of it, then
    check(class:class_of(class == Stop and g.exception or g.value),
      "the class that ended a greenlet")
  elseif record.returned and record.err == nil then
    check(g:successful() and g.value == record.value, "the value of a greenlet")
  elseif G.GreenletExit:class_of(record.err) then
    check(g:successful() and rawequal(g.value, record.err), "the GreenletExit of a greenlet")
  else
    check(not g:successful() and rawequal(g.exception, record.err), "the error of a greenlet")
    check_error(record.err)
  end
end

-- ---- Waits ----

local traced = false -- has a trace function, which may wait itself, been set?

local function duration(limit)
  return limit and type(limit) ~= "number" and limit.seconds or limit
end

--- Call f(...), which may wait: until `limit` expires, if there is one, or as long as `pending()`.
local function wait(what, limit, pending, f, ...)
  local me, before = G.getcurrent(), C.now()
  local outer = blocked[me]
  local seconds = duration(limit)
  blocked[me] = { what = what, pending = pending, seconds = seconds, since = before, outer = outer }
  local done <close> = closer(function() blocked[me] = outer end)
  local results = table.pack(f(...))
  local took = C.now() - before
  check(not seconds or traced or took < seconds + LATE, "%s took %g s, the limit being %s", what,
    took, seconds)
  return table.unpack(results, 1, results.n)
end

local function is_dead(g) return g.dead end

-- ---- The program's things ----

local g, q, l, e, r, p, s = {}, {}, {}, {}, {}, {}, {}
local timeouts, coroutines, watchers, links = {}, {}, {}, {}
local closing = {} -- watchers and Timeouts, to be closed in the end
local M = {} -- the operations

local calls = 0
local function call()
  calls = calls + 1
  return calls
end

local queues = {}
local function new_queue(object, kind)
  queues[object] = { q = object, kind = kind, put = {}, got = {} }
  q[#q + 1] = object
end

local function new_item(object, number)
  local item = { call(), to = queues[object], number = number, state = "putting" }
  item.__lt = nil
  return item
end

local function note_put(item)
  item.state = "put"
  local put = item.to.put
  put[#put + 1] = item
end

local function note_got(model, number, item)
  if item == "initial" then return end
  check(type(item) == "table", "not an item: %s", item)
  check(item.to == model, "an item of another queue")
  check(item.state ~= "failed", "an item whose put failed")
  check(not item.got, "an item that was got twice")
  item.got = number
  model.got[#model.got + 1] = item
end

local locks = {}
local function new_lock(object, total, kind)
  locks[object] = { object = object, total = total, held = 0, kind = kind }
  l[#l + 1] = object
end

local pools = {}
local function check_pool(pool)
  if not pool.size then return end
  local members, free = #pool, pool:free_count()
  check(members <= pool.size, "%d members in a pool of %d", members, pool.size)
  check(members + free <= pool.size, "%d members and %d places of %d", members, free, pool.size)
end

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

local Pinned = G.Greenlet:extend("Pinned")
Pinned.pinned = true
function M.pinned(i, f)
  local record = { entered = 0 }
  g[i] = new_record(Pinned.spawn(body, record, f), record)
end

local Derived = G.Greenlet:extend("Derived")
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

local function suspended(f, ...) return wait("switch", nil, nil, f, ...) end
function M.switch(x) suspended(x.switch, x, 1, nil) end
function M.throw(x, err) suspended(x.throw, x, err) end
function M.reparent(x, parent) x.parent = parent end

local function is_raw(x) return not record_of[x] end

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

local function add_link(x, f, how)
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

local function check_list(done, list, count)
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

local function is_ready(x)
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
  local all = wait("iwait", limit, nil, function()
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

local function limit(seconds) return G.Timeout(seconds) end

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
local function give_way()
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

-- ---- Queues ----

local function is_channel(object) return queues[object].kind == "channel" end

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

local function getting(object)
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
  index, item = wait("select", limit, nil, G.select, cases, limit)
  if not index then
    check(limit ~= nil, "a select without limit gave up")
  elseif cases[index][2] == "get" then
    note_got(queues[cases[index][1]], number, item)
  elseif cases[index][2] == "put" then
    note_put(cases[index][3])
  end
end

-- ---- Locks ----

local function acquired(object)
  local m = locks[object]
  m.held = m.held + 1
  if m.kind == "dummy" then return end
  if m.kind == "reentrant" then
    check(object.owner == G.getcurrent(), "a lock of somebody else")
    return
  end
  check(object.counter + m.held <= m.total, "a permit too many")
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
local function pool_wait(pool, limit, f, ...)
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
local function imap(pool, how, n, most, f)
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
    check(calls == 1 and value == 7, "a callback with %s, call %d", value, calls)
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

local scopes = {}
function M.scope(i, limit, f)
  local model
  local checked <close> = closer(function()
    if not model then return end
    for _, x in ipairs(model.children) do check(x.dead, "a child outlives its scope") end
    model.over = true
  end)
  G.scope(function(scope)
    model = { scope = scope, children = {} }
    scopes[i] = model
    s[i] = scope
    f()
  end, limit and { timeout = limit } or nil)
end
local function model_of(scope)
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

-- ---- Locals ----

local fields = G["local"].new()
local field_of = setmetatable({}, { __mode = "k" })
function M.set_local(n)
  local value = { n }
  fields.x = value
  field_of[G.getcurrent()] = value
end
function M.get_local() check(fields.x == field_of[G.getcurrent()], "another greenlet's field") end

-- ---- The loop ----

local pipe_read, pipe_write = C.pipe()
local makers = {
  timer = function(seconds) return loop:timer(seconds) end,
  ["repeat"] = function(seconds) return loop:timer(seconds, 0.005) end,
  async = function() return loop:async() end,
  read = function() return loop:io(pipe_read, "r") end,
  write = function() return loop:io(pipe_write, "w") end,
  prepare = function() return loop:prepare() end,
  check = function() return loop:check() end,
  idle = function() return loop:idle() end,
  stat = function() return loop:stat("/", 1) end,
  fork = function() return loop:fork() end,
}
function M.watch(i, kind, seconds, f)
  local watcher = makers[kind](seconds)
  local rest = 4
  watchers[i] = watcher
  closing[#closing + 1] = watcher
  watcher:start(function()
    rest = rest - 1
    if kind == "read" then C.read(pipe_read) end
    if over or rest == 0 then watcher:stop() return end
    f()
  end)
end
function M.stop_watcher(i) if watchers[i] then watchers[i]:stop() end end
function M.close_watcher(i) if watchers[i] then watchers[i]:close() end end
function M.send(i)
  C.write(pipe_write)
  if watchers[i] and watchers[i].send then watchers[i]:send() end
end
function M.again(i)
  local watcher = watchers[i]
  if watcher and watcher.again and watcher.active then watcher:again(watcher.callback) end
end
function M.hub_wait(i)
  if watchers[i] then wait("hub_wait", nil, nil, hub.wait, hub, watchers[i]) end
end
function M.cancel_wait(i, err) if watchers[i] then hub:cancel_wait(watchers[i], err) end end
local callback
function M.run_callback(f) callback = loop:run_callback(function() if not over then f() end end) end
function M.stop_callback() if callback then callback:stop() end end

-- ---- Looks ----

local sink = {}
function sink:write(text)
  check(type(text) == "string", "a report that is no text")
  return self
end

local reports = {
  [0] = function() check(#G.util.format_run_info() > 0, "an empty report") end,
  function() G.util.print_run_info(sink) end,
  function()
    for _, one in ipairs(G.util.waits()) do
      check(one.greenlet.active and type(one.what) == "string", "a wait")
      check(one.since >= 0, "a wait since %s", one.since)
    end
  end,
  function() check(G.util.graph():find("^%a"), "no graph") end,
}
function M.name(x, n) x.name = "name " .. n end
local reported = 0
function M.report(n)
  reported = reported + 1
  if reported <= MOST_REPORTS then reports[n]() end
end
function M.look(x)
  check(type(tostring(x)) == "string" and type(G.traceback(x)) == "string",
    "a greenlet without looks")
  check(G.util.describe(x).state, "a greenlet without state")
  return tostring(G.util.GreenletTree.current_tree())
end
local collections = 0
function M.collect(n)
  collections = collections + 1
  if n == 0 and collections <= MOST_COLLECTIONS then collectgarbage() else collectgarbage("step",
    n * 10) end
end
function M.finalizer(f)
  setmetatable({}, { __gc = function() if not over then f() end end })
end
function M.trace(n, f)
  if n == 0 then return G.settrace() end
  local rest = 3
  traced = true
  G.settrace(function()
    rest = rest - 1
    if over or rest < 0 then return G.settrace() end
    f()
  end)
end
local settings = {
  [0] = function(c) c.stack_move = not c.stack_move end,
  function(c) c.deadlock = "error" end,
  function(c) c.track_greenlet_tree = not c.track_greenlet_tree end,
  function(c) c.report = c.report == "now" and "unobserved" or "now" end,
}
function M.set_config(n) settings[n](G.config) end
function M.loop(n, f) for _ = 1, n + 1 do f() end end
local spawn_callbacks = 0
function M.spawn_callback(f)
  spawn_callbacks = spawn_callbacks + 1
  if spawn_callbacks > 2 then return end
  local rest = 3
  local function callback_()
    rest = rest - 1
    if over or rest < 0 then return G.Greenlet.remove_spawn_callback(callback_) end
    f()
  end
  G.Greenlet.add_spawn_callback(callback_)
end
function M.tree_local(n)
  local locals = G.getcurrent().spawn_tree_locals
  if locals then locals.x = n end
end

-- ---- How operations are called ----

local budget = MOST
local names = {}
local env = {}
for name, f in pairs(M) do names[#names + 1] = name end
table.sort(names)
for number, name in ipairs(names) do
  local f = M[name]
  env[name] = function(...)
    if over or budget == 0 then return end
    budget = budget - 1
    local me = G.getcurrent()
    if not record_of[me] and me ~= main and me ~= hub then raws[me] = true end -- of a link, say
    if talkative then
      local words = {}
      for i = 1, select("#", ...) do words[i] = select(2, pcall(tostring, (select(i, ...)))) end
      io.stdout:write(("%.6f %s: %s(%s)\n"):format(C.now(), tostring(me), name, table.concat(words,
        ", ")))
      io.stdout:flush()
    end
    C.feature(number)
    f(...)
    C.feature(number + 1000)
  end
end

local function note(ok, err)
  if ok then return end
  check_error(err)
  if talkative then io.stdout:write("  caught: ", select(2, pcall(tostring, err)) or "?", "\n") end
  C.feature(type(err) == "table" and type(getmetatable(err)) == "table"
    and #tostring(getmetatable(err).__name) + 3000 or 2999)
end

function env.try(f, ...) note(G.pcall(f, ...)) end
-- What pcall catches is no kill. Classes that are raised are none yet.
local function catch(ok, err)
  local kill = not ok and type(err) == "table" and G.BaseException:class_of(err)
    and not G.Exception:class_of(err)
  check(not kill or rawget(err, "__is_class") or err == Stop or err == G.GreenletExit,
    "pcall caught a kill")
  note(ok, err)
end
function env.protect(f, ...) catch(pcall(f, ...)) end
function env.handle(f, ...) catch(xpcall(f, debug.traceback, ...)) end
function env.wrap(f, ...) coroutine.wrap(f)(...) end
function env.inside(f, ...)
  local arguments = table.pack(...)
  ;("x"):gsub("x", function() f(table.unpack(arguments, 1, arguments.n)) end)
end

env.GreenletExit, env.Stop, env.Mine, env.Mute = G.GreenletExit, Stop, Mine, Mute
env.Timeout, env.limit = G.Timeout, limit

-- ---- The beginning ----

function env.setup(slots, move, collector, whole)
  if not os.getenv("GREENLUA_STACK_SLOTS") then G.config.stack_slots = slots end
  G.config.stack_size = 512 * 1024 -- what a move takes here grows with it
  if move then G.config.stack_move = true end
  collectgarbage(collector)
  if whole then collectgarbage("setpause", 150) end
  hub.exception_stream = sink
  local less = function(a, b) return a[1] % 7 < b[1] % 7 end
  new_queue(queue.Queue(), "fifo")
  new_queue(queue.Queue(1), "fifo")
  new_queue(queue.Channel(), "channel")
  new_queue(queue.Queue(2, { "initial" }), "fifo")
  new_queue(queue.LifoQueue(2), "lifo")
  new_queue(queue.PriorityQueue(2, nil, less), "priority")
  new_queue(queue.SimpleQueue(3), "fifo")
  new_queue(queue.Channel(), "channel")
  new_lock(lock.Semaphore(1), 1, "semaphore")
  new_lock(lock.Semaphore(2), 2, "semaphore")
  new_lock(lock.BoundedSemaphore(2), 2, "bounded")
  new_lock(lock.Lock(), 1, "bounded")
  new_lock(lock.RLock(), 1, "reentrant")
  new_lock(lock.DummySemaphore(), 1, "dummy")
  e[1], e[2] = event.Event(), event.Event()
  r[1], r[2] = event.AsyncResult(), event.AsyncResult()
  p[1], p[2], p[3], p[4], p[5] = G.pool.Pool(1), G.pool.Pool(2), G.pool.Group(), G.pool.Pool(3,
    Pinned), G.pool.Pool()
  for i = 1, 6 do M.new(i) end
  g[7], g[8] = hub, main
end

-- ---- The end ----

local function each_alive(f)
  for _, record in ipairs(records) do
    if not record.g.dead then f(record.g) end
  end
  local list = {}
  for x in pairs(raws) do list[#list + 1] = x end
  for _, pool in ipairs(p) do
    pool:discard(main)
    pool:discard(hub)
    for x in pool:iter() do list[#list + 1] = x end
  end
  for _, x in ipairs(list) do
    if not x.dead then f(x) end
  end
end

local function rest(seconds)
  local till = C.now() + seconds
  for _ = 1, 500 do
    note(G.pcall(G.sleep, math.max(0, till - C.now())))
    if C.now() >= till then return end
  end
  fail("the main greenlet comes to no rest")
end

-- Everything that can happen has happened: who waits still?
local function check_waiters()
  for _, record in ipairs(records) do
    local entry = record.g.active and blocked[record.g]
    if entry then
      check(not entry.seconds, "%s, with a limit of %s s, still waits", entry.what, entry.seconds)
      check(entry.what ~= "sleep", "a sleep without end")
      check(not entry.pending or entry.pending(), "%s still waits, for what has happened",
        entry.what)
    end
  end
end

local function check_links()
  for _, record in ipairs(links) do
    local x = record.g
    if record.linked and x.dead and not record.unlinked then
      local expected = 1
      if record.how == "link_value" then expected = x:successful() and 1 or 0 end
      if record.how == "link_exception" then expected = x:successful() and 0 or 1 end
      check(record.calls == expected, "a %s that was called %d times", record.how, record.calls)
    end
  end
end

local function check_queue(model)
  local object = model.q
  if model.kind == "channel" then
    check(object.balance == 0, "somebody is left in a channel: %d", object.balance)
  else
    while #object > 0 do note_got(model, call(), object:get(false)) end
  end
  for _, item in ipairs(model.put) do
    check(item.got or model.dropped, "an item was lost")
  end
  if model.dropped or model.kind == "lifo" or model.kind == "priority" then return end
  check(#model.put == #model.got, "%d items put, %d got", #model.put, #model.got)
  table.sort(model.put, function(a, b) return a.number < b.number end)
  table.sort(model.got, function(a, b) return a.got < b.got end)
  for i, item in ipairs(model.put) do check(item == model.got[i], "the order is broken at %d",
    i) end
end

local function check_lock(m)
  if m.broken or m.kind == "dummy" then return end
  if m.kind == "reentrant" then
    check(m.held > 0 or not m.object:locked(), "a lock that nobody holds is locked")
    return
  end
  check(m.object.counter + m.held == m.total, "%d permits, %d held, of %d", m.object.counter,
    m.held, m.total)
  check(not tostring(m.object):find("waiting"), "somebody is left at a lock")
end

local function finish()
  rest(A_WHILE)
  check_waiters()
  over = true
  G.settrace()
  for _, object in ipairs(closing) do object:close() end
  for round = 1, 60 do
    local alive = 0
    each_alive(function(x)
      alive = alive + 1
      G.kill(x)
    end)
    rest(0.01)
    if alive == 0 then break end
    check(round < 60, "%d greenlets refuse to die", alive)
  end
  coroutines = {}
  for _ = 1, 2 do
    collectgarbage()
    rest(0.01)
  end
  for _, record in ipairs(records) do dead_well(record) end
  check_links()
  for _, object in ipairs(q) do check_queue(queues[object]) end
  for _, object in ipairs(l) do check_lock(locks[object]) end
  for i, pool in ipairs(p) do
    check(#pool == 0, "%d members of pool %d in the end", #pool, i)
    if pool.size then check(pool:free_count() == pool.size, "%d places of pool %d",
      pool:free_count(), i) end
  end
  check(opened == closed, "%d variables opened, %d closed", opened, closed)
  C.close(pipe_read)
  C.close(pipe_write)
end

function env.main(f)
  local guard = loop:timer(20, 20, false)
  guard:start(function() if not over then G.kill(main, Stop()) end end)
  note(G.pcall(f))
  finish()
  guard:close()
end

env.g, env.q, env.l, env.e, env.r, env.p, env.s = g, q, l, e, r, p, s
assert(load(program, "=program", "t", env))()
