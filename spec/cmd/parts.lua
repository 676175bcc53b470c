--- The program's Lua parts, loaded into whatever Lua runs the specs: the table `cmd`, in
-- which fields that are given stand for what C files offer.
local parts = {}

--- A table `cmd` of its own.
-- @param fields table or nil
function parts.new(fields)
  fields = fields or {}
  fields.without_switches = function(f, ...) return f(...) end
  return setmetatable(fields, {
    __index = function(cmd, name)
      local part = loadfile("cmd/" .. name .. ".lua")
      if not part then return nil end
      local value = part(cmd)
      rawset(cmd, name, value)
      return value
    end,
  })
end

--- Lua code that makes `cmd` a local with the program's own parts.
parts.OF_THE_PROGRAM = 'local cmd = debug.getregistry()["greenlua.cmd"]\n'

return parts
