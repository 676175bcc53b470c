-- Signals that ask a program to end: Ctrl-C, SIGTERM, SIGHUP, SIGPIPE.

local run = require "spec.cmd.run"

local function program(case) return run.program(run.greenlua, case) end

-- A script that says how far it is by files, which the shell's loops wait for. In functions, so
-- that a case says only what is its own.
local PREFIX = [[
  local function note(name) assert(io.open(name, "w")):close() end
  local function closer(name)
    return setmetatable({}, {__close = function(_, err) print(name, err) end})
  end
]]

-- Run a script in the background of sh, and what `after` says: $! is its pid there. The exit
-- status is the script's. sh has it ignore SIGINT, so env(1) sets what is usual; and sh has words
-- of its own for signals, which are dropped.
local function signalled(script, after)
  return program {
    files = { ["s.lua"] = PREFIX .. script },
    shell = ([[until_there() { until [ -e $1 ]; do sleep 0.01; done; }
      exec 3>&2 2>/dev/null
      env --default-signal lua s.lua 2>&3 3>&- & pid=$!
      %s
      wait $pid]]):format(after),
  }
end

local WAITING = [[
  last = setmetatable({}, {__gc = function() print("finalized") end})
  greenlet.spawn(function()
    local variable <close> = closer("other")
    greenlet.sleep(1000)
  end)
  local variable <close> = closer("main")
  greenlet.sleep(0)
  note "ready"
]]

describe("SIGTERM and SIGHUP", function()
  for name, number in pairs { TERM = 15, HUP = 1 } do
    local ways = {
      ["a wait"] = "print(pcall(greenlet.sleep, 1000))",
      ["a computation"] = "while true do pcall(function() end) end",
      ["another greenlet's computation"] = "greenlet.spawn(function() while true do end end):join()",
      ["a coroutine"] = "coroutine.wrap(function() while true do end end)()",
    }
    for what, code in pairs(ways) do
      it(("close what is open and end the process by SIG%s in %s"):format(name, what), function()
        local result = signalled(WAITING .. code, "until_there ready; kill -" .. name .. " $pid")
        assert.equal("", result.stderr)
        assert.equal(("main\tTerminated: SIG%s\nother\tGreenletExit\nfinalized\n"):format(name),
          result.stdout)
        assert.equal(128 + number, result.status)
      end)
    end
  end

  it("end a program that waits in C, after a moment", function()
    local result = signalled([[os.execute("mkfifo fifo") note "ready" io.open("fifo")]],
      "until_there ready; kill -TERM $pid")
    assert.equal(128 + 15, result.status)
  end)

  it("are one if they come twice in a moment", function()
    local result = signalled(WAITING .. "greenlet.sleep(1000)",
      "until_there ready; kill -TERM $pid; kill -TERM $pid; kill -HUP $pid")
    assert.matches("^main\tTerminated.*\nother\tGreenletExit\n", result.stdout)
    assert.is_true(result.status == 128 + 15 or result.status == 128 + 1)
  end)

  it("end a program at once that has been closing for long", function()
    local result = signalled([[
      local variable <close> = setmetatable({}, {__close = function()
        note "closing"
        greenlet.sleep(1000)
      end})
      note "ready"
      greenlet.sleep(1000)]],
      "until_there ready; kill -TERM $pid; until_there closing; sleep 0.3; kill -TERM $pid")
    assert.equal("", result.stderr)
    assert.equal(128 + 15, result.status)
  end)

  it("stay ignored", function()
    local result = program {
      files = { ["s.lua"] = PREFIX .. [[
        note "ready"
        repeat greenlet.sleep(0.001) until io.open("sent")
        print "survived"]] },
      shell = [[trap "" TERM HUP; lua s.lua & pid=$!; until [ -e ready ]; do sleep 0.01; done
        kill -TERM $pid; kill -HUP $pid; touch sent; wait $pid]],
    }
    assert.same({ "survived\n", "", 0 }, { result.stdout, result.stderr, result.status })
  end)

  it("go to a handler of the script's", function()
    local result = signalled([[
      local main = greenlet.getcurrent()
      greenlet.signal("TERM", function() print("handled") os.exit(9) end)
      note "ready"
      greenlet.sleep(1000)]], "until_there ready; kill -TERM $pid")
    assert.same({ "handled\n", "", 9 }, { result.stdout, result.stderr, result.status })
  end)

  it("can be caught by greenlet.pcall", function()
    local result = signalled([[
      note "ready"
      local ok, err = greenlet.pcall(greenlet.sleep, 1000)
      print(ok, err, greenlet.Terminated:class_of(err))]], "until_there ready; kill -TERM $pid")
    assert.same({ "false\tTerminated: SIGTERM\ttrue\n", "", 0 },
      { result.stdout, result.stderr, result.status })
  end)

  it("are not taken by the module in stock lua #stock", function()
    local status = run.program(run.stock, {
      env = { LUA_CPATH = run.resolve(run.greenlua):gsub("[^/]*$", "") .. "?.so;;" },
      e = [[local greenlet = require "greenlet"
        local c <close> = setmetatable({}, {__close = print})
        os.execute("kill -TERM $PPID") greenlet.sleep(1000)]],
    })
    assert.same({ "", 128 + 15 }, { status.stdout, status.status })
  end)
end)

