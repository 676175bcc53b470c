--- Makes the documents of the project from the docstrings in its sources.
--
--     lua5.4 scripts/docs/generate.lua manual DIRECTORY
--     lua5.4 scripts/docs/generate.lua help FILE
--
-- `manual` writes docs/manual/ and docs/greenlua.1 below DIRECTORY: pages of their own for modules,
-- and what stands between `<!-- options -->` and `<!-- /options -->`, say, on pages written by
-- hand. `help` writes what the prompt shows, as a Lua chunk that returns a table. The working
-- directory is the project's root.

local here = arg[0]:match("^(.*)/") or "."
package.path = here .. "/?.lua;" .. package.path

local api = require "api"
local blocks = require "blocks"
local man = require "man"
local options = require "options"
local pages = require "pages"
local plain = require "plain"

local SOURCES = "lua_binding/*.c lua_binding/*.lua cmd/*.c cmd/*.lua"
local MANUAL = "docs/manual/"

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

-- The files of this kind, in the same order everywhere.
local function list(pattern)
  local names = {}
  local listing <close> = assert(io.popen("LC_ALL=C ls " .. pattern))
  for name in listing:lines() do names[#names + 1] = name end
  return names
end

local function write(path, text)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(text))
end

-- ---- Pages written by hand ----

local function module_table(all)
  local lines = { "| page | what is there |", "|---|---|" }
  for _, page in ipairs(all.pages) do
    lines[#lines + 1] = ("| [%s](%s.md) | %s |"):format(page.title, page.id,
      pages.summary(page.entry.text))
  end
  return table.concat(lines, "\n")
end

-- Fill in the regions that are made from the sources.
local function complete(text, regions)
  local region = "(<!%-%- (%l+) %-%->\n).-(<!%-%- /(%l+) %-%->)"
  return (text:gsub(region, function(from, name, to, ending)
    assert(name == ending and regions[name], "no region " .. name)
    return from .. regions[name] .. "\n" .. to
  end))
end

-- The pages of the manual that are not made of docstrings.
local function hand_written(all)
  local made, names = {}, {}
  for _, page in ipairs(all.pages) do made[page.id .. ".md"] = true end
  for _, name in ipairs(list(MANUAL)) do
    if not made[name] then
      assert(not pages.is_made(read(MANUAL .. name)), name .. ": no docstrings are left for it")
      names[#names + 1] = name
    end
  end
  return names
end

-- A variable of the Makefile.
local function setting(name)
  return assert(read("Makefile"):match("\n" .. name .. " *= *(%S+)"))
end

local function write_manual(directory, all)
  local regions = { options = options.table(read("cmd/options.c")), modules = module_table(all),
                    settings = options.settings(all) }
  os.execute("mkdir -p '" .. directory .. "/" .. MANUAL .. "'")
  local function put(name, text) write(directory .. "/" .. MANUAL .. name, text) end
  for _, page in ipairs(all.pages) do put(page.id .. ".md", pages.render(all, page)) end
  for _, name in ipairs(hand_written(all)) do
    local text = complete(read(MANUAL .. name), regions)
    put(name, text)
    if name == "interpreter.md" then
      write(directory .. "/docs/greenlua.1", man.render(text, {
        name = "greenlua", section = 1, date = setting("DATE"),
        version = "greenlua " .. setting("V"),
      }))
    end
  end
end

-- ---- Help ----

local function members_of(all, entry)
  local class = entry.kind == "class" and all.classes[entry.name]
  return class and class.members or {}
end

-- {name =, kind =, module =, usage =, super =, ...}, as Lua. `rest` is its text, or where that is:
-- as = the entry of that name, topic = the page.
local function help_entry(name, entry, rest)
  local form = "{ name = %q, kind = %q, module = %q, usage = %q, super = %q,\n  %s = %q },\n"
  return form:format(name, entry.kind, entry.page.title, api.calls(entry)[1], entry.super,
    rest[1], rest[2])
end

local function help_page(page)
  local members = {}
  for _, entry in ipairs(page.functions) do members[#members + 1] = entry end
  for _, class in ipairs(page.classes) do members[#members + 1] = class.entry end
  return plain.entry(page.entry, members)
end

local function help_topic(name, title, text)
  return ("[%q] = { title = %q, text = %q },\n"):format(name, title, text)
end

local function title_of(text)
  return assert(("\n" .. text):match("\n# ([^\n]+)"), "a page without a title")
end

local function help_chunk(all)
  local chunk = { "-- Made from docstrings and the manual.\nreturn { entries = {\n" }
  for _, entry in ipairs(all.entries) do
    if entry.page then
      chunk[#chunk + 1] = help_entry(entry.name, entry,
        { "text", plain.entry(entry, members_of(all, entry)) })
      for i = 2, #entry.names do
        chunk[#chunk + 1] = help_entry(entry.names[i], entry, { "as", entry.name })
      end
    end
  end
  for _, page in ipairs(all.pages) do
    page.entry.page = page
    if all.by_name[page.entry.name] == page.entry then
      chunk[#chunk + 1] = help_entry(page.entry.name, page.entry, { "topic", page.id })
    end
  end
  chunk[#chunk + 1] = "}, topics = {\n"
  for _, page in ipairs(all.pages) do
    chunk[#chunk + 1] = help_topic(page.id, page.title, help_page(page))
  end
  for _, name in ipairs(hand_written(all)) do
    local text = read(MANUAL .. name)
    chunk[#chunk + 1] = help_topic(name:gsub("%.md$", ""):lower(), blocks.unlink(title_of(text)),
      plain.text(text))
  end
  chunk[#chunk + 1] = "} }\n"
  return table.concat(chunk)
end

-- ---- The command line ----

local function main(what, target)
  local all = api.read(list(SOURCES))
  if what == "manual" then
    write_manual(target, all)
  elseif what == "help" then
    write(target, help_chunk(all))
  else
    error("usage: generate.lua manual DIRECTORY | help FILE", 0)
  end
end

local ok, message = pcall(main, ...)
if not ok then
  io.stderr:write(message, "\n")
  os.exit(1)
end
