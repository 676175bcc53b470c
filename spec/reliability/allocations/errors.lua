-- Errors, tracebacks, links of failures, joinall that raises.
local bad = greenlet.spawn(function() greenlet.sleep(0) error({ code = 7 }) end)
local seen
bad:link_exception(function(g) seen = g.exception end)
local ok, err = pcall(bad.get, bad)
assert(not ok)
if type(err) == "table" and err.code then assert(err.code == 7) else error(err, 0) end
greenlet.sleep(0)
local worse = greenlet.spawn(error, "oops")
local fine, message = pcall(greenlet.joinall, { worse }, nil, true)
assert(not fine)
if not tostring(message):find("oops") then error(message, 0) end
assert(worse.exception == "oops")
assert(worse.traceback == nil or type(worse.traceback) == "string") -- nil: no memory for it
