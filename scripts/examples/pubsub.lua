-- pubsub.lua: a broker; what is published under a topic goes to all who have subscribed to it.
--
-- Shows: a queue for every subscriber, so that none holds up another; a slow subscriber, whose
-- queue is bounded and loses the oldest messages; shutting queues down, after which they are
-- emptied.
--
-- Each line of standard input is a message: its topic, words with dots between them, and its text.
-- Each argument is a subscriber and what it wants. In a pattern, * stands for one word, and # at
-- the end for any words. A name that ends in ! is slow: it takes 10 ms for a message, and 2 may
-- wait.
--
-- Usage: greenlua pubsub.lua NAME=PATTERN... < MESSAGES
--
--     $ printf 'news.art A\nnews.sport B\nweather C\n' | greenlua pubsub.lua all='#' ann='news.*'
--     all: news.art A
--     ann: news.art A
--     all: news.sport B
--     ann: news.sport B
--     all: weather C
--     all: 3 messages, 0 lost
--     ann: 2 messages, 0 lost

local greenlet = require "greenlet"
local queue = require "greenlet.queue"

local SLOW = 0.01 -- seconds
local ROOM = 2    -- messages that wait for a slow subscriber

local Broker = greenlet.class:extend("Broker")

function Broker:init() self.subscriptions = {} end

-- The words of a topic or pattern.
local function words_of(text)
  local words = {}
  for word in text:gmatch("[^.]+") do words[#words + 1] = word end
  return words
end

local function matches(pattern, topic)
  for i, word in ipairs(pattern) do
    if word == "#" and i == #pattern then return true end
    if word ~= topic[i] and not (word == "*" and topic[i]) then return false end
  end
  return #pattern == #topic
end

--- Returns a subscription; its messages are in `subscription.queue`.
-- @param room int: how many may wait before the oldest is lost; nil: any number
function Broker:subscribe(pattern, room)
  local subscription = { pattern = words_of(pattern), queue = queue.Queue(room), lost = 0 }
  self.subscriptions[#self.subscriptions + 1] = subscription
  return subscription
end

function Broker:publish(topic, text)
  local words = words_of(topic)
  for _, subscription in ipairs(self.subscriptions) do
    if matches(subscription.pattern, words) then
      if subscription.queue:full() then
        subscription.queue:get_nowait()
        subscription.lost = subscription.lost + 1
      end
      subscription.queue:put_nowait(topic .. " " .. text)
    end
  end
end

function Broker:close()
  for _, subscription in ipairs(self.subscriptions) do subscription.queue:shutdown() end
end

local subscribers = {}
local broker = Broker()
for i, argument in ipairs(arg) do
  local name, slow, pattern = argument:match("^([^=!]+)(!?)=(.+)$")
  if not name then
    io.stderr:write("usage: pubsub.lua NAME=PATTERN... < MESSAGES\n")
    os.exit(2)
  end
  slow = slow ~= ""
  subscribers[i] = { name = name, slow = slow, count = 0,
                     subscription = broker:subscribe(pattern, slow and ROOM or nil) }
end

local function read_messages(subscriber)
  for message in subscriber.subscription.queue:iter() do
    subscriber.count = subscriber.count + 1
    print(("%s: %s"):format(subscriber.name, message))
    if subscriber.slow then greenlet.sleep(SLOW) end
  end
end

greenlet.scope(function(s)
  for _, subscriber in ipairs(subscribers) do s:spawn(read_messages, subscriber) end
  for line in io.lines() do
    local topic, text = line:match("^(%S+)%s*(.*)$")
    if topic then broker:publish(topic, text) end
    greenlet.sleep(0) -- the readers' turn
  end
  broker:close()
end)

for _, subscriber in ipairs(subscribers) do
  print(("%s: %d messages, %d lost"):format(
    subscriber.name, subscriber.count, subscriber.subscription.lost))
end
