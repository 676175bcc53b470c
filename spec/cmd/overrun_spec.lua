-- C code that needs more stack than there is: the process ends by SIGSEGV, and says first whose
-- stack it was, how large, and where the greenlet was.
local run = require "spec.cmd.run"

local DEEP = [[
#include <lauxlib.h>
#include <lualib.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static int dive(volatile char *before, long n) {
  volatile char block[4096];
  memset((void *)block, (int)n, sizeof block);
  return n == 0 ? before[0] : dive(block, n - 1) + block[1];
}

/* dive(n): use 4 KB of stack n times */
static int l_dive(lua_State *L) {
  char none = 0;
  dive(&none, luaL_checkinteger(L, 1));
  lua_pushliteral(L, "deep enough");
  return 1;
}

/* poke(address): write there */
static int l_poke(lua_State *L) {
  *(volatile char *)luaL_checkinteger(L, 1) = 1;
  return 0;
}

static void on_fault(int number) {
  static const char text[] = "the module's own\n";
  (void)number;
  if (write(1, text, sizeof text - 1))
    _exit(7);
}

/* handle(): take SIGSEGV, and have a stack for that */
static int l_handle(lua_State *L) {
  static char memory[1 << 16];
  stack_t stack = {.ss_sp = memory, .ss_size = sizeof memory};
  struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_ONSTACK};
  (void)L;
  sigaltstack(&stack, NULL);
  sigaction(SIGSEGV, &action, NULL);
  return 0;
}

static void *run(void *code) {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  (void)luaL_dostring(L, code);
  lua_close(L);
  return NULL;
}

/* aside(code): run it in another state and another thread, and wait for that */
static int l_aside(lua_State *L) {
  pthread_t thread;
  pthread_create(&thread, NULL, run, (void *)luaL_checkstring(L, 1));
  pthread_join(thread, NULL);
  return 0;
}

