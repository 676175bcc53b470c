--- Text for terminals: what the prompt's :help and :doc show.

local api = require "api"
local blocks = require "blocks"

local plain = {}

local WIDTH = 79

local function unmark(text)
  return (blocks.unlink(text):gsub("%*%*(.-)%*%*", "%1"):gsub("%f[%w*]%*(%w[^*]*)%*%f[%W]", "%1"))
end

-- Words in lines of WIDTH, the first after `first`, the others after `rest`.
local function fill(text, first, rest)
  local lines, line = {}, first
  local empty = true
  for word in text:gmatch("%S+") do
    if not empty and utf8.len(line) + 1 + utf8.len(word) > WIDTH then
      lines[#lines + 1] = line
      line, empty = rest, true
    end
    line = empty and line .. word or line .. " " .. word
    empty = false
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n")
end

local function row_text(row)
  local rest = {}
  for i = 2, #row do rest[#rest + 1] = row[i] ~= "" and row[i] or nil end
  return row[1] .. ": " .. table.concat(rest, "; ")
end

local RENDER = {
  heading = function(block)
    local text = unmark(block.text)
    return text .. "\n" .. ("-"):rep(utf8.len(text))
  end,
  paragraph = function(block) return fill(unmark(block.text), "", "") end,
  code = function(block) return "    " .. table.concat(block.lines, "\n    ") end,
  list = function(block)
    local lines = {}
    for i, item in ipairs(block.items) do
      lines[i] = fill(unmark(item.text), item.mark .. " ", (" "):rep(#item.mark + 1))
    end
    return table.concat(lines, "\n")
  end,
  table = function(block)
    local lines = {}
    for i, row in ipairs(block.rows) do lines[i] = fill(unmark(row_text(row)), "- ", "  ") end
    return table.concat(lines, "\n")
  end,
}

--- Markdown as text of at most 79 columns.
function plain.text(markdown)
  local parts = {}
  for i, block in ipairs(blocks.parse(markdown)) do parts[i] = RENDER[block.kind](block) end
  return (table.concat(parts, "\n\n"):gsub("[ \t]+\n", "\n"))
end

-- ---- Docstrings ----

local LABEL = 10

local function labelled(label, text)
  local pad = (" "):rep(math.max(1, LABEL - utf8.len(label)))
  return fill(unmark(text), "  " .. label .. pad, (" "):rep(LABEL + 2))
end

local function type_and_text(item)
  if not item.type then return item.text end
  local kind = api.type_text(item.type)
  return item.text == "" and kind or kind .. ": " .. item.text
end

local function parameter_text(parameter)
  local text = type_and_text(parameter)
  if not parameter.optional then return text end
  local default = parameter.default and "default " .. parameter.default
  return ("%s (%s)"):format(text, default or "optional")
end

local function facts(entry)
  local lines = {}
  local function add(label, text) lines[#lines + 1] = labelled(label, text) end
  for _, parameter in ipairs(entry.params) do add(parameter.name, parameter_text(parameter)) end
  for _, result in ipairs(entry.returns) do add("returns", api.result_text(result)) end
  for _, raise in ipairs(entry.raises) do add("raises", raise) end
  if entry.kind == "field" and entry.type then add("type", api.type_text(entry.type)) end
  if entry.super then add("super", entry.super) end
  if entry.switches then add("switches", entry.switches) end
  if entry.source then add("after", entry.source) end
  for i = 2, #entry.names do add("also", entry.names[i]) end
  return table.concat(lines, "\n")
end

-- A class and a module tell what they have.
local function members_text(list)
  local names = {}
  for i, entry in ipairs(list) do names[i] = entry.name end
  return #names > 0 and fill(table.concat(names, ", "), "", "") or ""
end

--- What :doc shows of an entry.
-- @tparam table entry a docstring
-- @tparam table members the docstrings of what a class or a page has, in order
function plain.entry(entry, members)
  local usage = entry.usage and "    " .. entry.usage:gsub("\n", "\n    ") or ""
  local parts = { table.concat(api.calls(entry), "\n"), plain.text(entry.text), facts(entry), usage,
                  members_text(members) }
  local text = {}
  for _, part in ipairs(parts) do
    if part ~= "" then text[#text + 1] = part end
  end
  return table.concat(text, "\n\n")
end

return plain
