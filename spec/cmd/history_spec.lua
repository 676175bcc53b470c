-- Drives the real program: the file is locked and replaced by its C functions.
local run = require "spec.cmd.run"
local parts = require "spec.cmd.parts"

-- Scripts use `history`, and `report(...)`, which prints values that the spec reads.
local HEAD = parts.OF_THE_PROGRAM .. [[
local history = cmd.history
local function report(...) -- a value a line
  for i = 1, select("#", ...) do
    print((("%q"):format((select(i, ...))):gsub("\\\n", "\\n")))
  end
end
local function all() report(#history.load(), table.unpack(history.load())) end
]]

-- The values that a script reported. It runs in a fresh directory, which is also its
-- XDG_STATE_HOME unless `shell` (what sh does first) says otherwise.
local function reported(script, shell)
  local result = run.program(run.greenlua, {
    files = { ["t.lua"] = HEAD .. script },
    shell = 'export XDG_STATE_HOME="$PWD/state"; ' .. (shell or "") .. "\nlua t.lua",
  })
  assert.same({ "", 0 }, { result.stderr, result.status })
  return load("return {" .. result.stdout:gsub("\n", ",") .. "}")()
end

describe("cmd.history", function()
  teardown(run.clean)

  it("keeps entries in a file that it makes", function()
    assert.same({ 2, "first", "second", "700 600" }, reported [[
      history.add "first"
      history.add "second"
      all()
      local pipe = io.popen "stat -c %a state/greenlua state/greenlua/history | tr '\n' ' '"
      report((pipe:read "a":gsub(" $", "")))]])
  end)

  it("keeps entries of any bytes whole", function()
    local entries = [[{
      "for i = 1, 2 do\n  print(i)\nend", "a\\nb \\ \\\\", "\0\r\n\t\27é\xff", "x\\" }]]
    assert.same({ true, true, true, true, 4 }, reported(([[
      local entries = %s
      for _, entry in ipairs(entries) do history.add(entry) end
      local list = history.load()
      for i, entry in ipairs(entries) do report(list[i] == entry) end
      report(#list)]]):format(entries)))
  end)

  it("leaves repetitions and blanks out", function()
    assert.same({ 3, "a", "b", "a" }, reported [[
      for _, entry in ipairs { "a", "a", "b", "", " \n", "b", "a" } do history.add(entry) end
      all()]])
    assert.same({ 1, "a" }, reported("history.load() history.add 'a' all()",
      "mkdir -p state/greenlua; printf 'a\\na\\n\\n' >state/greenlua/history"))
  end)

  it("keeps the newest 10,000", function()
    assert.same({ 10000, "2001", "12000", 10000 }, reported [[
      for i = 1, 12000 do history.add(tostring(i)) end
      local list = history.load()
      report(#list, list[1], list[#list])
      local count = 0
      for _ in io.lines(history.path()) do count = count + 1 end
      report(count)]])
  end)

  it("takes the file from where XDG_STATE_HOME or HOME say", function()
    assert.same({ "/a/greenlua/history" }, reported("report(history.path())", "XDG_STATE_HOME=/a"))
    for _, value in ipairs { "", "relative", "./a" } do
      assert.same({ "/h/.local/state/greenlua/history" },
        reported("report(history.path())", "export HOME=/h XDG_STATE_HOME=" .. value))
    end
  end)

  -- What is not saved is no reason to stop; that it is not is told once.
  local QUIETLY = [[
    local list, message = history.load()
    report(#list)
    for i = 1, 3 do
      local nothing, told = history.add(tostring(i))
      message = message or told
      report(nothing == nil, (told or ""):match "^history is not saved: " ~= nil)
    end
    report(message ~= nil)]]
  local TOLD_AT_ADD = { 0, true, true, true, false, true, false, true }
  local TOLD_AT_LOAD = { 0, true, false, true, false, true, false, true }

  it("does without an environment", function()
    assert.same({ 0, true, false, true, false, true, false, false },
      reported(QUIETLY, "unset XDG_STATE_HOME HOME"))
  end)

  it("does without a directory to write to", function()
    assert.same(TOLD_AT_ADD, reported(QUIETLY, "XDG_STATE_HOME=/proc/nowhere"))
    assert.same(TOLD_AT_LOAD, reported(QUIETLY, ">file; XDG_STATE_HOME=$PWD/file"))
    assert.same(TOLD_AT_LOAD, reported(QUIETLY, "XDG_STATE_HOME=/$(printf %05000d 1)"))
  end)

  it("waits for no pipe that bears the file's name", function()
    for _, make in ipairs { "mkdir", "mkfifo", "ln -s /dev/zero" } do
      assert.same(TOLD_AT_LOAD,
        reported(QUIETLY, ("mkdir -p state/greenlua; %s state/greenlua/history"):format(make)))
    end
  end)

  it("takes from a damaged file what it can", function()
    local list = reported([[
      local list = history.load()
      report(#list, list[#list])
      history.add "after"
      list = history.load()
      report(#list, list[#list])]],
      "mkdir -p state/greenlua; { echo one; head -c 10000 /dev/urandom; printf '\\ntorn'; } "
        .. ">state/greenlua/history")
    assert.equal("torn", list[2])
    assert.equal(list[1] + 1, list[3])
    assert.equal("after", list[4])
  end)

  it("leaves a link to the file a link", function()
    assert.same({ 10000, "link" }, reported([[
      report(#history.load())
      report(io.popen "test -L state/greenlua/history && echo link":read())]],
      "mkdir -p state/greenlua; seq 12000 >real; ln -s ../../real state/greenlua/history"))
  end)

  -- Each writes when it has seen the other.
  local WRITER = HEAD .. [[
    local me, other = ...
    history.load()
    io.open(me, "w"):close()
    repeat local seen = io.open(other) until seen
    for i = 1, 1000 do history.add(("%s%d\n%s"):format(me, i, ("x"):rep(i))) end]]

  local COUNTER = HEAD .. [[
    local list, count = history.load(), { a = 0, b = 0 }
    for _, entry in ipairs(list) do
      local name, i, tail = entry:match "^([ab])(%d+)\n(x*)$"
      if name then
        count[name] = count[name] + 1
        report(tonumber(i) == count[name] and #tail == count[name] or entry)
      end
    end
    report(#list)]]

  local function write_at_once(shell)
    local result = run.program(run.greenlua, {
      files = { ["writer.lua"] = WRITER, ["counter.lua"] = COUNTER },
      shell = 'export XDG_STATE_HOME="$PWD/state"; ' .. shell
        .. "\nlua writer.lua a b & lua writer.lua b a; wait; lua counter.lua",
    })
    assert.same({ "", 0 }, { result.stderr, result.status })
    assert.equal(2000, select(2, result.stdout:gsub("true\n", "")))
    return tonumber(result.stdout:match "(%d+)\n$")
  end

  it("loses nothing when two sessions write at once", function()
    assert.equal(2000, write_at_once "")
  end)

  it("loses nothing when they find the file too long", function()
    local made = "mkdir -p state/greenlua; seq 10500 >state/greenlua/history"
    assert.equal(10000, write_at_once(made))
  end)
end)
