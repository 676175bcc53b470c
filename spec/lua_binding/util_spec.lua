local helper = require "spec.helper"
local greenlet = require "greenlet"
local util = require "greenlet.util"
local event = require "greenlet.event"
local it = helper.it

local GreenletTree = util.GreenletTree
local NEVER = helper.NEVER

-- Addresses and what else differs from run to run, away.
local function normal(text)
  return (text:gsub("0x%x+", "X"):gsub("[%w_./]*util_spec%.lua:%d+", "SPEC"))
end

-- The lines of one greenlet in a description of all: from its label to the next label.
local function block(lines, name)
  local found
  for _, line in ipairs(lines) do
    if found and line:find("+--- ", 1, true) then break end
    if line:find('"' .. name .. '"', 1, true) and (not line:find(" :  ", 1, true)) then found = {} end
    if found then found[#found + 1] = line:match(" :    (.*)$") end
  end
  return found and table.concat(found, "\n")
end

local living

local function spawn(name, f, ...)
  local g = greenlet.spawn(f, ...)
  g.name = name
  living[#living + 1] = g
  return g
end

local function idle() greenlet.sleep(NEVER) end

-- What is drawn below the main greenlet, without the hub and what other specs left.
local function drawn(tree)
  local lines, deeper = {}, nil
  for line in (tree or tostring(GreenletTree.current_tree())):gmatch("[^\n]+") do
    local top = line:match("^ %+%-%-%- (.*)")
    if top then deeper = top:find('"t%d') end
    if deeper then lines[#lines + 1] = normal(line) end
  end
  return table.concat(lines, "\n")
end

describe("greenlet.util", function()
  before_each(function() living = {} end)
  after_each(function()
    for _, g in ipairs(living) do g:kill() end
  end)
  helper.check_leaks()

  describe("GreenletTree", function()
    it("has the main greenlet as its root, and the hub", function()
      local tree = GreenletTree.current_tree()
      helper.is_a(GreenletTree, tree)
      assert.equal(greenlet.getcurrent(), tree.greenlet)
      assert.is_true(tree.root)
      assert.is_true(tree.is_current_tree)
      assert.equal(greenlet.get_hub(), tree.child_trees[1].greenlet)
      assert.is_false(tree.child_trees[1].root)
      assert.equal(1, #GreenletTree.forest())
    end)

    it("shows who spawned whom", function()
      local t1 = spawn("t1", function()
        spawn("t1a", function() spawn("t1b", idle); idle() end)
        spawn("t1c", idle)
        idle()
      end)
      spawn("t2", idle)
      helper.settle()
      assert.equal(normal(
[[ +--- <Greenlet "t1" at X: function <SPEC>>
 |    +--- <Greenlet "t1a" at X: function <SPEC>>
 |    |    +--- <Greenlet "t1b" at X: function <SPEC>>
 |    +--- <Greenlet "t1c" at X: function <SPEC>>
 +--- <Greenlet "t2" at X: function <SPEC>>]]), drawn())
      assert.is_true(t1.active)
    end)

    it("is the same seen from anywhere", function()
      spawn("t1", function() spawn("t2", idle); idle() end)
      local e = event.Event()
      local seer = spawn("seer", function() e:wait(); return drawn() end)
      helper.settle()
      local here = drawn()
      e:set()
      assert.equal(here, seer:get())
    end)

    it("shows a dead one that spawned a living one, and how it ended", function()
      helper.capture(function()
        local function parent(f, ...)
          return function(...)
            spawn("child", idle)
            return f(...)
          end
        end
        living.hold = {
          spawn("t1", parent(function() return "a value" end)),
          spawn("t2", parent(function() error("a failure", 0) end)),
          spawn("t3", parent(function() end)),
          spawn("t4", parent(function() return nil, 2 end)),
          spawn("t5", parent(function() error(greenlet.GreenletExit) end)),
          spawn("t6", parent(function() return ("x"):rep(100) end)),
        }
        helper.settle()
      end)
      local text = drawn()
      assert.matches('"t1" at X: function <SPEC>>; finished with "a value"\n', text)
      assert.matches('"t2" at X: function <SPEC>>; failed with "a failure"\n', text)
      assert.matches('"t3" at X: function <SPEC>>; finished\n', text)
      assert.matches('"t4" at X: function <SPEC>>; finished\n', text)
      assert.matches('"t5" at X: function <SPEC>>; finished with GreenletExit\n', text)
      assert.matches('"t6" at X: function <SPEC>>; finished with "x+%.%.%.\n', text)
      assert.equal(6, select(2, text:gsub('%+%-%-%- <Greenlet "child"', "")))
      assert.is_false(living.hold[2]:successful())
    end)

    it("takes no error by looking", function()
      local out, err, status = helper.run [[
        greenlet.get_hub().exception_stream = false
        local g = greenlet.spawn(function()
          greenlet.spawn(greenlet.sleep, 0.01)
          error("on purpose")
        end)
        greenlet.sleep(0)
        print((tostring(require "greenlet.util".GreenletTree.current_tree()):find("on purpose")) ~= nil)
      ]]
      assert.equal("true\n", out)
      assert.equal("", err)
      assert.equal(1, status)
    end)

    it("hangs the children of the collected on the main greenlet", function()
      spawn("parent", function() spawn("t1", idle) end):join()
      living[1] = living[2]
      assert.is_true(helper.collect_until(function() return living[2].spawning_greenlet == nil end))
      assert.matches('^ %+%-%-%- <Greenlet "t1" at X', drawn())
    end)

    it("draws very deep trees and wide ones", function()
      local depth, innermost = 0, nil
      local function deeper()
        depth = depth + 1
        if depth == 300 then
          innermost = #tostring(GreenletTree.current_tree())
          return
        end
        spawn("d" .. depth, deeper)
        idle()
      end
      spawn("d0", deeper)
      helper.wait_until(function() return innermost end, "the innermost")
      assert.is_true(innermost < 300 * 400)
      for i = 1, 2000 do spawn("w" .. i, idle) end
      greenlet.sleep(0)
      local text = tostring(GreenletTree.current_tree())
      for _, name in ipairs { "d0", "d250", "w1", "w2000" } do
        assert.is_not_nil(text:find('"' .. name .. '"', 1, true), name)
      end
    end)

    it("is drawn without the spawn tree being tracked", function()
      greenlet.config.track_greenlet_tree = false
      spawn("t1", function() spawn("t2", idle); idle() end)
      greenlet.sleep(0)
      local text = drawn()
      greenlet.config.track_greenlet_tree = true
      assert.matches('^ %+%-%-%- <Greenlet "t1"', text)
      assert.matches('\n %+%-%-%- <Greenlet "t2"', text)
    end)

    it("formats with details, without, or with some", function()
      local l = require "greenlet.local".new()
      local e = event.Event()
      spawn("t1", function()
        l.mine = "yes"
        greenlet.getcurrent().spawn_tree_locals.request = 42
        spawn("t1a", e.wait, e)
        e:wait()
      end)
      greenlet.sleep(0)
      greenlet.sleep(0)
      local tree = GreenletTree.current_tree()
      assert.equal(tostring(tree), tree:format(false))
      local some = { running_stacks = false }
      assert.equal(tree:format(some), table.concat(tree:format_lines(some), "\n"))
      assert.matches("\n :    Stack:\n", tree:format())
      local full = block(tree:format_lines(), "t1")
      assert.equal(normal(
[[waits for set of <Event at X: clear, 2 waiting>   at SPEC: in function <SPEC>   for 0.0 s
Stack:
  [C]: in method 'wait'
  SPEC: in function <SPEC>
Spawned at:
  SPEC: in upvalue 'spawn'
Spawn tree locals:
  {request = 42}
Greenlet locals:
  <local at X>: {mine = "yes"}]]),
        (normal(full):gsub("for %d%.%d s", "for 0.0 s")
          :gsub("Spawned at:\n.-\nSpawn", "Spawned at:\n  SPEC: in upvalue 'spawn'\nSpawn")))
      local none = block(tree:format_lines { running_stacks = false, spawning_stacks = false,
                                             locals = false }, "t1")
      assert.matches("^waits for set of [^\n]*$", none)
      local child = block(tree:format_lines { running_stacks = false, spawning_stacks = false }, "t1a")
      assert.not_matches("locals", child) -- its tree's are shown where that begins; its own are none
    end)
  end)

  describe("format_run_info", function()
    it("says of each what it waits for, where, and where it was spawned", function()
      local lock = require "greenlet.lock"
      local s, r = lock.Semaphore(0), lock.RLock()
      local result = event.AsyncResult()
      local holder = spawn("t1", function() r:with(idle) end)
      greenlet.sleep(0)
      spawn("t2", s.acquire, s)
      spawn("t3", r.acquire, r)
      spawn("t4", result.get, result)
      spawn("t5", holder.join, holder)
      spawn("t6", greenlet.wait, { s, r })
      spawn("t7", function() greenlet.get_hub():wait(greenlet.get_hub().loop:timer(NEVER)) end)
      spawn("t8", s.wait, s)
      greenlet.sleep(0)
      spawn("t9", idle)
      living[#living + 1] = greenlet.spawn_later(NEVER, idle)
      living[#living].name = "t10"
      local lines = util.format_run_info()
      local function waits(name, pattern)
        assert.matches("^waits for " .. pattern, normal(block(lines, name) or "not there"))
      end
      waits("t1", "sleep   at SPEC: in ")
      waits("t2", "acquire of <Semaphore at X: 0 free, 1 waiting>")
      waits("t3", 'acquire of <RLock at X: held by <Greenlet "t1" at X: .*>, 1 waiting>')
      waits("t4", "set of <AsyncResult at X: no result, 1 waiting>")
      waits("t5", 'join of <Greenlet "t1" at X')
      waits("t6", "2 objects, the first of them <Semaphore at X: 0 free, 1 waiting>")
      waits("t7", "timer")
      waits("t8", "release of <Semaphore at X: 0 free, 1 waiting>")
      waits("t9", "its turn")
      waits("t10", "its start")
      assert.matches("\nSpawned at:\n", block(lines, "t9"))
    end)

    it("shows the stack of the one that asks, without its own lines", function()
      local lines
      spawn("t1", function() lines = util.format_run_info() end):join()
      local text = block(lines, "t1")
      assert.matches("^running\nStack:\n  [^\n]*util_spec%.lua:%d+: in function", text)
      assert.not_matches("greenlet%.util%]", table.concat(lines, "\n"))
    end)

    it("shows raw greenlets, their parents, and coroutines inside", function()
      local raw = greenlet.greenlet(function()
        coroutine.wrap(function() greenlet.getcurrent().parent:switch() end)()
      end)
      raw.name = "t1"
      raw:switch()
      local text = block(util.format_run_info(), "t1")
      assert.matches("^waits for switch", text)
      assert.matches("Parent: <greenlet \"main\"", text)
      assert.is_true(select(2, text:gsub("util_spec%.lua:%d+: in function", "")) >= 2)
      raw:switch()
    end)

    it("survives objects that cannot be shown", function()
      local Bad = event.Event:extend("Bad")
      function Bad:__tostring() error("no text") end
      local bad = Bad()
      spawn("t1", bad.wait, bad)
      spawn("t2", function()
        greenlet.getcurrent().spawn_tree_locals[bad] = bad
        bad:wait()
      end)
      greenlet.sleep(0)
      local lines = util.format_run_info()
      assert.matches("^waits for set of %(%?%)", block(lines, "t1"))
      assert.matches("{%(%?%) = %(%?%)}", block(lines, "t2"))
    end)
  end)

  describe("describe", function()
    it("does not look at what one that runs has waited for", function()
      greenlet.spawn(function() end):join()
      collectgarbage()
      collectgarbage()
      local t = util.describe(greenlet.getcurrent())
      assert.same({ "running" }, { t.state, t.what })
    end)

    local function told(g)
      local t = util.describe(g)
      assert.equal(g, t.greenlet)
      return t
    end

    it("tells what a living greenlet does, where, since when", function()
      local g = spawn("sleeper", idle)
      assert.equal("ready", told(g).state)
      helper.settle()
      local t = told(g)
      assert.same({ "waiting", "sleep" }, { t.state, t.what })
      assert.matches("^[%w_./]*util_spec%.lua:%d+: in function <[^>]*>$", t.where)
      assert.matches("^[%w_./]*util_spec%.lua:%d+: in ", t.spawned_at)
      assert.is_true(t.seconds >= 0 and t.seconds < helper.GENEROUS)
    end)

    it("tells of those that do not wait, too", function()
      local main = greenlet.getcurrent()
      local t = told(main)
      assert.same({ "running", nil }, { t.state, t.what })
      assert.equal("suspended", told(greenlet.get_hub()).state)
      assert.equal("new", told(greenlet.Greenlet(idle)).state)
      local later = greenlet.spawn_later(helper.NEVER, idle)
      living[#living + 1] = later
      assert.equal("new", told(later).state)
      local raw = greenlet.greenlet(function() main:switch() end)
      raw:switch()
      assert.equal("suspended", told(raw).state)
      raw:switch()
      assert.same({ greenlet = raw, state = "dead" }, told(raw))
    end)

    it("is an error with what is no greenlet", function()
      for _, value in ipairs { 42, "x", {}, true } do
        local ok, err = pcall(function() util.describe(value) end)
        assert.is_false(ok)
        assert.matches("util_spec%.lua:%d+: bad argument #1 to 'describe' %(greenlet expected", err)
      end
    end)
  end)

  describe("print_run_info", function()
    it("writes the lines to a file, or whatever has write", function()
      local pieces = {}
      util.print_run_info { write = function(_, ...)
        for _, piece in ipairs { ... } do pieces[#pieces + 1] = piece end
      end }
      local text = table.concat(pieces)
      assert.matches("^%*+\n%* Greenlets\n%*+\n<greenlet \"main\"", text)
      assert.matches("\n$", text)
      local name = os.tmpname()
      local file = assert(io.open(name, "w+"))
      util.print_run_info(file)
      file:seek("set")
      assert.matches("%* Greenlets", file:read("a"))
      file:close()
      os.remove(name)
    end)

    it("writes to standard error by default", function()
      local out, err = helper.run [[require "greenlet.util".print_run_info()]]
      assert.equal("", out)
      assert.matches("main chunk>\n :    running\n :    Stack:\n :      [^\n]*:1: in main chunk\n", err)
    end)

    it("is an error with what is no file", function()
      for _, value in ipairs { 42, "x", {}, true } do
        local ok, err = pcall(function() util.print_run_info(value) end)
        assert.is_false(ok)
        assert.matches("util_spec%.lua:%d+: bad argument #1 to 'print_run_info' %(file expected", err)
      end
    end)
  end)
end)