int luaopen_deep(lua_State *L) {
  luaL_Reg functions[] = {{"dive", l_dive}, {"poke", l_poke}, {"handle", l_handle},
                          {"aside", l_aside}, {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
]]

local SEGV = 128 + 11
local BUILD = "cc -shared -fPIC $(pkg-config --cflags lua5.4) -o deep.so deep.c && ulimit -c 0 && "

--- Run a script that has the module as `deep`.
-- @param options before: a command of sh; env; program
local function result_of(script, options)
  options = options or {}
  local env = { GREENLUA_STACK_SIZE = "", GREENLUA_STACK_SLOTS = "", GREENLUA_STACK_MOVE = "" }
  for name, value in pairs(options.env or {}) do env[name] = value end
  local result = run.program(options.program or run.greenlua, {
    files = { ["deep.c"] = DEEP, ["t.lua"] = 'local deep = require "deep"\n' .. script },
    shell = BUILD .. (options.before or ":") .. " && exec lua t.lua",
    env = env,
  })
  result.stderr = result.stderr:gsub("Segmentation fault[^\n]*\n$", "") -- sh says so, or not
  return result
end

--- It ends by SIGSEGV, and this is what it says.
local function dies(script, expected, options)
  local result = result_of(script, options)
  assert.equal(expected, result.stderr)
  assert.equal("", result.stdout)
  assert.equal(SEGV, result.status)
end

local function overran(name, size)
  return ('greenlua: greenlet "%s" has overrun its C stack of %d KB; '):format(name, size) ..
    "the setting stack_size (GREENLUA_STACK_SIZE) makes it larger\n"
end

--- What is said of the main greenlet, at a line, if the process has a stack of 1 MB.
local function main_overran(line)
  return 'greenlua: greenlet "main" has overrun the process\'s C stack of 1024 KB; ' ..
    "ulimit -s makes it larger\nstack traceback:\n\t[C]: in field 'dive'\n" ..
    ("\tt.lua:%d: in main chunk\n\t[C]: in ?\n"):format(line)
end

--- A greenlet that overruns its stack.
-- @param setup statements on `g`, before it is started
local function spawned(setup)
  return ([[
local function work()
  deep.dive(1000000)
end
local g = greenlet.Greenlet(function() greenlet.sleep(0) work() end)
%s
g:start()
g:join()
]]):format(setup or "")
end

--- Its traceback, if so many lines come before it.
local function traceback(before)
  return ([[
stack traceback:
	[C]: in field 'dive'
	t.lua:%d: in upvalue 'work'
	t.lua:%d: in function <t.lua:%d>
]]):format(before + 2, before + 4, before + 4)
end

-- AddressSanitizer and valgrind take the signal themselves, and tell of it in their own way.
describe("a C stack that is overrun #asan #valgrind", function()
  teardown(run.clean)

  it("is told of, with the name of its greenlet", function()
    dies(spawned "g.name = 'diver'", overran("diver", 4096) .. traceback(1))
  end)

  it("is told of with the name that reports give a greenlet without one", function()
    dies(spawned(), overran("Greenlet-0", 4096) .. traceback(1))
    dies("assert(greenlet.spawn(greenlet.sleep, 9).minimal_ident == 0)\n" .. spawned(),
      overran("Greenlet-1", 4096) .. traceback(2))
    dies(spawned "assert(g.minimal_ident == 0)", overran("Greenlet-0", 4096) .. traceback(1))
  end)

  it("is as large as the setting says", function()
    dies(spawned(), overran("Greenlet-0", 256) .. traceback(1),
      { env = { GREENLUA_STACK_SIZE = "256k" } })
    local script = "print(greenlet.spawn(deep.dive, 4000):get())"
    assert.equal(SEGV, result_of(script).status)
    assert.same({ stdout = "deep enough\n", stderr = "", status = 0 },
      result_of("greenlet.config.stack_size = 32 << 20\n" .. script))
  end)

  it("is told of when stacks move", function()
    for _, slots in ipairs { "1", "64" } do
      dies("greenlet.spawn(greenlet.sleep, 9)\n" .. spawned(),
        overran("Greenlet-0", 4096) .. traceback(2),
        { env = { GREENLUA_STACK_SLOTS = slots, GREENLUA_STACK_MOVE = "1" } })
    end
  end)

  it("may be a pinned greenlet's", function()
    dies(spawned "g.pinned = true", overran("Greenlet-0", 4096) .. traceback(1))
  end)

  it("may be the hub's", function()
    dies("local loop = greenlet.get_hub().loop " ..
      "loop:run_callback(function() deep.dive(1000000) end) greenlet.sleep(1)",
      overran("hub", 4096) .. "stack traceback:\n\t[C]: in field 'dive'\n" ..
      "\tt.lua:2: in function <t.lua:2>\n\t[C]: in ?\n")
  end)

  it("may be the process's, in the main greenlet", function()
    dies("deep.dive(1000000)", main_overran(2), { before = "ulimit -s 1024" })
  end)

  it("shows the coroutines in which the greenlet was", function()
    dies([[
local function inner() deep.dive(1000000) end
local function outer() coroutine.resume(coroutine.create(inner)) end
local g = greenlet.Greenlet(function() coroutine.wrap(outer)() end)
g.name = "nest"
g:start()
g:join()]], overran("nest", 4096) .. [[
stack traceback:
	[C]: in field 'dive'
	t.lua:2: in function <t.lua:2>
	[C]: in field 'resume'
	t.lua:3: in function <t.lua:3>
	[C]: in ?
	t.lua:4: in function <t.lua:4>
]])
  end)

  it("leaves out the middle of a long traceback", function()
    local result = result_of([[
local function down(n)
  if n == 0 then deep.dive(1000000) end
  local ok = down(n - 1)
end
greenlet.spawn(down, 100000):join()]])
    local _, lines = result.stderr:gsub("\n", "")
    assert.equal(2 + 10 + 1 + 11, lines)
    assert.matches("\n\t%.%.%.\t%(skipping 99981 levels%)\n", result.stderr)
  end)
end)

describe("another fault #asan #valgrind", function()
  teardown(run.clean)

  it("is told of with its address", function()
    dies("greenlet.spawn(function() deep.poke(16) end):join()",
      'greenlua: greenlet "Greenlet-0" got SIGSEGV at address 0x10\nstack traceback:\n' ..
      "\t[C]: in field 'poke'\n\tt.lua:2: in function <t.lua:2>\n")
  end)

  it("is not told of if somebody has sent the signal", function()
    dies("os.execute 'kill -s SEGV $PPID'", "")
  end)

  it("is left to a module that has taken the signal", function()
    assert.same({ stdout = "the module's own\n", stderr = "", status = 7 },
      result_of("deep.handle()\n" .. spawned()))
  end)
end)

describe("greenlet.so in a stock Lua #asan #valgrind #stock", function()
  local env = { LUA_CPATH = run.resolve(run.greenlua):gsub("[^/]*$", "") .. "?.so;./?.so;;" }
  local options = { program = run.stock, env = env }
  local load = 'local greenlet = require "greenlet"\n'
  teardown(run.clean)

  it("tells of it, too", function()
    dies(load .. spawned "g.name = 'diver'", overran("diver", 4096) .. traceback(2), options)
  end)

  it("tells of it in the thread in which it is", function()
    dies(load .. "deep.aside [[local deep, greenlet = require 'deep', require 'greenlet'" ..
      "local g = greenlet.Greenlet(deep.dive, 1000000) g.name = 'aside' g:start() g:join()]]",
      overran("aside", 4096) .. "stack traceback:\n\t[C]: in ?\n", options)
  end)

  it("still tells of it when the state of another thread is closed", function()
    dies(load .. "deep.aside 'require [[greenlet]].sleep(0)'\ndeep.dive(1000000)",
      main_overran(4), { program = run.stock, env = env, before = "ulimit -s 1024" })
  end)

  it("leaves the signal to a host that handles it", function()
    assert.same({ stdout = "the module's own\n", stderr = "", status = 7 },
      result_of("deep.handle()\n" .. load .. spawned(), options))
  end)
end)
