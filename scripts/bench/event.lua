-- event.lua: events and locks: what it costs to wake many, and to hold a lock.
--
-- `set` is Event.set alone, with WAITERS that wait, for each of them; `wake` is that they wait, are
-- woken and have their turn. `acquire` is a pair acquire + release of a semaphore that is free;
-- `hold` the same by a scope; `reentrant` the pair of an RLock. `hand_over` is a permit going from
-- one greenlet to another that waits for it; `ping_pong` half a round of two greenlets that wake each
-- other by two events.
--
-- Usage: greenlua event.lua [ROUNDS [WAITERS]]

local greenlet = require "greenlet"
local event, lock = require "greenlet.event", require "greenlet.lock"

local rounds = math.tointeger(arg[1] or 2000000)
local waiters = math.tointeger(arg[2] or 10000)
local SLICES = 5
local clock = os.clock

-- The least of several runs of f(count), per count, in ns.
local function least(count, f)
  local best = math.huge
  for _ = 1, SLICES do best = math.min(best, f(count)) end
  return best / count * 1e9
end

local function wake_many(count)
  local e, last = event.Event(), nil
  local function body() e:wait() end
  for _ = 1, count do last = greenlet.spawn(body) end
  local start = clock()
  greenlet.sleep(0) -- they wait
  local set = clock()
  e:set()
  local woken = clock()
  last:join()
  return woken - set, clock() - start
end

local function set_alone(count) return (wake_many(count)) end
local function set_and_wake(count) return select(2, wake_many(count)) end

local function pairs_of(l)
  return function(count)
    local start = clock()
    for _ = 1, count do
      l:acquire()
      l:release()
    end
    return clock() - start
  end
end

local function hold(count)
  local l = lock.Semaphore()
  local start = clock()
  for _ = 1, count do local held <close> = l:hold() end
  return clock() - start
end

local function together(...)
  local list = {}
  for i, f in ipairs { ... } do list[i] = greenlet.spawn(f) end
  local start = clock()
  greenlet.joinall(list)
  return clock() - start
end

local function hand_over(count)
  local l = lock.Semaphore()
  local function body()
    l:acquire()
    for _ = 1, count // 2 do
      greenlet.sleep(0) -- the other one comes to wait
      l:release()
      l:acquire()
    end
    l:release()
  end
  return together(body, body)
end

local function ping_pong(count)
  local ping, pong = event.Event(), event.Event()
  local function player(mine, other)
    return function()
      for _ = 1, count // 2 do
        other:set()
        mine:wait()
        mine:clear()
      end
      other:set()
    end
  end
  return together(player(ping, pong), player(pong, ping))
end

local function show(name, ns) print(("%s %.1f ns"):format(name, ns)) end

show("set", least(waiters, set_alone))
show("wake", least(waiters, set_and_wake))
show("acquire", least(rounds, pairs_of(lock.Semaphore())))
show("reentrant", least(rounds, pairs_of(lock.RLock())))
show("hold", least(rounds, hold))
show("hand_over", least(rounds // 4, hand_over))
show("ping_pong", least(rounds // 4, ping_pong))
