--- Text for people: what commands say is put together from these.

local text = {}

-- What would move the cursor or hide what follows is shown by its code.
local function code_of(character)
  if character == "\n" then return "\\n" end
  if character == "\t" then return "\\t" end
  return (character:gsub(".", function(byte) return ("\\%d"):format(byte:byte()) end))
end

--- Make any value's text safe for a line on a terminal.
function text.clean(value)
  local ok, line = pcall(tostring, value)
  if not ok then return "?" end
  line = line:gsub("%c", code_of):gsub("\xC2[\x80-\x9F]", code_of)
  if not utf8.len(line) then line = line:gsub("[\x80-\xFF]", code_of) end
  return line
end

--- How many columns a text takes, as far as that can be told from its characters.
function text.width(line) return utf8.len(line) or #line end

--- Cut a text to so many characters.
function text.cut(line, most)
  if text.width(line) <= most then return line end
  local stop = utf8.len(line) and utf8.offset(line, most - 2) or most - 2
  return line:sub(1, stop - 1) .. "..."
end

local function pad(cell, width, right)
  local blanks = (" "):rep(width - text.width(cell))
  return right and blanks .. cell or cell .. blanks
end

--- Lines of aligned columns. A column in which every row is empty is left out.
-- @param heads list of the columns' names; `right[i]` puts column i to the right
-- @param rows list of lists of strings
function text.columns(heads, rows, right)
  local widths = {}
  for i in ipairs(heads) do
    for _, row in ipairs(rows) do
      if row[i] ~= "" then
        widths[i] = math.max(widths[i] or text.width(heads[i]), text.width(row[i]))
      end
    end
  end
  local function line(row)
    local cells = {}
    for i in ipairs(heads) do
      if widths[i] then cells[#cells + 1] = pad(row[i], widths[i], right and right[i]) end
    end
    return (table.concat(cells, "  "):gsub("%s+$", ""))
  end
  local lines = { line(heads) }
  for _, row in ipairs(rows) do lines[#lines + 1] = line(row) end
  return lines
end

--- A span of time, short.
function text.seconds(seconds)
  if seconds < 9.95 then return ("%.1f s"):format(seconds) end
  if seconds < 120 then return ("%.0f s"):format(seconds) end
  if seconds < 7200 then return ("%.0f min"):format(seconds / 60) end
  return ("%.1f h"):format(seconds / 3600)
end

--- "a, b and 3 more": so many of a list, as one line.
function text.list(items, most)
  local shown = table.concat(items, ", ", 1, math.min(#items, most))
  if #items <= most then return shown end
  return ("%s and %d more"):format(shown, #items - most)
end

--- Lines from..to of a list as one text, without the margin of the first.
function text.block(lines, from, to)
  local margin, block = #lines[from]:match("^%s*"), {}
  for i = from, to do
    local line = lines[i]
    block[#block + 1] = line:sub(1, margin):find("%S") and line or line:sub(margin + 1)
  end
  return table.concat(block, "\n")
end

-- How many letters must be changed, added or left out to make b of a.
local function distance(a, b)
  local row = {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local diagonal = row[0]
    row[0] = i
    for j = 1, #b do
      local same = a:byte(i) == b:byte(j) and 0 or 1
      diagonal, row[j] = row[j], math.min(row[j] + 1, row[j - 1] + 1, diagonal + same)
    end
  end
  return row[#b]
end

--- The one among `names` that is most like `name`, or nil if none is.
function text.nearest(name, names)
  local best, least = nil, (#name + 2) // 3 + 1
  for _, other in ipairs(names) do
    local d = distance(name:lower(), other:lower())
    if d < least then best, least = other, d end
  end
  return best
end

--- Break a sentence into lines.
-- @tparam string s words
-- @tparam number width of a line, in bytes
-- @treturn string
function text.fold(s, width)
  local lines, line = {}, nil
  for word in s:gmatch("%S+") do
    if line and #line + 1 + #word > width then
      lines[#lines + 1] = line
      line = nil
    end
    line = line and line .. " " .. word or word
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n")
end

return text
