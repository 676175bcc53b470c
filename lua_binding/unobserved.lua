--- Failures that are not printed at once: somebody may take them yet. They are printed
-- when nobody can any more, because the greenlet is garbage, or at the end.

local core = ...

local unobserved = {}

local guards = setmetatable({}, { __mode = "k" }) -- of greenlets: collected with them
local final = setmetatable({}, { __mode = "k" })  -- greenlets to be printed, if at all
local count = 0

local function print_now(g)
  local err, traceback = core.failure(g)
  core.handle_error(g, err, traceback)
end

-- A greenlet that is garbage lives on until its report is printed: in the loop, for a
-- finalizer cannot wait, and whoever has replaced hub:handle_error may want to.
local guard_meta = {
  __gc = function(guard)
    local g = guard.greenlet
    if guard.done or core.taken(g) then return end
    guard.done, final[g] = true, true
    core.report_late(g)
  end,
}

--- Keep the failure back. False if it is to be printed now.
function unobserved.keep(g)
  if core.taken(g) then return true end
  if final[g] then return false end
  count = count + 1
  guards[g] = setmetatable({ greenlet = g, order = count }, guard_meta)
  return true
end

--- Print what nobody has taken by now, in the order of the failures.
function unobserved.print_all()
  local left = {}
  for _, guard in next, guards do
    if not guard.done and not core.taken(guard.greenlet) then left[#left + 1] = guard end
    guard.done = true
  end
  table.sort(left, function(a, b) return a.order < b.order end)
  for _, guard in ipairs(left) do print_now(guard.greenlet) end
end

return unobserved
