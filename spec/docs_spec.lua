-- Runs the examples of docs/ with the real program, and with a C compiler, and checks that they
-- print what the documents say. The directory is the project's root.
local markdown = require "spec.markdown"
local run = require "spec.cmd.run"

-- The lines of what a command prints, without its end of line.
local function lines_of(command)
  local lines, pipe = {}, assert(io.popen(command))
  for line in pipe:lines() do lines[#lines + 1] = line end
  pipe:close()
  return lines
end

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

local MANUAL = lines_of("LC_ALL=C ls docs/manual/*.md")
local GENERATE = "scripts/docs/generate.lua"

describe("the manual", function()
  teardown(run.clean)

  for _, page in ipairs(MANUAL) do
    describe(page, function() markdown.describe(page, run.greenlua) end)
  end

  it("is what `make docs` writes, and so is the man page", function()
    local directory = run.directory()
    assert.same({}, lines_of(("%s %s manual %s 2>&1"):format(run.stock, GENERATE, directory)))
    assert.same({}, lines_of("diff -r docs/manual " .. directory .. "/docs/manual"))
    assert.same({}, lines_of("diff docs/greenlua.1 " .. directory .. "/docs/greenlua.1"))
  end)

  it("has a docstring for everything public, and for nothing else", function()
    local help = run.directory() .. "/help.lua"
    assert.same({}, lines_of(("%s %s help %s 2>&1"):format(run.stock, GENERATE, help)))
    assert.same({}, lines_of(("%s spec/api.lua %s 2>&1"):format(run.quote(run.greenlua), help)))
  end)

  it("has an example on the page of each module", function()
    for _, page in ipairs(MANUAL) do
      local made = read(page):find("^<!%-%- Made by")
      assert.is_true(not made or #markdown.examples(page) > 0, page .. " has no example")
    end
  end)
end)

-- ---- The prompt's help ----

describe("cmd.docs", function()
  local docs
  setup(function()
    local help = run.directory() .. "/help.lua"
    os.execute(("%s %s help %s"):format(run.stock, GENERATE, help))
    docs = assert(loadfile("cmd/docs.lua"))({ docstrings = dofile(help) })
  end)
  teardown(run.clean)

  it("finds functions, methods, fields, classes and modules", function()
    for name, kind in pairs {
      ["greenlet.sleep"] = "function", sleep = "function", ["Greenlet:join"] = "function",
      ["Greenlet.join"] = "function", ["greenlet.Greenlet:join"] = "function",
      ["Greenlet.value"] = "field", Greenlet = "class", ["queue.Queue"] = "class",
      ["greenlet.queue"] = "module", ["SimpleQueue:put"] = "function", select = "function",
      ["Lock:acquire"] = "function", ["lock.Lock.counter"] = "field", ["RLock:is_a"] = "function",
    } do
      local entry = docs.find(name)
      assert.equal(kind, entry and entry.kind, name)
      assert.is_true(#entry.text > 40)
    end
    assert.is_nil(docs.find("no_such_thing"))
    assert.is_nil(docs.find(""))
  end)

  it("tells what of several may be meant", function()
    local entry = docs.find("join")
    assert.equal("list", entry.kind)
    assert.matches("\n  Greenlet:join\n", entry.text)
    assert.matches("\n  Queue:join", entry.text)
  end)

  it("has its texts in 79 columns, but for code", function()
    local topics = docs.topics()
    assert.is_truthy(topics.deadlocks and topics.queue and topics.tour)
    for _, name in ipairs(docs.names()) do topics[name] = docs.find(name).text end
    for name, text in pairs(topics) do
      for line in text:gmatch("[^\n]+") do
        local short = utf8.len(line) <= 79 or line:find("^    ") or not line:find(" .* ")
        assert.is_truthy(short, name .. ": " .. line)
      end
    end
  end)
end)

-- ---- Links ----

-- As GitHub makes them of headings; a second one of the same text ends in -1.
local function anchors_of(path)
  local anchors = {}
  local text = ("\n" .. read(path)):gsub("\n```.-\n```", "\n")
  for heading in text:gmatch("\n#+ ([^\n]+)") do
    local anchor = heading:lower():gsub("[^%w%s_-]", ""):gsub(" ", "-")
    local count = anchors[anchor]
    anchors[anchor] = (count or 0) + 1
    if count then anchors[anchor .. "-" .. count] = 1 end
  end
  return anchors
end

local function exists(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

local function check_link(page, target)
  local path, anchor = target:match("^([^#]*)#?(.*)$")
  if path == "" then
    path = page
  else
    path = (page:match("^(.*/)") or "") .. path
  end
  assert.is_true(exists(path), ("%s: no file for the link to %s"):format(page, target))
  if anchor ~= "" then
    assert.is_truthy(anchors_of(path)[anchor], ("%s: no heading for %s"):format(page, target))
  end
end

describe("links", function()
  for _, page in ipairs(lines_of("LC_ALL=C ls README.md docs/*.md docs/manual/*.md")) do
    it("lead to something in " .. page, function()
      local text = read(page):gsub("\n```.-\n```", "\n"):gsub("`[^`\n]*`", "")
      for target in text:gmatch("%]%(([^)%s]+)%)") do
        if not target:find("^%a+:") then check_link(page, target) end
      end
    end)
  end
end)

describe("docs/greenlua.1", function()
  for command, program in pairs { groff = "groff -ww -z -man -Tutf8", mandoc = "mandoc -Tlint" } do
    it("is a man page in which " .. command .. " finds no fault", function()
      if not os.execute("command -v " .. command .. " >/dev/null") then
        return pending(command .. " is not installed")
      end
      assert.same({}, lines_of(program .. " docs/greenlua.1 2>&1"))
    end)
  end

  it("tells of every option that --help tells of", function()
    local page = read("docs/greenlua.1"):gsub("\\%-", "-")
    for _, line in ipairs(lines_of(run.quote(run.greenlua) .. " --help")) do
      local option = line:match("^  (%-%-?%w*)")
      local tag = option and "\n\\fB" .. option:gsub("%-", "%%-") .. "[^\n]*\\fR\n"
      assert.is_truthy(not tag or page:find(tag), option)
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
