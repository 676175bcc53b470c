--- One of several things, as soon as that can be done.
-- The cases of `greenlet.select` are a list:
--
-- | case | what happens | can be done when |
-- |---|---|---|
-- | `{q, "get"}` | an item is taken out of the queue or channel *q* | a get would not wait |
-- | `{q, "put", item}` | *item* is put into *q* | a put would not wait |
-- | `{object, "wait"}` | nothing | the object is ready: anything that `greenlet.wait` takes |
--
-- ```lua
-- local queue = require "greenlet.queue"
-- local orders, returns = queue.Channel(), queue.Channel()
-- local closing = greenlet.spawn_later(0.01, print, "closing time")
-- greenlet.spawn(function()
--   orders:put("a book")
--   returns:put("a broken lamp")
-- end)
-- while true do
--   local which, what = greenlet.select {{orders, "get"}, {returns, "get"}, {closing, "wait"}}
--   if which == 1 then
--     print("order of", what)
--   elseif which == 2 then
--     print("back came", what)
--   else
--     break
--   end
-- end
-- print(greenlet.select({{orders, "get"}, {queue.Queue(1), "put", "x"}}, 0))
-- print(greenlet.select({{orders, "get"}}, 0.01))
-- ```
--
-- ```text
-- order of	a book
-- back came	a broken lamp
-- closing time
-- 2
-- nil
-- ```
--
-- A select may meet another select, and a channel may be in it twice, for a put and for a get: it
-- never meets itself.
-- @page select Select
-- @source select of Go

-- Here are the cases of kind "wait", for anything with rawlink and unlink. The rest is in C.

local core = ...

-- The links of one select, taken off when it is over.
local Links = {}
Links.__index = Links

-- In the hub.
function Links:told(number)
  self.ready[number] = true
  if self.selection then core.select_ready(self.selection, number) end
end

function Links:add(number, object)
  local function notify() self:told(number) end
  core.link_quietly(object, notify)
  self[#self + 1] = { object = object, notify = notify, number = number }
end

function Links:__close()
  for _, link in ipairs(self) do core.unlink(link.object, link.notify) end
end

local function check(object, number)
  local ok, rawlink = core.pcall(function() return object.rawlink, object.unlink end)
  if not ok or not core.callable(rawlink) then
    core.argerror(1, "select", ("case %d: object with rawlink expected, got %s")
      :format(number, core.typename(object)))
  end
end

-- Is it ready now? Nil when only its link will tell.
local function is_ready(object)
  if core.is_greenlet(object) then return object.dead end
  if core.is_waitable(object) then return core.waitable_ready(object) end
  local ready = object.ready
  if core.callable(ready) then return ready(object) and true or false end
end

-- Select when there are objects to wait for.
function core.select_linked(cases, timeout)
  -- The links hold the greenlet: it may be garbage if nobody can reach them.
  local links <close> = setmetatable({ ready = {}, greenlet = core.getcurrent() }, Links)
  local objects, ask_again = {}, false
  for number = 1, #cases do
    objects[number] = core.select_object(cases, number)
    if objects[number] ~= nil then check(objects[number], number) end
  end
  for number, object in pairs(objects) do links:add(number, object) end
  for number, object in pairs(objects) do
    local ready = is_ready(object)
    if ready then links.ready[number] = true end
    ask_again = ask_again or ready == nil
  end
  if timeout ~= 0 or not ask_again then return core.select_now(cases, timeout, links) end
  local number, item = core.select_now(cases, 0, links)
  if number then return number, item end
  core.sleep(0) -- the hub's turn to tell
  return core.select_now(cases, 0, links)
end

return core.select
