--- What Tab offers.
--
-- The text before the cursor tells what is asked for: a name, what follows a value, a file
-- or module in a string, or a command. No code of the user's runs for an answer.
local cmd = ...

local members = cmd.members
local collect, field = members.collect, members.field

local complete = {}

-- ---- Paths: a.b["c"].d ----

-- What a literal token means, or nil.
local function literal(token)
  if token.kind ~= "string" and token.kind ~= "number" then return nil end
  local chunk = load("return " .. token.text, "=", "t", {})
  return chunk and chunk()
end

-- The value of a variable.
local function variable(name, session)
  if session then
    local value, known = session:get(name)
    if known or value ~= nil then return value end
  end
  return field(_G, name)
end

-- The value of the path whose last token is list[i], or nil: unknown.
local function value_of(list, i, session)
  local token, before = list[i], list[i - 1]
  if not token then return nil end
  if token.kind == "]" and before and list[i - 2] and list[i - 2].kind == "[" then
    local key, value = literal(before), value_of(list, i - 3, session)
    return key ~= nil and value ~= nil and field(value, key) or nil
  elseif token.kind == ")" and before and list[i - 2] and list[i - 2].kind == "(" then
    return literal(before) -- ("text"):
  elseif token.kind ~= "name" then
    return nil
  elseif before and before.kind == "." then
    local value = value_of(list, i - 2, session)
    return value ~= nil and field(value, token.text) or nil
  elseif before and before.kind == ":" then
    return nil
  end
  return variable(token.text, session)
end

-- ---- Names ----

-- Names that the text declares before the cursor: locals, parameters, loops' variables.
local function add_declared(candidates, list)
  local declares, parameters = false, false
  for i, token in ipairs(list) do
    local kind, text = token.kind, token.text
    if kind == "keyword" then
      declares = text == "local" or text == "for" or text == "function" and declares
      parameters = text == "function"
    elseif kind == "(" and parameters then
      declares, parameters = true, false
    elseif kind == "name" and i < #list then
      if declares then candidates:add(text) end
    elseif kind ~= "," and kind ~= "<" and kind ~= ">" then
      declares = declares and kind == "..."
    end
  end
end

local function names(list, prefix, session)
  local candidates = collect(prefix)
  for name in next, cmd.lexer.keywords do candidates:add(name) end
  add_declared(candidates, list)
  for _, name in ipairs(session and session:names() or {}) do candidates:add(name) end
  members.add(candidates, _G, false)
  return candidates:sorted()
end

-- ---- Files and modules ----

local function list_directory(directory)
  local files = cmd.files and cmd.files.list(directory)
  return type(files) == "table" and files or {}
end

-- Offer the files that a path begins: start, from where they replace it, and the list.
-- `~` becomes the home directory, which Lua's io does not do.
local function files(path, start)
  local directory, prefix = path:match("^(.*/)([^/]*)$")
  directory, prefix = directory or "", prefix or path
  local home = os.getenv "HOME"
  local expanded = home and directory:gsub("^~/", function() return home .. "/" end) or directory
  local head = ""
  if expanded ~= directory then head = expanded else start = start + #directory end
  local candidates = collect(head .. prefix)
  for _, name in ipairs(list_directory(expanded == "" and "." or expanded)) do
    local safe = not name:find("[%c\"'\\]")
    if safe and (prefix ~= "" or name:sub(1, 1) ~= ".") then candidates:add(head .. name) end
  end
  return start, candidates:sorted()
end

local function add_loaded(candidates, modules)
  for name in next, type(modules) == "table" and modules or {} do
    if candidates:full() then return end
    if type(name) == "string" then candidates:add(name) end
  end
end

