-- C modules built for stock Lua 5.4 and the tools around it work under greenlua.
local run = require "spec.cmd.run"

local function check(case, stdout)
  local result = run.program(run.greenlua, case)
  assert.same({ stdout = stdout, stderr = "", status = 0 }, result)
end

-- Each body ends by printing "good". Some switch in between, or inside the module.
local modules = {
  { "lfs", [[
    local lfs = require "lfs"
    assert(lfs.mkdir "d" and lfs.attributes("d", "mode") == "directory")
    local names = {}
    for name in lfs.dir "." do
      names[name] = true
      greenlet.sleep(0)
    end
    assert(names.d and names["t.lua"])
    assert(lfs.rmdir "d" and not lfs.attributes "d")
    print "good"]] },
  { "lpeg", [[
    local lpeg = require "lpeg"
    local number = lpeg.R "09" ^ 1 / tonumber
    local function add(a, b)
      greenlet.sleep(0)
      return a + b
    end
    assert(lpeg.Cf(number * (lpeg.P "+" * number) ^ 0, add):match "1+20+300" == 321)
    assert(require "re".match("key=value", "{| {:k: %w+ :} '=' {:v: %w+ :} |}").v == "value")
    print "good"]] },
  { "socket", [[
    local socket = require "socket"
    local server = assert(socket.bind("127.0.0.1", 0))
    local client = assert(socket.connect("127.0.0.1", (select(2, server:getsockname()))))
    local peer = assert(server:accept())
    assert(client:send "hello\n")
    greenlet.sleep(0)
    assert(peer:send(peer:receive "*l" .. " back\n"))
    assert(client:receive "*l" == "hello back")
    for _, s in ipairs { client, peer, server } do s:close() end
    print "good"]] },
  { "ssl", [[
    assert(require "ssl".newcontext { mode = "client", protocol = "any", verify = "none" })
    print "good"]] },
  { "cjson", [[
    local cjson = require "cjson"
    local back = cjson.decode(cjson.encode { list = { 1, 2.5, "three" }, none = cjson.null })
    assert(back.list[2] == 2.5 and back.list[3] == "three" and back.none == cjson.null)
    assert(not pcall(cjson.decode, "{"))
    print "good"]] },
  { "dkjson", [[
    local json = require "dkjson"
    local back = json.decode(json.encode { list = { 1, 2.5, "three" } })
    assert(back.list[2] == 2.5 and back.list[3] == "three" and not json.decode "{")
    print "good"]] },
}

describe("a module of Debian's", function()
  teardown(run.clean)

  for _, module in ipairs(modules) do
    local name, body = module[1], module[2]
    describe(name, function()
      it("works in the main greenlet", function()
        check({ script = body }, "good\n")
      end)

      it("works in a spawned greenlet", function()
        check({ script = ("greenlet.spawn(function()\n%s\nend):get()"):format(body) }, "good\n")
      end)
    end)
  end

  describe("posix", function()
    pending("Debian 12 builds luaposix for Lua 5.1 to 5.3 only")
  end)
end)

describe("a tool", function()
  teardown(run.clean)

  it("of LuaRocks: a wrapper script", function()
    check({
      files = {
        ["bin/tool"] = [[
#!/bin/sh
LUAROCKS_SYSCONFDIR='/etc/luarocks' exec lua -e 'package.path="tree/?.lua;"..package.path; '\
'package.cpath="tree/?.so;"..package.cpath; local k,l,_=pcall(require,"no.such.loader") '\
'_=k and l.add_context("tool","1.0-1")' bin/tool.lua "$@"
]],
        ["bin/tool.lua"] = [[
#!/usr/bin/env lua
greenlet.spawn(print, (require "part"), arg[0], ...)
]],
        ["tree/part.lua"] = "return 'part'",
      },
      shell = "sh bin/tool a 'b c' -x",
    }, "part\tbin/tool.lua\ta\tb c\t-x\n")
  end)

  it("of busted: --lua=greenlua", function()
    local result = run.program(run.greenlua, {
      files = {
        ["x_spec.lua"] = [[
          describe("a spec", function()
            it("sleeps, spawns and joins", function()
              local done = 0
              local function work(n) greenlet.sleep(0.01) done = done + n end
              local list = { greenlet.spawn(work, 1), greenlet.spawn(work, 2) }
              greenlet.joinall(list)
              assert.equal(3, done)
              greenlet.sleep(0.01)
              assert.equal(7, greenlet.spawn(function() return 7 end):get())
            end)
            it("sees an error of a greenlet", function()
              assert.has_error(function() greenlet.spawn(error, "oops", 0):get() end, "oops")
            end)
          end)]],
      },
      env = { STOCK = run.resolve(run.stock) },
      shell = [["$STOCK" "$(command -v busted)" --lua=lua -o TAP x_spec.lua 2>/dev/null]],
    })
    assert.same({ 0, "1..2" }, { result.status, result.stdout:match "1%.%.2" })
    assert.not_matches("not ok", result.stdout)
  end)
end)
