-- measure.lua: what the benchmark programs written in Lua share. It runs in Lua 5.1 as well
-- (LuaJIT, Tarantool), so it does without integers and attributes.

local measure = {}

--- The program's argument number i, a whole number; `default` when it is not given.
function measure.argument(i, default)
  return math.floor(assert(tonumber(arg[i] or default), "a number expected"))
end

--- The resident memory of the process (VmRSS), in bytes.
function measure.resident_bytes()
  for line in io.lines("/proc/self/status") do
    local kilobytes = line:match("^VmRSS:%s*(%d+) kB")
    if kilobytes then return kilobytes * 1024 end
  end
end

--- What one reading of os.clock costs, in seconds: for who reads it often.
function measure.clock_cost()
  local clock, readings = os.clock, 100000
  local start = clock()
  for _ = 1, readings do clock() end
  return (clock() - start) / readings
end

local formats = { ns = "%.1f", us = "%.2f", B = "%.0f", MB = "%.2f", x = "%.3f", n = "%d" }

--- Print a figure.
-- @param unit string: ns, us, B, MB, x (a ratio) or n (a number of things)
function measure.print(name, value, unit)
  print(("%s " .. formats[unit] .. " %s"):format(name, value, unit))
end

local per_second = { ns = 1e9, us = 1e6 }

--- Print a time each.
-- @param unit string: ns or us
function measure.print_each(name, seconds, count, unit)
  measure.print(name, seconds / count * per_second[unit], unit)
end

return measure
