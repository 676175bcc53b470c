local parts = require "spec.cmd.parts"
local run = require "spec.cmd.run"

describe("cmd.complete", function()
  teardown(run.clean)

  -- Directories by path, with names as cmd.files.list gives them.
  local DIRECTORIES = {
    ["."] = { "main.lua", "lib/", ".hidden", "with'quote" },
    ["lib/"] = { "alpha.lua", "sub/", "old.lua~" },
    ["lib/sub/"] = { "deep.lua", "native.so" },
    ["mod/"] = { "one.lua", "two/", "a.b.lua" },
    ["mod/two/"] = { "three.lua", "init.lua" },
  }

  local cmd, session, path, cpath

  before_each(function()
    cmd = parts.new {
      files = { list = function(directory) return DIRECTORIES[directory] end },
      commands = { names = function() return { "help", "kill", "ps" } end,
                   greenlets = function() return { "server", "3" } end },
      docs = { names = function() return { "greenlet.spawn", "greenlet.sleep" } end,
               topics = function() return { gevent = "text", go = "text" } end },
    }
    session = cmd.source.session()
    path, cpath = package.path, package.cpath
  end)

  after_each(function()
    package.path, package.cpath = path, cpath
    rawset(_G, "spec_", nil)
  end)

  local function at(text, point)
    local start, candidates, suffix = cmd.complete.at(text, point or #text, session)
    return text:sub(1, start), candidates, suffix
  end

  local function offered(text) return (select(2, at(text))) end

  local function has(text, candidate)
    for _, found in ipairs(offered(text)) do
      if found == candidate then return true end
    end
    return false
  end

  describe("of names", function()
    it("offers globals, keywords and the session's locals", function()
      assert.same({ "print" }, offered "pri")
      assert.same({ "repeat", "require", "return" }, offered "re")
      session:load "local spec_local, spec_other = 1"()
      rawset(_G, "spec_", 1)
      assert.same({ "spec_", "spec_local", "spec_other" }, offered "spec_")
      assert.is_true(has("", "while"))
      assert.is_true(has("print(", "string"))
    end)

    it("offers what the text itself declares", function()
      assert.same({ "alpha", "alphabet" }, offered "function f(alpha, alphabet) return alph")
      assert.same({ "alpha" }, offered "for alpha, beta in pairs(t) do x = alph")
      assert.same({ "alpha" }, offered "local alpha <const>, b = 1\nprint(alph")
      assert.same({}, offered "t.alpha = 1 alph")
    end)

    it("replaces the word at the cursor alone", function()
      assert.same({ "x = ", { "print" }, "" }, { at("x = pri + y", 7) })
      assert.same({ "f(a)\nx = ", { "print" }, "" }, { at "f(a)\nx = pri" })
    end)

    it("offers nothing in comments, numbers and behind unknown values", function()
      for _, text in ipairs {
        "-- pri", "--[[ pri", "12", "0x1", "f().", "nothing.x", "a.b.c.", "x = .",
      } do
        assert.same({}, offered(text))
      end
    end)
  end)

  describe("of fields", function()
    it("offers them along a path", function()
      assert.same({ "format" }, offered "string.fo")
      assert.same({ "string.", { "format" }, "" }, { at "string.fo" })
      rawset(_G, "spec_", {
        list = { { deep = { er = 1 } } }, ["a b"] = { c = 1 }, ["end"] = 1, ["x y"] = 1,
      })
      assert.same({ "list" }, offered "spec_.")
      assert.same({ "deep" }, offered "spec_.list[1].")
      assert.same({ "er" }, offered "spec_ . list [1] . deep . e")
      assert.same({ "c" }, offered "x = spec_['a b'].")
      assert.same({ "c" }, offered 'spec_["a\\32b"].')
    end)

    it("offers those of the session's locals, which hide globals", function()
      rawset(_G, "spec_", { global = 1 })
      session:load "local spec_ = { mine = 1 }"()
      assert.same({ "mine" }, offered "spec_.")
      session:load "local spec_"()
      assert.same({}, offered "spec_.")
    end)

    it("offers methods behind a colon, through tables of __index", function()
      local callable = setmetatable({}, { __call = print })
      local base = { inherited = function() end, value = 1, callable = callable }
      local class = setmetatable({ own = function() end }, { __index = base })
      rawset(_G, "spec_", setmetatable({ field = 1 }, { __index = class }))
      assert.same({ "callable", "inherited", "own" }, offered "spec_:")
      assert.same({ "callable", "field", "inherited", "own", "value" }, offered "spec_.")
      assert.same({ "unpack", "upper" }, offered "('x'):u")
      assert.same({ "flush" }, offered "io.stdout:fl")
    end)

    it("offers names that begin with _ to who has typed that", function()
      rawset(_G, "spec_", { _private = 1, public = 2, _VERSION = 3 })
      assert.same({ "public" }, offered "spec_.")
      assert.same({ "_VERSION", "_private" }, offered "spec_._")
    end)

    it("runs nothing of the user's", function()
      local function fails() error "called" end
      local meta = { __index = fails, __pairs = fails, __len = fails, __tostring = fails,
                     __eq = fails, __name = {}, __call = fails, __metatable = false }
      rawset(_G, "spec_", setmetatable({ field = setmetatable({ x = 1 }, meta) }, meta))
      assert.same({ "field" }, offered "spec_.")
      assert.same({ "x" }, offered "spec_.field.")
      assert.same({}, offered "spec_.other.")
      local loop = setmetatable({}, {})
      getmetatable(loop).__index = loop
      rawset(_G, "spec_", loop)
      assert.same({}, offered "spec_.a.")
      assert.same({}, offered "spec_:")
    end)

    it("offers 1,000 at most of a large table", function()
      local large = {}
      for i = 1, 100000 do large["key" .. i] = i end
      rawset(_G, "spec_", large)
      assert.equal(1000, #offered "spec_.")
      assert.equal(11, #offered "spec_.key9999")
    end)
  end)

  describe("in a string", function()
    it("offers files, with directories' names ended by /", function()
      assert.same({ 'io.open("', { "lib/", "main.lua" }, "" }, { at 'io.open("' })
      assert.same({ 'io.open("', { "main.lua" }, '"' }, { at 'io.open("ma' })
      assert.same({ 'io.open("', { "lib/" }, "" }, { at 'io.open("li' })
      assert.same({ "x = 'lib/sub/", { "deep.lua" }, "'" }, { at "x = 'lib/sub/de" })
      assert.same({ "f[[lib/", { "sub/" }, "" }, { at "f[[lib/s" })
      assert.same({ "'", { ".hidden" }, "'" }, { at "'." })
      assert.same({}, offered "'nowhere/")
      assert.same({}, offered "'lib\\n")
    end)

    it("knows the home directory", function()
      local home = os.getenv "HOME"
      DIRECTORIES[home .. "/"] = { "notes" }
      assert.same({ "'", { home .. "/notes" }, "'" }, { at "'~/no" })
    end)

    it("offers modules behind require", function()
      package.path, package.cpath = "mod/?.lua;mod/?/init.lua", "lib/sub/?.so"
      package.preload["mod_preload"] = print
      finally(function() package.preload["mod_preload"] = nil end)
      assert.same({ "require '", { "mod_preload" }, "'" }, { at "require 'mod_p" })
      assert.same({ 'require("', { "one" }, '"' }, { at 'require("on' })
      assert.same({ 'require("', { "native" }, '"' }, { at 'require("nati' })
      assert.same({ 'require"', { "two." }, "" }, { at 'require"tw' })
      assert.same({ 'require"', { "two.init", "two.three" }, "" }, { at 'require"two.' })
      assert.same({ "string" }, offered "local s = require 'stri")
      assert.same({}, offered "x.require 'stri")
    end)
  end)

  describe("of commands", function()
    it("offers their names", function()
      assert.same({ ":", { "help", "kill", "ps" }, " " }, { at ":" })
      assert.same({ ":", { "kill" }, " " }, { at ":k" })
      assert.same({}, offered "::k")
    end)

    it("offers what is documented", function()
      assert.is_true(has(":help ge", "gevent"))
      assert.is_true(has(":doc greenlet.s", "greenlet.spawn"))
      assert.same({ "?", { "greenlet.sleep" }, "" }, { at "?greenlet.sl" })
      assert.is_true(has("??string.fo", "string.format"))
    end)

    it("offers greenlets and jobs", function()
      rawset(_G, "jobs", { true, [3] = true })
      finally(function() rawset(_G, "jobs", nil) end)
      assert.same({ "3", "jobs[1]", "jobs[3]", "server" }, offered ":kill ")
      assert.same({ "server" }, offered ":why s")
      assert.same({ ":bt ", { "jobs[1]", "jobs[3]" }, "" }, { at ":bt j" })
    end)

    it("offers files, and Lua", function()
      assert.same({ ":load lib/", { "alpha.lua" }, "" }, { at ":load lib/al" })
      assert.same({ ":time string.", { "format" }, "" }, { at ":time string.fo" })
    end)

    it("does without what other parts offer", function()
      cmd.commands, cmd.docs = { names = error }, { names = 5 }
      for _, text in ipairs { ":", ":k", "?x", ":help x", ":kill zz", ":doc " } do
        assert.is_table(offered(text))
      end
    end)
  end)

  it("never raises", function()
    local pieces = { "a", ".", ":", "[", "]", "(", ")", "'", '"', "[[", "--", "\n", "\\", "string",
                     "require", "?", " ", "local", "function", "=", ",", "1", "~/", "\xff", "\0",
                     "&", "<", "..." }
    math.randomseed(1)
    for _ = 1, 5000 do
      local text = {}
      for i = 1, math.random(12) do text[i] = pieces[math.random(#pieces)] end
      text = table.concat(text)
      local point = math.random(0, #text)
      local start, candidates, suffix = cmd.complete.at(text, point, session)
      assert.is_true(start <= point and start >= 0)
      for _, candidate in ipairs(candidates) do assert.is_string(candidate) end
      assert.is_string(suffix)
    end
  end)

  it("knows greenlet's objects, and computes none of their attributes", function()
    local result = run.program(run.greenlua, { script = parts.OF_THE_PROGRAM .. [[
      local function show(text)
        local _, list = cmd.complete.at(text, #text)
        print(table.concat(list, " "))
      end
      q = require "greenlet.queue".Queue()
      g = greenlet.spawn(function() end)
      hub = greenlet.get_hub()
      show "q:pu" show "q.maxs" show "g:jo" show "g.val" show "g:val" show "greenlet.Greenlet:sp"
      show "greenlet.spawn_" show "require 'greenlet.q" show "hub.lo"
      bad = greenlet.spawn(error, "unobserved", 0)
      greenlet.sleep(0)
      show "bad.exception." show "bad.excepti"]] })
    assert.equal([[
put put_nowait
maxsize
join
value

spawn spawn_later
spawn_later spawn_raw
greenlet.queue
loop

exception
]], result.stdout)
    assert.matches("^unobserved\n", result.stderr)
    assert.equal(1, result.status)
  end)

  it("reads directories", function()
    local result = run.program(run.greenlua, {
      files = { ["sub/file"] = "", ["other"] = "" },
      script = parts.OF_THE_PROGRAM .. [[
        for _, text in ipairs { "'", "'su", "'sub/", "'nowhere/" } do
          local start, list, suffix = cmd.complete.at(text, #text)
          print(start, table.concat(list, " "), suffix)
        end]],
    })
    assert.equal("1\tother sub/ t.lua\t\n1\tsub/\t\n5\tfile\t'\n9\t\t\n", result.stdout)
  end)
end)
