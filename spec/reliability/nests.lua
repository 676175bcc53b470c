--- What nests without end, each in its own way: an error ends it, or it works; nothing crashes.
--
--     greenlua nests.lua main|spawned [name ...]
--
-- prints a line for each: its name, a tab, and "as expected" or what it came to.
local where = ...
local wanted = table.pack(select(2, ...))

local lpeg = require "lpeg"

local nests = {}      -- {name, expected, f}
local MANY = 10000    -- where nothing limits it

--- f() is to raise an error that has this in its text; nil: it is to work.
local function nest(name, expected, f)
  nests[#nests + 1] = { name = name, expected = expected, f = f }
end

local C_STACK <const> = "C stack overflow"
local ANY_STACK <const> = "stack overflow"

-- ---- Lua's own ----

nest("function, and a message handler", ANY_STACK, function()
  local function f() return 1 + f() end
  local ok, err = xpcall(f, function(e) return ("x"):gsub(".", function() return e end) end)
  assert(ok, err)
end)

nest("pcall", ANY_STACK, function()
  local function f() return assert(pcall(f)) end
  f()
end)

nest("xpcall", ANY_STACK, function()
  local function f() return assert(xpcall(f, debug.traceback)) end
  f()
end)

nest("error in a message handler", "", function()
  local function handler(e) error(e) end
  local ok, err = xpcall(error, handler, "first")
  assert(ok, tostring(err))
end)

nest("xpcall in a message handler", "", function()
  local function handler(e)
    xpcall(error, handler, e)
    return e
  end
  local ok, err = xpcall(error, handler, "first")
  assert(ok, tostring(err))
end)

nest("string.gsub", C_STACK, function()
  local function f() return (("x"):gsub(".", f)) end
  f()
end)

nest("string.gsub, a table", C_STACK, function()
  local replacement = setmetatable({}, {})
  getmetatable(replacement).__index = function() return (("x"):gsub(".", replacement)) end
  local _ = ("x"):gsub(".", replacement)
end)

nest("table.sort", C_STACK, function()
  local function less(a, b)
    table.sort({ 3, 2, 1 }, less)
    return a < b
  end
  less(1, 2)
end)

nest("tostring", C_STACK, function()
  local object = setmetatable({}, { __tostring = function(self) return tostring(self) end })
  tostring(object)
end)

nest("string.format", C_STACK, function()
  local object = setmetatable({}, {})
  getmetatable(object).__tostring = function(self) return ("%s %s"):format(1, self) end
  tostring(object)
end)

nest("table.concat, by metamethods", C_STACK, function()
  local list = setmetatable({}, { __len = function() return 1 end })
  getmetatable(list).__index = function() return table.concat(list) end
  table.concat(list)
end)

nest("load", "", function()
  local function read() return assert(load(read)) end
  assert(load(read))
end)

nest("dofile", C_STACK, function()
  local name = os.tmpname()
  local file = assert(io.open(name, "w"))
  file:write("return deeper()")
  file:close()
  function deeper() return 1 + dofile(name) end -- luacheck: ignore
  local ok, err = pcall(deeper)
  os.remove(name)
  assert(ok, err)
end)

nest("require", C_STACK, function()
  local count = 0
  local function loader()
    count = count + 1
    package.preload["nest" .. count] = loader
    return require("nest" .. count)
  end
  loader()
end)

nest("coroutine.wrap", C_STACK, function()
  local function f() return coroutine.wrap(f)() end
  f()
end)

nest("coroutine.resume", C_STACK, function()
  local function f() return assert(select(2, assert(coroutine.resume(coroutine.create(f))))) end
  f()
end)

nest("coroutine.close", C_STACK, function()
  local function f()
    local co = coroutine.create(function()
      local _ <close> = setmetatable({}, { __close = f })
      coroutine.yield()
    end)
    coroutine.resume(co)
    assert(coroutine.close(co))
  end
  f()
end)

for _, event in ipairs { "index", "newindex", "add", "unm", "len", "eq", "lt", "le", "concat", "call" } do
  nest("__" .. event, ANY_STACK, function()
    local meta = {}
    local a, b = setmetatable({}, meta), setmetatable({}, meta)
    local operations = {
      index = function() return a.x end, newindex = function() a.x = 1 end,
      add = function() return a + b end, unm = function() return -a end,
      len = function() return #a end, eq = function() return a == b end,
      lt = function() return a < b end, le = function() return a <= b end,
      concat = function() return a .. b end, call = function() return 1 + a() end,
    }
    local operation = operations[event]
    meta["__" .. event] = function() return (operation()) end
    operation()
  end)
end

nest("__index, a chain", "chain too long", function()
  local object = {}
  for _ = 1, MANY do object = setmetatable({}, { __index = object }) end
  return object.x
end)

-- Each link of the chain takes one more argument.
nest("__call, a chain", nil, function()
  local object = function(...) return select("#", ...) end
  for _ = 1, 1000 do object = setmetatable({}, { __call = object }) end
  assert(object() == 1000)
end)

nest("__close", ANY_STACK, function()
  local function f()
    local _ <close> = setmetatable({}, { __close = f })
  end
  f()
end)

nest("__gc", nil, function()
  local function make(n)
    setmetatable({}, { __gc = function() if n > 0 then make(n - 1) collectgarbage() end end })
  end
  make(1000)
  for _ = 1, 3 do collectgarbage() end
end)

nest("debug.sethook", nil, function()
  local count = 0
  debug.sethook(function() count = count + 1 end, "crl")
  for _ = 1, 10 do string.gsub("x", ".", string.upper) end
  debug.sethook()
end)

-- ---- Lua's parser and its patterns ----

local function parsed(before, after, middle)
  return function()
    assert(load("return " .. before:rep(MANY) .. (middle or "1") .. after:rep(MANY)))
  end
end

nest("parser: parentheses", C_STACK, parsed("(", ")"))
nest("parser: tables", C_STACK, parsed("{", "}"))
nest("parser: functions", "", parsed("function() return ", " end"))
nest("parser: not", C_STACK, parsed("not ", ""))
nest("parser: ..", C_STACK, parsed("a .. ", ""))
nest("parser: ^", C_STACK, parsed("a ^ ", ""))
nest("parser: calls", C_STACK, parsed("f(", ")"))
nest("parser: blocks", C_STACK, function()
  assert(load(("do "):rep(MANY) .. ("end "):rep(MANY)))
end)
nest("parser: else if", C_STACK, function()
  assert(load(("if a then else "):rep(MANY) .. ("end "):rep(MANY)))
end)

nest("pattern: optional items", "pattern too complex", function()
  return ("a"):rep(300):match(("a?"):rep(300) .. ("a"):rep(300) .. "b")
end)
nest("pattern: captures", "too many captures", function()
  return ("a"):rep(300):match(("(a)"):rep(300))
end)
nest("pattern: long subjects", nil, function()
  local text = ("a"):rep(1000000)
  assert(not text:match("^.-b") and not text:match("^a*b") and #text:match("a+") == #text)
end)

-- ---- lpeg ----

nest("lpeg.Cmt", C_STACK, function()
  local pattern
  pattern = lpeg.Cmt(1, function(subject) return pattern:match(subject) end)
  pattern:match("a")
end)

nest("lpeg, a function capture", C_STACK, function()
  local pattern
  pattern = lpeg.C(1) / function(subject) return pattern:match(subject) end
  pattern:match("a")
end)

nest("lpeg, substitutions", C_STACK, function()
  local pattern
  pattern = lpeg.Cs(lpeg.P(1) / function(subject) return pattern:match(subject) end)
  pattern:match("a")
end)

nest("lpeg, a grammar", ANY_STACK, function()
  lpeg.P { "(" * lpeg.V(1) * ")" + "x" }:match(("("):rep(MANY))
end)

nest("lpeg, nested captures", nil, function()
  lpeg.setmaxstack(10 * MANY)
  local nested = lpeg.P { lpeg.Ct("(" * lpeg.V(1) * ")") + "x" }
  assert(nested:match(("("):rep(90) .. "x" .. (")"):rep(90)))
  lpeg.setmaxstack(400)
end)

-- ---- greenlets ----

nest("spawn and join", nil, function()
  local function f(n) return n == 0 and 0 or 1 + greenlet.spawn(f, n - 1):get() end
  assert(f(1000) == 1000)
end)

nest("spawn and join, through C", nil, function()
  local function f(n)
    if n == 0 then return 0 end
    local _ = ("x"):gsub(".", function() n = 1 + greenlet.spawn(f, n - 1):get() end)
    return n
  end
  assert(f(500) == 500)
end)

nest("raw switches", nil, function()
  local function f(n) return n == 0 and 0 or 1 + greenlet.greenlet(f):switch(n - 1) end
  assert(f(1000) == 1000)
end)

nest("raw switches, through C", nil, function()
  local function f(n)
    local result = 0
    if n > 0 then
      local _ = ("x"):gsub(".", function() result = 1 + greenlet.greenlet(f):switch(n - 1) end)
    end
    return result
  end
  assert(f(500) == 500)
end)

nest("parents that die of an error", "at the end", function()
  local parent = greenlet.getcurrent()
  local function fail() error("at the end", 0) end
  local chain = {}
  for i = 1, MANY do
    parent = greenlet.greenlet(i == MANY and fail or print, parent)
    chain[i] = parent
  end
  parent:switch()
end)

nest("links that spawn", nil, function()
  local done = greenlet.event.Event()
  local function f(n)
    if n == 0 then done:set() return end
    greenlet.spawn(greenlet.sleep):link(function() f(n - 1) end)
  end
  f(1000)
  assert(done:wait(100))
end)

nest("a spawn callback that spawns", C_STACK, function()
  local function callback() greenlet.spawn(greenlet.sleep) end
  greenlet.Greenlet.add_spawn_callback(callback)
  local ok, err = pcall(greenlet.spawn, greenlet.sleep)
  greenlet.Greenlet.remove_spawn_callback(callback)
  assert(ok, err)
end)

nest("a trace function that switches", nil, function()
  local depth = 0
  greenlet.settrace(function()
    depth = depth + 1
    if depth < 300 then greenlet.sleep(0) end
  end)
  greenlet.spawn(greenlet.sleep, 0):join()
  greenlet.settrace(nil)
end)

nest("a name that asks for the name", "", function()
  local g = greenlet.Greenlet(greenlet.sleep)
  g.name = setmetatable({}, { __tostring = function() return tostring(g) end })
  tostring(g)
end)

nest("an error that reports itself", nil, function()
  local stream = greenlet.get_hub().exception_stream
  greenlet.get_hub().exception_stream = { write = function(self) return self end }
  local err = setmetatable({}, { __tostring = function(self) return tostring(self) end })
  greenlet.spawn(error, err):join()
  greenlet.sleep(0.001)
  greenlet.get_hub().exception_stream = stream
end)

nest("classes of classes", "", function()
  local class = greenlet.Greenlet
  for _ = 1, 3000 do class = class:extend("Deeper") end
  class.spawn(greenlet.sleep):join()
end)

nest("a priority queue that compares by itself", C_STACK, function()
  local queue = greenlet.queue.PriorityQueue()
  local meta = {}
  local function item() return setmetatable({}, meta) end
  meta.__lt = function() queue:put(item()) return true end
  queue:put(item())
  queue:put(item())
end)

nest("timeouts in timeouts", nil, function()
  local function f(n) return n == 0 or greenlet.with_timeout(100, f, n - 1) end
  pcall(f, MANY)
end)

nest("pools in pools", nil, function()
  local function f(n) return n == 0 and 0 or 1 + greenlet.pool.Pool(1):apply(f, { n - 1 }) end
  assert(f(300) == 300)
end)

-- ---- Running them ----

--- "as expected", or what it came to.
local function outcome(case)
  local ok, err = greenlet.pcall(case.f)
  local text = ok and "works" or tostring(err)
  local expected
  if case.expected then
    expected = not ok and text:find(case.expected, 1, true)
  else
    expected = ok
  end
  return expected and "as expected" or text:gsub("\n.*", "")
end

local function chosen(name)
  for i = 1, wanted.n do
    if wanted[i] == name then return true end
  end
  return wanted.n == 0
end

for _, case in ipairs(nests) do
  if chosen(case.name) then
    io.write(case.name, "\t"):flush()
    if where == "main" then
      io.write(outcome(case), "\n")
    else
      local g = greenlet.spawn(outcome, case)
      io.write(g:get(), "\n")
    end
  end
end
os.exit(0) -- the errors of greenlets were meant
