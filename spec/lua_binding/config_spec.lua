-- greenlet.config. The settings of stacks can be changed only in a fresh process.
local helper = require "spec.helper"
local greenlet = require "greenlet"
local it = helper.it

local config = greenlet.config

describe("greenlet.config", function()
  it("raises for a setting that there is not", function()
    assert.has_error(function() return config.no_such end, "unknown setting 'no_such'")
    assert.has_error(function() config.no_such = 1 end, "unknown setting 'no_such'")
    assert.has_error(function() config[1] = 1 end, "unknown setting '1'")
    assert.has_error(function() return config[nil] end, "unknown setting 'nil'")
  end)

  it("raises for a value of another type", function()
    local booleans = { "track_greenlet_tree", "stack_move", "dump", "why_alive" }
    for _, name in ipairs(booleans) do
      for _, value in ipairs { 1, "true", {} } do
        assert.has_error(function() config[name] = value end,
          ("setting '%s' is a boolean (got %s)"):format(name, type(value)))
      end
    end
    for _, name in ipairs { "stack_slots", "stack_size" } do
      for _, value in ipairs { true, "64", {} } do
        assert.has_error(function() config[name] = value end,
          ("setting '%s' is an integer (got %s)"):format(name, type(value)))
      end
      assert.has_error(function() config[name] = 1.5 end,
        ("setting '%s' is an integer (got a number without integer representation)"):format(name))
    end
    for name, words in pairs { leaks = "off, warn, error", report = "now, unobserved" } do
      for value, got in pairs { [true] = "boolean", [1] = "number", x = "'x'" } do
        assert.has_error(function() config[name] = value end,
          ("setting '%s' is one of %s (got %s)"):format(name, words, got))
      end
    end
    assert.has_error(function() config.watchdog = "1" end,
      "setting 'watchdog' is a number (got string)")
    assert.has_error(function() config.stack_move = nil end,
      "setting 'stack_move' is a boolean (got nil)")
  end)

  it("takes a number of seconds, if there may be so many", function()
    for _, value in ipairs { -1, 0.001, 1e6, math.huge, 0 / 0 } do
      assert.has_error(function() config.watchdog = value end,
        "setting 'watchdog' is out of range (0.01 to 86400 seconds, or 0)")
    end
  end)

  it("can be read and assigned", function()
    for name, values in pairs { leaks = { "warn", "error", "off" }, why_alive = { true, false },
                                report = { "unobserved", "now" }, dump = { false, true } } do
      local before = config[name]
      for _, value in ipairs(values) do
        config[name] = value
        assert.equal(value, config[name])
      end
      config[name] = before
    end
  end)

  it("tells where the error is", function()
    local _, err = pcall(load("local c = ...\nc.no_such = 1", "=chunk"), config)
    assert.equal("chunk:2: unknown setting 'no_such'", err)
    _, err = pcall(load("local c = ...\nreturn c.no_such", "=chunk"), config)
    assert.equal("chunk:2: unknown setting 'no_such'", err)
    _, err = pcall(load("local c = ...\nc.stack_move = 0", "=chunk"), config)
    assert.equal("chunk:2: setting 'stack_move' is a boolean (got number)", err)
  end)
end)

