--- Makes one page of HTML, which needs nothing else, of a template and its parts.
--
--     lua5.4 scripts/pages/assemble.lua TEMPLATE OUTPUT PART...
--
-- The template names its parts by marks, `@@model.js@@` say: the base names of files that are given
-- as PART; those that no mark names are left out. What is put into a page becomes the text of an
-- element: where a script or a style sheet would end that, it is written otherwise.
--
-- `@TRACE@` in a template stays as it is: that is where the program puts its data.

local DATA = "@TRACE@"

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

-- In strings and regular expressions a backslash changes nothing before these characters; no
-- other code has them. What begins a comment of HTML makes the end of a script hard to find.
local ESCAPES = {
  js = function(text)
    return (text:gsub("<(/[sS][cC][rR][iI][pP][tT])", "<\\%1"):gsub("<!%-%-", "<\\!--"))
  end,
  css = function(text)
    return (text:gsub("<(/[sS][tT][yY][lL][eE])", "<\\%1"))
  end,
  txt = function(text)
    assert(not text:find("</", 1, true) and not text:find("*/", 1, true), "a text ends an element")
    return text
  end,
}

local function base_name(path)
  return path:match("[^/]*$")
end

-- The texts by name. Our own data's mark must be found in the template alone.
local function read_parts(paths)
  local parts = {}
  for _, path in ipairs(paths) do
    local name = base_name(path)
    local escape = assert(ESCAPES[name:match("%.min%.(%w+)$") or name:match("%.(%w+)$")], path)
    local text = escape(read(path))
    assert(not text:find(DATA, 1, true), path .. ": has " .. DATA)
    parts[name] = text
  end
  return parts
end

local function assemble(template, parts)
  return (template:gsub("@@([%w_.-]+)@@", function(name)
    return assert(parts[name], "no part " .. name .. " is given")
  end))
end

local template, output = arg[1], arg[2]
if not output then
  io.stderr:write("usage: assemble.lua TEMPLATE OUTPUT PART...\n")
  os.exit(2)
end
local page = assemble(read(template), read_parts({ table.unpack(arg, 3) }))
local _, marks = page:gsub(DATA, "")
assert(marks == 1, template .. ": needs " .. DATA .. " once")
local file <close> = assert(io.open(output, "wb"))
assert(file:write(page))
