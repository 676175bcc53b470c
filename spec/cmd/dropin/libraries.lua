-- The libraries, where greenlets could get in their way.
local cases = {}
local function add(list)
  table.move(list, 1, #list, #cases + 1, cases)
end

-- Coroutines in the main chunk.
add {
  { "coroutine: running", e = [[
    local co, main = coroutine.running()
    print(type(co), main, coroutine.status(co))]] },
  { "coroutine: running inside", e = [[
    coroutine.wrap(function() print(select(2, coroutine.running())) end)()]] },
  { "coroutine: isyieldable", e = [[
    print(coroutine.isyieldable())
    coroutine.wrap(function() print(coroutine.isyieldable()) end)()]] },
  { "coroutine: isyieldable of another", e = [[
    print(coroutine.isyieldable(coroutine.create(print)))]] },
  { "coroutine: yield outside", e = "coroutine.yield(1)" },
  { "coroutine: yield outside, caught", e = "print(pcall(coroutine.yield, 1))" },
  { "coroutine: yield across pcall", e = [[
    local f = coroutine.wrap(function() print(pcall(function() return coroutine.yield(1) end)) end)
    print(f())
    f(2)]] },
  { "coroutine: yield across xpcall and an error", script = [[
    local function body() coroutine.yield(1) error('x') end
    local f = coroutine.wrap(function() print(xpcall(body, debug.traceback)) end)
    print(f())
    f(2)]] },
  { "coroutine: yield across metamethods", e = [[
    local t = setmetatable({}, { __index = function(_, k) return coroutine.yield(k) end })
    local f = coroutine.wrap(function() print(t.a, t.b) end)
    print(f())
    print(f(1))
    f(2)]] },
  { "coroutine: yield across a C call", e = [[
    local co = coroutine.create(function() table.sort({ 1, 2, 3 }, coroutine.yield) end)
    print(coroutine.resume(co))]] },
  { "coroutine: yield across an iterator", e = [[
    local f = coroutine.wrap(function() for x in coroutine.yield do print(x) end end)
    f()
    f(1)
    f(2)
    f(nil)]] },
  { "coroutine: yield in a gsub", e = [[
    print(pcall(coroutine.wrap(function() string.gsub('a', '.', coroutine.yield) end)))]] },
  { "coroutine: resume of a dead one", e = [[
    local co = coroutine.create(function() end)
    coroutine.resume(co)
    print(coroutine.resume(co))
    print(coroutine.status(co))]] },
  { "coroutine: resume of itself", e = [[
    local co
    co = coroutine.create(function() print(coroutine.resume(co)) end)
    coroutine.resume(co)]] },
  { "coroutine: resume of the one that resumed it", e = [[
    local a, b
    a = coroutine.create(function() coroutine.resume(b) end)
    b = coroutine.create(function() print(coroutine.resume(a), coroutine.status(a)) end)
    coroutine.resume(a)]] },
  { "coroutine: resume of the main one", e = "print(coroutine.resume((coroutine.running())))" },
  { "coroutine: resume with a bad argument", e = "coroutine.resume(1)" },
  { "coroutine: create with a bad argument", e = "coroutine.create(1)" },
  { "coroutine: wrap with a bad argument", e = "coroutine.wrap(nil)" },
  { "coroutine: wrap of a dead one", script = [[
    local f = coroutine.wrap(function() end)
    f()
    f()]] },
  { "coroutine: wrap closes on an error", script = [[
    local f = coroutine.wrap(function()
      local x <close> = setmetatable({}, { __close = function(_, e) print('close', e) end })
      error({ 1 })
    end)
    print(pcall(f))]] },
  { "coroutine: wrap of an error while closing", script = [[
    local f = coroutine.wrap(function()
      local x <close> = setmetatable({}, { __close = function() error('second') end })
      error('first')
    end)
    f()]] },
  { "coroutine: close", e = [[
    local co = coroutine.create(function()
      local x <close> = setmetatable({}, { __close = function(_, e) print('close', e) end })
      coroutine.yield(1)
    end)
    print(coroutine.resume(co))
    print(coroutine.close(co))
    print(coroutine.status(co), coroutine.close(co))]] },
  { "coroutine: close with an error", e = [[
    local co = coroutine.create(function()
      local x <close> = setmetatable({}, { __close = function() error('x') end })
      coroutine.yield(1)
    end)
    coroutine.resume(co) print(coroutine.close(co)) print(coroutine.resume(co))]] },
  { "coroutine: close of the running one", e = [[
    print(pcall(coroutine.close, (coroutine.running())))]] },
  { "coroutine: close after an error", e = [[
    local co = coroutine.create(error)
    coroutine.resume(co, 'x')
    print(coroutine.close(co))
    print(coroutine.close(co))]] },
  { "coroutine: close while normal", e = [[
    local a
    local function close() return pcall(coroutine.close, a) end
    a = coroutine.create(function() print(coroutine.wrap(close)()) end)
    coroutine.resume(a)]] },
  { "coroutine: yield in __close", script = [[
    local f = coroutine.wrap(function()
      local x <close> = setmetatable({}, { __close = function() coroutine.yield('closing') end })
      return 'value'
    end)
    print(f()) print(f())]] },
  { "coroutine: a thousand", e = [[
    local n = 0
    for i = 1, 1000 do
      local f = coroutine.wrap(function(a) n = n + coroutine.yield(a) end)
      f(1)
      f(i)
    end
    print(n)]] },
  { "coroutine: in coroutines", e = [[
    local function f(n) if n == 0 then return 0 end return 1 + coroutine.wrap(f)(n - 1) end
    print(f(100))]] },
  { "coroutine: values", e = [[
    local co = coroutine.create(function(...) return select('#', ...), ... end)
    print(coroutine.resume(co, nil, 2, nil))]] },
  { "coroutine: the library's names", e = [[
    local t = {}
    for k in pairs(coroutine) do t[#t + 1] = k end
    table.sort(t)
    print(table.concat(t, ' '))]] },
}

-- All others.
add {
  { "debug: getinfo of the chunk", script = [[
    local i = debug.getinfo(1)
    print(i.what, i.short_src, i.source, i.nparams, i.isvararg, i.currentline)]] },
  { "debug: the levels above the chunk", script = [[
    for l = 2, 5 do local i = debug.getinfo(l) print(l, i and i.what, i and i.name) end]] },
  { "debug: getinfo of functions", script = [[
    for _, f in ipairs { print, pcall, xpcall, error, coroutine.resume, coroutine.wrap, os.exit } do
      local i = debug.getinfo(f)
      print(i.what, i.short_src, i.nparams, i.isvararg, i.linedefined)
    end]] },
  { "debug: sethook", script = [[
    local n = 0
    debug.sethook(function(e, l) n = n + 1 print(e, l) end, 'l')
    local x = 1
    x = 2
    debug.sethook()
    print(debug.gethook())]] },
  { "debug: a count hook", script = [[
    local n = 0
    debug.sethook(function() n = n + 1 end, '', 100)
    for i = 1, 1e4 do end
    debug.sethook()
    print(n > 10)]] },
  { "debug: locals", script = [[
    local a, b = 1, 2
    print(debug.getlocal(1, 1))
    print(debug.getlocal(1, 2))
    print(debug.setlocal(1, 1, 5), a)]] },
  { "debug: locals of a level out of range", e = "debug.getlocal(50, 1)" },
  { "debug: upvalues", script = [[
    local u = 1
    local function f() return u end
    print(debug.getupvalue(f, 1))
    debug.setupvalue(f, 1, 3)
    print(f(), u)]] },
  { "debug: the main thread is in the registry", e = [[
    print(debug.getregistry()[1] == coroutine.running(), debug.getregistry()[2] == _G)]] },
  { "debug: debug.debug", e = "x = 1 debug.debug() print(x)",
    stdin = "x = 2\nerror('e')\ncont\n" },
  { "globals: _G and _VERSION", e = "print(_G == _ENV, _VERSION, _PROMPT, _G.lua)" },
  { "globals: type and tostring of the functions", e = [[
    for _, name in ipairs { 'pcall', 'xpcall', 'error', 'print', 'require' } do
      print(name, type(_G[name]), tostring(_G[name]):match('^%w+: %w+'))
    end]] },
  { "globals: _ENV replaced", script = [[
    local print = print
    local _ENV = {}
    x = 1
    print(x, _ENV.x)
    y()]] },
  { "io: reading the rest of stdin", stdin = "one\ntwo\nthree\nfour",
    shell = "lua -e 'print(io.read(\"l\", \"L\", \"a\"))'" },
  { "io: reading stdin from a script", stdin = "42 x\na\n\nb", script = [[
    print(io.read('n'))
    for l in io.lines() do print('[' .. l .. ']') end
    print(io.read())]] },
  { "io: a script on stdin is read to its end first", stdin = "print(io.read('l'))\n-- more" },
  { "io.lines", files = { f = "one\ntwo\nthree" }, script = [[
    for a, b in io.lines('f', 1, 'l') do print(a, b) end]] },
  { "io.lines: a missing file", script = "for l in io.lines('missing') do end" },
  { "io.lines: a bad format", script = "for l in io.lines('t.lua', 'x') do end" },
  { "io.open: errors", e = [[
    print(io.open('missing'))
    print(io.open('/', 'w'))
    print(pcall(io.open, 'x', 'rz'))]] },
  { "io: a closed file", e = [[
    local f = io.tmpfile()
    f:close()
    print(f, io.type(f), io.type(1))
    f:read()]] },
  { "io: default output", script = [[
    io.output('out')
    io.write('x', 1, 2.5)
    io.close()
    io.output(io.stdout)
    print(io.open('out'):read('a'))]] },
  { "io: stdout closed", e = [[
    print(io.stdout:close())
    print(pcall(print, 'x'))
    print(io.write('y'))]] },
  { "io: stderr", e = "io.stderr:write('to ', 'stderr\\n') print(io.stderr:seek())" },
  { "io: a full disk", shell = "lua t.lua >/dev/full", script = [[
    io.stdout:setvbuf "no"
    io.stderr:write(select(2, io.write "x"))]] },
  { "io.popen", e = [[
    local p = io.popen('echo out; exit 3')
    print(p:read('a'))
    print(p:close())]] },
  { "io.popen: a signal", e = "print(io.popen('kill -9 $$'):close())" },
  { "io.popen: writing", e = [[
    local p = io.popen('cat', 'w')
    p:write('through\n')
    print(p:close())]] },
  { "io.popen: a bad mode", e = "io.popen('true', 'rw')" },
  { "os.execute", e = [[
    print(os.execute('exit 3'))
    print(os.execute('kill -9 $$'))
    print(os.execute())
    print(os.execute('true'))]] },
  { "os.rename: errors", e = [[
    print(os.rename('missing', 'other'))
    print(os.remove('missing'))
    print(os.remove('/'))]] },
  { "os.tmpname", e = [[
    local n = os.tmpname()
    print(n:match('^/tmp/lua_') ~= nil, os.remove(n))]] },
  { "os.date and os.time", e = [[
    print(os.date('!%Y-%m-%d %H:%M:%S', 86400))
    print(os.date('!*t', 1e9).yday, os.time(os.date('*t', 1e9)))
    os.time { year = 2020 }]] },
  { "os.date: a bad format", e = "os.date('%Ez')" },
  { "os.setlocale", e = [[
    print(os.setlocale(), os.setlocale(nil, 'numeric'), os.setlocale('nowhere'))]] },
  { "os.clock and os.difftime", e = "print(math.type(os.clock()), os.difftime(5, 3))" },
  { "string: format", e = [[
    print(string.format('%5.2f|%-5d|%q|%x', 3.14159, 42, 'a\n"', 255))
    print(string.format('%s|%a|%i|%g', nil, 1.0, 3, 1e20))]] },
  { "string: format errors", e = "string.format('%y', 1)" },
  { "string: pack", e = [[
    print(string.unpack('<i4 z s1', string.pack('<i4 z s1', 7, 'zero', 'one')))]] },
  { "string: rep and byte", e = "print(('ab'):rep(3, ','), ('abc'):byte(1, -1))" },
  { "string: patterns", e = [[
    print(('key = value'):match('^(%w+)%s*=%s*(%w+)$'))
    print(('abc'):gsub('%w', '%0%0'), ('x'):find('', 10))]] },
  { "string: a bad pattern", e = "string.find('a', '[a')" },
  { "string: arithmetic", e = [[
    print('10' + 5, '0x10' * 2, '3' // 1, -'2', 10 .. 20)
    print('a' + 1)]] },
  { "table: functions", e = [[
    local t = { 5, 2, 8 }
    table.sort(t)
    print(table.concat(t, ','), table.unpack(t, 2))
    print(table.concat({ 1, {} }))]] },
  { "table: an invalid order", e = [[
    local t = {}
    for i = 1, 100 do t[i] = i % 7 end
    print(pcall(table.sort, t, function() return true end))]] },
  { "math: integers and floats", e = [[
    print(1 // 0.0, -1 // 0.0, 0 / 0 ~= 0 / 0, 7 // -2, 7 % -2, 7.5 // 2)
    print(math.maxinteger + 1 == math.mininteger, 1e15, 2 ^ 53, 10 // 3.0)]] },
  { "math: functions", e = [[
    print(math.tointeger('8'), math.tointeger(3.0), math.ult(1, -1))
    print(math.fmod(-7, 3), math.type(1.0), math.pi)]] },
  { "math: random with a seed", e = [[
    math.randomseed(42)
    print(math.random(1, 100), math.random(0) ~= nil, math.random() < 1)
    math.random(2, 1)]] },
  { "utf8", e = [[
    print(utf8.char(228, 8364, 128512), utf8.len('äö'), utf8.codepoint('€', 1))
    print(utf8.len('\xff'))
    for p, c in utf8.codes('aä') do print(p, c) end]] },
  { "utf8: errors", e = "for _ in utf8.codes('a\\xff') do end" },
  { "goto", e = [[
    local i = 1
    ::top::
    if i <= 3 then io.write(i, ' ') i = i + 1 goto top end
    for j = 1, 3 do
      if j == 2 then goto continue end
      print(j)
      ::continue::
    end]] },
  { "integer for loops at the edge", e = [[
    for i = math.maxinteger - 1, math.maxinteger do io.write(i, ' ') end
    for i = 1, 0 do print(i) end
    print()]] },
  { "integer division and modulo by zero, caught", e = [[
    print(pcall(function() return 1 // 0 end))
    print(pcall(function() return 1 % 0 end))
    print(1 % math.huge)]] },
  { "metatables", e = [[
    local t = setmetatable({}, {
      __metatable = 'locked',
      __len = function() return 9 end,
      __call = function(_, a) return a end,
    })
    print(getmetatable(t), #t, t(4))
    print(pcall(setmetatable, t, {}))]] },
  { "pairs of one's own", e = [[
    local function squares(_, k)
      k = (k or 0) + 1
      if k < 4 then return k, k * k end
    end
    local t = setmetatable({}, { __pairs = function() return squares end })
    for k, v in pairs(t) do print(k, v) end]] },
  { "load: modes and environments", e = [[
    print(load('return x', 'c', 't', { x = 5 })())
    print(load(string.dump(function() end), 'c', 't'))
    print(load('x', 'c', 'b'))]] },
  { "load: a reader", e = [[
    local parts = { 'return ', '1 + ', '1' }
    local i = 0
    print(load(function() i = i + 1 return parts[i] end)())
    print(load(function() error('x') end))
    print(load(function() return {} end))]] },
  { "select and rawequal", e = [[
    print(select('#'), select(-1, 1, 2, 3), rawequal('a', 'a'), rawlen({ 1 }), next({}))
    select(0)]] },
  { "tostring and tonumber", e = [[
    print(tostring(1e100), tostring(-0.0), 1e308 * 10)
    print(tonumber('0x1p4'), tonumber('z', 36), tonumber('8', 8), tonumber(' 10 '))
    tonumber('1', 99)]] },
  { "print calls __tostring and __name", e = [[
    print(setmetatable({}, { __tostring = function() return 'T' end }))
    print((tostring(setmetatable({}, { __name = 'N' })):gsub(':.*', '')))
    print(setmetatable({}, { __tostring = function() return 1 end }))]] },
  { "output is not mixed up", e = [[
    io.write('a')
    io.stderr:write('b')
    print('c')
    io.stdout:write('d\n')]] },
  { "a large output", e = "io.write(('x'):rep(200000))" },
  { "a deep table", e = [[
    local t = {}
    for i = 1, 1e5 do t = { t } end
    t = nil
    collectgarbage()
    print('done')]] },
  { "a shebang script that is run by its name",
    files = { tool = "#!/usr/bin/env lua\nprint(arg[0], ...)\nerror('x')" },
    shell = "chmod +x tool; ./tool a b" },
  { "/dev/stdin as a script", args = { "/dev/stdin", "a" }, stdin = "print(arg[0], ...)" },
  { "a script through a pipe of the shell",
    shell = "echo 'print(1)' > f; lua f < /dev/null | cat" },
  { "exit status of a script in a condition",
    shell = "if lua -e 'os.exit(false)'; then echo yes; else echo no; fi" },
}

return cases
