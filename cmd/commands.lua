--- The commands of the prompt: `:name argument`, `?name`, `??name`.
--
-- A part with commands returns a table of them by name. A command has `usage` (its
-- arguments), `brief` (a line for the list), `help` (more, or nil), `force` (it takes a `!`) and
-- `run(console, argument)`; `argument` is the rest of the line, "" if there is none. A command
-- that runs code of the user's returns a function that does.

local cmd = ...

local commands, list = {}, {}
-- They ask this part, which is cmd.commands only when it has returned.
cmd.commands = commands

-- ---- Complaints ----

-- What a command raises when it cannot do what was asked: one line for the user.
local Complaint = {}

--- Give up, with a message for the user.
function commands.fail(format, ...)
  error(setmetatable({ message = format:format(...) }, Complaint), 0)
end

-- ":kill G"
local function form(name)
  local usage = list[name].usage
  return usage == "" and ":" .. name or (":%s %s"):format(name, usage)
end

--- Give up, telling how the command is used.
function commands.usage(name) commands.fail("usage: %s", form(name)) end

-- ---- Names ----

local function sorted(values)
  local names = {}
  for name in pairs(values) do names[#names + 1] = name end
  table.sort(names)
  return names
end

--- The names of all commands, sorted, without their colons.
function commands.names() return sorted(list) end

--- The names of the living greenlets, for completion.
function commands.greenlets()
  local names = {}
  for i, g in ipairs(cmd.find.living()) do names[i] = cmd.find.name(g) end
  return names
end

--- Is this the greenlet of a `:watch`? It keeps nobody from leaving.
function commands.is_watch(g) return cmd.watch.is_watch(g) end

-- The command of that name, or the only one that begins so.
local function lookup(name)
  if list[name] then return name end
  local found = {}
  for other in pairs(list) do
    if other:sub(1, #name) == name then found[#found + 1] = ":" .. other end
  end
  table.sort(found)
  if #found == 1 then return found[1]:sub(2) end
  if #found > 1 then
    commands.fail(":%s may be %s", name, table.concat(found, ", "))
  end
  local other = cmd.text.nearest(name, commands.names())
  commands.fail("no command :%s; %s", cmd.text.clean(name),
    other and "did you mean :" .. other .. "?" or ":help lists them")
end

-- ---- :help and :quit ----

local HEAD = [[
Whatever is typed is Lua: a statement, or an expression, whose value is shown. Greenlets run on
meanwhile. _ is the last value, _1 to _9 the last ones, _err the last error.
]]

local WIDTH = 96 -- of the help's lines, in columns

local KEYS = [[

Tab completes. Ctrl-C stops an evaluation or drops what is typed. Ctrl-Z, or & at the end of a
line, sends an evaluation to the background: jobs[1]. Ctrl-D leaves.]]

local function overview()
  local rows = {}
  for _, name in ipairs(commands.names()) do
    rows[#rows + 1] = { form(name), list[name].brief }
  end
  rows[#rows + 1] = { "?name", "the same as :doc name" }
  rows[#rows + 1] = { "??name", "the same as :source name" }
  local lines = cmd.text.columns({ "Commands", "" }, rows)
  local topics = cmd.lookup.topics()
  return HEAD .. "\n" .. table.concat(lines, "\n") .. "\n" .. KEYS .. "\n"
    .. cmd.text.fold("Topics of :help: " .. table.concat(topics, ", ") .. ".", WIDTH)
end

list.help = {
  usage = "[topic]", brief = "this list; more about a command, a topic or a function",
  run = function(console, argument)
    local name = argument:match("^:?([%a]+)$")
    if argument == "" then
      console:print(overview())
    elseif name and list[name] then
      console:print(form(name) .. "\n" .. (list[name].help or list[name].brief))
    else
      cmd.lookup.explain(console, argument)
    end
  end,
}

list.quit = {
  usage = "", brief = "leave; as Ctrl-D, but asks nothing",
  run = function(console, argument)
    if argument ~= "" then commands.usage("quit") end
    console:quit()
  end,
}

for _, part in ipairs { "processes", "why", "lookup", "listing", "tools", "watch" } do
  for name, command in pairs(cmd[part].commands) do list[name] = command end
end

-- ---- Running one ----

local function parse(line)
  line = line:gsub("%s+$", "")
  local argument = line:match("^%?%?%s*(.*)$")
  if argument then return argument == "" and "help" or "source", argument end
  argument = line:match("^%?%s*(.*)$")
  if argument then return argument == "" and "help" or "doc", argument end
  local name, mark, rest = line:match("^:%s*([%a_]*)(!?)%s*(.*)$")
  return name, mark .. rest
end

local function call(console, name, argument)
  if name == "" then commands.fail("a command's name follows the colon; :help lists them") end
  name = lookup(name)
  if argument:sub(1, 1) == "!" and not list[name].force then commands.usage(name) end
  return list[name].run(console, argument)
end

--- Run a line if it is a command.
-- @param console what this part may use of the prompt: `session`, `entries`, `jobs`, `colour`,
--   `print`, `show`, `evaluate`, `quit`
-- @param line what was typed
-- @return true, or false: it is Lua
-- @raise errors of the user's code that the command runs
function commands.run(console, line)
  line = line:gsub("^%s+", "")
  if not line:find("^[:?]") or line:find("^::") then return false end
  local ok, rest = pcall(call, console, parse(line))
  if ok then
    if rest then rest() end -- the user's code: its errors keep their tracebacks
  elseif getmetatable(rest) == Complaint then
    local message = cmd.text.clean(rest.message)
    console:print(console.colour and "\27[31m" .. message .. "\27[0m" or message)
  else
    error(rest, 0)
  end
  return true
end

return commands
