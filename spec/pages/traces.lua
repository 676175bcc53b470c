--- Traces as the program writes them, made by hand or by a little scheduler, for specs of the page
-- that shows them.
local json = require "cjson"

local traces = {}

local HUB = 2 -- main is 1, the others follow

local trace = {}
trace.__index = trace

--- A trace without events.
function traces.new()
  return setmetatable({ lines = {}, wakes = 0, other = { program = "greenlua 0.1.0",
    script = "script.lua", events = 0, lost = 0, from = 0, sources = {} } }, trace)
end

-- ---- Events; times in microseconds ----

local function encode(value)
  return (json.encode(value):gsub("<", "\\u003c"))
end

function trace:add(event)
  event.pid = 1
  self.lines[#self.lines + 1] = encode(event)
  return self
end

function trace:greenlet(tid, name, args)
  args = args or {}
  args.name = name
  return self:add { ph = "M", tid = tid, name = "thread_name", args = args }
end

local function slice(self, tid, from, to, category, name, args)
  return self:add { ph = "X", tid = tid, ts = from, dur = to - from, cat = category, name = name,
    args = args }
end

function trace:run(tid, from, to) return slice(self, tid, from, to, "run", "run") end
function trace:ready(tid, from, to) return slice(self, tid, from, to, "ready", "ready") end

function trace:wait(tid, from, to, reason, name, line)
  return slice(self, tid, from, to, "wait", name or reason, { reason = reason, line = line })
end

function trace:wake(waker, at, tid, run)
  self.wakes = self.wakes + 1
  self:add { ph = "s", tid = waker, ts = at, cat = "wake", name = "wake", id = self.wakes }
  return self:add { ph = "f", bp = "e", tid = tid, ts = run, cat = "wake", name = "wake",
    id = self.wakes }
end

function trace:mark(tid, at, kind, args)
  return self:add { ph = "i", s = "t", tid = tid, ts = at, cat = kind, name = kind, args = args }
end

function trace:count(at, living, ready)
  return self:add { ph = "C", tid = HUB, ts = at, name = "greenlets",
    args = { living = living, ready = ready } }
end

-- ---- The whole ----

--- The text of the file.
function trace:json()
  return ('{"displayTimeUnit":"ns","traceEvents":[\n%s\n],\n"otherData":%s}\n'):format(
    table.concat(self.lines, ",\n"), encode(self.other))
end

--- What the program makes of a page by putting a text into it.
function traces.page(name, text)
  local directory = os.getenv("PAGES") or "build/lua_binding/pages"
  local file <close> = assert(io.open(directory .. "/" .. name .. ".html", "rb"))
  local page = file:read("a")
  local from, to = page:find("@TRACE@", 1, true)
  return page:sub(1, from - 1) .. text .. page:sub(to + 1)
end

-- ---- Traces of programs that nobody ran ----

local ENDS = { "error", "killed", "value" }
local REASONS = {
  { "sleep", "sleep", 800 }, { "get of", "get of channel jobs", 300 },
  { "acquire of", "acquire of lock accounts", 120 }, { "join of", "join of worker 3", 900 },
  { "read of", "read of fd 5", 500 }, { "put of", "put of queue results", 200 },
}

-- A program whose greenlets run one at a time and wait for a while, whose hub polls while none can
-- run, until it has made so many slices; the same every time.
local function simulate(self, greenlets, slices)
  local seed = 1
  local function random(n)
    seed = (seed * 1103515245 + 12345) % 2147483648
    return seed // 65536 % n + 1
  end
  local now, made, living = 5, 0, {}
  for tid = 3, greenlets + 2 do
    living[#living + 1] = tid
    self:mark(tid % 7 == 0 and tid - 1 or 1, now, "spawn", { target = tid, line = "script.lua:20" })
    now = now + 0.5
  end
  local spawned = now
  local waits = {} -- what each waits for: {since, reason}
  while made < slices do
    for _, tid in ipairs(living) do
      local reason, since = waits[tid], waits[tid] and waits[tid].since
      if reason then
        local woken = math.max(since, math.min(now, since + reason.long))
        self:wait(tid, since, woken, reason[1], reason[2], "script.lua:12")
        self:ready(tid, woken, now)
        self:wake(reason[1] == "sleep" and HUB or reason.by, woken, tid, now)
        made = made + 2
      end
      local long = random(60) / 10
      self:run(tid, now, now + long)
      made = made + 1
      now = now + long
      local class = REASONS[tid % 5 == 0 and 3 or random(#REASONS)]
      waits[tid] = { class[1], class[2], since = now, long = random(class[3]),
        by = living[random(#living)] }
      if made >= slices then break end
    end
    local idle = random(100)
    self:wait(HUB, now, now + idle, "poll")
    self:run(HUB, now + idle, now + idle + 2)
    now = now + idle + 2
    self:count(now, #living, random(#living // 3 + 1))
    made = made + 2
  end
  self:run(1, 0, spawned):wait(1, spawned, now, "join of", "join of all workers", "script.lua:31")
  self.other.to = now
  return now
end

--- A trace of so many greenlets and (about) slices.
function traces.busy(greenlets, slices)
  local self = traces.new()
  self:greenlet(HUB, "hub"):greenlet(1, "main", { ["function"] = "script.lua:0" })
  for tid = 3, greenlets + 2 do
    local helper = tid % 7 == 0
    self:greenlet(tid, (helper and "helper %d" or "worker %d"):format(tid), {
      ["function"] = "script.lua:10", spawned = "script.lua:20",
      spawner = not helper and tid > 7 and tid - tid % 7 or 1 })
  end
  self.other.sources["script.lua:12"] = "  local item = jobs:get()"
  self.other.sources["script.lua:10"] = "local function worker()"
  self.other.sources["script.lua:20"] = "  greenlet.spawn(worker)"
  local now = simulate(self, greenlets, slices)
  for tid = 3, greenlets + 2, 5 do
    self:mark(tid, now, "end", { how = ENDS[tid % 3 + 1] })
    self:mark(1, now - 100, "kill", { target = tid })
  end
  return self
end

return traces
