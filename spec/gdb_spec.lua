-- scripts/gdb/greenlua-gdb.py in gdb's batch mode: on a process, and on a core file.
local run = require "spec.cmd.run"

local ROOT = io.popen("pwd"):read("l")

local SCRIPT = [[
local function doze() greenlet.sleep(1000) end
local sleeper = greenlet.spawn(function()
  doze()
end)
sleeper.name = "dozer"
greenlet.spawn(function() sleeper:join() end)
greenlet.spawn(function()
  local nap = coroutine.wrap(function()
    greenlet.sleep(1000)
  end)
  nap()
end)
greenlet.spawn(function()
  return (("x"):gsub(".", doze))
end)
greenlet.sleep(0)
greenlet.spawn(print, "never")
os.clock() -- the breakpoint
print("went on")
os.exit(greenlet.getcurrent().name == "main" and 7)
]]

local EACH = [[python [gdb.execute("greenlet bt %#x" % g.handle) for g in list(all_greenlets())]
]]

local function gdb(commands, env, shell)
  return run.program(run.greenlua, {
    files = { ["t.lua"] = SCRIPT, ["c.gdb"] = commands },
    shell = (shell or "gdb -nx -q -batch -x c.gdb --args lua t.lua") .. " 2>&1",
    env = env,
  })
end

-- Why there is nothing to test with; nil if there is.
local function missing()
  local result = gdb("python import gdb.unwinder\nbreak main\nrun\nkill\n")
  if result.status == 127 then return "gdb is not installed" end
  if not result.stdout:find("Breakpoint 1, ") then return "gdb cannot run a program here" end
end

-- The stacks that `greenlet bt` printed, by what the line before them says.
local function stacks(output)
  local found, title = {}, nil
  for line in output:gmatch("[^\n]+") do
    if line:find("^0x%x+ .*<.*>  %l+") then
      title = line:gsub("^0x%x+ ", "")
      found[title] = ""
    elseif title and (line:find("^    ") or line:find("^%a+ stack:")) then
      found[title] = found[title] .. line .. "\n"
    end
  end
  return found
end

-- These parts, in this order.
local function assert_has(text, ...)
  assert.is_string(text)
  local from = 1
  for _, part in ipairs { ... } do
    local _, last = text:find(part, from, true)
    assert(last, ("no %q after byte %d of:\n%s"):format(part, from, text))
    from = last + 1
  end
end

local START_OF_STACK = { "lua_resume", "run_on", "greenlet_base", "enter", "switch_entry" }

local function assert_stacks(output, which)
  local found = stacks(output)
  local function check(title, c_frame, ...)
    assert_has(found[title], "Lua stack:", ...)
    if which == "all" or c_frame ~= "l_sleep" then
      assert_has(found[title], "C stack:\n    #0 ", "switch", c_frame, table.unpack(START_OF_STACK))
    end
  end
  check('"dozer" <t.lua:2>  waiting for sleep', "l_sleep", "[C]: in function l_sleep\n",
    "t.lua:1: in function <t.lua:1>\n", "t.lua:3: in function <t.lua:2>\n")
  check("<t.lua:7>  waiting for sleep", "wrapped", "t.lua:9: in function <t.lua:8>\n",
    "[C]: in function wrapped\n", "t.lua:11: in function <t.lua:7>\n")
  check("<t.lua:13>  waiting for sleep", "str_gsub", "t.lua:1: in function <t.lua:1>\n",
    "[C]: in function str_gsub\n", "t.lua:14: in function <t.lua:13>\n")
  for title, text in pairs(found) do
    if title:find("^<t.lua:6>  waiting for join of 0x%x+ \"dozer\" <t.lua:2>$") then
      assert_has(text, "t.lua:6: in function <t.lua:6>\n", "C stack:")
      return
    end
  end
  error("no greenlet that joins:\n" .. output)
end

