--- The tokens of Lua text, also of text that does not parse (yet).
--
-- `for kind, first, last, closed in lexer.tokens(text) do`: kind is "name", "keyword",
-- "string", "number", "comment" or the symbol itself, which lies at text[first..last];
-- closed is false for a string or a comment that lacks its end.
local lexer = {}

local KEYWORDS = "and break do else elseif end false for function goto if in local nil not or \z
                  repeat return then true until while"

--- The keywords of Lua: a set.
lexer.keywords = {}
for word in KEYWORDS:gmatch "%a+" do lexer.keywords[word] = true end

local SYMBOLS = { ["..."] = true, [".."] = true, ["=="] = true, ["~="] = true, ["<="] = true,
                  [">="] = true, ["//"] = true, ["::"] = true, ["<<"] = true, [">>"] = true }

-- A long bracket that begins at `first`: its last position, and whether that is its end.
local function long_bracket(text, first)
  local level = text:match("^%[(=*)%[", first)
  if not level then return nil end
  local _, last = text:find("]" .. level .. "]", first + #level + 2, true)
  return last or #text, last ~= nil
end

local function comment(text, first)
  local last, closed = long_bracket(text, first + 2)
  if last then return last, closed end
  last = text:find("\n", first, true)
  return (last or #text + 1) - 1, last ~= nil
end

local function quoted(text, first)
  local quote, at = text:sub(first, first), first + 1
  while true do
    local special = text:find("[\\\n" .. quote .. "]", at)
    if not special then return #text, false end
    local c = text:sub(special, special)
    if c == quote then return special, true end
    if c == "\n" then return special - 1, false end
    local _, skipped = text:find("^z%s*", special + 1)
    at = (skipped or special + 1) + 1
    if at > #text + 1 then return #text, false end
  end
end

-- As Lua reads them: also what makes a number malformed.
local function number(text, first)
  local exponent = text:find("^0[xX]", first) and "^[pP][+-]?" or "^[eE][+-]?"
  local at = first + (text:find("^0[xX]", first) and 2 or 0)
  while true do
    local _, last = text:find(exponent, at)
    if not last then _, last = text:find("^[%w_.]", at) end
    if not last then return at - 1 end
    at = last + 1
  end
end

local function symbol(text, first)
  for length = 3, 2, -1 do
    local s = text:sub(first, first + length - 1)
    if SYMBOLS[s] then return s, first, first + #s - 1 end -- fewer at the end of the text
  end
  return text:sub(first, first), first, first
end

-- The token that begins at `first`: kind, first, last, closed.
local function token(text, first)
  local _, last = text:find("^[%a_][%w_]*", first)
  if last then
    return lexer.keywords[text:sub(first, last)] and "keyword" or "name", first, last, true
  end
  local c = text:sub(first, first)
  if c == "-" and text:sub(first + 1, first + 1) == "-" then
    return "comment", first, comment(text, first)
  elseif c == "\"" or c == "'" then
    return "string", first, quoted(text, first)
  elseif text:find("^%.?%d", first) then
    return "number", first, number(text, first), true
  end
  local closed
  last, closed = long_bracket(text, first)
  if last then return "string", first, last, closed end
  local kind
  kind, first, last = symbol(text, first)
  return kind, first, last, true
end

--- Iterate over the tokens of a text.
function lexer.tokens(text)
  local at = 1
  return function()
    local first = text:find("%S", at)
    if not first then return nil end
    local kind, _, last, closed = token(text, first)
    at = last + 1
    return kind, first, last, closed
  end
end

--- The tokens but comments.
-- @return a list of {kind=, text=, first=, last=, closed=}
-- @return whether the text ends inside a comment
function lexer.list(text)
  local list, commented = {}, false
  for kind, first, last, closed in lexer.tokens(text) do
    if kind == "comment" then
      commented = not closed
    else
      list[#list + 1] = { kind = kind, text = text:sub(first, last), first = first, last = last,
                          closed = closed }
    end
  end
  return list, commented
end

return lexer
