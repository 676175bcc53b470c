--- Cuts Markdown into blocks: what the man page and the prompt's help are laid out from.
--
-- It knows what the manual uses: headings, paragraphs, lists, tables, code that is fenced or
-- indented. Comments and anchors are dropped.

local blocks = {}

local function is_indented(line) return line:find("^    %s*%S") ~= nil end
local function item_of(line) return line:match("^%s*[-*] +(.*)"), "-" end
local function step_of(line)
  local number, text = line:match("^%s*(%d+%.) +(.*)")
  return text, number
end

-- The cells of a row; `\|` and bars in code belong to the cell.
local function cells_of(line)
  local cells = {}
  line = line:gsub("\\|", "\1"):gsub("`[^`]*`", function(code) return code:gsub("|", "\1") end)
  for cell in line:gsub("^%s*|", ""):gmatch("([^|]*)|") do
    cells[#cells + 1] = cell:gsub("^%s+", ""):gsub("%s+$", ""):gsub("\1", "|")
  end
  return cells
end

-- Each reader takes the lines from `i` on, appends a block, and returns the index behind it; or
-- nil if they are of another kind.

local function read_fence(lines, i, list)
  local language = lines[i]:match("^```(%w*)")
  if not language then return nil end
  local code = {}
  i = i + 1
  while lines[i] and not lines[i]:find("^```") do
    code[#code + 1] = lines[i]
    i = i + 1
  end
  list[#list + 1] = { kind = "code", lines = code, language = language }
  return i + 1
end

local function read_indented(lines, i, list)
  if not is_indented(lines[i]) then return nil end
  local code = {}
  while lines[i] and (is_indented(lines[i]) or
                      (lines[i] == "" and is_indented(lines[i + 1] or ""))) do
    code[#code + 1] = lines[i]:sub(5)
    i = i + 1
  end
  list[#list + 1] = { kind = "code", lines = code }
  return i
end

local function read_heading(lines, i, list)
  local marks, text = lines[i]:match("^(#+) +(.*)")
  if not marks then return nil end
  list[#list + 1] = { kind = "heading", level = #marks, text = text }
  return i + 1
end

local function read_table(lines, i, list)
  if not lines[i]:find("^|") then return nil end
  local rows = {}
  while lines[i] and lines[i]:find("^|") do
    if not lines[i]:find("^|[-:| ]+$") then rows[#rows + 1] = cells_of(lines[i]) end
    i = i + 1
  end
  list[#list + 1] = { kind = "table", header = table.remove(rows, 1), rows = rows }
  return i
end

local function read_items(lines, i, list, item)
  if not item(lines[i]) then return nil end
  local items = {}
  while lines[i] and lines[i] ~= "" do
    local text, mark = item(lines[i])
    if text then
      items[#items + 1] = { text = text, mark = mark }
    else
      items[#items].text = items[#items].text .. " " .. lines[i]:gsub("^%s+", "")
    end
    i = i + 1
  end
  list[#list + 1] = { kind = "list", items = items }
  return i
end

local function read_list(lines, i, list)
  return read_items(lines, i, list, item_of) or read_items(lines, i, list, step_of)
end

local function starts_block(line)
  return line == "" or line:find("^```") or line:find("^#+ ") or line:find("^|") or
         item_of(line) or step_of(line)
end

local function read_paragraph(lines, i, list)
  local words = { lines[i] }
  i = i + 1
  while lines[i] and not starts_block(lines[i]) do
    words[#words + 1] = lines[i]
    i = i + 1
  end
  list[#list + 1] = { kind = "paragraph", text = table.concat(words, " ") }
  return i
end

local READERS = { read_fence, read_heading, read_table, read_list, read_indented, read_paragraph }

local function read_block(lines, i, list)
  for _, reader in ipairs(READERS) do
    local after = reader(lines, i, list)
    if after then return after end
  end
end

--- The blocks of a text.
-- @tparam string text Markdown
-- @treturn table a list of {kind = "heading"|"paragraph"|"list"|"table"|"code", ...}
function blocks.parse(text)
  local lines, list = {}, {}
  for line in (text:gsub("<!%-%-.-%-%->", "") .. "\n"):gmatch("([^\n]*)\n") do
    lines[#lines + 1] = line:gsub("%s+$", "")
  end
  local i = 1
  while i <= #lines do
    i = lines[i] == "" and i + 1 or read_block(lines, i, list)
  end
  return list
end

--- Text without the targets of its links. Of a picture, what it shows, in brackets.
function blocks.unlink(text)
  return (text:gsub("!(%[[^%]]-%])%([^)]*%)", "%1"):gsub("%[([^%]]-)%]%([^)]*%)", "%1"))
end

return blocks
