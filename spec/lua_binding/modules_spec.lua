local helper = require "spec.helper"
local greenlet = require "greenlet"

-- The modules; each is greenlet.<name>.
local MODULES = { "event", "local", "lock", "monkey", "pool", "queue", "util" }

local directory = helper.program():match("^(.*)/[^/]*$") or "build"
local stock = {
  program = os.getenv("LUA") or "lua5.4",
  env = { LUA_CPATH = directory .. "/?.so;;", LUA_INIT = "", LUA_INIT_5_4 = "" },
}

describe("greenlet's modules", function()
  for _, name in ipairs(MODULES) do
    describe(name, function()
      it("is a field and can be required", function()
        local module = greenlet[name]
        assert.equal("table", type(module))
        assert.equal(module, require("greenlet." .. name))
        assert.equal(module, rawget(greenlet, name))
      end)

      local script = ([[
        local module = require "greenlet.%s"
        print(rawequal(module, require "greenlet"[%q]))
      ]]):format(name, name)

      it("can be required first", function()
        assert.equal("true\n", (helper.run(script)))
      end)

      it("can be required first in a stock Lua #stock", function()
        assert.equal("true\n", (helper.run(script, stock)))
      end)
    end)
  end

  it("are loaded at first use", function()
    assert.equal("nil\ttable\ttable\n", (helper.run [[
      print(rawget(greenlet, "monkey"), type(greenlet.monkey), type(rawget(greenlet, "monkey")))
    ]]))
  end)

  it("are all there are", function()
    assert.is_nil(greenlet.no_such_module)
    assert.is_nil(greenlet[1])
  end)
end)
