--- The console: a prompt beside which greenlets run.
--
-- The main greenlet is the prompt: it waits for keys, output and signals, all by one event,
-- and nobody else calls readline. display.lua shows what others write, prompt.lua reads what is
-- typed, and evaluation.lua runs it. What the first prompt does not need is loaded after it.

local cmd = ...
local greenlet = require "greenlet"
local edit, output, terminal = cmd.edit, cmd.output, cmd.terminal
local main, hub = greenlet.getcurrent(), greenlet.get_hub()

local SIGWINCH = 28
local STARVED = 0.2 -- seconds without giving way after which Ctrl-C at the prompt ends a greenlet
local WATCHED = 0.1 -- seconds without giving way after which a greenlet is reported, by default
local MOST_LISTED = 20 -- greenlets that Ctrl-D lists

local console = {
  entries = {}, -- the texts that were evaluated without an error
  jobs = {}, -- greenlets by the numbers of jobs
  finished = {}, -- jobs whose end is to be told
}
cmd.console = console -- which the parts below ask for
local display, prompt = cmd.display, cmd.prompt

-- ---- What greenlets and signals do to the prompt ----

-- Without `ref`: that main could be woken is nothing that anybody can wait for.
local async, woken

--- Have the main greenlet look what has happened.
function console.wake()
  woken = true
  if async then async:send() end
end

--- Wait until somebody wakes the main greenlet, or for so many seconds.
-- @return what was raised in it meanwhile
function console.wait(seconds)
  local timer = seconds and hub.loop:timer(seconds)
  if timer then timer:start(console.wake) end
  local ok, err = true, nil
  if not woken then ok, err = greenlet.pcall(hub.wait, hub, async) end
  woken = false
  if timer then timer:close() end
  if not ok then return err end
end

-- In the hub, or in the middle of what runs. A greenlet that keeps the prompt waiting is the one
-- that Ctrl-C is for.
local function on_interrupt(running, seconds)
  local foreground = console.foreground
  if foreground and not foreground.dead then
    foreground:kill(greenlet.KeyboardInterrupt, false)
  elseif running and running ~= main and running ~= hub and seconds > STARVED then
    cmd.evaluation.stop(running)
  else
    console.interrupted = true
  end
  console.wake()
end

local function on_suspend()
  local foreground = console.foreground
  if foreground and not foreground.dead then cmd.slice(foreground) end
  console.suspended = true
  console.wake()
end

local function on_resize()
  console.resized = true
  console.wake()
end

--- Have Ctrl-C and Ctrl-Z come here.
function console.take_signals()
  cmd.on_interrupt(on_interrupt)
  cmd.on_suspend(on_suspend)
end

-- ---- What the commands use ----

-- `session`: what is loaded and the locals of it, at its first use.
setmetatable(console, { __index = function(self, key)
  if key ~= "session" then return nil end
  self.session = cmd.source.session()
  return self.session
end })

--- Write a line above the prompt, or wherever output goes.
-- @tparam string text the line, or several
function console:print(text) output.write(tostring(text) .. "\n") end

--- Write values as results are shown.
function console:show(...)
  local texts, separator = table.pack(...), "\t"
  local options = { colour = self.colour, width = terminal.size() }
  for i = 1, texts.n do
    texts[i] = cmd.inspect.text(texts[i], options)
    if texts[i]:find("\n", 1, true) then separator = "\n" end
  end
  self:print(table.concat(texts, separator))
end

--- Evaluate a text as if it had been typed.
-- @tparam string text Lua, or a command
function console:evaluate(text) cmd.evaluation.evaluate(text) end

--- Leave once the evaluation that is under way has ended.
function console:quit() self.left = true end

-- ---- Leaving ----

-- The greenlets that end with the console, in the order in which they were spawned.
local function living()
  local util = require "greenlet.util"
  local list, trees = {}, { util.GreenletTree.current_tree() }
  while #trees > 0 do
    local tree = table.remove(trees)
    local g = tree.greenlet
    local counts = g ~= main and g ~= hub and not g.dead
    if counts and not cmd.commands.is_watch(g) then list[#list + 1] = g end
    for i = #tree.child_trees, 1, -1 do trees[#trees + 1] = tree.child_trees[i] end
  end
  return list
end

local function list_living(list)
  console:print(#list == 1 and "1 greenlet is still alive:"
    or ("%d greenlets are still alive:"):format(#list))
  for i = 1, math.min(#list, MOST_LISTED) do
    local told = require "greenlet.util".describe(list[i])
    console:print(("  %s  %s  %s"):format(list[i].name, told.what or told.state, told.where or ""))
  end
  if #list > MOST_LISTED then
    console:print(("  ... and %d more"):format(#list - MOST_LISTED))
  end
  console:print("Ctrl-D again ends them and leaves")
end

-- Is Ctrl-D, or the end of the terminal, the end?
local function may_leave()
  local list = living()
  if #list == 0 or console.warned or edit.ended() then return true end
  console.warned = true
  list_living(list)
  return false
end

-- ---- The whole ----

local function start()
  local no_colour = os.getenv("NO_COLOR")
  console.colour = not no_colour or no_colour == ""
  rawset(_G, "jobs", console.jobs)
  prompt.start()
  output.flush()
  edit.fresh_row() -- what a script has written need not end in a newline
end

-- Main may take its time: that is the prompt, who types knows why.
local function start_watchdog()
  cmd.watch_aside(true)
  if not cmd.watchdog_is_set and greenlet.config.watchdog == 0 then
    greenlet.config.watchdog = WATCHED
  end
end

--- What the first prompt need not wait for, but whoever waits for keys.
function console.start_to_wait()
  async = hub.loop:async(false)
  console.size_watcher = hub.loop:signal(SIGWINCH, false)
  console.size_watcher:start(on_resize)
  display.start(console.wake)
  start_watchdog()
end

local function finish()
  cmd.watch_aside(false)
  console.size_watcher:close()
  async:close()
  display.stop()
  prompt.stop()
  cmd.on_suspend(nil)
  cmd.on_interrupt(nil)
end

--- Run the console until the user leaves.
function console.run()
  start()
  repeat
    console.take_signals()
    local text = prompt.read()
    if text == nil then
      console.left = may_leave()
    elseif text and text:find("%S") then
      console.warned = false
      prompt.remember(text)
      console:evaluate(text)
    end
  until console.left
  finish()
end

return console
