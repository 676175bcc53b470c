-- What happens where no descriptor is left: an error that says so, and no more.

local run = require "spec.cmd.run"

-- Each operation works or fails with a message; none ends the process.
local SCRIPT = [[
  local loop = greenlet.get_hub().loop
  local no_descriptor = "Too many open files"
  local function try(f)
    local ok, err = pcall(f)
    if not ok and not tostring(err):find(no_descriptor, 1, true) then error(err, 0) end
  end
  local function started(watcher) watcher:start(print) greenlet.sleep(0) watcher:stop() end
  try(function() greenlet.sleep(0.001) end)
  try(function() greenlet.spawn(greenlet.sleep, 0):join() end)
  try(function() local w <close> = loop:io(1, "w") greenlet.get_hub():wait(w) end)
  try(function() local w <close> = loop:async() started(w) end)
  try(function() local w <close> = loop:signal(12) started(w) end)
  try(function() local w <close> = loop:stat("/") started(w) end)
  try(function() assert(assert(io.popen("exit 0")):close()) end)
  try(function()
    local pid = assert(greenlet.fork())
    if pid == 0 then greenlet.sleep(0.001) os.exit(0, true) end
    assert(greenlet.waitpid(pid))
  end)
  print("end")
]]

describe("with few descriptors", function()
  local function limited(n)
    return run.program(run.greenlua, {
      files = { ["t.lua"] = SCRIPT }, shell = ("ulimit -n %d && exec lua t.lua"):format(n),
    })
  end

  it("the program runs, or says why it cannot", function()
    local ran = 0
    for n = 4, 14 do
      local result = limited(n)
      if result.stdout:find("end\n", 1, true) then
        assert.same({ 0, "" }, { result.status, result.stderr }, n)
        ran = ran + 1
      else
        assert.equal(1, result.status, n .. ": " .. result.stderr)
        assert.truthy(result.stderr:find("Too many open files", 1, true), n .. ": " .. result.stderr)
      end
    end
    assert.is_true(ran > 0)
  end)
end)
