--- Lines typed at the prompt, as chunks whose top-level locals stay.
--
-- A text is compiled inside a function of ours whose locals are the session's locals that
-- the text names, and whose inner function, the chunk, gets the very variables of the
-- earlier chunks by debug.upvaluejoin: closures made there and code typed now share them.
-- Behind each top-level `local` of the text a call is put in, on the same line, that hands
-- a closure over its variables to the session; so what was declared stays also when the
-- chunk raises, returns or is killed further on. A constant stays as its value; a variable
-- with <close> ends with its chunk. What counts is when a declaration runs: one in a
-- chunk that went to the background is visible to lines typed after it has run. A session
-- has any number of locals; one text can use 199 of them, Lua's limit for a function.
--
-- The text itself is not changed, and all that is added stands on its lines: messages
-- and line numbers are those of what was typed.
local cmd = ...

local Session = {}
Session.__index = Session

local source = {}

-- ---- Finding the top-level locals of a text that parses ----

local OPENS = { ["function"] = true, ["do"] = true, ["if"] = true, ["repeat"] = true }
local CLOSES = { ["end"] = true, ["until"] = true }
local BRACKETS = { ["("] = ")", ["["] = "]", ["{"] = "}" }
local UNARY = { ["not"] = true, ["-"] = true, ["#"] = true, ["~"] = true }
local BINARY = { ["or"] = true, ["and"] = true }
for s in ("+ - * / // % ^ .. & | ~ << >> < > <= >= == ~= ,"):gmatch "%S+" do BINARY[s] = true end

-- A token's keyword or symbol, or nil: a string "end" is none.
local function word(token)
  if token and token.kind ~= "name" and token.kind ~= "string" then return token.text end
end

-- The index behind the bracket that opens at list[i].
local function skip_brackets(list, i)
  local depth = 0
  repeat
    local w = word(list[i])
    if BRACKETS[w] then depth = depth + 1 end
    if w == ")" or w == "]" or w == "}" then depth = depth - 1 end
    i = i + 1
  until depth == 0
  return i
end

-- The index behind the `end` of the function whose keyword is list[i].
local function skip_function(list, i)
  local depth = 0
  repeat
    local w = word(list[i])
    if OPENS[w] then depth = depth + 1 end
    if CLOSES[w] then depth = depth - 1 end
    i = i + 1
  until depth == 0
  return i
end

-- Behind an operand that may be called and indexed.
local function skip_suffixes(list, i)
  while list[i] do
    local w = word(list[i])
    if BRACKETS[w] then
      i = skip_brackets(list, i)
    elseif w == "." or w == ":" then
      i = i + 2
    elseif list[i].kind == "string" then
      i = i + 1
    else
      break
    end
  end
  return i
end

local function skip_operand(list, i)
  while UNARY[word(list[i])] do i = i + 1 end
  local w = word(list[i])
  if w == "function" then return skip_function(list, i) end
  if w == "{" then return skip_brackets(list, i) end
  if w == "(" then return skip_suffixes(list, skip_brackets(list, i)) end
  if list[i].kind == "name" then return skip_suffixes(list, i + 1) end
  return i + 1 -- a literal: what follows is no call of it
end

local function skip_expressions(list, i)
  i = skip_operand(list, i)
  while BINARY[word(list[i])] do i = skip_operand(list, i + 1) end
  return i
end

