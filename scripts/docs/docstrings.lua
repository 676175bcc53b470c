--- Reads the docstrings of the public API out of the sources.
--
-- In C a docstring is a comment that starts with `/***`, in Lua one that starts with `---`. It is
-- public if one of its tags says what it is about: @module, @page, @class, @function, @field or
-- @tfield. What the other comments of this form say concerns maintainers alone.

local docstrings = {}

-- What a docstring can be about: tag -> kind.
local SUBJECTS = {
  module = "module", page = "page", class = "class", ["function"] = "function",
  field = "field", tfield = "field",
}

local LISTS = { tparam = "params", param = "params", treturn = "returns", ["return"] = "returns",
                raise = "raises", call = "calls" }
local SINGLE = { switches = true, usage = true, source = true, super = true, within = true,
                 order = true }

-- ---- Comments ----

local function line_of(text, position)
  local _, newlines = text:sub(1, position):gsub("\n", "")
  return newlines + 1
end

local function c_comments(text)
  local found = {}
  for position, body in text:gmatch("()/%*%*%*(.-)%*/") do
    found[#found + 1] = { line = line_of(text, position), text = body:gsub("\n[ \t]*%* ?", "\n") }
  end
  return found
end

local function lua_comments(text)
  local found, lines, number = {}, nil, 0
  for line in text:gmatch("([^\n]*)\n") do
    number = number + 1
    local first, more = line:match("^%s*%-%-%- ?(.*)"), line:match("^%s*%-%- ?(.*)")
    if first then
      lines = { first }
      found[#found + 1] = { line = number, lines = lines }
    elseif lines and more then
      lines[#lines + 1] = more
    else
      lines = nil
    end
  end
  for _, comment in ipairs(found) do comment.text = table.concat(comment.lines, "\n") end
  return found
end

-- ---- Tags ----

-- The text before the first tag, and the tags: {name =, option =, text =}. A tag ends where
-- the next one begins; lines of examples are left alone.
local function split(text)
  local body, tags, fenced = {}, {}, false
  for line in (text .. "\n"):gmatch("([^\n]*)\n") do
    local name, rest = line:match("^%s*@(%a+)(.*)")
    if line:find("^```") then fenced = not fenced end
    if name and not fenced then
      local option, after = rest:match("^(%b[])(.*)")
      tags[#tags + 1] = { name = name, option = option, text = (after or rest):gsub("^ ", "") }
    elseif #tags > 0 then
      tags[#tags].text = tags[#tags].text .. "\n" .. line
    else
      body[#body + 1] = line
    end
  end
  return table.concat(body, "\n"), tags
end

local function trim(text)
  return (text:gsub("^%s+", ""):gsub("%s+$", ""))
end

-- Text that goes on over several lines becomes one.
local function flow(text)
  return (trim(text):gsub("%s*\n%s*", " "))
end

-- Examples keep their lines, less the indentation that all but the first share.
local function dedent(text)
  text = text:gsub("^%s*\n", ""):gsub("%s+$", "")
  local first, rest = text:match("^([^\n]*)(.*)$")
  local least
  for indent in rest:gmatch("\n( *)[^ \n]") do least = math.min(least or #indent, #indent) end
  return trim(first) .. rest:gsub("\n" .. (" "):rep(least or 0), "\n")
end

local function parameter(tag, typed)
  local text, kind = flow(tag.text), nil
  if typed then kind, text = text:match("^(%S+)%s*(.*)$") end
  local name, rest = text:match("^(%S+)%s*(.*)$")
  local default = tag.option and tag.option:match("^%[opt=(.*)%]$")
  return { name = name, type = kind, text = rest, default = default,
           optional = tag.option ~= nil and tag.option:find("^%[opt") ~= nil }
end

local function answer(tag, typed)
  local text = flow(tag.text)
  if not typed then return { text = text } end
  local kind, rest = text:match("^(%S+)%s*(.*)$")
  return { type = kind, text = rest }
end

local function read_subject(entry, tag)
  local text = flow(tag.text)
  local kind = SUBJECTS[tag.name]
  assert(not entry.kind or entry.kind == kind, "two kinds of subjects")
  entry.kind = kind
  if tag.name == "tfield" then entry.type, text = text:match("^(%S+)%s+(%S+)$") end
  if kind == "page" then text, entry.title = text:match("^(%S+)%s+(.+)$") end
  assert(text and text:find("^%S+$"), "@" .. tag.name .. " needs one name")
  entry.names[#entry.names + 1] = text
end

local function read_tag(entry, tag)
  local list = LISTS[tag.name]
  if SUBJECTS[tag.name] then
    read_subject(entry, tag)
  elseif list == "params" then
    table.insert(entry.params, parameter(tag, tag.name == "tparam"))
  elseif list == "returns" then
    table.insert(entry.returns, answer(tag, tag.name == "treturn"))
  elseif list then
    table.insert(entry[list], flow(tag.text))
  elseif SINGLE[tag.name] then
    entry[tag.name] = tag.name == "usage" and dedent(tag.text) or flow(tag.text)
  else
    error("unknown tag @" .. tag.name)
  end
end

local function is_public(tags)
  for _, tag in ipairs(tags) do
    if SUBJECTS[tag.name] then return true end
  end
  return false
end

local function new_entry()
  return { names = {}, params = {}, returns = {}, raises = {}, calls = {} }
end

-- `@tfield type name text`, of which a docstring may have several: an entry of its own.
local function read_short_field(tag)
  local kind, name, text = flow(tag.text):match("^(%S+)%s+(%S+)%s+(.+)$")
  if tag.name ~= "tfield" or not text then return nil end
  local entry = new_entry()
  entry.kind, entry.type, entry.name, entry.names, entry.text = "field", kind, name, { name }, text
  return entry
end

-- What one comment tells of.
local function parse(text)
  local body, tags = split(text)
  local entry, found = new_entry(), {}
  if not is_public(tags) then return found end
  for _, tag in ipairs(tags) do
    local field = read_short_field(tag)
    if field then
      found[#found + 1] = field
    else
      read_tag(entry, tag)
    end
  end
  if entry.kind then
    entry.name, entry.text = entry.names[1], trim(body)
    assert(entry.text ~= "", "it says nothing")
    table.insert(found, 1, entry)
  end
  return found
end

local function read_all(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

-- What pages the entries of a file belong to if nothing else says it.
local function page_of_file(entries)
  for _, entry in ipairs(entries) do
    if entry.kind == "module" or entry.kind == "page" then return entry.name end
  end
end

--- The public docstrings of a file, in its order.
-- @tparam string path a C or Lua file
-- @treturn table a list of entries: kind, name, names, text, params, returns, raises, calls, ...
-- @raise what is wrong with a docstring, and where it is
function docstrings.read(path)
  local text, entries = read_all(path), {}
  local comments = path:find("%.lua$") and lua_comments(text) or c_comments(text)
  for _, comment in ipairs(comments) do
    local ok, found = pcall(parse, comment.text)
    if not ok then error(("%s:%d: docstring: %s"):format(path, comment.line, found), 0) end
    for _, entry in ipairs(found) do
      entry.file, entry.line = path, comment.line
      entries[#entries + 1] = entry
    end
  end
  local page = page_of_file(entries)
  for _, entry in ipairs(entries) do entry.file_page = page end
  return entries
end

return docstrings
