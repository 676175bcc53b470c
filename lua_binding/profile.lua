--- Where the time of a program goes: which greenlets, and which of their functions, had the CPU,
-- and what the others waited for.
--
-- The whole of a program is profiled by `greenlua --profile=FILE script.lua`, with no change to it;
-- see [Profiles](profiling.md), which also says what is in the files. This module takes the profile
-- of a part.
--
-- ```lua
-- local profile = require "greenlet.profile"
-- local file = os.tmpname() .. ".folded"
--
-- profile.start(file)
-- greenlet.spawn(function() greenlet.sleep(0.02) end):join()
-- profile.stop()
--
-- for line in io.lines(file) do
--   if line:find("^wait;main;.*%[join%]") then print("main has waited in a join") end
-- end
-- os.remove(file)
-- ```
--
-- ```text
-- main has waited in a join
-- ```
-- @module greenlet.profile

local core = ...

-- The option `interval`, the only one there is.
local function check_options(options)
  if options == nil then return nil end
  if type(options) ~= "table" then
    core.argerror(2, "start", "table expected, got " .. core.typename(options))
  end
  for key in pairs(options) do
    if key ~= "interval" then
      core.argerror(2, "start", ("there is no option '%s'"):format(core.tostring(key)))
    end
  end
  local interval = options.interval
  if interval ~= nil and type(interval) ~= "number" then
    core.argerror(2, "start", "interval: number expected, got " .. core.typename(interval))
  end
  return interval
end

local profile = core.datafile("profile", function(file, options)
  return core.start_profile(file, check_options(options))
end)

--- Begin a profile; the file is made at once, and has the profile when that stops.
-- That is at the latest when the program ends, however it does. The child of a fork takes none.
-- @function greenlet.profile.start
-- @tparam string file its name: `*.html` or `*.folded`; `%p` in it is the number of the process
-- @tparam[opt] table options `interval`: seconds of work between samples, 0.0001 to 10; default
--   about 0.001
-- @raise bad argument: another name; a file that cannot be written; there is a profile already
-- @switches no
-- @usage greenlet.profile.start("work.html")

--- End the profile and write its file.
-- @function greenlet.profile.stop
-- @raise there is no profile; the file cannot be written
-- @switches no
-- @usage greenlet.profile.stop()

--- Return the file of the profile that is under way, with its directory; nil if there is none.
-- @function greenlet.profile.file
-- @treturn string or nil
-- @switches no

return profile
