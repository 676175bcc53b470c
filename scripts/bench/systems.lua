-- systems.lua: greenlua and the systems beside which it is measured: how each runs its programs.
--
-- A system is a table; {program}, {path} and {name} in its texts stand for the program that runs
-- scripts, the path of a script and its name:
--   key, title  its name in options, and in tables
--   package     what Debian calls it
--   programs    the shell commands that may be the program; the first that works is taken
--   version     shell text that prints the version, which is what matches `pattern`
--   directory   where its scripts are, each named as scripts/bench/*.lua, with `extension`
--   run         shell text that runs one
--   instead     where a run (run.lua) is not that of the script of its name: {path, figure}

local report = dofile((arg[0]:match("^.*/") or "./") .. "report.lua")

local OURS = report.directory()
local PEERS = OURS .. "peers/"
local BUILT = report.build_directory() .. "bench/" -- by `make bench-peers`

-- Coroutines are measured beside greenlets, by the same scripts.
local coroutines = {
  switch = { path = OURS .. "switch.lua", figure = "pair" },
  spawn = { path = OURS .. "spawn_join.lua", figure = "create" },
}

local systems = {
  {
    key = "greenlua", title = "greenlua",
    programs = { report.interpreter() },
    version = "{program} --version", pattern = "greenlua (%S+)",
    directory = OURS, extension = ".lua", run = "{program} {path}",
    instead = { switch = { path = OURS .. "switch.lua", figure = "switch" } },
  },
  {
    key = "lua5.4", title = "Lua coroutines", package = "lua5.4",
    programs = { "lua5.4" },
    version = "{program} -v", pattern = "^Lua (%S+)",
    directory = PEERS .. "coroutine/", extension = ".lua", run = "{program} {path}",
    instead = coroutines,
  },
  {
    key = "luajit", title = "LuaJIT coroutines", package = "luajit",
    programs = { "luajit" },
    version = "{program} -v", pattern = "^LuaJIT (%S+)",
    directory = PEERS .. "coroutine/", extension = ".lua", run = "{program} {path}",
    instead = coroutines,
  },
  {
    key = "go", title = "Go", package = "golang-go",
    programs = { "go" },
    version = "{program} version", pattern = "go(%d%S*)",
    directory = BUILT .. "go/", extension = "", run = "{path}",
  },
  {
    key = "erlang", title = "Erlang", package = "erlang-base",
    programs = { "erl" },
    version = [[{program} -noshell -eval 'io:format(erlang:system_info(otp_release)), halt().']],
    -- One scheduler, as elsewhere, which does not spin while it has nothing to do.
    directory = BUILT .. "erlang/", extension = ".beam",
    run = "{program} -noshell -noinput +S 1:1 +sbwt none +P 2000000 -pa " ..
      report.quote(BUILT .. "erlang") .. " -run {name} main",
  },
  {
    key = "gevent", title = "gevent", package = "python3-gevent",
    -- Debian's gevent belongs to Debian's Python, which need not be the first on the PATH.
    programs = { "python3", "/usr/bin/python3" },
    version = "{program} -c 'import gevent; print(gevent.__version__)'",
    directory = PEERS .. "gevent/", extension = ".py", run = "{program} -B {path}",
    -- A queue.py would be taken for Python's own module of that name.
    instead = { queue = { path = PEERS .. "gevent/put_get.py", figure = "queue" } },
  },
  {
    key = "tarantool", title = "Tarantool", package = "tarantool",
    programs = { "tarantool" },
    version = "{program} -V", pattern = "^Tarantool ([%d.]+)",
    directory = PEERS .. "tarantool/", extension = ".lua", run = "{program} {path}",
  },
  {
    key = "cqueues", title = "cqueues", package = "lua-cqueues",
    programs = { "lua5.4" },
    -- What it says of itself (VERSION) is years behind.
    version = [[{program} -e 'require "cqueues"' && dpkg-query -W -f '${Version}' lua-cqueues]],
    pattern = "^%d+",
    directory = PEERS .. "cqueues/", extension = ".lua", run = "{program} {path}",
  },
  {
    key = "luv", title = "luv", package = "lua-luv",
    programs = { "lua5.4" },
    version = [[{program} -e 'print(require "luv".version_string())']],
    directory = PEERS .. "luv/", extension = ".lua", run = "{program} {path}",
  },
  {
    key = "copas", title = "copas", package = "lua-copas",
    programs = { "luajit" }, -- Debian has copas for Lua 5.1 and 5.2 only
    version = [[{program} -e 'print(require "copas"._VERSION)']], pattern = "Copas (%S+)",
    directory = PEERS .. "copas/", extension = ".lua", run = "{program} {path}",
  },
}

local function fill(text, values)
  return (text:gsub("{(%w+)}", values))
end

--- Find out what is installed.
-- @return a list of the systems that are, each with `found`, its version, and `program`; a list
--   of those that are not
function systems.look()
  local found, missing = {}, {}
  for _, system in ipairs(systems) do
    for _, program in ipairs(system.programs) do
      local command = fill(system.version, { program = program })
      local text = not system.found and report.capture("{ " .. command .. "; } 2>/dev/null")
      if text then
        system.found, system.program = text:match(system.pattern or "%S+"), program
      end
    end
    table.insert(system.found and found or missing, system)
  end
  return found, missing
end

local function exists(path)
  local file <close> = io.open(path)
  return file ~= nil
end

--- The shell command by which a system that was found makes a run of run.lua.
-- @return string; nil when there is no such script
function systems.command(system, run)
  local instead = system.instead and system.instead[run.key]
  local path = instead and instead.path or system.directory .. run.script .. system.extension
  if not exists(path) then return nil end
  return fill(system.run, {
    program = system.program, path = report.quote(path), name = run.script,
  })
end

--- How a system calls what the others call `figure`.
function systems.figure_name(system, run_key, figure)
  local instead = system.instead and system.instead[run_key]
  return instead and instead.figure or figure
end

return systems
