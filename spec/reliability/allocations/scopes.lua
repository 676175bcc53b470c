-- Scopes: values, failures, timeouts, cancel, shutdown, scopes in scopes and in coroutines.
local left = 0
local function hold(seconds)
  left = left + 1
  local closing <close> = setmetatable({}, { __close = function() left = left - 1 end })
  greenlet.sleep(seconds)
end
local function fails(expected, f, options)
  local ok, err = greenlet.pcall(greenlet.scope, f, options)
  assert(not ok)
  if err ~= expected and not (type(expected) == "table" and expected:class_of(err)) then
    error(err, 0)
  end
end
assert(greenlet.scope(function(s) s:spawn(hold, 0) return 42 end) == 42)
fails("oops", function(s)
  s:spawn(hold, 100)
  s:spawn(function() greenlet.sleep(0) error("oops", 0) end)
  greenlet.sleep(100)
end)
-- In a greenlet of its own: a pending timeout ends with that, though `__close` got no memory.
greenlet.spawn(fails, greenlet.Timeout, function(s) s:spawn(hold, 100) end, { timeout = 0.001 }):get()
greenlet.scope(function(s)
  s:spawn(hold, 100)
  s:spawn(function() greenlet.sleep(0) s:cancel() end)
end)
greenlet.scope(function(s)
  s:spawn(function() s.stopping:wait() end)
  greenlet.sleep(0)
  s:shutdown(0.001)
end)
fails("inner", function(s)
  s:spawn(hold, 100)
  greenlet.scope(function(t) t:spawn(error, "inner", 0) end)
end)
local co = coroutine.wrap(function()
  return greenlet.scope(function(s) s:spawn(hold, 0) coroutine.yield(1) return 2 end)
end)
assert(co() == 1 and co() == 2)
