--- The pages of the manual that are made from docstrings, in Markdown.

local api = require "api"

local pages = {}

local NOTICE = "<!-- Made by `make docs` from the docstrings in the sources: change those. -->\n"

local ROOT = "greenlet.class"

local function anchor(name)
  return name:lower():gsub("[^%w_-]", "")
end

local function type_text(kind)
  return api.type_text(kind)
end

-- ---- One entry ----

local function parameter_line(parameter)
  local about = {}
  if parameter.type then about[#about + 1] = type_text(parameter.type) end
  if parameter.default then
    about[#about + 1] = "default " .. parameter.default
  elseif parameter.optional then
    about[#about + 1] = "optional"
  end
  local line = "- *" .. parameter.name .. "*"
  if #about > 0 then line = line .. " (" .. table.concat(about, ", ") .. ")" end
  return parameter.text ~= "" and line .. ": " .. parameter.text or line
end

local function stop(text)
  return text:find("[.:]$") and text or text .. "."
end

local function facts(entry)
  local lines = {}
  local function add(line) lines[#lines + 1] = stop(line) end
  for _, parameter in ipairs(entry.params) do add(parameter_line(parameter)) end
  for _, result in ipairs(entry.returns) do add("- Returns " .. api.result_text(result)) end
  for _, raise in ipairs(entry.raises) do add("- Raises " .. raise) end
  if entry.switches then add("- Switches: " .. entry.switches) end
  if entry.source then add("- Follows `" .. entry.source .. "`") end
  if #entry.names > 1 then
    add("- Also `" .. table.concat(entry.names, "`, `", 2) .. "`")
  end
  return table.concat(lines, "\n")
end

local function paragraphs(parts)
  local text = {}
  for _, part in ipairs(parts) do
    if part and part ~= "" then text[#text + 1] = part end
  end
  return table.concat(text, "\n\n")
end

local function signature(entry)
  local calls = {}
  for i, call in ipairs(api.calls(entry)) do calls[i] = "    " .. call end
  return table.concat(calls, "\n")
end

local function is_callable(entry)
  return entry.kind == "function" or #entry.params > 0 or #entry.calls > 0
end

-- A link to where an entry is described, from any page.
local function reference(entry)
  return ("[%s](%s.md#%s)"):format(entry.name, entry.page.id, anchor(entry.name))
end

local function render_entry(entry, level)
  if entry.alias_of then
    return ("#"):rep(level) .. " " .. entry.name .. "\n\n" .. signature(entry) ..
      "\n\nAs " .. reference(entry.alias_of) .. "."
  end
  return paragraphs {
    ("#"):rep(level) .. " " .. entry.name,
    is_callable(entry) and signature(entry) or "",
    entry.text, facts(entry),
    entry.usage and "```lua\n" .. entry.usage .. "\n```" or "",
  }
end

-- Fields stand in a table: they need a line each.
local function cell(text)
  return (text:gsub("%s*\n%s*", " "):gsub("|", "\\|"))
end

local function field_table(fields)
  local lines = { "| field | type | |", "|---|---|---|" }
  for _, field in ipairs(fields) do
    lines[#lines + 1] = ("| `%s` | %s | %s |"):format(field.name,
      cell(type_text(field.type or "")), cell(field.text))
  end
  return #fields > 0 and table.concat(lines, "\n") or ""
end

-- ---- A class, a page ----

local function split(members)
  local functions, fields = {}, {}
  for _, member in ipairs(members) do
    local list = member.kind == "field" and fields or functions
    list[#list + 1] = member
  end
  return functions, fields
end

-- The methods that a class has from those that it derives from, up to the root of all.
local function render_super(all, entry)
  local class = entry.super and all.classes[entry.super]
  if not class then return "" end
  local text, names = "Derives from " .. reference(class.entry), {}
  if class.entry.name == ROOT then return text .. "." end
  for i, member in ipairs((split(class.members))) do
    names[i] = ("[%s](%s.md#%s)"):format(api.short(member.name), class.page.id, anchor(member.name))
  end
  text = #names > 0 and text .. ", which has " .. table.concat(names, ", ") .. "." or text .. "."
  if class.entry.super == ROOT then return text end
  return (text .. render_super(all, class.entry):gsub("^Derives", " That derives"))
end

local function render_class(all, class)
  local functions, fields = split(class.members)
  local parts = { render_entry(class.entry, 2), render_super(all, class.entry),
                  field_table(fields) }
  for _, member in ipairs(functions) do parts[#parts + 1] = render_entry(member, 3) end
  return paragraphs(parts)
end

local function link(entry)
  return ("[%s](#%s)"):format(entry.name, anchor(entry.name))
end

local function contents(page)
  local lines, names = {}, {}
  for _, entry in ipairs(split(page.functions)) do names[#names + 1] = link(entry) end
  if #names > 0 then lines[1] = "- " .. table.concat(names, ", ") end
  for _, class in ipairs(page.classes) do
    names = {}
    for _, member in ipairs(split(class.members)) do
      names[#names + 1] = ("[%s](#%s)"):format(api.short(member.name), anchor(member.name))
    end
    lines[#lines + 1] = "- " .. link(class.entry) ..
      (#names > 0 and ": " .. table.concat(names, ", ") or "")
  end
  return table.concat(lines, "\n")
end

--- The page of a module or of another part of the API.
-- @tparam table all what api.read returns
-- @tparam table page one of its pages
-- @treturn string Markdown
function pages.render(all, page)
  local functions, fields = split(page.functions)
  local parts = { NOTICE .. "\n# " .. page.title, page.entry.text, contents(page),
                  field_table(fields) }
  for _, entry in ipairs(functions) do parts[#parts + 1] = render_entry(entry, 2) end
  for _, class in ipairs(page.classes) do parts[#parts + 1] = render_class(all, class) end
  return paragraphs(parts) .. "\n"
end

--- Is a page one that `render` has made?
function pages.is_made(text)
  return text:sub(1, #NOTICE) == NOTICE
end

--- The first sentence of a text, in one line.
function pages.summary(text)
  local first = text:gsub("%s*\n%s*", " ")
  return (first:match("^(.-[^.]%.)%s") or first:match("^(.-)%s*```") or first)
end

return pages
