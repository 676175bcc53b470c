-- What greenlet.trace and greenlet.profile have in common: something is written to a file, which is
-- opened when that begins, and which a setting names.

local core = ...

local function check(file)
  if type(file) ~= "string" then
    core.argerror(1, "start", "string expected, got " .. core.typename(file))
  end
  if file == "" or file:find("\0", 1, true) then
    core.argerror(1, "start", "the name of a file is expected")
  end
end

--- The functions start, stop and file of such a module.
-- @param setting its name, by which messages call it
-- @param begin begin(file, ...): nil, or what is wrong
return function(setting, begin)
  local module = {}

  function module.start(file, ...)
    check(file)
    if core.get(setting) ~= "" then
      core.argerror(1, "start", ("a %s is being written to '%s'"):format(setting, core.get(setting)))
    end
    local problem = begin(file, ...)
    if problem then core.argerror(1, "start", ("a %s %s"):format(setting, problem)) end
  end

  function module.stop()
    if core.get(setting) == "" then error(("there is no %s to stop"):format(setting), 2) end
    local problem = core.set(setting, "")
    if problem then error(("the %s %s"):format(setting, problem), 2) end
  end

  function module.file()
    local file = core.get(setting)
    return file ~= "" and file or nil
  end

  return module
end
