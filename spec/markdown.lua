--- Examples in documents: a block of code that is followed by a block of text prints that text.
local assert = require "luassert"
local busted = require "busted"
local run = require "spec.cmd.run"

local markdown = {}

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

--- The examples of a document, in its order.
-- @tparam string path the document's
-- @tparam[opt="lua"] string language what the blocks of code are marked with
-- @treturn table a list of {code =, output =, line =}
function markdown.examples(path, language)
  local text, examples = "\n" .. read(path), {}
  local pattern = ("\n```%s\n()(.-\n)```%%s-\n```text\n(.-)```\n"):format(language or "lua")
  for start, code, output in text:gmatch(pattern) do
    local _, line = text:sub(1, start - 2):gsub("\n", "")
    examples[#examples + 1] = { code = code, output = output, line = line }
  end
  return examples
end

--- What differs from run to run becomes the same: addresses, times of day, and how long one waits.
function markdown.mask(text)
  return (text:gsub("0x%x+", "0x0"):gsub("%d+%-%d%d%-%d%dT%d%d:%d%d:%d%dZ", "<time>")
    :gsub("   for %d+%.%d s", "   for 0.0 s"))
end

--- Declares one `it` for every Lua example of a document, and one that there are some.
-- Each is run as script.lua, in a process of its own, and must be silent on stderr.
-- @tparam[opt] table environment variables
function markdown.describe(path, program, at_least, environment)
  local examples = markdown.examples(path)
  busted.teardown(run.clean)
  for _, example in ipairs(examples) do
    busted.it(("prints what it says, line %d"):format(example.line), function()
      local result = run.program(program, {
        files = { ["script.lua"] = example.code },
        args = { "script.lua" },
        env = environment,
      })
      assert.equal("", result.stderr)
      assert.equal(markdown.mask(example.output), markdown.mask(result.stdout))
      assert.equal(0, result.status)
    end)
  end

  busted.it("has examples", function() assert.is_true(#examples >= at_least) end)
end

return markdown
