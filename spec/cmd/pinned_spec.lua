-- A C module that hands out a pointer into its C frame and then calls back: what a pinned greenlet
-- is for. With stacks that move at every switch the others' frames are elsewhere by then.
local run = require "spec.cmd.run"

local CELL = [[
#include <lauxlib.h>

/* cell(f): the value of a variable in this frame after f(its address) */
static int l_cell(lua_State *L) {
  volatile int cell = 1;
  lua_settop(L, 1);
  lua_pushlightuserdata(L, (void *)&cell);
  lua_call(L, 1, 0);
  lua_pushinteger(L, cell);
  return 1;
}

/* set(address, value): what a library does later, from elsewhere */
static int l_set(lua_State *L) {
  *(volatile int *)lua_touserdata(L, 1) = (int)luaL_checkinteger(L, 2);
  return 0;
}

int luaopen_cell(lua_State *L) {
  luaL_Reg functions[] = {{"cell", l_cell}, {"set", l_set}, {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
]]

local SCRIPT = [[
local cell = require "cell"
local Pinned = greenlet.Greenlet:extend("Pinned")
Pinned.pinned = true

local function wait_for_a_value()
  return cell.cell(function(address)
    if greenlet.getcurrent().pinned then
      greenlet.spawn(cell.set, address, 42):join()
    end -- at the address of others there may be anything by now
    greenlet.sleep(0)
  end)
end
local all = {}
for i = 1, 20 do
  local class = i % 2 == 0 and Pinned or greenlet.Greenlet
  all[i] = class.spawn(wait_for_a_value)
end
for i = 1, 20 do io.write(all[i]:get(), " ") end
print()
]]

describe("a pinned greenlet", function()
  teardown(run.clean)

  it("keeps the frames of C functions where they are", function()
    local result = run.program(run.greenlua, {
      files = { ["cell.c"] = CELL, ["t.lua"] = SCRIPT },
      shell = "cc -shared -fPIC $(pkg-config --cflags lua5.4) -o cell.so cell.c && lua t.lua",
      env = { GREENLUA_STACK_MOVE = "1", GREENLUA_STACK_SLOTS = "64" },
    })
    assert.same({ stdout = ("1 42 "):rep(10) .. "\n", stderr = "", status = 0 }, result)
  end)
end)
