-- Timeouts, with_timeout, a Timeout object, start_new and close.
local ok, err = greenlet.pcall(greenlet.with_timeout, 0.001, greenlet.sleep, 100)
if ok then error("no timeout") end
if not greenlet.Timeout:class_of(err) then error(err, 0) end
local timeout <close> = greenlet.Timeout(0.002)
timeout:start()
ok, err = greenlet.pcall(greenlet.sleep, 100)
assert(not ok)
if err ~= timeout then error(err, 0) end
timeout:close()
