--- Runs greenlua, or a stock lua, as a command and captures what it does.
-- Needs a POSIX sh with `timeout` and nothing of greenlua: the specs run under
-- a stock busted, too.
local run = {}

-- No command here takes one second; a hang must not stop the specs.
local SECONDS = 20 * require "spec.patience"

run.TIMED_OUT = 124 -- the status of a command that hung

local UNSET = "LUA_INIT LUA_INIT_5_4 LUA_PATH LUA_PATH_5_4 LUA_CPATH LUA_CPATH_5_4"

--- The contents of a file.
function run.read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  return text
end

--- Make a file of a text.
function run.write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

--- Make a word of sh out of any string.
function run.quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function sh(script)
  local _, what, status = os.execute(script)
  return what == "signal" and 128 + status or status
end

--- The absolute path of a command.
function run.resolve(program)
  local pipe = assert(io.popen(("readlink -f -- \"$(command -v %s)\""):format(run.quote(program))))
  local path = pipe:read("l")
  pipe:close()
  return assert(path and path ~= "" and path, "no such program: " .. program)
end

local root = os.tmpname()
os.remove(root)
local directories = 0

--- Make an empty directory.
-- @treturn string its path
function run.directory()
  directories = directories + 1
  local path = root .. "/" .. directories
  assert(sh("mkdir -p " .. path) == 0)
  return path
end

-- The program goes by the name `lua` on a PATH of its own: then nothing that it
-- prints tells which one it is, and everything can be compared byte by byte.
local function provide(program)
  local bin = run.directory()
  assert(sh(("ln -s %s %s/lua"):format(run.quote(run.resolve(program)), bin)) == 0)
  return bin
end

local bins = {}
--- The directory in which a program goes by the name `lua`.
function run.bin_of(program)
  bins[program] = bins[program] or provide(program)
  return bins[program]
end

--- Remove all directories that were made. More may be made afterwards.
function run.clean()
  sh("rm -rf " .. root)
  bins = {}
end

run.greenlua = os.getenv("GREENLUA") or "build/greenlua"
run.stock = os.getenv("LUA") or "lua5.4"

local function exports(case, bin)
  local list = { "unset " .. UNSET, ("export TERM=dumb PATH=%s:\"$PATH\""):format(bin) }
  for name, value in pairs(case.env or {}) do
    list[#list + 1] = ("export %s=%s"):format(name, run.quote(value))
  end
  return table.concat(list, "; ")
end

local function command(case)
  if case.shell then
    return "sh -c " .. run.quote(case.shell)
  end
  local words = { "lua" }
  if case.e then
    words = { "lua", "-e", run.quote(case.e) }
  elseif case.script then
    words = { "lua", "t.lua" }
  end
  for _, word in ipairs(case.args or {}) do
    words[#words + 1] = run.quote(word)
  end
  return table.concat(words, " ")
end

--- Make the files of a case in a directory.
function run.write_files(case, directory)
  if case.script then
    run.write(directory .. "/t.lua", case.script)
  end
  for name, text in pairs(case.files or {}) do
    local parent = name:match("^(.*)/")
    if parent then
      assert(sh(("mkdir -p %s/%s"):format(directory, parent)) == 0)
    end
    run.write(directory .. "/" .. name, text)
  end
end

--- Run a program in a fresh directory, as the command `lua`.
-- @tparam string program its path
-- @tparam table case `e` (code for -e), `script` (contents of t.lua, which is run),
-- or neither; then `args` (a list); or `shell` instead of them all (a script for sh).
-- `stdin` (a string), `env` (a table), `files` (contents by name), `seconds` (how long it may take).
-- @treturn table stdout, stderr, status (128 + n for signal n)
function run.program(program, case)
  local directory, streams = run.directory(), run.directory()
  run.write_files(case, directory)
  run.write(streams .. "/in", case.stdin or "")
  local status = sh(("%s; cd %s && timeout %d %s <%s/in >%s/out 2>%s/err"):format(
    exports(case, run.bin_of(program)), directory, case.seconds or SECONDS, command(case), streams,
    streams, streams))
  return {
    stdout = run.read(streams .. "/out"),
    stderr = run.read(streams .. "/err"),
    status = status,
  }
end

return run