-- Frames of the checkers are on the stacks, and valgrind is what gdb would see.
describe("gdb #asan #valgrind", function()
  teardown(run.clean)

  local source = "source " .. ROOT .. "/scripts/gdb/greenlua-gdb.py\n"
  local live = "break os_clock\nrun\n" .. source
  local reason

  setup(function() reason = missing() end)

  local function it_with_gdb(name, body)
    it(name, function()
      if reason then return pending(reason) end
      body()
    end)
  end

  it_with_gdb("lists greenlets", function()
    local output = gdb(live .. "info greenlets\nkill\n", { GREENLUA_STACK_SLOTS = "64" }).stdout
    assert.matches('\n%* main 0x%x+ "main" <main chunk>  running  at t.lua:18: in main chunk\n',
      output)
    assert.matches('\n  hub  0x%x+ "hub" <event loop>  suspended  at %?\n', output)
    assert.matches('0x%x+ "dozer" <t.lua:2>  waiting for sleep  at t.lua:1: in function <t.lua:1>\n',
      output)
    assert.matches("\n +0x%x+ <luaB_print>  ready for its start  at %?\n", output)
  end)

  it_with_gdb("finds the greenlets of each state, if a process has several", function()
    local several = "set var l_only_runtime = 0\n" -- what a second one does
    local output = gdb(live .. several .. "info greenlets\nkill\n").stdout
    assert.matches('\n%* main 0x%x+ "main" .*"dozer" <t.lua:2>  waiting for sleep', output)
  end)

  local modes = {
    { "on their own stacks", { GREENLUA_STACK_SLOTS = "64", GREENLUA_STACK_MOVE = "0" } },
    { "moved away from their stacks", { GREENLUA_STACK_SLOTS = "64", GREENLUA_STACK_MOVE = "1" } },
  }
  for _, mode in ipairs(modes) do
    it_with_gdb("prints the stacks of greenlets " .. mode[1] .. ", and lets all run on", function()
      local result = gdb(live .. "frame 2\n" .. EACH .. "frame\ncontinue\n", mode[2])
      assert_stacks(result.stdout, "all")
      assert_has(result.stdout, '"main" <main chunk>  running', "os_clock", "main (argc=",
        "went on\n", "exited with code 07]")
      local first, last
      for line in result.stdout:gmatch("\n(#2 [^\n]*)") do first, last = first or line, line end
      assert.is_string(first)
      assert.equal(first, last) -- the frame that was selected still is
    end)
  end

  it_with_gdb("says that a greenlet has yielded its C stack", function()
    local output = gdb(live .. EACH .. "kill\n",
      { GREENLUA_STACK_SLOTS = "1", GREENLUA_STACK_MOVE = "0" }).stdout
    assert_stacks(output, "those that C functions hold")
    assert_has(output, "C stack:\n    none: it has yielded it while it waits\n")
  end)

  it_with_gdb("says what it does not find", function()
    local function try(...)
      local words = { ... }
      for i, word in ipairs(words) do
        words[i] = ("python\ntry: gdb.execute('%s')\n"):format(word)
          .. "except gdb.error as e: print(e)\nend\n"
      end
      return table.concat(words)
    end
    local output = gdb(source .. try("info greenlets") .. "break os_clock\nrun\n"
      .. try("greenlet bt 1", "greenlet bt") .. "kill\n").stdout
    assert_has(output, "no process, nor a core file", "1 is no living greenlet", "which greenlet?")
  end)

  for _, mode in ipairs { modes[1], modes[2] } do
    it_with_gdb("reads a core file of greenlets " .. mode[1], function()
      local dump = "ulimit -c unlimited; lua -e 'function os.clock() %s end' t.lua; "
      dump = dump:format([[os.execute("kill -ABRT $PPID")]])
      local analyse = "gdb -nx -q -batch -x c.gdb \"$(readlink -f \"$(command -v lua)\")\" core*"
      local result = gdb(source .. "info greenlets\n" .. EACH, mode[2], "{ " .. dump
        .. "ls core* >/dev/null || exit 99; " .. analyse .. "; }")
      if result.status == 99 then return pending("the kernel writes no core file here") end
      assert_stacks(result.stdout, "all")
    end)
  end
end)
