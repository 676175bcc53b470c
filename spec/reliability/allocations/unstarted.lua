-- Greenlets that were never started when the state is closed, linked, joined, garbage or not.
local function ignore() end
local kept = greenlet.Greenlet(ignore)
kept:rawlink(ignore)
greenlet.Greenlet(ignore):link(ignore)
kept_too = greenlet.Greenlet(ignore)
greenlet.joinall({kept_too}, 0)
greenlet.greenlet(ignore, greenlet.greenlet(ignore))
collectgarbage()
