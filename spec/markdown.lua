--- Examples in documents: a block of code that is followed by a block of text prints that text.
local assert = require "luassert"
local busted = require "busted"
local run = require "spec.cmd.run"

local markdown = {}

--- The fenced blocks of a document.
-- @tparam string path the document's
-- @treturn table a list of {language =, code =, line =, last =}: the lines are those of where the code
-- begins and of the fence that ends it
function markdown.blocks(path)
  local blocks, block, number = {}, nil, 0
  for line in io.lines(path) do
    number = number + 1
    local language = line:match("^```(%w*)$")
    if block and language then
      block.code, block.last = table.concat(block), number
      block = nil
    elseif block then
      block[#block + 1] = line .. "\n"
    elseif language then
      block = { language = language, line = number + 1 }
      blocks[#blocks + 1] = block
    end
  end
  return blocks
end

--- The examples of a document, in its order: code that is followed, after an empty line or none, by
-- the text that it prints. Other code is no example.
-- @tparam string path the document's
-- @tparam[opt="lua"] string language what the blocks of code are marked with
-- @treturn table a list of {code =, output =, line =}
function markdown.examples(path, language)
  local examples, before = {}, nil
  for _, block in ipairs(markdown.blocks(path)) do
    local follows = before and block.line - before.last <= 3
    if follows and before.language == (language or "lua") and block.language == "text" then
      examples[#examples + 1] = { code = before.code, output = block.code, line = before.line }
    end
    before = block
  end
  return examples
end

--- What differs from run to run becomes the same: addresses, times of day, and how long one waits.
function markdown.mask(text)
  return (text:gsub("0x%x+", "0x0"):gsub("%d+%-%d%d%-%d%dT%d%d:%d%d:%d%dZ", "<time>")
    :gsub("   for %d+%.%d s", "   for 0.0 s"):gsub("   %d+%.%d s", "   0.0 s"))
end

--- Declares one `it` for every Lua example of a document, and one that there are at least so many.
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

  if at_least then
    busted.it("has examples", function() assert.is_true(#examples >= at_least) end)
  end
end

return markdown