-- The names with their attributes from list[i] on, and the index behind them.
local function names_from(list, i)
  local names = {}
  while true do
    local name = { text = list[i].text }
    i = i + 1
    if word(list[i]) == "<" then
      name.attribute = list[i + 1].text
      i = i + 3
    end
    names[#names + 1] = name
    if word(list[i]) ~= "," then return names, i end
    i = i + 1
  end
end

-- The statement whose `local` is list[i]: its names, and the index behind it.
local function local_statement(list, i)
  if word(list[i + 1]) == "function" then
    return { { text = list[i + 2].text } }, skip_function(list, i + 1)
  end
  local names
  names, i = names_from(list, i + 1)
  if word(list[i]) == "=" then i = skip_expressions(list, i + 1) end
  return names, i
end

-- What stays of a statement: of equal names the last, and none with <close>.
local function staying(names)
  local last = {}
  for i, name in ipairs(names) do last[name.text] = i end
  local kept = {}
  for i, name in ipairs(names) do
    if last[name.text] == i and name.attribute ~= "close" then kept[#kept + 1] = name end
  end
  return kept
end

-- All top-level declarations: a list of lists of names, each with `at`, its last byte.
local function declarations(list)
  local found, depth, i = {}, 0, 1
  while list[i] do
    local w = word(list[i])
    if OPENS[w] then depth = depth + 1 end
    if CLOSES[w] then depth = depth - 1 end
    if depth == 0 and w == "local" then
      local names
      names, i = local_statement(list, i)
      local kept = staying(names)
      kept.at = list[i - 1].last
      if #kept > 0 then found[#found + 1] = kept end
    else
      i = i + 1
    end
  end
  return found
end

-- ---- Composing the chunk ----

-- Which names the text may use as variables: a set.
local function used_names(list)
  local used = {}
  for i, token in ipairs(list) do
    local before = word(list[i - 1])
    if token.kind == "name" and before ~= "." and before ~= ":" then used[token.text] = true end
  end
  return used
end

local function texts(names)
  local list = {}
  for i, name in ipairs(names) do list[i] = name.text end
  return table.concat(list, ", ")
end

-- The text with a call of `keep` behind each declaration. A variable `...` and the
-- session's need no escape: nothing but names stands in what is put in.
local function with_keeps(text, found, keep)
  local pieces, at = {}, 1
  for i, names in ipairs(found) do
    pieces[#pieces + 1] = text:sub(at, names.at)
    pieces[#pieces + 1] = (";%s(%d,function() return %s end);"):format(keep, i, texts(names))
    at = names.at + 1
  end
  pieces[#pieces + 1] = text:sub(at)
  return table.concat(pieces)
end

-- The session's locals that the text uses: names, constants first, and their values.
function Session:imports(used)
  local constants, variables, values = {}, {}, {}
  for name, variable in next, self.locals do
    if (used[name] or name == "_ENV") then
      if variable.constant then
        constants[#constants + 1] = name .. " <const>"
        values[#constants] = variable.value
      else
        variables[#variables + 1] = name
      end
    end
  end
  values.n = #constants
  return table.move(variables, 1, #variables, #constants + 1, constants), values
end

local function upvalue(f, wanted)
  for i = 1, 255 do
    local name = debug.getupvalue(f, i)
    if name == nil then return nil end
    if name == wanted then return i end
  end
end

-- Give the chunk the session's variables in place of our function's.
function Session:join(chunk, used)
  for name, variable in next, self.locals do
    local i = (used[name] or name == "_ENV") and not variable.constant and upvalue(chunk, name)
    if i then debug.upvaluejoin(chunk, i, variable.closure, variable.index) end
  end
end

-- Take over what a declaration made: the closure returns its variables.
local function keep(session, names, closure)
  local values = table.pack(closure())
  for i, name in ipairs(names) do
    if session.locals[name.text] == nil then table.insert(session.order, name.text) end
    session.locals[name.text] = name.attribute == "const"
      and { constant = true, value = values[i] }
      or { closure = closure, index = upvalue(closure, name.text) }
  end
end

-- A name that the text does not use.
local function unused(used)
  local name = "_keep"
  while used[name] do name = name .. "_" end
  return name
end

-- Compile what has been found to parse.
function Session:compile(text, head, chunkname)
  local list = cmd.lexer.list(text)
  local used = used_names(list)
  local found = head == "" and declarations(list) or {}
  local keeper = unused(used)
  local imports, values = self:imports(used)
  table.insert(imports, 1, keeper)
  local code = ("local %s = ... return function(...) %s%s\nend"):format(
    table.concat(imports, ", "), head, with_keeps(text, found, keeper))
  local outer, message = load(code, chunkname, "t")
  if not outer then return nil, message end
  local chunk = outer(function(i, closure) keep(self, found[i], closure) end,
                      table.unpack(values, 1, values.n))
  self:join(chunk, used)
  return chunk
end

-- ---- Loading ----

-- Could more lines complete the text that has this error? A quoted string goes on in the
-- next line only behind a backslash.
local function incomplete(message, text)
  if message:find(": unfinished string near <eof>$") then
    return text:find("\\z?%s*$") ~= nil
  end
  return message:find("<eof>$") ~= nil
end

-- The chunk of a text as an expression or as statements; else nil, the message,
-- and whether more text may help.
function Session:load_either(text, chunkname)
  local expression = text:match("^%s*=(.*)$")
  local ok, unlike = load("return " .. (expression or text), chunkname, "t")
  if ok then return self:compile(expression or text, "return ", chunkname) end
  if expression then return nil, unlike, incomplete(unlike, text) end
  local message
  ok, message = load(text, chunkname, "t")
  if ok then return self:compile(text, "", chunkname) end
  return nil, message, incomplete(message, text) or incomplete(unlike, text)
end

-- The text before an `&` that is its last token, or nil.
local function before_ampersand(text)
  local list = cmd.lexer.list(text)
  local last = list[#list]
  if #list > 1 and last.kind == "&" then
    return text:sub(1, last.first - 1) .. text:sub(last.last + 1)
  end
end

--- Compile a text that was typed.
-- @param text string: one or more lines
-- @param chunkname string, as for `load`; default "=stdin"
-- @return the chunk, a function; for a text that ends in `&`: chunk, nil, nil, true
-- @return or nil, the message, and true if more lines could complete the text
function Session:load(text, chunkname)
  chunkname = chunkname or "=stdin"
  local chunk, message, more = self:load_either(text, chunkname)
  if chunk then return chunk end
  local foreground = before_ampersand(text)
  chunk = foreground and self:load_either(foreground, chunkname)
  if chunk then return chunk, nil, nil, true end
  return nil, message, more or false
end

--- The names of the session's locals.
-- @return a list, in the order in which they were first declared
function Session:names() return table.move(self.order, 1, #self.order, 1, {}) end

--- The value of a local of the session; nil if there is none.
-- @return the value, and whether there is such a local
function Session:get(name)
  local variable = self.locals[name]
  if not variable then return nil, false end
  if variable.constant then return variable.value, true end
  local _, value = debug.getupvalue(variable.closure, variable.index)
  return value, true
end

--- A new session, without locals.
function source.session() return setmetatable({ locals = {}, order = {} }, Session) end

return source
