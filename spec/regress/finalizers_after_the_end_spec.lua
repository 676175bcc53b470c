-- Finalizers that run after the runtime's own, when the state is closed.
--
-- Cause: Lua calls finalizers in the reverse order of their marking, so one that a script set
-- before the module was loaded, or one of a standard library's objects, runs when the hub is gone
-- already; it used freed memory.
-- Fix: what would need the hub raises an error then (l_check_started), and greenlets are dead.
local helper = require "spec.helper"

local directory = helper.program():match("^(.*)/[^/]*$") or "build"
local STOCK = {
  program = os.getenv("LUA") or "lua5.4",
  env = {
    LUA_CPATH = directory .. "/?.so;;", LUA_INIT = "", LUA_INIT_5_4 = "", MALLOC_PERTURB_ = "170",
  },
}
local OURS = { env = { MALLOC_PERTURB_ = "170" } }

-- What a finalizer tries, one after the other. Each must raise an error or do nothing.
local TRIES = [[
  local function try()
    local greenlet = package.loaded.greenlet
    local loop = greenlet.get_hub().loop
    local function ended(g) return not (g and g.dead ~= true and g.active) end
    for _, f in ipairs {
      function() loop:update_now() end,
      function() loop:timer(1):start(print) end,
      function() loop:idle():start(print) end,
      function() loop:io(0, "r"):start(print) end,
      function() loop:stat("/tmp"):start(print) end,
      function() loop:run_callback(print) end,
      function() watcher:start(print) end,
      function() watcher:stop() watcher:close() end,
      function() timeout:start() end,
      function() timeout:close() end,
      function() greenlet.spawn(print, 1) end,
      function() greenlet.Timeout.start_new(1) end,
      function() greenlet.sleep(0) end,
      function() living:kill() end,
      function() living:join() end,
      function() tostring(living) greenlet.traceback(living) end,
    } do greenlet.pcall(f) end
    io.stderr:write(ended(living) and "tried\n" or "alive\n")
  end
]]

local LIVING = [[
  watcher = greenlet.get_hub().loop:timer(60)
  timeout = greenlet.Timeout(60)
  living = greenlet.spawn(function() greenlet.pcall(greenlet.sleep, 60) end)
  greenlet.sleep(0)
]]

local function ends(script, options)
  local out, err, status = helper.run(script, options)
  assert.equal("", out)
  assert.equal(0, status, err)
  assert.truthy(err:find("^tried\n"), err)
  assert.falsy(err:find("alive", 1, true), err)
end

describe("a finalizer that runs after the runtime's own", function()
  it("may be one set before a stock Lua loads the module #stock", function()
    ends(TRIES .. [[
      keep = setmetatable({}, { __gc = try })
      local greenlet = require "greenlet"
    ]] .. LIVING, STOCK)
  end)

  for name, options in pairs { ["a stock Lua #stock"] = STOCK, greenlua = OURS } do
    it("may be a standard file's, in " .. name, function()
      ends(TRIES .. [[
        getmetatable(io.stdout).__gc = try
        local greenlet = require "greenlet"
      ]] .. (name == "greenlua" and "watcher = greenlet.get_hub().loop:timer(60)" or LIVING),
        options)
    end)
  end
end)
