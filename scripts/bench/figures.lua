-- figures.lua: what run.lua runs, and what its tables show of it.

local figures = {}

-- The runs, each made by every system that has the script.
--   key          its name in options and in the rows below
--   script       the name of the script
--   arguments    of the script, if any; `quick`: those for --quick
--   environment  settings, if any
--   ours         greenlua alone makes it
--   needs        a module of greenlua without which greenlua does not make it
figures.runs = {
  { key = "switch", script = "turn", quick = "2000 10" },
  { key = "turn", script = "turn", arguments = "10000", quick = "1000 10" },
  { key = "spawn", script = "spawn_join", quick = "2000" },
  { key = "parked", script = "parked", quick = "1000" },
  { key = "sleepers", script = "sleepers", quick = "1000" },
  { key = "channel", script = "channel", quick = "2000", needs = "greenlet.queue" },
  { key = "queue", script = "queue", quick = "2000" },
  { key = "wake", script = "event", quick = "2000 100" },
  { key = "pool", script = "pool", quick = "2000" },
  { key = "start", script = "start", quick = "1", ours = true },
  { key = "sleeping", script = "parked", arguments = "1000000 0 sleep", quick = "1000 0 sleep",
    ours = true },
  { key = "event", script = "parked", arguments = "1000000 1 event", quick = "1000 1 event",
    ours = true, needs = "greenlet.event" },
  { key = "untracked", script = "spawn_join", arguments = "2000000 spawn", quick = "2000 spawn",
    environment = "GREENLUA_TRACK_GREENLET_TREE=0", ours = true },
  { key = "raw_switch", script = "raw_switch", quick = "2000", ours = true },
  { key = "many", script = "many", quick = "30000", ours = true },
  { key = "living", script = "living", quick = "1000", ours = true },
  { key = "living_asleep", script = "living", arguments = "100000 sleep", quick = "1000 sleep",
    ours = true },
}

-- The figures that have a bar, or are close to one that has: a run of greenlua, a figure of it,
-- what it is, the bar. With `by`, {system, run, figure}, it is the ratio to that one of the same
-- round.
figures.bars = {
  { "switch", "switch", "a switch: two greenlets in turn by `sleep(0)`" },
  { "switch", "switch", "... to stock `lua5.4`'s `resume` + `yield`",
    by = { "lua5.4", "switch", "pair" }, most = 0.30 },
  { "switch", "ratio", "... to `resume` + `yield` of the same process" },
  { "turn", "turn", "10,000 greenlets in turn: a switch", most = 80 },
  { "spawn", "spawn", "`spawn` + `join` of an empty new closure" },
  { "spawn", "spawn", "... to stock `lua5.4`'s `create` + run",
    by = { "lua5.4", "spawn", "create" }, most = 1.3 },
  { "spawn", "spawn", "... to Go's", by = { "go", "spawn", "spawn" }, most = 1 },
  { "spawn", "ratio", "... to `create` + run of the same process" },
  { "parked", "bytes", "1,000,000 that wait for a `join`: memory each", most = 1600 },
  { "sleeping", "bytes", "1,000,000 that `sleep`: memory each", most = 1600 },
  { "parked", "respawn", "1,000,000: spawn and wait, second round", most = 300 },
  { "parked", "wake", "1,000,000: wake and end", most = 200 },
  { "sleepers", "sleeper", "100,000 sleepers, 1,000 times: CPU each", most = 1 },
  { "channel", "channel", "`Channel`: a value handed over, from `put` to `get`" },
  { "channel", "channel", "... to Go's", by = { "go", "channel", "channel" }, most = 1 },
  { "queue", "ratio", "... to a bare switch", most = 4 },
  { "queue", "queue_ratio", "`Queue`: put + get, to a table's append + remove in Lua", most = 4 },
  { "pool", "map_unlimited_ratio", "`Pool:map` of empty calls, each to `spawn` + `join`",
    most = 1.5 },
  { "pool", "map_100_ratio", "... of a pool of 100", most = 1.5 },
  { "start", "ratio", "start and end of an empty program, to stock `lua5.4`'s", most = 1.3 },
  { "many", "late_growth", "1,000,000 in batches: growth after the first half", most = 1 },
}

-- What is set beside other systems: a run, a figure of it, what it is.
figures.peers = {
  { "switch", "turn", "a switch between two tasks" },
  { "turn", "turn", "a switch, 10,000 tasks in turn" },
  { "spawn", "spawn", "spawn + join, an empty new closure" },
  { "parked", "bytes", "1,000,000 parked: memory each" },
  { "parked", "spawn", "1,000,000: spawn + park" },
  { "parked", "respawn", "1,000,000: spawn + park, second round" },
  { "parked", "wake", "1,000,000: wake + finish" },
  { "sleepers", "sleeper", "100,000 sleepers: CPU each" },
  { "channel", "channel", "channel: a value handed over" },
  { "queue", "queue", "queue: put + get, nobody waits" },
  { "wake", "wake", "10,000 wait for an event, wake and end: each" },
  { "pool", "map_unlimited", "10,000 empty calls at once, 10 times: each" },
}

-- More of greenlua: a run, a figure of it, what it is.
figures.details = {
  { "switch", "pair", "coroutines of greenlua: a pair `resume` + `yield`" },
  { "spawn", "create", "coroutines of greenlua: `create` + run" },
  { "untracked", "spawn", "`spawn` + `join` without `track_greenlet_tree`" },
  { "raw_switch", "raw_pair", "raw greenlets: a pair of switches" },
  { "queue", "bounded", "an item through a `Queue` of 10, two greenlets" },
  { "queue", "select", "an item from a `put` to a `select` of two channels" },
  { "wake", "set", "`Event:set` alone, 10,000 waiters: each" },
  { "wake", "acquire", "a `Semaphore`'s `acquire` + `release`" },
  { "wake", "hand_over", "a permit handed over" },
  { "pool", "imap", "`Pool:imap`: a call" },
  { "pool", "scope_spawn", "a scope's child: spawn to end" },
  { "raw_switch", "ratio", "the raw pair in terms of a coroutine's pair" },
  { "start", "empty", "start and end of an empty program, wall time" },
  { "start", "stock_empty", "the same of stock `lua5.4`" },
  { "start", "hello_ratio", "start and end of the README's example, to stock `lua5.4`'s" },
  { "event", "bytes", "1,000,000 that wait for an `Event`: memory each" },
  { "event", "respawn", "the same: spawn and wait, second round" },
  { "event", "wake", "the same: wake and end" },
  { "many", "spawn", "1,000,000 in batches of 10,000: spawn + join each" },
  { "many", "first", "resident after the first batch" },
  { "many", "last", "resident after the last" },
  { "many", "growth", "growth from the first to the last" },
  { "many", "early_peak", "highest after any of the first fifty batches" },
  { "many", "peak", "highest after any of all hundred" },
  { "living", "bytes", "100,000 blocked in ten kinds of places: memory each" },
  { "living", "kill", "the same: to kill one" },
  { "living_asleep", "bytes", "100,000 blocked in `sleep`: memory each" },
  { "living_asleep", "kill", "the same: to kill one" },
}

return figures
