local helper = require "spec.helper"
local greenlet = require "greenlet"
local it = helper.it

local Greenlet = greenlet.Greenlet
local TICK = helper.TICK

local function here() return debug.getinfo(2, "l").currentline end

-- How often a line of this file occurs in a stack's text.
local function levels(stack)
  return select(2, stack:gsub("\n%s+[^\n]*tree_spec%.lua", ""))
end

describe("greenlet.Greenlet", function()
  helper.check_leaks()

  describe("add_spawn_callback", function()
    local seen
    local function remember(g) seen[#seen + 1] = g end

    before_each(function()
      seen = {}
      Greenlet.add_spawn_callback(remember)
    end)
    after_each(function() Greenlet.remove_spawn_callback(remember) end)

    it("calls on every start, start_later, spawn and spawn_later", function()
      local function f() end
      local all = { Greenlet(f), Greenlet(f) }
      assert.equal(0, #seen)
      all[1]:start()
      assert.equal(1, #seen)
      all[2]:start_later(TICK)
      all[3] = greenlet.spawn(f)
      all[4] = greenlet.spawn_later(TICK, f)
      assert.equal(4, #seen)
      for i = 1, 4 do assert.is_true(rawequal(all[i], seen[i])) end
      greenlet.joinall(all)
      assert.equal(4, #seen)
    end)

    it("calls for subclasses", function()
      local Sub = Greenlet:extend("Sub")
      function Sub._run() end
      local g = Sub.spawn()
      assert.is_true(rawequal(g, seen[1]))
      g:join()
    end)

    it("calls before the greenlet has run", function()
      local ran, ran_then = false, nil
      local function look() ran_then = ran end
      Greenlet.add_spawn_callback(look)
      local g = greenlet.spawn(function() ran = true end)
      Greenlet.remove_spawn_callback(look)
      assert.is_false(ran_then)
      g:join()
    end)

    it("calls once when it was added twice", function()
      Greenlet.add_spawn_callback(remember)
      greenlet.spawn(function() end):join()
      assert.equal(1, #seen)
    end)

    it("does not call when start has no effect", function()
      local g = greenlet.spawn(function() end)
      g:start()
      g:join()
      g:start()
      assert.equal(1, #seen)
    end)

    it("calls several", function()
      local count = 0
      local function other() count = count + 1 end
      Greenlet.add_spawn_callback(other)
      greenlet.spawn(function() end):join()
      Greenlet.remove_spawn_callback(other)
      greenlet.spawn(function() end):join()
      assert.equal(1, count)
      assert.equal(2, #seen)
    end)
  end)

  describe("remove_spawn_callback", function()
    it("ends the calls, even when it was added twice", function()
      local called = false
      local function f() called = true end
      Greenlet.add_spawn_callback(f)
      Greenlet.add_spawn_callback(f)
      Greenlet.remove_spawn_callback(f)
      greenlet.spawn(function() end):join()
      assert.is_false(called)
    end)

    it("is no error for an unknown one", function()
      Greenlet.remove_spawn_callback(function() end)
      Greenlet.remove_spawn_callback(print)
    end)
  end)

  describe("spawn_tree_locals", function()
    it("is a table of its own for each child of the main greenlet", function()
      local a, b = Greenlet(print), Greenlet(print)
      assert.equal("table", type(a.spawn_tree_locals))
      assert.is_true(rawequal(a.spawn_tree_locals, a.spawn_tree_locals))
      assert.is_false(rawequal(a.spawn_tree_locals, b.spawn_tree_locals))
    end)

    it("is shared by a greenlet and all its descendants", function()
      local found = {}
      local root = greenlet.spawn(function()
        greenlet.getcurrent().spawn_tree_locals.key = "from the root"
        greenlet.spawn(function()
          found[1] = greenlet.getcurrent().spawn_tree_locals
          Greenlet.spawn_later(TICK, function()
            found[2] = greenlet.getcurrent().spawn_tree_locals
          end):join()
        end):join()
      end)
      root:join()
      assert.is_true(rawequal(root.spawn_tree_locals, found[1]))
      assert.is_true(rawequal(root.spawn_tree_locals, found[2]))
      assert.equal("from the root", found[2].key)
    end)

    it("is assignable", function()
      local own = {}
      local child
      local root = Greenlet(function() child = greenlet.spawn(function() end); child:join() end)
      root.spawn_tree_locals = own
      root:start()
      root:join()
      assert.is_true(rawequal(own, root.spawn_tree_locals))
      assert.is_true(rawequal(own, child.spawn_tree_locals))
    end)

    it("belongs to the tree of the creator, not of the starter", function()
      local made
      local creator = greenlet.spawn(function() made = Greenlet(function() end) end)
      creator:join()
      made:start()
      made:join()
      assert.is_true(rawequal(creator.spawn_tree_locals, made.spawn_tree_locals))
    end)
  end)

  describe("spawning_greenlet", function()
    it("is who was current when it was created", function()
      assert.equal(greenlet.getcurrent(), Greenlet(print).spawning_greenlet)
      local made, spawned
      local creator = greenlet.spawn(function()
        made = Greenlet(function() end)
        spawned = greenlet.spawn(function() end)
      end)
      creator:join()
      made:start()
      greenlet.joinall { made, spawned }
      assert.equal(creator, made.spawning_greenlet)
      assert.equal(creator, spawned.spawning_greenlet)
    end)

    it("is held weakly", function()
      local child
      local function start_parent()
        greenlet.spawn(function() child = Greenlet(function() end) end)
      end
      start_parent()
      helper.settle()
      assert.is_not_nil(child)
      assert.is_true(helper.collect_until(function()
        -- A later greenlet takes the place of the last one in whatever keeps it.
        greenlet.spawn(function() end):join()
        return child.spawning_greenlet == nil
      end))
    end)
  end)

  describe("spawning_stack", function()
    it("shows where it was created, in the form of a traceback", function()
      local line = here() + 1
      local g = Greenlet(print)
      assert.equal("string", type(g.spawning_stack))
      assert.matches("tree_spec%.lua:" .. line .. ":", g.spawning_stack)
      local h = greenlet.spawn(function() end)
      assert.matches("tree_spec%.lua:" .. line + 3 .. ":", h.spawning_stack)
      h:join()
    end)

    it("is followed by the spawner's own stack, one generation and not more", function()
      local lines, third = {}, nil
      lines[1] = here() + 1
      greenlet.spawn(function()
        lines[2] = here() + 1
        greenlet.spawn(function()
          lines[3] = here() + 1
          third = Greenlet(print)
        end):join()
      end):join()
      local stack = third.spawning_stack
      local own = stack:find("tree_spec.lua:" .. lines[3] .. ":", 1, true)
      local spawners = stack:find("tree_spec.lua:" .. lines[2] .. ":", 1, true)
      assert.is_not_nil(own)
      assert.is_not_nil(spawners)
      assert.is_true(own < spawners)
      assert.is_nil(stack:find("tree_spec.lua:" .. lines[1] .. ":", 1, true))
    end)

    it("shows at most spawning_stack_limit levels of each", function()
      assert.equal(10, Greenlet.spawning_stack_limit)
      local function deep(n)
        if n == 0 then return Greenlet(print) end
        local g = deep(n - 1)
        return g
      end
      local g = greenlet.spawn(deep, 50):get()
      local count = levels(g.spawning_stack)
      assert.is_true(count >= 9 and count <= 20, count .. " levels")
      Greenlet.spawning_stack_limit = 2
      local limited = deep(50)
      Greenlet.spawning_stack_limit = 10
      count = levels(limited.spawning_stack)
      assert.is_true(count >= 1 and count <= 2, count .. " levels with a limit of 2")
    end)
  end)

  describe("config.track_greenlet_tree", function()
    it("turns the three off", function()
      greenlet.config.track_greenlet_tree = false
      local ok, g = pcall(function() return Greenlet(print) end)
      greenlet.config.track_greenlet_tree = true
      assert.is_true(ok)
      assert.is_nil(g.spawn_tree_locals)
      assert.is_nil(g.spawning_greenlet)
      assert.equal("", g.spawning_stack)
    end)

    it("turns them on again", function()
      greenlet.config.track_greenlet_tree = false
      greenlet.config.track_greenlet_tree = true
      local g = Greenlet(print)
      assert.equal(greenlet.getcurrent(), g.spawning_greenlet)
      assert.matches("tree_spec", g.spawning_stack)
    end)

    it("is taken from the environment", function()
      for _, word in ipairs { "0", "false", "no", "off" } do
        local out = helper.run("print(greenlet.config.track_greenlet_tree)",
          { env = { GREENLUA_TRACK_GREENLET_TREE = word } })
        assert.equal("false\n", out)
      end
      for _, word in ipairs { "1", "true", "yes", "on" } do
        local out = helper.run("print(greenlet.config.track_greenlet_tree)",
          { env = { GREENLUA_TRACK_GREENLET_TREE = word } })
        assert.equal("true\n", out)
      end
    end)
  end)
end)
