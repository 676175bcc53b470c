-- A descriptor that is closed while a watcher of it is active.
--
-- Cause: libev tells the kernel of a watcher at the next poll, and asserts that
-- the descriptor is open; it was checked only when the watcher started.
-- Fix: the descriptors that changed are looked at before each poll
-- (core/watcher.c, watchers_check): a watcher that has lost its own stops.

local helper = require "spec.helper"
local socket = require "socket"

describe("a descriptor closed while it is watched", function()
  helper.check_leaks()

  local loop = greenlet.get_hub().loop

  local function open()
    local server = assert(socket.bind("127.0.0.1", 0))
    return server, server:getfd()
  end

  helper.it("raises in the greenlet that waits for it", function()
    local server, fd = open()
    local g = greenlet.spawn(function()
      return select(2, greenlet.pcall(greenlet.get_hub().wait, greenlet.get_hub(), loop:io(fd, "r")))
    end)
    greenlet.spawn(function() server:close() end)
    assert.matches("bad file descriptor", g:get())
  end)

  helper.it("calls the callback a last time and stops the watcher", function()
    local server, fd = open()
    local calls = 0
    local watcher = loop:io(fd, "r")
    watcher:start(function() calls = calls + 1 end)
    server:close()
    loop:run(true)
    loop:run(true)
    assert.equal(1, calls)
    assert.is_false(watcher.active)
  end)

  helper.it("leaves a second watcher of it to be stopped in peace", function()
    local server, fd = open()
    local first, second = loop:io(fd, "r"), loop:io(fd, "w")
    first:start(function() end)
    second:start(function() end)
    loop:run(true)
    server:close()
    first:stop()
    loop:run(true)
    second:stop()
    assert.is_false(second.active)
  end)
end)