-- Modules that a template of package.path finds, as `a.b.` for a directory a/b.
local function add_searched(candidates, template, above)
  local before, after = template:match("^([^?]*)%?([^?]*)$")
  if not before then return end
  for _, name in ipairs(list_directory(before .. above:gsub("%.", "/"))) do
    local ends = #name > #after and name:sub(-#after) == after
    if name:sub(-1) == "/" and not name:find("%.") then
      candidates:add(above .. name:sub(1, -2) .. ".")
    elseif ends and after ~= "" then
      local module = name:sub(1, -#after - 1)
      if not module:find("%.") then candidates:add(above .. module) end
    end
  end
end

local function modules(prefix)
  local candidates = collect(prefix)
  local above = prefix:match("^.*%.") or ""
  add_loaded(candidates, package.loaded)
  add_loaded(candidates, package.preload)
  for _, templates in ipairs { package.path, package.cpath } do
    for template in (type(templates) == "string" and templates or ""):gmatch "[^;]+" do
      add_searched(candidates, template, above)
    end
  end
  return candidates:sorted()
end

-- ---- Lua text ----

local function is_require(list, i)
  if list[i] and list[i].kind == "(" then i = i - 1 end
  local token, before = list[i], list[i - 1]
  return token and token.kind == "name" and token.text == "require"
    and not (before and (before.kind == "." or before.kind == ":"))
end

-- What to put behind the only candidate in a string: its quote, but for a way further in.
local function closing(candidates, quote, open)
  local only = #candidates == 1 and candidates[1]
  return only and not only:find(open) and quote or ""
end

local function in_string(list, start)
  local token = list[#list]
  local quote = token.text:match("^[\"']")
  local content = quote and token.text:sub(2) or token.text:match("^%[=*%[(.*)$")
  if not content or content:find("[\\\n]") then return start, {}, "" end
  start = start + #token.text - #content
  if is_require(list, #list - 1) then
    local found = modules(content)
    return start, found, closing(found, quote or "", "%.$")
  end
  local found
  start, found = files(content, start)
  return start, found, closing(found, quote or "", "/$")
end

local function fields(list, i, prefix, session)
  local methods = list[i].kind == ":"
  local candidates = collect(prefix)
  members.add(candidates, value_of(list, i - 1, session), methods)
  return candidates:sorted()
end

-- text ends at the cursor; offset is what lies before it.
local function lua(text, offset, session)
  local list, commented = cmd.lexer.list(text)
  local token = list[#list]
  if commented then return offset + #text, {}, "" end
  if token and not token.closed then return in_string(list, offset + token.first - 1) end
  local typed = token and token.last == #text and (token.kind == "name" or token.kind == "keyword")
  local prefix = typed and token.text or ""
  local at = typed and #list - 1 or #list
  local start = offset + #text - #prefix
  if token and token.kind == "number" and token.last == #text then return start, {}, "" end
  local before = list[at]
  if before and (before.kind == "." or before.kind == ":") then
    return start, fields(list, at, prefix, session), ""
  end
  return start, names(list, prefix, session), ""
end

-- ---- Commands of the prompt ----

-- What another part offers, which may not be there: a list, or a set by name.
local function add_offered(candidates, part, f)
  local ok, found = pcall(function() return cmd[part][f]() end)
  for key, value in next, ok and type(found) == "table" and found or {} do
    local name = type(key) == "string" and key or value
    if type(name) == "string" then candidates:add(name) end
  end
end

local function commands(prefix, start)
  local candidates = collect(prefix)
  add_offered(candidates, "commands", "names")
  return start, candidates:sorted(), " "
end

local function documented(prefix, start, session)
  local candidates = collect(prefix)
  add_offered(candidates, "docs", "names")
  add_offered(candidates, "docs", "topics")
  local lua_start, found = lua(prefix, start, session)
  local head = prefix:sub(1, lua_start - start)
  for _, name in ipairs(found) do
    if not cmd.lexer.keywords[name] then candidates:add(head .. name) end
  end
  return start, candidates:sorted(), ""
end

local function greenlets(prefix, start, session)
  local candidates = collect(prefix)
  add_offered(candidates, "commands", "greenlets")
  local jobs = rawget(_G, "jobs")
  for n in next, type(jobs) == "table" and jobs or {} do
    if math.type(n) == "integer" then candidates:add(("jobs[%d]"):format(n)) end
  end
  if #candidates.list > 0 then return start, candidates:sorted(), "" end
  return lua(prefix, start, session)
end

local ARGUMENTS = {
  help = documented, doc = documented, source = documented,
  kill = greenlets, why = greenlets, bt = greenlets,
  load = function(prefix, start)
    local from, found = files(prefix, start)
    return from, found, ""
  end,
}
ARGUMENTS.save = ARGUMENTS.load

-- The line of a command up to the cursor.
local function command(text, session)
  local marks = text:match("^%s*%?+%s*")
  if marks then return documented(text:sub(#marks + 1), #marks, session) end
  local head, name, space, argument = text:match("^(%s*:)([%a_]*)(!?%s*)(.*)$")
  if not head then return #text, {}, "" end
  if space == "" then return commands(name, #head) end
  return (ARGUMENTS[name] or lua)(argument, #head + #name + #space, session)
end

--- What may replace the word at the cursor.
-- @param text string: the line, or lines, typed so far
-- @param point bytes before the cursor
-- @param session cmd.source's, or nil: its locals are offered
-- @return start: what lies between start and point is replaced
-- @return a sorted list of strings, of at most 1000
-- @return what to put behind the candidate if it is the only one: a quote, or ""
function complete.at(text, point, session)
  text = text:sub(1, point)
  local is_command = text:find("^%s*[:?]") and not text:find("^%s*::")
  local ok, start, candidates, suffix
  if is_command then
    ok, start, candidates, suffix = pcall(command, text, session)
  else
    ok, start, candidates, suffix = pcall(lua, text, 0, session)
  end
  if ok then return start, candidates, suffix end
  return point, {}, ""
end

return complete
