-- greenlua spawned.lua [-e code] ... script [args]: runs a program as `lua` does, but in a greenlet
-- that the main greenlet waits for.
local first = 1
while arg[first] == "-e" do
  assert(load(arg[first + 1], "=(command line)"))()
  first = first + 2
end
local own = table.move(arg, first, #arg, 0, {})
own[-1] = arg[-1]
arg = own
SPAWNED = true

greenlet.spawn(function()
  return assert(loadfile(arg[0]))(table.unpack(arg))
end):join()
