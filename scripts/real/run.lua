--- Runs suites of others by stock Lua, by greenlua, and in a spawned greenlet, and compares.
-- Usage: lua5.4 run.lua GREENLUA DIRECTORY [suite ...]; the directory is filled by `fetch`. Prints a
-- table; the exit status is 1 if anything differs. What the suites print is in DIRECTORY/*.log.
local greenlua, directory = assert(arg[1]), assert(arg[2])
local here = arg[0]:match("^(.*)/") or "."

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

local function write(path, text)
  local file <close> = assert(io.open(path, "wb"))
  file:write(text)
end

local function sh(script, ...)
  local _, what, status = os.execute(script:format(...))
  return what == "signal" and 128 + status or status
end

local function output(script)
  local pipe <close> = assert(io.popen(script))
  return pipe:read("a")
end

-- Change a suite's file, once: a piece of text becomes another.
local function edit(path, from, to)
  local text = read(path)
  local first, last = text:find(from, 1, true)
  if first then write(path, text:sub(1, first - 1) .. to .. text:sub(last + 1)) end
end

-- ---- The suites ----

-- What differs on purpose, and is told in docs/reliability.md, is taken out for all.
local function prepare_lua(path)
  -- A greenlet has a thread of its own, which is not the main thread.
  edit(path .. "/coroutine.lua", '== "thread" and ismain)', '== "thread" and ismain == not SPAWNED)')
  -- Ctrl-C passes pcall, and is ignored by a program that is started so.
  local main = read(path .. "/main.lua")
  write(path .. "/main.lua", main:match("^(.-)print%('testing Ctrl C'%)") or main)
  assert(sh("make -s -C %s/libs LUA_DIR=%s >/dev/null 2>&1", path,
    output("pkg-config --variable=includedir lua5.4"):match("%S+") .. "/lua5.4") == 0)
end

local BUSTED = "lua5.4 /usr/bin/busted --output=plainTerminal --lua=%s "
local COUNTS = "%d+ success%l* / %d+ failure%l* / %d+ errors? / %d+ pending"

local suites = {
  { name = "Lua's own tests", path = "lua", prepare = prepare_lua, command = "%s all.lua",
    result = "final OK" },
  { name = "lpeg", path = "lpeg", command = "%s test.lua", result = "OK" },
  { name = "Penlight, tests", path = "penlight", command = "%s run.lua tests",
    result = "Run completed successfully" },
  { name = "Penlight, specs", path = "penlight", result = COUNTS,
    command = "LUA_PATH='./lua/?.lua;./lua/?/init.lua;;' " .. BUSTED .. "spec" },
  { name = "busted", path = "busted", command = BUSTED .. "spec", result = COUNTS },
  { name = "luacheck, specs", path = "luacheck", result = COUNTS,
    command = "LUA_PATH='./src/?.lua;./src/?/init.lua;;' " .. BUSTED .. "spec" },
  { name = "luacheck, on all of these", path = ".", result = "Total: [^\n]*", exact = true,
    command = "LUA_PATH='luacheck/src/?.lua;luacheck/src/?/init.lua;;' "
      .. "%s luacheck/bin/luacheck.lua --no-cache --no-color --no-config "
      .. "lua lpeg penlight busted luacheck" },
}

-- ---- Running ----

-- A command that runs Lua, as others run it.
local function interpreter(name, words)
  local path = directory .. "/" .. name
  write(path, "#!/bin/sh\nexec " .. words .. ' "$@"\n')
  assert(sh("chmod +x %s", path) == 0)
  return path
end

local function resolve(path)
  return output("readlink -f -- " .. path):match("[^\n]+")
end

-- What must be the same: all of it, or which tests did not pass.
local function essence(suite, text)
  if suite.exact then return text end
  local names = {}
  for name in text:gmatch("\n(%u%l+ %-> [^\n]*\n[^\n]*)") do names[#names + 1] = name end
  table.sort(names)
  return table.concat(names, "\n")
end

-- Returns a summary for people, and what must be the same.
local function run(suite, lua, log)
  -- Lua's tests want an input that cannot seek.
  local status = sh("cd %s/%s && : | (%s) >%s 2>&1", directory, suite.path,
    suite.command:format(lua), log)
  local text = read(log):gsub("\27%[[%d;]*m", "")
  local result
  for found in text:gmatch(suite.result) do result = found end
  local summary = ("%s, status %d"):format((result or text):match("([^\n]*)%s*$"), status)
  return summary, essence(suite, text)
end

sh("mkdir -p %s", directory)
directory = resolve(directory)
local modes = {
  { "lua5.4", "lua5.4" },
  { "greenlua", interpreter("greenlua", resolve(greenlua)) },
  { "spawned", interpreter("spawned", resolve(greenlua) .. " " .. resolve(here) .. "/spawned.lua") },
}

local wanted = {}
for i = 3, #arg do wanted[arg[i]] = true end

local differences = 0
print("| suite | lua5.4 | greenlua | in a spawned greenlet |\n|---|---|---|---|")
for i, suite in ipairs(suites) do
  if not arg[3] or wanted[suite.path] then
    if suite.prepare then suite.prepare(directory .. "/" .. suite.path) end
    local results, essences = {}, {}
    for n, mode in ipairs(modes) do
      local log = ("%s/%d-%s.log"):format(directory, i, mode[1])
      results[n], essences[n] = run(suite, mode[2], log)
      if results[n] ~= results[1] or essences[n] ~= essences[1] then
        differences = differences + 1
        results[n] = results[n] .. " (differs)"
      end
    end
    print(("| %s | %s |"):format(suite.name, table.concat(results, " | ")))
  end
end
os.exit(differences == 0)
