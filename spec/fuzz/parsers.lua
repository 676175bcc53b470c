--- What must hold of what the program reads: called with its parts and the C functions of
-- parsers.c, returns a function of an input.

local cmd, C = ...

local talkative = os.getenv("FUZZ_PRINT")
local function show(...) if talkative then print(...) end end

local function check(condition, text, ...)
  if not condition then error(text:format(...), 2) end
end

-- ---- The lexer ----

-- Line ends and blanks: what of a text counts that is none of its tokens, for the numbers of lines.
local function blank(text) return (text:gsub("[^\n]", " ")) end

-- The tokens alone mean what the text means, to Lua itself.
local function lex(text)
  local at, pieces = 1, {}
  for kind, first, last, closed in cmd.lexer.tokens(text) do
    check(first >= at and last >= first and last <= #text, "a %s at %d to %d", kind, first, last)
    check(not text:sub(at, first - 1):find("%S"), "text between tokens at %d", at)
    check(closed or last == #text or text:sub(last + 1, last + 1) == "\n", "an open %s", kind)
    pieces[#pieces + 1] = blank(text:sub(at, first - 1))
    pieces[#pieces + 1] = kind == "comment" and blank(text:sub(first, last)) or text:sub(first,
      last)
    pieces[#pieces + 1] = " "
    at = last + 1
  end
  check(not text:sub(at):find("%S"), "text behind the last token")
  local plain = load(text, "=", "t")
  if plain then
    local joined = load(table.concat(pieces) .. blank(text:sub(at)), "=", "t")
    check(joined and string.dump(joined, true) == string.dump(plain, true),
      "the tokens do not make up the text")
  end
end

-- ---- The compiler: does it take what Lua takes, and refuse what that refuses? ----

local LIMITS = { "too many", "overflow", "limit", "control structure too long" }

local function compile(text)
  local session = cmd.source.session()
  local chunk, message, more, background = session:load(text, "=stdin")
  local expression = text:match("^%s*=(.*)$")
  local as_expression = load("return " .. (expression or text), "=stdin", "t")
  local plain, plain_message = load(text, "=stdin", "t")
  if chunk then
    check(type(chunk) == "function", "a chunk that is none")
    check(background or as_expression or plain and not expression,
      "Lua refuses what was taken: %s", plain_message)
    return
  end
  check(type(message) == "string" and type(more) == "boolean", "no message")
  for _, limit in ipairs(LIMITS) do
    if message:find(limit) then return end
  end
  check(not as_expression and not (plain and not expression), "Lua takes what was refused: %s",
    message)
  if not expression then check(message == plain_message, "%s, not %s", message, plain_message) end
end

-- ---- The compiler: do texts mean what they mean to Lua? ----

local bytes, at, statements
local function byte()
  at = at + 1
  return bytes:byte(at) or 0
end
local function choose(list) return list[byte() % #list + 1] end

local NAMES = { "a", "b", "c", "d", "_keep", "_keep_", "keep", "self" }
local STRINGS = { "'x'", "\"end\"", "[[local a = 1]]", "'--'", "[==[ ]] ]==]", "'\\\\'",
  "\"\\z  \n  y\"",
  "'do'", "'\\''", "[[\n]]" }
local block

local function expression(depth)
  local kind = byte() % 16
  if depth > 3 or kind < 3 then return choose(NAMES) end
  if kind == 3 then return choose(STRINGS) end
  if kind == 4 then return "function(a) " .. block(depth + 1) .. " return a end" end
  if kind == 5 then
    return "{" .. expression(depth + 1) .. ", n = " .. expression(depth + 1) .. "}"
  end
  if kind == 6 then return "(" .. expression(depth + 1) .. ")" end
  if kind == 7 then return expression(depth + 1) .. " and " .. expression(depth + 1) end
  if kind == 8 then return "not " .. expression(depth + 1) end
  if kind == 9 then return "type " .. choose { "{a}", "'a'", "[[end]]", "(a)" } .. ":len()" end
  if kind == 10 then return expression(depth + 1) .. " == " .. expression(depth + 1) end
  if kind == 11 then return "call(" .. choose(NAMES) .. ", " .. expression(depth + 1) .. ")" end
  if kind == 12 then return "k1" end
  if kind == 13 then return choose { "0x1p4", "3.", ".5e1", "1e-2", "- -1", "~0", "#'end'" } end
  if kind == 14 then return "{[" .. choose(STRINGS) .. "] = 1, a = a; b}" end
  return tostring(byte())
end

local function comment()
  return choose { "", "", "", " --[[ local a = 1 ]] ", " --[==[ end ]] ]==] ", " ", ";" }
end

local function statement(depth)
  local kind = byte() % 18
  local name, other = choose(NAMES), choose(NAMES)
  local function e() return expression(depth) end
  if kind < 3 then return ("local %s%s = %s"):format(name, comment(), e()) end
  if kind == 3 then return ("local %s, %s = %s, %s"):format(name, other, e(), e()) end
  if kind == 4 then return ("local k1 <const> = %s"):format(e()) end
  if kind == 5 then return ("local function %s(...) %s end"):format(name, block(depth + 1)) end
  if kind == 6 then return ("%s = %s"):format(name, e()) end
  if kind == 7 then return ("function %s(%s) %s return %s end"):format(name, other,
    block(depth + 1), other) end
  if kind == 8 then return ("do %s end"):format(block(depth + 1)) end
  if kind == 9 then return ("if %s then %s else %s end"):format(e(), block(depth + 1),
    block(depth + 1)) end
  if kind == 10 then return ("for %s = 1, 2 do %s end"):format(name, block(depth + 1)) end
  if kind == 11 then return ("repeat %s until true"):format(block(depth + 1)) end
  if kind == 12 then return ("local %s, %s"):format(name, other) end
  if kind == 13 then return ("do local %s <close> = nil %s end"):format(name, block(depth + 1)) end
  if kind == 14 then return ("for _, %s in ipairs {%s} do goto skip; %s ::skip:: end"):format(name,
    e(), "") end
  if kind == 15 then return ("%s = function() %s = %s end"):format(name, other, e()) end
  if kind == 16 then return ("while true do %s break end"):format(block(depth + 1)) end
  return ("out(%s, %s)"):format(e(), choose(NAMES))
end

function block(depth)
  local list = {}
  while depth < 4 and statements < 40 and byte() % 3 > 0 do
    statements = statements + 1
    list[#list + 1] = statement(depth)
  end
  return table.concat(list, "\n")
end

-- Lists of statements, each as it is typed.
local function write(text)
  bytes, at, statements = text, 0, 0
  local texts, current = {}, {}
  while at < #bytes and statements < 40 do
    statements = statements + 1
    current[#current + 1] = statement(1) .. comment()
    if byte() % 2 == 0 then
      texts[#texts + 1] = table.concat(current, byte() % 2 == 0 and "\n" or " ")
      current = {}
    end
  end
  texts[#texts + 1] = table.concat(current, "\n")
  return texts
end

local outcome, left, depth

local function tell(value)
  local kind = type(value)
  if kind == "table" then return ("{%s %s}"):format(type(value[1]), type(value.n)) end
  return kind == "function" and kind or kind .. " " .. tostring(value)
end

function _G.out(...)
  local values = table.pack(...)
  for i = 1, values.n do outcome[#outcome + 1] = tell(values[i]) end
end

function _G.call(f, ...)
  left = left - 1
  if type(f) ~= "function" or depth > 2 or left < 0 then return nil end
  depth = depth + 1
  local results = table.pack(pcall(f, ...))
  depth = depth - 1
  out(results[1])
  if not results[1] then error("in call", 0) end
  return table.unpack(results, 2, results.n)
end

-- What the run tells, and the globals that it leaves.
local function run(f)
  for _, name in ipairs(NAMES) do rawset(_G, name, nil) end
  outcome, left, depth = {}, 100, 0
  out(pcall(f) and "fine" or "an error")
  for _, name in ipairs(NAMES) do
    out(rawget(_G, name))
    rawset(_G, name, nil)
  end
  return table.concat(outcome, "\n")
end

local function mean(text)
  local texts = write(text)
  local whole = load(table.concat(texts, "\n"), "=stdin", "t")
  if not whole then return end -- a goto that jumps into a local's scope
  show(table.concat(texts, "\n----\n"))
  local expected = run(whole)
  local typed = run(function()
    local session = cmd.source.session()
    for _, one in ipairs(texts) do
      local chunk, message = session:load(one)
      if not chunk then error("REFUSED " .. message .. "\n" .. one) end
      chunk()
    end
  end)
  check(expected == typed, "typed in pieces\n%s\nit means\n%s\nnot\n%s", table.concat(texts,
    "\n----\n"), typed, expected)
end

-- ---- Completion ----

local environment -- of the program's parts: what they call pcall
do
  for i = 1, 10 do
    local name, value = debug.getupvalue(cmd.complete.at, i)
    if name == "_ENV" then environment = value end
  end
end
local protected = environment.pcall

-- Errors of the parts themselves do not hide behind their own pcall.
local function strict(f, ...)
  environment.pcall = function(...)
    local results = table.pack(protected(...))
    local message = results[2]
    if not results[1] and type(message) == "string"
      and message:find("^%[greenlet%.") then error(message, 0) end
    return table.unpack(results, 1, results.n)
  end
  local results = table.pack(pcall(f, ...))
  environment.pcall = protected
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

local session = cmd.source.session()
session:load("local alpha, beta = {gamma = {delta = 1}, ['a b'] = 2}, 'text'")()
hostile = setmetatable({ field = 1 }, {
  __index = function() error("an index") end, __pairs = function() error("pairs") end,
  __tostring = function() error("a text") end, __name = 42,
    __len = function() error("a length") end,
})

local function completes(text)
  local point = #text
  if text:byte(1) and text:byte(1) < 32 then
    point = math.min(text:byte(1) * 3, #text - 1)
    text = text:sub(2)
  end
  local first, list, suffix = strict(cmd.complete.at, text, point, session)
  check(math.type(first) == "integer" and first >= 0 and first <= point, "it begins at %s of %d",
    first, point)
  check(type(suffix) == "string" and #list <= 1000, "what is offered")
  for i, one in ipairs(list) do
    check(type(one) == "string" and (text:find("%c") or not one:find("%c")),
      "a candidate that is no text")
    check(i == 1 or list[i - 1] < one, "the candidates are not sorted")
  end
end

-- ---- History ----

local path = cmd.history.path()

local function remembers(text)
  local file = io.open(path, "w")
  if not file then
    cmd.history.add("first")
    file = assert(io.open(path, "w"))
  end
  file:write(text)
  file:close()
  local list, message = strict(cmd.history.load)
  check(message == nil, "history cannot be read: %s", message)
  local before
  for _, one in ipairs(list) do
    check(type(one) == "string" and one ~= "", "an entry that is none")
    before = one
  end
  local entry = text:sub(1, 200)
  cmd.history.add(entry)
  local again = cmd.history.load()
  if entry:find("%S") and entry ~= before then
    check(again[#again] == entry, "what was added is not read again")
    local whole = text == "" or text:sub(-1) == "\n"
    if whole then check(#again == #list + 1, "%d entries, and one more makes %d", #list, #again) end
  end
end

-- ---- Showing values ----

local function value(level)
  local kind = byte() % 20
  if level > 4 or kind < 3 then return byte() end
  if kind < 6 then
    local length = byte()
    local text = bytes:sub(at + 1, at + length)
    at = at + length
    return text
  end
  if kind == 6 then return choose { 0 / 0, 1 / 0, -1 / 0, -0.0, math.mininteger, 1e300, 2 ^ 53 } end
  if kind == 7 then return byte() % 2 == 0 end
  if kind == 8 then return choose { print, function() end, coroutine.create(print), io.stdout,
    greenlet.getcurrent() } end
  if kind == 9 then return hostile end
  if kind == 10 then return greenlet.Exception(value(level + 1)) end
  if kind == 11 then return greenlet.Greenlet(print, value(level + 1)) end
  if kind == 12 then return choose { greenlet.queue.Queue(), greenlet.class, greenlet,
    greenlet.Greenlet } end
  local t = {}
  for i = 1, byte() % 8 do
    local key = byte() % 3 == 0 and value(level + 1) or i
    if key ~= nil and key == key then t[key] = value(level + 1) end
  end
  if kind == 13 then t.itself, t[t] = t, t end
  if kind == 14 then
    local text = value(level + 1)
    setmetatable(t, { __tostring = function() return text end, __name = value(level + 1) })
  end
  if kind == 15 then setmetatable(t, { __tostring = function() greenlet.sleep(0) end,
    __metatable = false }) end
  if kind == 16 then setmetatable(t, { __tostring = function() coroutine.yield() end }) end
  return t
end

local function harmless(text, lines)
  text = text:gsub("\27%[[%d;]*m", "")
  if lines then text = text:gsub("[\n\t]", "") end
  check(not text:find("%c"), "a control byte is shown: %q", text)
  check(not text:find("\xC2[\x80-\x9F]"), "a control character is shown")
  check(utf8.len(text), "what is shown is no UTF-8")
end

local function shows(text)
  bytes, at = text, 0
  local colour, width, level = byte() % 2 == 0, byte() % 120, byte() % 6
  local object = value(0)
  harmless(strict(cmd.inspect.text, object, { colour = colour, width = width, depth = level }),
    true)
  local line = strict(cmd.inspect.line, object, width)
  check(not line:find("\n"), "a line with an end in it")
  harmless(line)
end

-- ---- Settings ----

local SETTINGS = { "track_greenlet_tree", "stack_slots", "stack_size", "stack_move", "dump",
  "watchdog",
  "why_alive", "leaks", "report", "deadlock" }

local function sets(text)
  local name = SETTINGS[(text:byte(1) or 0) % #SETTINGS + 1]
  local given = text:sub(2):gsub("\0", "")
  if name == "stack_slots" or name == "stack_size" then given = given:sub(1, 4) end
  local before = greenlet.config[name]
  local fine, message = C.set(name, given)
  check(fine or message:find("GREENLUA_FUZZ", 1, true), "a message without its source: %s", message)
  local now = greenlet.config[name]
  check(type(now) == type(before), "a setting of another type")
  if not fine then check(now == before, "a setting that was refused is set") end
  if name ~= "stack_slots" and name ~= "stack_size" then greenlet.config[name] = before end
end

-- ---- Help ----

local function helps(text)
  local entry = cmd.docs.find(text)
  check(not entry or type(entry.text) == "string", "an entry without text")
  local printed
  local console = { session = session, print = function(_, what) printed = what end }
  local ok, err = pcall(cmd.lookup.explain, console, text)
  check(ok or type(err) ~= "string" or not err:find("^%[greenlet%."), "%s", err)
  check(not ok or printed, "nothing was printed")
  harmless(cmd.text.clean(text))
  check(cmd.text.width(cmd.text.cut(text, 20)) <= math.max(20, 3), "a text that was not cut")
  check(#cmd.text.fold(text, 40):gsub("%s", "") == #text:gsub("%s", ""), "folding loses text")
  check(C.width(text) >= 0, "a width")
end

-- ---- What is typed, as a whole ----

local function types(text)
  check(type(cmd.evaluation.is_incomplete(text)) == "boolean", "complete, or not?")
end

local CHECKS = { lex, compile, mean, completes, remembers, shows, sets, helps, types }

return function(which, text)
  return CHECKS[which % #CHECKS + 1](text)
end
