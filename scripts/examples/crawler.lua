-- crawler.lua: five fetchers follow the links of a site, and an indexer reads what they bring.
--
-- Shows: a queue of work that grows while it is done, and how to know that nothing is left: by
-- task_done and join; a second queue between those who wait much and one who computes.
--
-- The site is made up: page n links to pages 2n, 2n + 1 and n // 3, and answers after a time of its
-- own, some milliseconds.
--
-- Usage: greenlua crawler.lua [PAGES [FETCHERS]]     (24 pages, 5 fetchers)
-- A picture of who does what, and when: greenlua --trace=crawler.html crawler.lua
--
--     $ greenlua crawler.lua
--     24 pages, 45 links; page 2 is linked to most: by 4 pages

local greenlet = require "greenlet"
local Queue = require("greenlet.queue").Queue

local function argument(i, default)
  local value = math.tointeger(tonumber(arg[i] or default))
  if #arg > 2 or not value or value < 1 or value > 1000 then
    io.stderr:write("usage: crawler.lua [PAGES [FETCHERS]], from 1 to 1000\n")
    os.exit(2)
  end
  return value
end
local PAGES, FETCHERS = argument(1, 24), argument(2, 5)

local urls, documents = Queue(nil, nil, "urls"), Queue(4, nil, "documents")
local seen, links, linked = {}, 0, {}

local function compute(seconds)
  local stop = os.clock() + seconds
  repeat until os.clock() >= stop
end

local function visit(page)
  if seen[page] or page < 1 or page > PAGES then return end
  seen[page] = true
  urls:put(page)
end

-- Returns the pages that this one links to.
local function fetch(page)
  greenlet.sleep(0.002 + 0.0015 * (7 * page % 5)) -- stands for the network
  compute(0.0004)
  return { 2 * page, 2 * page + 1, page // 3 }
end

local function fetch_all()
  for page in urls:iter() do
    local targets = fetch(page)
    for _, target in ipairs(targets) do visit(target) end
    documents:put { page = page, targets = targets }
    urls:task_done()
  end
end

local function index_all()
  for document in documents:iter() do
    compute(0.001)
    for _, target in ipairs(document.targets) do
      if seen[target] then
        links = links + 1
        linked[target] = (linked[target] or 0) + 1
      end
    end
  end
end

visit(1)
for i = 1, FETCHERS do greenlet.spawn(fetch_all).name = "fetcher " .. i end
local indexer = greenlet.spawn(index_all)
indexer.name = "indexer"
urls:join()
urls:shutdown()
documents:shutdown()
indexer:join()

local most = 1
for page = 2, PAGES do
  if (linked[page] or 0) > (linked[most] or 0) then most = page end
end
local count = 0
for _ in pairs(seen) do count = count + 1 end
print(("%d pages, %d links; page %d is linked to most: by %d pages"):format(
  count, links, most, linked[most] or 0))
