--- The operations of the random programs that program.lua writes, and what must come of them.
--
-- The files of this directory are run in the order base, greenlets, objects, loop, run. What they
-- define is shared by all: their globals are the fields of a table of their own, in which the C
-- functions of operations.c are `C`, the text of the program is `program`, and `talkative` says
-- whether to tell what happens. The model:
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

G = greenlet
queue, lock, event = G.queue, G.lock, G.event
hub = G.get_hub()
loop = hub.loop
main = G.getcurrent()
MOST = 300          -- operations in one run
MOST_COLLECTIONS, MOST_REPORTS = 4, 20
LATE = 0.25         -- so late may nobody be, virtually
A_WHILE = 60        -- after which nothing that has a limit goes on

function fail(text, ...) C.fail(text:format(...)) end
function check(condition, ...) if not condition then fail(...) end end

Stop = G.BaseException:extend("Stop")
Mine = G.Exception:extend("Mine")
Mute = G.Exception:extend("Mute")
function Mute:__tostring() error("no text") end

-- ---- Errors ----

KNOWN = {
  "killed$", "killed\nstack", "no text", "^42\nstack", "cyclic parent chain",
  "the scope has ended", "scope is",
  "un%-acquired lock", "released too many times", "task_done%(%) called too many",
  "cannot resume", "cannot close a running coroutine", "cannot close a normal coroutine",
  "attempt to yield", "attempt to compare two table values", "invalid order function for sorting",
  "parent of this greenlet cannot be set", "has no rawlink", "the hub cannot be killed",
  "would form a cycle", "the watcher is closed",
  "Timeout cannot be started in the hub", "that nobody holds", "that another greenlet holds",
  "has its result already", "more often than acquired", "task_done was called too often",
  "object with rawlink expected", "^stack traceback",
  "C stack overflow", "stack overflow", "error in error handling",
}
unknown = os.getenv("FUZZ_ERRORS") -- print them in place of failing

function check_error(err)
  if type(err) ~= "string" then return end
  for _, pattern in ipairs(KNOWN) do
    if err:find(pattern) then return end
  end
  if unknown then io.stderr:write("ERROR ", err, "\n") return end
  fail("an unknown error: %s", err)
end

-- ---- To-be-closed variables ----

opened, closed = 0, 0

function closer(f)
  return setmetatable({}, { __close = function(_, err) return f(err) end })
end

-- A coroutine that is dropped does not close its variables.
function in_coroutine() return coroutine.isyieldable() end

-- ---- Greenlets ----

records = {}                                   -- of all Greenlets that were made
raws = setmetatable({}, { __mode = "k" })
record_of = setmetatable({}, { __mode = "k" })
blocked = setmetatable({}, { __mode = "k" })   -- what each waits for, as the model sees it
values = 0

over = false -- the program has ended: nobody does anything any more

function new_record(g, record)
  if record.g == g then return g end
  record.g = g
  record_of[g] = record
  records[#records + 1] = record
  return g
end

function body(record, f)
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

function dead_well(record)
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

traced = false -- has a trace function, which may wait itself, been set?
failed_traces = 0 -- calls of trace functions that an error, or a kill, ended

function duration(limit)
  return limit and type(limit) ~= "number" and limit.seconds or limit
end

--- Call f(...), which may wait: until `limit` expires, if there is one, or as long as `pending()`.
function wait(what, limit, pending, f, ...)
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

function is_dead(g) return g.dead end

-- ---- The program's things ----

g, q, l, e, r, p, s = {}, {}, {}, {}, {}, {}, {}
timeouts, coroutines, watchers, links = {}, {}, {}, {}
closing = {} -- watchers and Timeouts, to be closed in the end
M = {} -- the operations

calls = 0
function call()
  calls = calls + 1
  return calls
end

queues = {}
function new_queue(object, kind)
  queues[object] = { q = object, kind = kind, put = {}, got = {} }
  q[#q + 1] = object
end

function new_item(object, number)
  local item = { call(), to = queues[object], number = number, state = "putting" }
  item.__lt = nil
  return item
end

function note_put(item)
  item.state = "put"
  local put = item.to.put
  put[#put + 1] = item
end

function note_got(model, number, item)
  if item == "initial" then return end
  check(type(item) == "table", "not an item: %s", item)
  check(item.to == model, "an item of another queue")
  check(item.state ~= "failed", "an item whose put failed")
  check(not item.got, "an item that was got twice")
  item.got = number
  model.got[#model.got + 1] = item
end

locks = {}
function new_lock(object, total, kind)
  locks[object] = { object = object, total = total, held = 0, kind = kind }
  l[#l + 1] = object
end

pools = {}
function check_pool(pool)
  -- Members leave between the two looks if others run in them.
  if not pool.size or debug.gethook() == give_way then return end
  local members, free = #pool, pool:free_count()
  check(members <= pool.size, "%d members in a pool of %d", members, pool.size)
  check(members + free <= pool.size, "%d members and %d places of %d", members, free, pool.size)
end
