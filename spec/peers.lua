-- Runs the programs of docs/manual/coming_from.md that are in other languages and says which do not
-- print what greenlua's does. Those in Lua are run by docs_spec.lua.
--
-- Usage: lua5.4 spec/peers.lua (make peers), in the project's root. What is not installed is left out;
-- $PYTHON is the Python that has gevent.

local markdown = require "spec.markdown"
local run = require "spec.cmd.run"

local PAGE = "docs/manual/coming_from.md"
local PYTHON = os.getenv("PYTHON") or "python3"

-- By the mark of their blocks: how to ask whether they are there, and to run a file.
local languages = {
  python = { file = "peer.py", asks = PYTHON .. " -c 'import gevent'", runs = PYTHON .. " peer.py" },
  go = { file = "peer.go", asks = "go version",
         runs = "GOCACHE=${GOCACHE:-/tmp/greenlua-peers} GO111MODULE=off go run peer.go" },
  erlang = { file = "peer.erl", asks = "command -v escript", runs = "escript peer.erl",
             before = "#!/usr/bin/env escript\n" },
  lua = { file = "peer.lua", asks = "command -v " .. run.stock, runs = run.stock .. " peer.lua" },
}

local function succeeds(command) return os.execute(("{ %s; } >/dev/null 2>&1"):format(command)) end

local function output_of(language, code)
  local path = run.directory()
  local file <close> = assert(io.open(path .. "/" .. language.file, "w"))
  file:write(language.before or "", code)
  file:close()
  local pipe <close> = io.popen(("cd %s && %s 2>&1"):format(path, language.runs))
  return pipe:read("a")
end

-- The blocks to be run, each with what it should print: what the example before it does.
local function programs()
  local list, expected = {}, nil
  local blocks = markdown.blocks(PAGE)
  for i, block in ipairs(blocks) do
    local following = blocks[i + 1]
    if block.language == "lua" and following and following.language == "text" then
      expected = following.code
    elseif block.language ~= "text" then
      list[#list + 1] = { block = block, expected = expected }
    end
  end
  return list
end

local failures, installed = 0, {}
for _, program in ipairs(programs()) do
  local name, line = program.block.language, program.block.line
  local language = assert(languages[name], name)
  if installed[name] == nil then installed[name] = succeeds(language.asks) or false end
  local output = installed[name] and output_of(language, program.block.code)
  local verdict = not output and "not installed" or output == program.expected and "ok" or "FAILED"
  print(("%s:%d: %s: %s"):format(PAGE, line, name, verdict))
  if verdict == "FAILED" then
    failures = failures + 1
    print(output)
  end
end
run.clean()
os.exit(failures == 0)
