-- Traces of two states in one process, each in a thread of its own.
local cjson = require "cjson"
local run = require "spec.cmd.run"

local ASIDE = [[
#include <lauxlib.h>
#include <lualib.h>
#include <pthread.h>

static void *run(void *code) {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  if (luaL_dostring(L, code))
    lua_writestringerror("%s\n", lua_tostring(L, -1));
  lua_close(L);
  return NULL;
}

static pthread_t thread;

/* begin(code): run it in another state and another thread; the code must stay */
static int l_begin(lua_State *L) {
  return pthread_create(&thread, NULL, run, (void *)luaL_checkstring(L, 1));
}

static int l_join(lua_State *L) {
  (void)L;
  return pthread_join(thread, NULL);
}

int luaopen_aside(lua_State *L) {
  luaL_Reg functions[] = {{"begin", l_begin}, {"join", l_join}, {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
]]

-- The other thread does something, makes a file `begun`, and goes on until there is a file `stop`.
local SCRIPT = [[
local aside, greenlet = require "aside", require "greenlet"
local function make(name) io.open(name, "w"):close() end
local function there(name)
  local file = io.open(name)
  return file and (file:close() or true)
end
local code = [=[
  local greenlet = require "greenlet"
  %s
  io.open("begun", "w"):close()
  local file
  while not file do greenlet.sleep(0.0001) file = io.open("stop") end
  file:close()
]=]
aside.begin(code)
while not there("begun") do greenlet.sleep(0.001) end
%s
make("stop")
aside.join()
]]

local DIRECTORY = run.resolve(run.greenlua):gsub("[^/]*$", "")

--- Run both in stock Lua.
local function both(there, here, shell)
  return run.program(run.stock, {
    files = { ["aside.c"] = ASIDE, ["t.lua"] = SCRIPT:format(there, here) },
    env = { LUA_CPATH = DIRECTORY .. "?.so;./?.so;;" },
    shell = "cc -shared -fPIC $(pkg-config --cflags lua5.4) -o aside.so aside.c && " .. shell,
  })
end

describe("A trace in stock Lua #asan #valgrind #stock", function()
  teardown(run.clean)

  it("does not begin after the module has ended", function()
    local result = run.program(run.stock, {
      env = { LUA_CPATH = DIRECTORY .. "?.so;./?.so;;" },
      e = [[
        late = setmetatable({}, { __gc = function() -- the first to have one, and so the last
          print(pcall(kept.trace.start, "a.json"))
          print(pcall(function() kept.config.flight_recorder = "b.json" end))
        end })
        kept = require "greenlet"
      ]],
    })
    assert.equal("", result.stderr)
    local _, refusals = result.stdout:gsub("cannot begin at the end of the state", "")
    assert.equal(2, refusals)
  end)
end)

describe("Traces of two threads #asan #valgrind #stock", function()
  teardown(run.clean)

  it("are written once each for a SIGUSR2", function()
    local result = both([[greenlet.config.flight_recorder = "there.json"]], [[
      greenlet.config.flight_recorder = "here.json"
      os.execute("kill -USR2 $PPID")
      local text
      repeat
        greenlet.sleep(0.001)
        local file = io.open("there.json")
        text = file and file:read("a") or ""
        if file then file:close() end
      until text:sub(-3) == "}}\n"]],
      "lua t.lua && cat here.json && echo && cat there.json")
    assert.equal(0, result.status)
    local names = {}
    for name in result.stderr:gmatch("SIGUSR2: [^\n]*/(%w+)%.json\n") do names[#names + 1] = name end
    table.sort(names)
    assert.same({ "here", "there" }, names)
    for trace in (result.stdout .. "\n"):gmatch("(.-}}\n)\n") do cjson.decode(trace) end
  end)

  it("are written at exit, though the other one goes on", function()
    local result = both([[greenlet.trace.start("there.json")]], "os.exit(0)",
      "lua t.lua && cat there.json")
    assert.equal("", result.stderr)
    assert.equal(0, result.status)
    assert.is_true(#cjson.decode(result.stdout).traceEvents > 0)
  end)
end)
