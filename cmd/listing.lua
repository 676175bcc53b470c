--- ??name: the text of a function, from its file or from what was typed.

local cmd = ...
local text = cmd.text

local listing, commands = {}, {}

local function split(whole)
  local lines = {}
  for line in (whole .. "\n"):gmatch("([^\n]*)\n") do lines[#lines + 1] = line end
  return lines
end

-- ---- What was typed ----

-- What a dump of a function without debug information begins with, and dumps of what it is
-- nested in have somewhere: lines, parameters and, if `whole`, the size of its code. A dump has
-- 32 bytes that are not of the function. Numbers of any size end in a byte from 128.
local NUMBER = "[\0-\x7F]*[\x80-\xFF]"
local SIGN = "^\x80" .. NUMBER .. NUMBER .. ".."
local WHOLE_SIGN = SIGN .. "." .. NUMBER

local function sign(f, whole)
  return string.dump(f, true):sub(33):match(whole and WHOLE_SIGN or SIGN)
end

-- Variables of the session were local to what was typed, too: with them as locals the same
-- code comes out.
local function compile(console, entry)
  local names = table.concat(console.session:names(), ",")
  local code = names == "" and entry or ("local %s; %s"):format(names, entry)
  return load(code) or load("return " .. entry) or load(entry)
end

-- The newest entry that has such a function.
local function find_entry(console, f, whole)
  local wanted = sign(f, whole)
  for i = #console.entries, 1, -1 do
    local chunk = compile(console, console.entries[i])
    if chunk and string.dump(chunk, true):find(wanted, 33, true) then return console.entries[i] end
  end
end

-- ---- The lines of a function ----

local function whole_text(console, f, source)
  if source:sub(1, 1) == "@" then
    local file <close> = io.open(source:sub(2), "rb")
    return file and file:read("a")
  elseif source == "=stdin" then
    return find_entry(console, f, true) or find_entry(console, f, false)
  elseif source:sub(1, 1) ~= "=" then
    return source
  end
end

--- The lines of the chunk that a Lua function is in, and debug.getinfo of it; nil if that text
-- is not to be had, or has no such lines any more.
function listing.lines(console, f)
  local info = debug.getinfo(f, "S")
  local whole = whole_text(console, f, info.source)
  local lines = whole and split(whole)
  if lines and lines[math.max(info.lastlinedefined, 1)] then return lines, info end
end

local function describe(console, name, f)
  local info = debug.getinfo(f, "S")
  if info.what == "C" then
    cmd.commands.fail("%s is written in C; ?%s may tell what it does", name, name)
  end
  local lines = listing.lines(console, f)
  if not lines then
    cmd.commands.fail("the text of %s is not to be had: %s", name, info.short_src)
  end
  local place = ("-- %s:%d"):format(info.short_src, info.linedefined)
  return place .. "\n" .. text.block(lines, info.linedefined, info.lastlinedefined)
end

commands.source = {
  usage = "name", brief = "the Lua source of a function",
  help = "??name is the same. The name may be a path: ??module.f, ??object.method.",
  run = function(console, argument)
    if argument == "" then cmd.commands.usage("source") end
    local ok, value = cmd.lookup.value(console, argument)
    local meta = debug.getmetatable(value)
    local f = type(value) == "table" and type(meta) == "table" and rawget(meta, "__call") or value
    if not ok or value == nil then
      cmd.commands.fail("there is no %s in this session", argument)
    elseif type(f) ~= "function" then
      cmd.commands.fail("%s is a %s, no function", argument, type(value))
    end
    console:print(describe(console, argument, f))
  end,
}

listing.commands = commands
return listing
