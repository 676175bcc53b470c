--- Makes the pictures of timelines in the documents: runs examples with --trace, opens the pages in
-- a browser that nobody sees, and keeps what it shows.
--
--     lua5.4 scripts/pages/pictures.lua PROGRAM [NAME...]
--
-- PROGRAM is greenlua; without names all are made. The working directory is the project's root.

local BROWSER = "chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run" ..
  " --disable-background-networking --disable-component-update --disable-sync" ..
  " --hide-scrollbars --force-device-scale-factor=1 --virtual-time-budget=10000"
local SECONDS = 60 -- that a browser may take
local PLACE = "docs/pictures/"
local WIDTH = 1000
local RUNS = 60 -- of which the best is shown
local MOST = 200 * 1024 -- bytes of a picture

-- ---- What is shown ----

-- When the main greenlet wakes others for the third time: it spawns them, has a job, has another
-- one. In microseconds. Who is woken a millisecond later is so the next time.
local function third_wake(page)
  local times, last = 0, -math.huge
  for moment in page:gmatch('{"ph":"s","pid":%d+,"tid":1,"ts":([%d.]+)') do
    if tonumber(moment) > last + 1000 then times = times + 1 end
    last = tonumber(moment)
    if times == 3 then return moment end
  end
  error("nobody is woken a third time")
end

-- In the middle of the longest wait of a greenlet, as the fragment says it.
local function longest_wait(page, name)
  local tid = page:match('"tid":(%d+),"name":"thread_name","args":{"name":"' .. name .. '"')
  local longest, middle = 0, nil
  local waits = '{"ph":"X","pid":%d+,"tid":' .. tid .. ',"ts":([%d.]+),"dur":([%d.]+),' ..
    '"cat":"wait","name":"get'
  for from, length in page:gmatch(waits) do
    if tonumber(length) > longest then longest, middle = tonumber(length), from + length / 2 end
  end
  return ("%s@%.3f"):format(tid, middle)
end

-- How high the window is, and the fragment of the page's address, which says what of the page is to
-- be seen; or a function that makes it of the page.
local PICTURES = {
  starving = { height = 264, "table=0" },
  convoy = { height = 282, "table=0&to=34000" },
  slow_consumer = { height = 264, "table=0" },
  herd = { height = 336, function(page) return "table=0&select=1@" .. third_wake(page) end },
  deadlock = { height = 246, "table=0" },
  crawler = { height = 480, width = 1200, function(page)
    return "table=175&sort=-cpu&select=" .. longest_wait(page, "fetcher 1")
  end },
}

-- ---- Making them ----

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

local function write(path, text)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(text))
end

local function execute(command, ...)
  command = command:format(...)
  local _, what, status = os.execute(command)
  return what == "exit" and status or 128 + status
end

local function capture(command)
  local pipe <close> = assert(io.popen(command))
  return (pipe:read("a"):gsub("\n$", ""))
end

-- One that deadlocks ends with 3.
local function trace(program, name, page)
  local status = execute("%s --trace=%s scripts/examples/%s.lua >%s.log 2>&1", quote(program), page,
    name, page)
  if status ~= 0 and status ~= 3 then
    error(("%s: status %d\n%s"):format(name, status, read(page .. ".log")), 0)
  end
end

-- How long it takes according to its page, in microseconds.
local function duration(page)
  local from, to = page:match('"otherData":{.-"from":([%d.]+),"to":([%d.]+)')
  return tonumber(to) - tonumber(from)
end

-- The page of the run that nothing else on this machine has held up: the one that took the least
-- time.
local function trace_best(program, name, page)
  local best, text = math.huge, nil
  for _ = 1, RUNS do
    trace(program, name, page)
    local candidate = read(page)
    if duration(candidate) < best then best, text = duration(candidate), candidate end
  end
  write(page, text)
  return text
end

local function photograph(page, fragment, width, height, picture)
  local status = execute("timeout %d %s --user-data-dir=%s.browser --window-size=%d,%d" ..
    " --screenshot=%s.png %s >%s.log 2>&1", SECONDS, BROWSER, page, width, height, page,
    quote("file://" .. page .. "#" .. fragment), page)
  if status ~= 0 then error(("%s: %s"):format(picture, read(page .. ".log")), 0) end
  local size = #read(page .. ".png")
  assert(size <= MOST, ("%s has %d bytes"):format(picture, size))
  assert(execute("cp %s.png %s", page, picture) == 0)
  print(("%6d bytes  %s  #%s"):format(size, picture, fragment))
end

local function make(program, name, directory)
  local about = assert(PICTURES[name], "no picture " .. name)
  local page = directory .. "/" .. name .. ".html"
  local text, fragment = trace_best(program, name, page), about[1]
  if type(fragment) == "function" then fragment = fragment(text) end
  photograph(page, fragment, about.width or WIDTH, about.height,
    PLACE .. name .. ".png")
end

local program = arg[1]
if not program then
  io.stderr:write("usage: pictures.lua PROGRAM [NAME...]\n")
  os.exit(2)
end
local names = table.move(arg, 2, #arg, 1, {})
if #names == 0 then
  for name in pairs(PICTURES) do names[#names + 1] = name end
  table.sort(names)
end
execute("mkdir -p %s", PLACE)
local directory = capture("mktemp -d")
local ok, problem = pcall(function()
  for _, name in ipairs(names) do make(program, name, directory) end
end)
execute("rm -rf %s", directory)
if not ok then
  io.stderr:write(tostring(problem), "\n")
  os.exit(1)
end