describe("config.stack_slots and stack_size", function()
  -- No setting of whoever runs the specs.
  local PLAIN = { GREENLUA_STACK_SLOTS = "", GREENLUA_STACK_SIZE = "", GREENLUA_STACK_MOVE = "" }

  local function run(script, env)
    local all = {}
    for name, value in pairs(PLAIN) do all[name] = env and env[name] or value end
    local out, err, status, file = helper.run("local config = greenlet.config\n" .. script,
      { env = all })
    out = out:gsub(file:gsub("%p", "%%%0") .. ":%d+", "FILE")
    return out, err, status
  end

  local function it_prints(what, script, expected, env)
    it(what, function()
      local out, err, status = run(script, env)
      assert.equal("", err)
      assert.equal(expected, out)
      assert.equal(0, status)
    end)
  end

  it_prints("are 64 of 4 MB", "print(config.stack_slots, config.stack_size)", "64\t4194304\n")

  it_prints("may be changed before anybody runs", [[
    greenlet.spawn(function() print(config.stack_slots, config.stack_size) end)
    greenlet.greenlet(print)
    config.stack_slots, config.stack_size = 3, 1 << 20
    config.stack_slots = 2.0
    for i = 1, 3 do greenlet.spawn(function() ("0"):gsub("0", greenlet.sleep) print(i) end) end
  ]], "2\t1048576\n1\n2\n3\n")

  it_prints("are rounded up to pages", [[
    config.stack_size = 100001
    print(config.stack_size % 4096, config.stack_size > 100001)
  ]], "0\ttrue\n")

  it_prints("hold what a deep C stack needs", [[
    config.stack_size = 64 << 20
    local function nest(n)
      if n == 0 then return "x" end
      return (("x"):gsub("x", function() return nest(n - 1) end))
    end
    print(greenlet.spawn(nest, 60):get())
  ]], "x\n")

  for _, what in ipairs { "greenlet.sleep(0.001)", "greenlet.greenlet(print):switch()",
    "greenlet.spawn(math.abs, 1):get()" } do
    it_prints("cannot be changed after " .. what, what .. [[
      print(pcall(function() config.stack_slots = 5 end))
      print(pcall(function() config.stack_size = 1 << 20 end))
      config.stack_slots, config.stack_size = 64, 4 << 20 -- as they are
      print(config.stack_slots, config.stack_size)
    ]], (what:match("print") and "\n" or "") .. ([[
false	FILE: setting 'stack_slots' cannot be changed any more: greenlets have run
false	FILE: setting 'stack_size' cannot be changed any more: greenlets have run
64	4194304
]]))
  end

  it_prints("cannot be changed in a greenlet", [[
    print(greenlet.spawn(pcall, function() config.stack_slots = 5 end):get())
  ]], "false\tFILE: setting 'stack_slots' cannot be changed any more: greenlets have run\n")

  it_prints("have a range", [[
    for _, slots in ipairs { 0, -1, 1048577, math.maxinteger, math.mininteger } do
      print(pcall(function() config.stack_slots = slots end))
    end
    for _, size in ipairs { 65535, -1, (1 << 30) + 1, math.maxinteger, math.mininteger } do
      print(pcall(function() config.stack_size = size end))
    end
    config.stack_slots, config.stack_size = 1048576, 65536
    config.stack_slots, config.stack_size = 1, 1 << 30
    print(config.stack_slots, config.stack_size)
  ]], ("false\tFILE: setting 'stack_slots' is out of range (1 to 1048576)\n"):rep(5) ..
      ("false\tFILE: setting 'stack_size' is out of range (64 KB to 1 GB)\n"):rep(5) ..
      "1\t1073741824\n")

  it_prints("are taken from the environment",
    "print(config.stack_slots, config.stack_size)", "7\t65536\n",
    { GREENLUA_STACK_SLOTS = "7", GREENLUA_STACK_SIZE = "65536" })
  it_prints("may have a unit there",
    "print(config.stack_slots, config.stack_size)", "2048\t8388608\n",
    { GREENLUA_STACK_SLOTS = "2K", GREENLUA_STACK_SIZE = "8m" })

  for _, case in ipairs {
    { "GREENLUA_STACK_SLOTS", "many", "GREENLUA_STACK_SLOTS: 'many' is no number" },
    { "GREENLUA_STACK_SLOTS", "-1", "GREENLUA_STACK_SLOTS: '-1' is no number" },
    { "GREENLUA_STACK_SIZE", "1g", "GREENLUA_STACK_SIZE: '1g' is no number" },
    { "GREENLUA_STACK_SLOTS", "0", "GREENLUA_STACK_SLOTS is out of range (1 to 1048576)" },
    { "GREENLUA_STACK_SLOTS", ("9"):rep(40),
      "GREENLUA_STACK_SLOTS is out of range (1 to 1048576)" },
    { "GREENLUA_STACK_SIZE", "63k", "GREENLUA_STACK_SIZE is out of range (64 KB to 1 GB)" },
    { "GREENLUA_STACK_SIZE", "17592186044416m",
      "GREENLUA_STACK_SIZE is out of range (64 KB to 1 GB)" },
  } do
    local name, value, message = table.unpack(case)
    it(("refuse %s=%s with a message"):format(name, value), function()
      local out, err, status = run("print('ran')", { [name] = value })
      assert.equal("", out)
      assert.truthy(err:find(message, 1, true), err)
      assert.equal(1, status)
    end)
  end
end)

describe("config.stack_move", function()
  it("is off, unless the environment says otherwise", function()
    for word, expected in pairs { [""] = "false", ["0"] = "false", no = "false", ["1"] = "true" } do
      local out = helper.run("print(greenlet.config.stack_move)",
        { env = { GREENLUA_STACK_MOVE = word } })
      assert.equal(expected .. "\n", out)
    end
  end)

  it("may be changed at any time", function()
    local before = config.stack_move
    local function nested(i)
      local result
      ("x"):gsub("x", function()
        greenlet.sleep(0)
        result = i
      end)
      return result
    end
    local all = {}
    for i = 1, 20 do all[i] = greenlet.spawn(nested, i) end
    greenlet.sleep(0)
    config.stack_move = not before
    assert.equal(not before, config.stack_move)
    for i = 21, 40 do all[i] = greenlet.spawn(nested, i) end
    for i, g in ipairs(all) do
      if i == 30 then config.stack_move = before end
      assert.equal(i, g:get())
    end
    config.stack_move = before
  end)
end)
