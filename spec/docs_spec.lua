-- Runs the examples of docs/ with the real program, and with a C compiler, and checks that they
-- print what the documents say. The directory is the project's root.
local markdown = require "spec.markdown"
local run = require "spec.cmd.run"

describe("docs/manual.md", function()
  markdown.describe("docs/manual.md", run.greenlua, 25)

  it("has a heading for every link to one", function()
    local file <close> = assert(io.open("docs/manual.md"))
    local text, anchors = file:read("a"), {}
    for heading in text:gmatch("\n#+ ([^\n]+)") do
      anchors[heading:lower():gsub("[^%w%s_-]", ""):gsub(" ", "-")] = true
    end
    for anchor in text:gmatch("%]%(#([^)]+)%)") do
      assert.is_true(anchors[anchor], "no heading for #" .. anchor)
    end
  end)
end)

-- In docs/embedding.md each block of C is a whole program, prog.c. Its first line says how it is
-- compiled, in the project's root, with $CC if that is set.
local function compile_and_run(code)
  local root = io.popen("pwd"):read("l")
  local machine = io.popen("uname -m"):read("l")
  local command = assert(code:match("^// (cc [^\n]*)\n"), "no command to compile it")
  command = command:gsub("^cc", os.getenv("CC") or "cc"):gsub("switch_x86_64", "switch_" .. machine)
  command = command:gsub("%f[%w]prog%f[%W]", '"$directory"/%0')
  return run.program(run.greenlua, {
    files = { ["prog.c"] = code },
    shell = ('directory=$PWD; cd %s && %s && exec "$directory"/prog'):format(run.quote(root), command),
  })
end

describe("docs/embedding.md", function()
  teardown(run.clean)

  local programs = markdown.examples("docs/embedding.md", "c")
  for _, program in ipairs(programs) do
    it(("compiles and prints what it says, line %d"):format(program.line), function()
      local result = compile_and_run(program.code)
      assert.equal("", result.stderr)
      assert.equal(program.output, result.stdout)
      assert.equal(0, result.status)
    end)
  end

  it("has programs", function() assert.is_true(#programs >= 2) end)

end)

describe("docs/embedding.md in a stock Lua #stock", function()
  local directory = run.resolve(run.greenlua):match("^(.*)/")
  markdown.describe("docs/embedding.md", run.stock, 2, { LUA_CPATH = directory .. "/?.so;;" })
end)