describe("A second Ctrl-C", function()
  local CLOSING = [[
    greenlet.spawn(function()
      local variable <close> = setmetatable({}, {__close = function()
        note "closing"
        %s
      end})
      greenlet.sleep(1000)
    end)
    greenlet.sleep(0)
    note "ready"
    greenlet.sleep(1000)]]

  it("ends the program at once while it cleans up", function()
    local result = signalled(CLOSING:format("greenlet.sleep(1000)"),
      "until_there ready; kill -INT $pid; until_there closing; sleep 0.3; kill -INT $pid")
    assert.equal(130, result.status)
    assert.equal("lua: KeyboardInterrupt\n", result.stderr)
  end)

  it("is the first one if it comes a moment later: keys repeat", function()
    -- The handlers run at once where the signal is unblocked: no machine is too slow for this.
    local result = signalled(CLOSING:format([[
      os.execute("kill -INT $PPID; kill -INT $PPID") print "closed"]]),
      "until_there ready; kill -INT $pid")
    assert.equal(130, result.status)
    assert.equal("closed\n", result.stdout)
  end)
end)

describe("SIGPIPE", function()
  it("ends a program as it ends lua", function()
    -- luasocket, which the specs of the prompt load, has it ignored: by all children, too.
    local function head(name)
      return run.program(name, { shell =
        "{ env --default-signal=PIPE lua -e 'while true do print(1) end'; echo $? >status; } | head -n 1; "
        .. "until [ -s status ]; do sleep 0.01; done; cat status" })
    end
    assert.same(head(run.stock), head(run.greenlua))
    assert.equal("1\n141\n", head(run.greenlua).stdout)
  end)
end)

describe("Signals at random moments", function()
  local command = os.getenv("INTERRUPTS")
  for _, name in ipairs { "INT", "TERM" } do
    for _, mode in ipairs { "GREENLUA_STACK_SLOTS=64", "GREENLUA_STACK_SLOTS=1",
                            "GREENLUA_STACK_MOVE=1" } do
      it(("leave nothing unclosed: SIG%s, %s"):format(name, mode), function()
        if not command then pending("the program that sends them is built by make test") return end
        local script = run.read("spec/reliability/interrupts/busy.lua")
        local result = program {
          files = { ["busy.lua"] = script }, seconds = 200 * require "spec.patience",
          shell = ("%s %s -n 10 -k %s %s busy.lua"):format(mode, command, name,
            run.resolve(run.greenlua)),
        }
        assert.equal(0, result.status, result.stdout .. result.stderr)
      end)
    end
  end
end)

teardown(run.clean)
