--- How operations are called, and what must hold in the end.

-- ---- How operations are called ----

budget = MOST
names = {}
env = {}
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

function note(ok, err)
  if ok then return end
  check_error(err)
  if talkative then io.stdout:write("  caught: ", select(2, pcall(tostring, err)) or "?", "\n") end
  C.feature(type(err) == "table" and type(getmetatable(err)) == "table"
    and #tostring(getmetatable(err).__name) + 3000 or 2999)
end

function env.try(f, ...) note(G.pcall(f, ...)) end
-- What pcall catches is no kill. Classes that are raised are none yet.
function catch(ok, err)
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

function each_alive(f)
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

function rest(seconds)
  local till = C.now() + seconds
  for _ = 1, 500 do
    note(G.pcall(G.sleep, math.max(0, till - C.now())))
    if C.now() >= till then return end
  end
  fail("the main greenlet comes to no rest")
end

-- Everything that can happen has happened: who waits still?
function check_waiters()
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

-- A greenlet whose trace function fails at its start, or is killed there, ends by that: one that
-- was to call a link does not.
function check_links()
  local uncalled = 0
  for _, record in ipairs(links) do
    local x = record.g
    if record.linked and x.dead and not record.unlinked then
      local expected = 1
      if record.how == "link_value" then expected = x:successful() and 1 or 0 end
      if record.how == "link_exception" then expected = x:successful() and 0 or 1 end
      if record.calls < expected then uncalled = uncalled + 1 end
      check(record.calls <= expected and uncalled <= failed_traces,
        "a %s that was called %d times", record.how, record.calls)
    end
  end
end

function check_queue(model)
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

function check_lock(m)
  if m.broken or m.kind == "dummy" then return end
  if m.kind == "reentrant" then
    check(m.held > 0 or not m.object:locked(), "a lock that nobody holds is locked")
    return
  end
  check(m.object.counter + m.held == m.total, "%d permits, %d held, of %d", m.object.counter,
    m.held, m.total)
  check(not tostring(m.object):find("waiting"), "somebody is left at a lock")
end

function finish()
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
