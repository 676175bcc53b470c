-- deadlock.lua: a copier and a fax machine share their parts, until each has what the other needs.
--
-- Shows: a deadlock after a time in which all went well. Made for a timeline:
-- greenlua --trace=deadlock.html deadlock.lua
--
-- Wrong: at first both use one part at a time. Then both need the scanner and the printer together,
-- and take them in opposite orders: neither gets the second one. The clerk, who needs neither, goes
-- on; when she is done the program ends with the report of a deadlock and status 3.
-- Remedy: an order in which everybody takes what is shared, as with --fixed.
--
-- Usage: greenlua deadlock.lua [--fixed]
--
--     $ greenlua deadlock.lua --fixed
--     copier, fax and clerk are done

local greenlet = require "greenlet"
local Lock = require("greenlet.lock").Lock

local fixed = arg[1] == "--fixed"
if #arg > (fixed and 1 or 0) then
  io.stderr:write("usage: deadlock.lua [--fixed]\n")
  os.exit(2)
end

local scanner, printer = Lock("scanner"), Lock("printer")
scanner.seconds, printer.seconds = 0.003, 0.004

local function use(part)
  local held <close> = part:hold()
  greenlet.sleep(part.seconds)
end

local function work(first, second)
  for _ = 1, 2 do
    use(first)
    use(second)
  end
  if fixed then first, second = scanner, printer end
  local held <close> = first:hold()
  greenlet.sleep(first.seconds)
  use(second)
end

local function file_letters()
  for _ = 1, 8 do greenlet.sleep(0.004) end
end

local copier = greenlet.spawn(work, scanner, printer)
local fax = greenlet.spawn(work, printer, scanner)
local clerk = greenlet.spawn(file_letters)
copier.name, fax.name, clerk.name = "copier", "fax", "clerk"
greenlet.joinall {copier, fax, clerk}
print "copier, fax and clerk are done"
