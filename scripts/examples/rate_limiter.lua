-- rate_limiter.lua: the requests of several clients, each of which is held to a rate.
--
-- Shows: a token bucket; a Lock that keeps those who wait in the order in which they came; a
-- scope that ends when all requests are served.
--
-- Each line of standard input is a request: the name of a client, and what it wants. A client may
-- make BURST requests at once, and RATE a second from then on. What is too much waits for its turn,
-- or is refused with --refuse.
--
-- Usage: greenlua rate_limiter.lua [--rate N] [--burst N] [--refuse] < REQUESTS
-- (20 requests a second, bursts of 2.)
--
--     $ printf 'ann a\nann b\nann c\nbob d\nann e\n' | greenlua rate_limiter.lua
--     ann gets a
--     ann gets b
--     bob gets d
--     ann gets c
--     ann gets e
--     ann: 4 requests, 0 refused, 0.10 seconds
--     bob: 1 requests, 0 refused, 0.00 seconds

local greenlet = require "greenlet"
local lock = require "greenlet.lock"
local loop = greenlet.get_hub().loop

local options = { rate = 20, burst = 2 }
local refuse = false
local function usage()
  io.stderr:write("usage: rate_limiter.lua [--rate N] [--burst N] [--refuse] < REQUESTS\n")
  os.exit(2)
end
local i = 1
while arg[i] do
  local name = arg[i]:match("^%-%-(%a+)$")
  if name == "refuse" then
    refuse, i = true, i + 1
  else
    local value = tonumber(arg[i + 1])
    if not options[name] or not value or value <= 0 then usage() end
    if name == "burst" and value < 1 then usage() end
    options[name], i = value, i + 2
  end
end

local function now()
  loop:update_now()
  return loop:now()
end

-- A bucket holds at most `burst` tokens and gets `rate` new ones a second; a request takes one.
local Bucket = greenlet.class:extend("Bucket")

function Bucket:init(rate, burst)
  self.rate, self.burst = rate, burst
  self.tokens, self.filled = burst, now()
  self.turn = lock.Lock()
end

function Bucket:fill()
  local time = now()
  self.tokens = math.min(self.burst, self.tokens + (time - self.filled) * self.rate)
  self.filled = time
end

--- Take a token if there is one.
function Bucket:try()
  self:fill()
  if self.tokens < 1 then return false end
  self.tokens = self.tokens - 1
  return true
end

--- Take a token; wait for it if need be. Who comes later waits at the lock.
function Bucket:take()
  local held <close> = self.turn:hold()
  while not self:try() do greenlet.sleep((1 - self.tokens) / self.rate) end
end

local clients, names = {}, {}
local function client_of(name)
  local client = clients[name]
  if not client then
    client = { bucket = Bucket(options.rate, options.burst), requests = 0, refused = 0 }
    client.start = now()
    client.last = client.start
    clients[name] = client
    names[#names + 1] = name
  end
  return client
end

local function serve(name, client, what)
  client.requests = client.requests + 1
  if refuse and not client.bucket:try() then
    client.refused = client.refused + 1
    print(("%s is refused %s"):format(name, what))
    return
  end
  if not refuse then client.bucket:take() end
  client.last = now()
  print(("%s gets %s"):format(name, what))
end

greenlet.scope(function(s)
  for line in io.lines() do
    local name, what = line:match("^(%S+)%s+(.*)$")
    if name then s:spawn(serve, name, client_of(name), what) end
  end
end)

for _, name in ipairs(names) do
  local client = clients[name]
  print(("%s: %d requests, %d refused, %.2f seconds"):format(
    name, client.requests, client.refused, client.last - client.start))
end
