-- What errors look like, and how a program ends.
-- In a chunk, where its name and line show in the messages.
local levels = [[
  local function third() error("deep", %s) end
  local function second() third() end
  local function first() second() end
  first()
]]

local cases = {}
local function add(list)
  table.move(list, 1, #list, #cases + 1, cases)
end

-- Errors that nobody catches.
add {
  { "error: a string", e = "error('oops')" },
  { "error: in a script", script = "\nerror('oops')" },
  { "error: a number", e = "error(42)" },
  { "error: a float", e = "error(1.5)" },
  { "error: nil", e = "error(nil)" },
  { "error: nothing", e = "error()" },
  { "error: a boolean", e = "error(false)" },
  { "error: a table", e = "error({ code = 2 })" },
  { "error: a table with __tostring", e = [[
    error(setmetatable({}, { __tostring = function() return 'text' end }))]] },
  { "error: __tostring gives a number", e = [[
    error(setmetatable({}, { __tostring = function() return 5 end }))]] },
  { "error: __tostring gives nil", e = [[
    error(setmetatable({}, { __tostring = function() end }))]] },
  { "error: __tostring fails", e = [[
    error(setmetatable({}, { __tostring = function() error('again') end }))]] },
  { "error: __tostring fails with its own kind", e = [[
    local m = {}
    m.__tostring = function() error(setmetatable({}, m)) end
    error(setmetatable({}, m))]] },
  { "error: a table with __name", e = "error(setmetatable({}, { __name = 'Thing' }))" },
  { "error: a function", e = "error(print)" },
  { "error: a userdata", e = "error(io.stdout)" },
  { "error: a coroutine", e = "error(coroutine.create(print))" },
  { "error: a string with a zero byte", e = "error('a\\0b')" },
  { "error: a string with lines", e = "error('a\\nb\\n')" },
  { "error: an empty string", e = "error('', 0)" },
  { "error: level 0", script = levels:format "0" },
  { "error: level 1", script = levels:format "1" },
  { "error: level 2", script = levels:format "2" },
  { "error: level 3", script = levels:format "3" },
  { "error: level far out", script = levels:format "30" },
  { "error: arithmetic on nil", script = "local t = {}\nprint(t.a + 1)" },
  { "error: call of a global", script = "undefined_function()" },
  { "error: call of a method", script = "local s = 'x'\ns:nothing()" },
  { "error: index of an upvalue", script = [[
    local up
    local function f() return up.x end
    f()]] },
  { "error: comparison", script = "print({} < {})" },
  { "error: concatenation", script = "print('a' .. {})" },
  { "error: not an integer", script = "print(1.5 | 1)" },
  { "error: division by zero", script = "print(1 // 0)" },
  { "error: modulo by zero", script = "print(1 % 0)" },
  { "error: for's limits", script = "for i = 1, 'x' do end" },
  { "error: for's step", script = "for i = 1, 2, 0 do end" },
  { "error: a bad argument", script = "string.rep()" },
  { "error: a bad argument to a method", script = "('x'):rep({})" },
  { "error: a bad argument to self", script = "string.rep(nil)\n" },
  { "error: a string that is too large", script = "print(('x'):rep(1 << 62))" },
  { "error: no memory #memory", script = [[
    print(pcall(io.read, 1 << 46))
    io.read(1 << 46)]] },
  { "error: assert", script = "assert(false)" },
  { "error: assert with a message", script = "assert(nil, 'message')" },
  { "error: assert with a table", script = "assert(nil, { 1 })" },
  { "error: assert with nothing", script = "assert()" },
}

-- Tracebacks.
add {
  { "traceback: tail calls", script = [[
    local function a() error('x') end
    local function b() return a() end
    b()]] },
  { "traceback: a tail call of the chunk", script = [[
    local function a() error('x') end
    return a()]] },
  { "traceback: metamethods", script = [[
    local m = { __add = function() error('x') end, __index = function(t) return t + 1 end }
    local t = setmetatable({}, m)
    print(t.field)]] },
  { "traceback: iterators", script = "for k in function() error('x') end do end" },
  { "traceback: sort", script = "table.sort({ 3, 2, 1 }, function() error('x') end)" },
  { "traceback: gsub", script = "string.gsub('abc', '.', function() error('x') end)" },
  { "traceback: fields and methods", script = [[
    local o = {}
    function o.inner() error('x') end
    function o:outer() o.inner() end
    function global() o:outer() end
    global()]] },
  { "traceback: functions of loaded modules", script = "mod = require 'mod'\nmod.f()",
    files = { ["mod.lua"] = "return { f = function() string.rep() end }" } },
  { "traceback: load", script = "load('error(1)', '=named')()" },
  { "traceback: load of a long chunk", script = "load('\\n\\nerror(1)')()" },
  { "traceback: dofile", script = "dofile 'a.lua'", files = { ["a.lua"] = "error('x')" } },
  { "traceback: many levels", script = [[
    local function f(n) if n == 0 then error('x') end f(n - 1) end
    f(50)]] },
  { "traceback: a coroutine that is wrapped", script = [[
    local f = coroutine.wrap(function() error('x') end)
    f()]] },
  { "traceback: a coroutine that is wrapped raises a table", script = [[
    coroutine.wrap(function() error({}) end)()]] },
  { "traceback: of a coroutine", script = [[
    local co = coroutine.create(function() local function f() coroutine.yield() end f() end)
    coroutine.resume(co)
    print(debug.traceback(co))
    print(debug.traceback(co, 'msg'))
    print(debug.traceback(co, nil, 1))]] },
  { "traceback: of a dead coroutine", script = [[
    local co = coroutine.create(function() error('x') end)
    print(coroutine.resume(co))
    print(debug.traceback(co))]] },
  { "traceback: here", script = "local function f() print(debug.traceback('here')) end\nf()" },
  { "traceback: here, another level", script = [[
    local function f() print(debug.traceback('here', 2)) end
    f()]] },
  { "traceback: here, in a coroutine", script = [[
    coroutine.wrap(function() print(debug.traceback()) end)()]] },
  { "traceback: under pcall", script = [[
    pcall(function() print(debug.traceback('in pcall')) end)]] },
  { "traceback: under pcall and a coroutine", script = [[
    local function inner() print(debug.traceback()) end
    local function outer() coroutine.wrap(pcall)(inner) end
    pcall(outer)]] },
  { "traceback: not a string", script = [[
    print(debug.traceback({}) ~= nil, debug.traceback(nil), debug.traceback(12))]] },
  { "traceback: hooks", script = [[
    debug.sethook(function() debug.sethook() error('x') end, 'l')
    local x = 1]] },
}

-- pcall, xpcall and their handlers.
add {
  { "pcall: values", e = "print(pcall(function(...) return ... end, 1, nil, 3, nil))" },
  { "pcall: of nothing", e = "print(pcall())" },
  { "pcall: of a number", e = "print(pcall(1))" },
  { "pcall: error again", script = "local _, e = pcall(error, 'inner', 0)\nerror(e, 0)" },
  { "pcall: of error", e = [[
    print(pcall(error))
    print(pcall(error, nil))
    print(pcall(error, { 1 }) )]] },
  { "pcall: of pcall", e = "print(pcall(pcall)) print(pcall(pcall, error, 'x'))" },
  { "pcall: positions in messages", script = [[
    print(pcall(function() local x = nil; x() end))
    print(pcall(string.rep))]] },
  { "xpcall: debug.traceback", script = [[
    print(xpcall(function() error('x') end, debug.traceback))]] },
  { "xpcall: debug.traceback of a runtime error", script = [[
    print(xpcall(function() local t; t.x = 1 end, debug.traceback))]] },
  { "xpcall: debug.traceback in a function", script = [[
    local function g() error('x') end
    local function f() return xpcall(g, debug.traceback) end
    print(f())]] },
  { "xpcall: debug.traceback in a coroutine", script = [[
    coroutine.wrap(function() print(xpcall(error, debug.traceback, 'x')) end)()]] },
  { "xpcall: a handler that looks around", script = [[
    local function handler(e)
      for level = 1, 10 do
        local info = debug.getinfo(level, 'nSlt')
        if not info then break end
        print(info.what, info.namewhat, info.name, info.currentline, info.istailcall)
      end
      return e
    end
    print(xpcall(function() error('x') end, handler))
    print(xpcall(function() local a = 1 + nil end, handler))]] },
  { "xpcall: a handler with a traceback of its own", script = [[
    print(xpcall(error, function(e) return debug.traceback(e, 2) end, 'x'))]] },
  { "xpcall: arguments", e = [[
    print(xpcall(function(...) return select('#', ...), ... end, print, 1, nil, 3))]] },
  { "xpcall: without a handler", e = "print(pcall(xpcall)) print(pcall(xpcall, print))" },
  { "xpcall: a handler of another type", e = [[
    print(xpcall(error, 5, 'x'))
    print(xpcall(print, nil, 'x'))]] },
  { "xpcall: a handler that can be called", e = [[
    local handler = setmetatable({}, { __call = function(_, e) return 'handled ' .. e end })
    print(xpcall(error, handler, 'x'))]] },
  { "xpcall: a handler that fails", e = [[
    print(xpcall(error, function() error('in the handler') end, 'x'))]] },
  { "xpcall: a handler that fails once", e = [[
    local n = 0
    print(xpcall(error, function(e) n = n + 1 if n == 1 then error('y') end return n end, 'x'))]] },
  { "xpcall: a handler that returns nothing", e = "print(xpcall(error, function() end, 'x'))" },
  { "xpcall: a handler that returns much", e = [[
    print(xpcall(error, function() return 1, 2, 3 end, 'x'))]] },
  { "stack overflow: uncaught", script = "local function f() return 1 + f() end\nf()" },
  { "stack overflow: caught", script = [[
    local function f() return 1 + f() end
    print(pcall(f))]] },
  { "stack overflow: under a handler", script = [[
    local function f() return 1 + f() end
    print(select('#', xpcall(f, debug.traceback)))]] },
  { "stack overflow: of C, by gsub", script = [[
    local function f() return (string.gsub('a', 'a', f)) end
    print(pcall(f))]] },
  { "stack overflow: of C, by metamethods", script = [[
    local t = setmetatable({}, {}) getmetatable(t).__index = function(_, k) return t[k + 1] end
    print(pcall(function() return t[1] end))]] },
  { "stack overflow: of C, by coroutines", script = [[
    local function f() return coroutine.wrap(f)() end
    local ok, message = pcall(f)
    print(ok, (message:gsub('^.*: ', '')))]] },
  { "stack overflow: of pcall in pcall", script = [[
    local function f() return pcall(f) end
    print(f())]] },
  { "stack overflow: by __tostring of an error", script = [[
    local m = {} m.__tostring = function(e) return tostring(e) end
    error(setmetatable({}, m))]] },
  { "stack overflow: nested parentheses", e = [[
    print(load('return ' .. ('('):rep(300) .. '1' .. (')'):rep(300)))]] },
  { "unpack of too much", e = "print(pcall(table.unpack, {}, 1, 1e7))" },
}

-- Ends: os.exit, finalizers, closing.
add {
  { "os.exit: true", e = "os.exit(true)" },
  { "os.exit: false", e = "os.exit(false)" },
  { "os.exit: nothing", e = "os.exit()" },
  { "os.exit: a number", e = "os.exit(3)" },
  { "os.exit: a large number", e = "os.exit(256 + 7)" },
  { "os.exit: a negative number", e = "os.exit(-1)" },
  { "os.exit: a bad argument", e = "os.exit({})" },
  { "os.exit: a float", e = "os.exit(1.5)" },
  { "os.exit: what was written is flushed", e = "io.write('text') os.exit(0)" },
  { "os.exit: runs no finalizers", e = [[
    setmetatable({}, { __gc = function() print('gc') end })
    os.exit(0)]] },
  { "os.exit: true runs finalizers #leaks", e = [[
    setmetatable({}, { __gc = function() print('gc') end })
    os.exit(5, true)]] },
  { "os.exit: true closes variables #leaks", script = [[
    local function f()
      local a <close> = setmetatable({}, { __close = function(_, e) print('close a', e) end })
      local b <close> = setmetatable({}, { __close = function(_, e) print('close b', e) end })
      os.exit(6, true)
    end
    local c <close> = setmetatable({}, { __close = function() print('close c') end })
    f()]] },
  { "os.exit: false leaves them", script = [[
    local a <close> = setmetatable({}, { __close = print })
    os.exit(6, false)]] },
  { "os.exit: in a coroutine", e = "coroutine.wrap(function() os.exit(7) end)()" },
  { "os.exit: in a coroutine, closing #leaks", e = [[
    setmetatable({}, { __gc = function() print('gc') end })
    coroutine.wrap(function() os.exit(7, true) end)()]] },
  { "os.exit: under pcall", e = "pcall(os.exit, 8) print('not here')" },
  { "os.exit: in a finalizer", e = [[
    setmetatable({}, { __gc = function() os.exit(9) end })
    collectgarbage()
    print('not here')]] },
  { "the end: finalizers in reverse order", script = [[
    for i = 1, 3 do setmetatable({}, { __gc = function() print('gc', i) end }) end]] },
  { "the end: finalizers after an error", script = [[
    setmetatable({}, { __gc = function() print('gc') end })
    error('x')]] },
  { "the end: a finalizer that fails", script = [[
    setmetatable({}, { __gc = function() error('x') end })]] },
  { "the end: a finalizer that fails, with -W", shell = "lua -W t.lua", script = [[
    setmetatable({}, { __gc = function() error('x') end })]] },
  { "the end: a finalizer that makes another", script = [[
    local n = 0
    local function again()
      n = n + 1
      print(n)
      if n < 3 then setmetatable({}, { __gc = again }) end
    end
    setmetatable({}, { __gc = again })]] },
  { "the end: closes the chunk's variables", script = [[
    local x <close> = setmetatable({}, { __close = function(_, e) print('close', e) end })]] },
  { "the end: closes them with the error", script = [[
    local x <close> = setmetatable({}, { __close = function(_, e) print('close', e) end })
    error('x')]] },
  { "the end: an error while closing", script = [[
    local x <close> = setmetatable({}, { __close = function(_, e) error('second', 0) end })
    error('first')]] },
  { "a value that cannot be closed", script = "local x <close> = 5" },
  { "a value that can no longer be closed", script = [[
    local m = { __close = print }
    local x <close> = setmetatable({}, m)
    m.__close = nil]] },
  { "a broken pipe",
    shell = "{ lua -e 'for i = 1, 1e6 do print(i) end'; echo $? >&2; } | head -1" },
  { "killed by a signal",
    shell = [[lua -e 'print(1) io.stdout:flush() os.execute "kill -TERM $PPID"']] },
}

-- Warnings and the collector.
add {
  { "warn: off at first", e = "warn('a')" },
  { "warn: @on and @off", e = "warn('@on') warn('a', 'b', 'c') warn('@off') warn('d')" },
  { "warn: -W", args = { "-W", "-e", "warn('a')" } },
  { "warn: -W in its turn", args = { "-e", "warn('a')", "-W", "-e", "warn('b')" } },
  { "warn: unknown controls", args = { "-W", "-e", "warn('@other') warn('x', '@on')" } },
  { "warn: bad arguments", args = { "-W", "-e", "warn()" } },
  { "gc: generational", e = [[
    print(collectgarbage('incremental'))
    print(collectgarbage('generational'))
    print(collectgarbage('generational'))]] },
  { "gc: results", e = [[
    print(collectgarbage(), collectgarbage('collect'), collectgarbage('isrunning'))
    print(collectgarbage('stop'), collectgarbage('isrunning'), collectgarbage('restart'))]] },
  { "gc: parameters", e = [[
    collectgarbage('incremental')
    print(collectgarbage('setpause', 100), collectgarbage('setstepmul', 200))
    print(collectgarbage('setpause'), collectgarbage('setstepmul'))]] },
  { "gc: count", e = "print(math.type(collectgarbage('count')))" },
  { "gc: an unknown option", e = "collectgarbage('other')" },
  { "gc: in a finalizer", e = [[
    setmetatable({}, { __gc = function() print(collectgarbage('count')) end })
    collectgarbage()]] },
  { "gc: weak tables", e = [[
    local t = setmetatable({}, { __mode = 'k' })
    t[{}] = 1
    collectgarbage()
    print(next(t))]] },
}

return cases
