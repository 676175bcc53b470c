--- The man page, from a page of the manual.

local blocks = require "blocks"

local man = {}

local WIDTH = 79

-- ---- Text ----

local function escape(text)
  text = text:gsub("\\", "\\e"):gsub("%-", "\\-")
  return (text:gsub("\n([.'])", "\n\\&%1"):gsub("^([.'])", "\\&%1"))
end

-- `code` and **strong** are bold, *names* are italic. What is code is taken out first: nothing
-- in it means anything.
local function inline(text)
  local codes = {}
  text = blocks.unlink(text):gsub("``?(.-)``?", function(code)
    codes[#codes + 1] = code
    return "\1" .. #codes .. "\2"
  end)
  text = escape(text)
  text = text:gsub("%*%*(.-)%*%*", "\\fB%1\\fR"):gsub("%*([^*]+)%*", "\\fI%1\\fR")
  return (text:gsub("\1(%d+)\2", function(i)
    return "\\fB" .. escape(codes[tonumber(i)]) .. "\\fR"
  end))
end

-- Text in lines that an editor shows whole; none may look like a macro.
local function fill(text)
  local lines, line = {}, ""
  for word in text:gmatch("%S+") do
    if #line + 1 + #word > WIDTH and not word:find("^[.']") then
      lines[#lines + 1] = line
      line = word
    else
      line = line == "" and word or line .. " " .. word
    end
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n")
end

local function join_cells(row)
  local texts = {}
  for i = 2, #row do texts[#texts + 1] = row[i] ~= "" and inline(row[i]) or nil end
  return fill(table.concat(texts, "; "))
end

local function code(block)
  local lines = {}
  for i, line in ipairs(block.lines) do lines[i] = escape(line) end
  return ".PP\n.RS 4\n.EX\n" .. table.concat(lines, "\n") .. "\n.EE\n.RE"
end

local function tagged(tag, text)
  return ".TP\n" .. tag .. "\n" .. text
end

local RENDER = {
  heading = function(block)
    if block.level > 2 then return ".SS " .. inline(block.text) end
    return ".SH " .. escape(block.text:upper())
  end,
  paragraph = function(block) return ".PP\n" .. fill(inline(block.text)) end,
  code = code,
  list = function(block)
    local items = {}
    for i, item in ipairs(block.items) do
      local mark = item.mark == "-" and "\\(bu 2" or '"' .. item.mark .. '" 4'
      items[i] = ".IP " .. mark .. "\n" .. fill(inline(item.text))
    end
    return table.concat(items, "\n")
  end,
  table = function(block)
    local rows = {}
    for i, row in ipairs(block.rows) do rows[i] = tagged(inline(row[1]), join_cells(row)) end
    return table.concat(rows, "\n")
  end,
}

-- What follows a heading is its first paragraph without saying so.
local function drop_first_breaks(text)
  return (text:gsub("(\n%.S[HS] [^\n]*)\n%.PP", "%1"))
end

-- "name - what it is", the first paragraph.
local function name_line(list)
  for _, block in ipairs(list) do
    if block.kind == "paragraph" then return inline(block.text) end
  end
end

--- A man page in man(7)'s macros.
-- @tparam string markdown the text; of what comes before the first section, the first paragraph is
--   what the page is about: "name - what it is"
-- @tparam table about name, section, date, version
-- @treturn string roff
function man.render(markdown, about)
  local list = blocks.parse(markdown)
  local parts = {
    '.\\" Made by "make docs" from docs/manual/interpreter.md and the sources.',
    (".TH %s %d %s \"%s\" \"User Commands\""):format(about.name:upper(), about.section, about.date,
      about.version),
    ".SH NAME", name_line(list),
  }
  local begun = false
  for _, block in ipairs(list) do
    begun = begun or (block.kind == "heading" and block.level == 2)
    if begun then parts[#parts + 1] = RENDER[block.kind](block) end
  end
  return drop_first_breaks(table.concat(parts, "\n")) .. "\n"
end

return man
