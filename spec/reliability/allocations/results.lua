-- AsyncResults, as links too; all kinds of links; tracebacks.
local E = greenlet.event
local result, failed, copy = E.AsyncResult(), E.AsyncResult(), E.AsyncResult()
local g = greenlet.spawn(function() greenlet.sleep(0) return "value" end)
g:link(result)
local bad = greenlet.spawn(function() greenlet.sleep(0) error("bad", 0) end)
bad:rawlink(failed)
local function try(of, f, ...)
  local ok, err = pcall(f, ...)
  if ok or err == "bad" then return ok end
  error(err, 0)
end
-- What memory fails in a link is reported, and nobody sets the result then.
assert(#greenlet.wait({ g, bad }, 5) == 2)
greenlet.sleep(0.001)
if result:ready() then assert(result:get() == "value") end
if failed:ready() then assert(not try(failed, failed.get, failed)) end
local seen = {}
g:link(function() seen.link = true end)
g:link_value(function() seen.value = true end)
g:link_exception(function() seen.never = true end)
g:rawlink(function() seen.raw = true end)
greenlet.sleep(0)
assert(not seen.never)
copy:set_exception("bad", "traceback")
assert(not try(copy, copy.get, copy) and copy.exception == "bad")
local waiter = greenlet.spawn(function() return E.AsyncResult():get(true, 0.001) end)
waiter:join()
if waiter.exception and not greenlet.Timeout:class_of(waiter.exception) then
  error(waiter.exception, 0)
end
