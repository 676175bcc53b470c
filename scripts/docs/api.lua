--- The API as a whole: which docstring belongs on which page of the manual, in which order.

local docstrings = require "docstrings"

local api = {}

local function fail(entry, message)
  error(("%s:%d: docstring of %s: %s"):format(entry.file, entry.line, entry.name, message), 0)
end

--- The name without what it is in: put for Queue:put, Queue for greenlet.queue.Queue.
function api.short(name)
  return name:match("([^.:]+)$")
end

-- A page is named after its module: event for greenlet.event.
local function page_id(entry)
  return entry.kind == "module" and api.short(entry.name) or entry.name
end

-- ---- Collecting ----

local function collect(paths)
  local all = {}
  for _, path in ipairs(paths) do
    for _, entry in ipairs(docstrings.read(path)) do all[#all + 1] = entry end
  end
  return all
end

-- A module may be a function, which is what its name stands for then.
local function index_names(all)
  local by_name, modules = {}, {}
  for _, entry in ipairs(all) do
    local names = entry.kind == "module" and modules or by_name
    for _, name in ipairs(entry.kind == "page" and {} or entry.names) do
      if names[name] then fail(entry, "'" .. name .. "' has one already") end
      names[name] = entry
    end
  end
  for name, entry in pairs(modules) do by_name[name] = by_name[name] or entry end
  return by_name
end

local function make_pages(all)
  local pages, list = {}, {}
  for _, entry in ipairs(all) do
    if entry.kind == "module" or entry.kind == "page" then
      local page = { id = page_id(entry), entry = entry, functions = {}, classes = {},
                     title = entry.title or entry.name }
      pages[page.id] = page
      list[#list + 1] = page
    end
  end
  table.sort(list, function(a, b) return a.id < b.id end)
  return pages, list
end

-- ---- Placing ----

local function find_page(pages, entry)
  if entry.within then return pages[entry.within] or fail(entry, "no page " .. entry.within) end
  local module = entry.name:match("^greenlet%.([%w_]+)%.")
  local id = module or (entry.file_page and api.short(entry.file_page)) or "greenlet"
  return pages[id] or fail(entry, "no page " .. id)
end

-- A class is known by its full name, and by its last word where that is not the module's.
local function place_classes(pages, all)
  local classes = {}
  for _, entry in ipairs(all) do
    if entry.kind == "class" then
      local page = find_page(pages, entry)
      local class = { entry = entry, page = page, name = api.short(entry.name), members = {} }
      classes[entry.name] = class
      if class.name ~= "greenlet" then classes[class.name] = class end
      page.classes[#page.classes + 1] = class
      entry.page = page
    end
  end
  return classes
end

-- What a method or field is of: nil if that is a module.
local function find_class(classes, entry, name)
  if entry.kind ~= "function" and entry.kind ~= "field" then return nil end
  local owner, separator = name:match("^(.+)([.:])[%w_]+$")
  local class = owner and classes[owner]
  if not class and (separator == ":" or (owner or ""):find("^%u")) then
    fail(entry, "no class " .. owner)
  end
  return class
end

-- Another name of it that belongs to another class: that lists it, too.
local function alias(entry, name)
  return setmetatable({ name = name, names = { name }, alias_of = entry, calls = {} },
    { __index = entry })
end

local function place_aliases(classes, entry, first)
  for i = 2, #entry.names do
    local class = find_class(classes, entry, entry.names[i])
    if class and class ~= first then
      table.insert(class.members, alias(entry, entry.names[i]))
    end
  end
end

local function place_members(pages, classes, all)
  for _, entry in ipairs(all) do
    local class = find_class(classes, entry, entry.name)
    if class then
      table.insert(class.members, entry)
      entry.page = class.page
    elseif entry.kind == "function" or entry.kind == "field" then
      entry.page = find_page(pages, entry)
      table.insert(entry.page.functions, entry)
    end
    place_aliases(classes, entry, class)
  end
end

-- ---- Ordering ----

-- What @order names comes first; then fields, as the sources have them; the rest by name.
local function ranks(order)
  local rank, count = {}, 0
  for name in (order or ""):gmatch("[%w_]+") do
    count = count + 1
    rank[name] = count
  end
  return rank
end

local function sort(list, order)
  local rank, place = ranks(order), {}
  for i, item in ipairs(list) do place[item] = i end
  table.sort(list, function(a, b)
    local x, y = api.short(a.name), api.short(b.name)
    local first, second = rank[x] or math.huge, rank[y] or math.huge
    if first ~= second then return first < second end
    if a.kind ~= b.kind then return a.kind == "field" end
    if a.kind == "field" then return place[a] < place[b] end
    return x < y
  end)
end

local function sort_page(page)
  sort(page.functions, page.entry.order)
  sort(page.classes, page.entry.order)
  for _, class in ipairs(page.classes) do sort(class.members, class.entry.order) end
end

--- Read the docstrings of these files and put them in order.
-- @tparam table paths a list of C and Lua files
-- @treturn table pages: a list of {id, title, entry, functions, classes}; classes: by full and
--   by short name, {name, entry, page, members}; by_name: every entry
function api.read(paths)
  local all = collect(paths)
  local pages, list = make_pages(all)
  local classes = place_classes(pages, all)
  place_members(pages, classes, all)
  for _, page in ipairs(list) do sort_page(page) end
  return { pages = list, classes = classes, by_name = index_names(all), entries = all }
end

-- ---- How something is written down ----

local function optional_name(parameter)
  return parameter.default and parameter.name .. "=" .. parameter.default or parameter.name
end

local function parameters(entry)
  local text, open = "", 0
  for i, parameter in ipairs(entry.params) do
    if parameter.optional then
      text = text .. (i == 1 and "[" or " [, ") .. optional_name(parameter)
      open = open + 1
    else
      text = text .. (i == 1 and "" or ", ") .. parameter.name
    end
  end
  return text .. ("]"):rep(open)
end

--- The ways to call or read it: greenlet.sleep([seconds=0 [, ref=true]]).
function api.calls(entry)
  if #entry.calls > 0 then return entry.calls end
  if entry.kind == "function" or (entry.kind == "class" and #entry.params > 0) then
    return { entry.name .. "(" .. parameters(entry) .. ")" }
  end
  return { entry.name }
end

--- A type as people read it: "number or Timeout".
function api.type_text(text)
  return (text:gsub("|", " or "))
end

--- What a function returns, in words; `any` says nothing where there is a text.
function api.result_text(result)
  if not result.type then return result.text end
  if result.text == "" then return api.type_text(result.type) end
  return result.type == "any" and result.text or api.type_text(result.type) .. ": " .. result.text
end

return api
