-- supervisor.lua: greenlets that fail are started again, later each time, but not for ever.
--
-- Shows: link_value and link_exception, links that block (the back-off), names, and a hub
-- that leaves the reporting to the program.
--
-- Each file is read by a service that adds up its lines. A line that is no number is an error,
-- of which the service dies; the supervisor starts a new one, which goes on with the next line.
--
-- Usage: greenlua supervisor.lua [FILE...]     (without a file: two samples)
-- A service may be started again three times; the exit status is 1 if one failed more often.
--
--     $ greenlua supervisor.lua
--     steady: the sum is 6
--     shaky failed: line 2: not a number: twenty
--     shaky: restart 1
--     shaky failed: line 4: not a number: forty
--     shaky: restart 2
--     shaky: the sum is 90

local greenlet = require "greenlet"

local RESTARTS = 3
local DELAY = 0.01 -- seconds before the first restart; doubled at each further one

-- Keeps `run` going. Returns a greenlet that ends when `run` has succeeded or has failed too
-- often; its value tells which.
local function supervise(name, run)
  local failures = 0
  local over = greenlet.Greenlet(function() return failures <= RESTARTS end)

  local function start()
    local service = greenlet.spawn(run)
    service.name = name
    service:link_value(function() over:start() end)
    service:link_exception(function()
      failures = failures + 1
      print(("%s failed: %s"):format(service.name, service.exception))
      if failures > RESTARTS then
        print(("%s is given up"):format(service.name))
        over:start()
      else
        greenlet.sleep(DELAY * 2 ^ (failures - 1))
        print(("%s: restart %d"):format(service.name, failures))
        start()
      end
    end)
  end

  start()
  return over
end

-- A service: its count and its place in the file outlive the greenlets that run it.
local function adder(name, file)
  local sum, number = 0, 0
  return function()
    for line in file:lines() do
      number = number + 1
      sum = sum + (tonumber(line) or error(("line %d: not a number: %s"):format(number, line), 0))
      greenlet.sleep(0)
    end
    print(("%s: the sum is %s"):format(name, sum))
  end
end

local function sample(text)
  local file = io.tmpfile()
  file:write(text)
  file:seek("set")
  return file
end

local files = {}
for i, path in ipairs(arg) do
  local file, problem = io.open(path)
  if file then problem = select(2, file:read(0)) end -- a directory opens, but cannot be read
  if problem then
    io.stderr:write(("supervisor.lua: cannot read %s (%s)\n"):format(path, problem))
    os.exit(1)
  end
  files[i] = {path, file}
end
if #files == 0 then
  files = {{"steady", sample("1\n2\n3\n")}, {"shaky", sample("10\ntwenty\n30\nforty\n50\n")}}
end

greenlet.get_hub().exception_stream = false -- failures are reported above

local services = {}
for i, file in ipairs(files) do
  services[i] = supervise(file[1], adder(table.unpack(file)))
end

local failed = false
for _, service in ipairs(services) do
  if not service:get() then failed = true end
end
if failed then os.exit(1) end
