-- Recursion through C functions in a greenlet.
--
-- Cause: Lua allows 200 nested C calls, and some C functions use kilobytes of stack for each:
-- lpeg's match and luaL_Buffer's users 8 KB and more. The C stack of a greenlet was 1 MB, which
-- they overflowed before Lua counted to 200; the process got SIGSEGV.
-- Fix: 4 MB of address space for a stack, of which only what is used becomes memory (runtime.c).
-- The class of a table that __index makes anew is the same recursion in the module (object.c).
local helper = require "spec.helper"

local function prints(expected, script)
  local out, err, status = helper.run(script, { env = { GREENLUA_STACK_SIZE = "" } })
  assert.equal("", err)
  assert.equal(expected, out)
  assert.equal(0, status)
end

describe("a C stack overflow in a greenlet is an error", function()
  it("in lpeg, called by its match-time captures", function()
    prints("false\tC stack overflow\ttrue\n", [[
      local lpeg = require "lpeg"
      local depth = 0
      local pattern
      pattern = lpeg.Cmt(lpeg.P(1), function(subject)
        depth = depth + 1
        return pattern:match(subject)
      end)
      greenlet.spawn(function()
        local ok, message = pcall(pattern.match, pattern, "aaa")
        print(ok, message, depth > 150)
      end):join()
    ]])
  end)

  it("in gsub", function()
    prints("false\ttrue\n", [[
      local function replace(text) return (text:gsub(".", replace)) end
      greenlet.spawn(function()
        local ok, message = pcall(replace, "a")
        print(ok, message:find("C stack overflow", 1, true) ~= nil)
      end):join()
    ]])
  end)

  it("in the constructor of a class that is looked up in itself", function()
    prints("false\ttrue\n", [[
      local new = greenlet.Greenlet.__new
      local class = setmetatable({}, { __index = function(self, key)
        if key == "__meta" then new(self) end
      end })
      greenlet.spawn(function()
        local ok, message = pcall(new, class)
        print(ok, message:find("C stack overflow", 1, true) ~= nil)
      end):join()
    ]])
  end)
end)
