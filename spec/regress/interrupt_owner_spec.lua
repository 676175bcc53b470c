-- Who gets SIGINT after handlers of it come and go.
--
-- Cause: cancelling a handler reinstalled KeyboardInterrupt though another
-- handler was left; stopping a raw watcher left the default action, by which
-- libev ends a signal's last watcher.
-- Fix: the first watcher of a signal notes the action before it, the last puts
-- that back (core/watcher.c).

local helper = require "spec.helper"

describe("SIGINT", function()
  local function status_of(script)
    local out, err, status = helper.run(script)
    return out, status, err
  end

  helper.it("stays with a second handler when the first is cancelled", function()
    local out, status, err = status_of([[
      local first = greenlet.signal("INT", function() print "first" end)
      local second = greenlet.signal("INT", function() print "second" end)
      first:cancel()
      -- Not by os.execute: system(3) ignores SIGINT meanwhile.
      io.popen("kill -INT " .. io.open("/proc/self/stat"):read("n")):close()
      greenlet.sleep(0.05)
      second:cancel()
    ]])
    assert.equal("second\n", out, err)
    assert.equal(0, status)
  end)

  helper.it("is KeyboardInterrupt again after the last handler", function()
    local out, status = status_of([[
      local watcher = greenlet.get_hub().loop:signal(2)
      watcher:start(print)
      watcher:stop()
      local closing <close> = setmetatable({}, { __close = function() print "closed" end })
      -- Not by os.execute: system(3) ignores SIGINT meanwhile.
      io.popen("kill -INT " .. io.open("/proc/self/stat"):read("n")):close()
      greenlet.sleep(1)
    ]])
    assert.equal("closed\n", out)
    assert.equal(130, status)
  end)
end)
