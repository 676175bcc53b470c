--- Operations on locals and the loop, and looks at what all do.

-- ---- Locals ----

fields = G["local"].new()
field_of = setmetatable({}, { __mode = "k" })
function M.set_local(n)
  local value = { n }
  fields.x = value
  field_of[G.getcurrent()] = value
end
function M.get_local() check(fields.x == field_of[G.getcurrent()], "another greenlet's field") end

-- ---- The loop ----

pipe_read, pipe_write = C.pipe()
makers = {
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
function M.run_callback(f) callback = loop:run_callback(function() if not over then f() end end) end
function M.stop_callback() if callback then callback:stop() end end

-- ---- Looks ----

sink = {}
function sink:write(text)
  check(type(text) == "string", "a report that is no text")
  return self
end

reports = {
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
reported = 0
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
collections = 0
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
    local counted <close> = closer(function(err)
      if err ~= nil then failed_traces = failed_traces + 1 end
    end)
    f()
  end)
end
settings = {
  [0] = function(c) c.stack_move = not c.stack_move end,
  function(c) c.deadlock = "error" end,
  function(c) c.track_greenlet_tree = not c.track_greenlet_tree end,
  function(c) c.report = c.report == "now" and "unobserved" or "now" end,
}
function M.set_config(n) settings[n](G.config) end
function M.loop(n, f) for _ = 1, n + 1 do f() end end
spawn_callbacks = 0
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
