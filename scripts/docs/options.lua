--- The options of the program and the settings, as Markdown tables, from their one source each.

local options = {}

local function unquote(text)
  return (text:gsub("\\(.)", { n = "\n", ['"'] = '"', ["\\"] = "\\" }))
end

local function row(...)
  local cells = { ... }
  for i, cell in ipairs(cells) do cells[i] = cell:gsub("|", "\\|"):gsub("\n", " ") end
  return "| " .. table.concat(cells, " | ") .. " |"
end

-- Stock lua's: the lines of its usage text, "  -e stat   execute string 'stat'".
local function add_stock(lines, source)
  local usage = source:match("static const char usage%[%] =%s*(.-);\n")
  for line in assert(usage, "no usage text"):gmatch('"(.-)"\n?') do
    local option, text = unquote(line):match("^  (%-.-)  +(.-)\n$")
    if not option then option, text = unquote(line):match("^  (%-%S*) +(.-)\n$") end
    if option then lines[#lines + 1] = row("`" .. option .. "`", text) end
  end
end

-- Our own: the rows of own_options, {"--name", "=VALUE", "text", ...}.
local function add_own(lines, source)
  local rows = assert(source:match("own_options%[%] = {\n(.-)\n};"), "no table of options")
  rows = rows:gsub('"%s*\n%s*"', "")
  for name, value, text in rows:gmatch('{"(%-%-.-)", *"(.-)",%s*"(.-)",') do
    lines[#lines + 1] = row("`" .. name .. value .. "`", unquote(text))
  end
end

--- A table of all options.
-- @tparam string source the text of cmd/options.c
function options.table(source)
  local lines = { "| option | what it does |", "|---|---|" }
  add_stock(lines, source)
  add_own(lines, source)
  return table.concat(lines, "\n")
end

--- A table of the settings and the environment variables that set them.
-- @tparam table all what api.read returns: the fields of class config are the settings
function options.settings(all)
  local lines = { "| variable | setting | type | meaning |", "|---|---|---|---|" }
  for _, entry in ipairs(all.entries) do
    local name = entry.name:match("^greenlet%.config%.([%w_]+)$")
    if name then
      lines[#lines + 1] = row(("`GREENLUA_%s`"):format(name:upper()),
        "`" .. name .. "`", entry.type, entry.text)
    end
  end
  return table.concat(lines, "\n")
end

return options
