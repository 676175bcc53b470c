-- The metamethods of the module's objects, called with values that are no userdata.
--
-- Cause: __index and __newindex took their first argument for a userdata, and looked for its
-- fields in its user values. A script can get at both: by getmetatable, and by tables that are
-- given the metatable of a class.
-- Fix: they check it (object.c).
local greenlet = require "greenlet"
local helper = require "spec.helper"
local it = helper.it

describe("an object's metamethods", function()
  local meta = getmetatable(greenlet.Greenlet(print))

  local function refuses(f, ...)
    local message = tostring(helper.raises(f, ...))
    assert.truthy(message:find("userdata expected", 1, true), message)
  end

  for _, value in ipairs { "text", 42, true, print, {} } do
    it("raise an error for a " .. type(value), function()
      refuses(meta.__index, value, "field")
      refuses(meta.__newindex, value, "field", 1)
    end)
  end

  it("raise an error for nothing", function()
    refuses(meta.__index)
    refuses(meta.__newindex)
  end)

  it("raise an error for a table with a class's metatable", function()
    local Class = greenlet.Greenlet:extend("Class")
    Class.__new = function(class) return setmetatable({}, class.__meta) end
    Class.init = function() end
    local object = Class()
    refuses(function() object.field = 1 end)
    refuses(function() return object.field end)
  end)
end)
