-- The programs in scripts/docs, on docstrings made up here.
package.path = "scripts/docs/?.lua;" .. package.path

local api = require "api"
local blocks = require "blocks"
local docstrings = require "docstrings"
local man = require "man"
local options = require "options"
local pages = require "pages"
local plain = require "plain"
local run = require "spec.cmd.run"

local C = [[
/*** Things that pass time.
 * ```lua
 * @order is no tag here
 * ```
 * @module greenlet.clock
 * @order wind
 */
/* An ordinary comment. */
/*** Wait, for
 * a while.
 * @function greenlet.clock.wait
 * @function Clock:wait
 * @tparam function f what to
 *   call then
 * @tparam[opt=1] number|Timeout seconds how long
 * @tparam[opt] string name
 * @treturn boolean whether it rang
 * @raise bad argument
 * @switches yes
 * @usage local c = Clock()
 *   for i = 1, 2 do
 *     c:wait(print)
 *   end
 * @source gevent.clock
 */
/*** Concerns maintainers alone. */
]]

local LUA = [[
--- A clock.
-- @class greenlet.clock.Clock
-- @tfield number Clock.hour from 0 | to 23
-- @tfield number Clock.minute of it

--- Wind it up.
-- @function Clock:wind
function Clock:wind() end

--- A clock that rings.
-- @class greenlet.clock.Alarm
-- @super greenlet.clock.Clock

--- An internal function.
-- @param x anything
local function f(x) end
]]

local function file(name, text)
  local path = run.directory() .. "/" .. name
  local handle <close> = assert(io.open(path, "wb"))
  handle:write(text)
  return path
end

local function read_clock()
  return api.read { file("clock.c", C), file("clock.lua", LUA) }
end

describe("scripts/docs", function()
  teardown(run.clean)

  describe("docstrings", function()
    it("are read from C and Lua, and only those of public things", function()
      local names = {}
      for i, entry in ipairs(read_clock().entries) do names[i] = entry.kind .. " " .. entry.name end
      assert.same({
        "module greenlet.clock", "function greenlet.clock.wait",
        "class greenlet.clock.Clock", "field Clock.hour", "field Clock.minute",
        "function Clock:wind", "class greenlet.clock.Alarm",
      }, names)
    end)

    it("have tags that go on over lines, and examples that keep theirs", function()
      local wait = read_clock().by_name["Clock:wait"]
      assert.equal("Wait, for\na while.", wait.text)
      assert.equal("what to call then", wait.params[1].text)
      assert.equal("local c = Clock()\nfor i = 1, 2 do\n  c:wait(print)\nend", wait.usage)
      assert.same({ "greenlet.clock.wait(f [, seconds=1 [, name]])" }, api.calls(wait))
    end)

    it("are refused with their place when they are wrong", function()
      for text, message in pairs {
        ["--- F.\n-- @function f\n-- @treturns x\n"] = ":1: docstring: .*unknown tag @treturns",
        ["\n--- @function f\n"] = ":2: docstring: .*it says nothing",
        ["--- F.\n-- @function\n"] = ":1: docstring: .*@function needs one name",
        ["--- F.\n-- @function f\n-- @class f\n"] = ":1: docstring: .*two kinds of subjects",
      } do
        local ok, err = pcall(docstrings.read, file("wrong.lua", text))
        assert.is_false(ok)
        assert.matches("wrong%.lua" .. message, err)
      end
    end)

    it("need a page, a class, and names of their own", function()
      local F = "--- F.\n-- @function greenlet.f\n\n"
      for text, message in pairs {
        [F] = "no page greenlet",
        ["--- F.\n-- @function C:f\n"] = "no class C",
        ["--- P.\n-- @page greenlet P\n\n" .. F .. F] = "'greenlet.f' has one already",
      } do
        local ok, err = pcall(api.read, { file("wrong.lua", text) })
        assert.is_false(ok)
        assert.matches(message, err, 1, true)
      end
    end)
  end)

  it("writes a page with all of it, in order", function()
    local all = read_clock()
    local text = pages.render(all, all.pages[1])
    local last = 0
    for _, part in ipairs {
      "# greenlet.clock\n",
      "## greenlet.clock.wait\n",
      "- *seconds* (number or Timeout, default 1): how long.\n",
      "- Returns boolean: whether it rang.\n",
      "- Follows `gevent.clock`.\n",
      "- Also `Clock:wait`.\n",
      "## greenlet.clock.Alarm\n",
      "Derives from [greenlet.clock.Clock](clock.md#greenletclockclock), which has " ..
        "[wait](clock.md#clockwait), [wind](clock.md#clockwind).",
      "## greenlet.clock.Clock\n",
      "| `Clock.hour` | number | from 0 \\| to 23 |\n",
      "### Clock:wait\n",
      "As [greenlet.clock.wait](clock.md#greenletclockwait).",
      "### Clock:wind\n",
    } do
      local at = text:find(part, last + 1, true)
      assert.is_truthy(at, part .. " is not there, or not in its place:\n" .. text)
      last = at
    end
  end)

  it("knows Markdown", function()
    local text = "# T\nA\nb.\n- x\n  y\n\n1. one\n\n| a | b |\n|---|---|\n| `x\\|y` | z |\n" ..
      "\n    code\n\n```lua\nmore\n```\n<!-- not\nthis -->\n"
    local kinds = {}
    for i, block in ipairs(blocks.parse(text)) do kinds[i] = block.kind end
    assert.same({ "heading", "paragraph", "list", "list", "table", "code", "code" }, kinds)
    assert.equal("x|y: z", (plain.text("| a | b |\n|---|---|\n| x\\|y | z |"):gsub("^%- ", "")))
  end)

  it("lays text out in 79 columns", function()
    local text = plain.text(("word "):rep(100) .. "\n\n- " .. ("[item](x.md) "):rep(60))
    for line in text:gmatch("[^\n]+") do assert.is_true(#line <= 79) end
    assert.is_nil(text:find("x.md", 1, true))
    assert.equal("[Two lanes.]\n\nSee b (c).", plain.text("![Two lanes.](p.png)\n\nSee [b](b.md) (c)."))
    assert.matches("\n%- item item.*\n  item", text)
  end)

  it("escapes what roff would take for its own", function()
    local page = "# T\n\nn - a - b\n\n## Options\n\n`-x`, \\ and ...\n\n" ..
      "    .TH 'x'\n\n.dots [a](b)\n"
    local text = man.render(page,
      { name = "n", section = 1, date = "2026-01-01", version = "n 1" })
    assert.matches("\nn \\- a \\- b\n.SH OPTIONS\n\\fB\\-x\\fR, \\e and ...\n", text, 1, true)
    assert.matches("\n\\&.TH 'x'\n", text, 1, true)
    assert.matches("\n\\&.dots a\n", text, 1, true)
  end)

  it("finds the options in their table, however that is broken into lines", function()
    local source = [[
static const char usage[] = "usage: %s\n"
                            "  -e stat   execute string 'stat'\n"
                            "  --        stop\n";
static const struct own_option own_options[] = {
  {"--help", "", "show this", OPTIONS_HELP, 0},
  {"--leaks", "=warn|error", "tell which greenlets "
                             "are blocked",
   VALUE(leaks)},
};
]]
    assert.equal([[
| option | what it does |
|---|---|
| `-e stat` | execute string 'stat' |
| `--` | stop |
| `--help` | show this |
| `--leaks=warn\|error` | tell which greenlets are blocked |]], options.table(source))
  end)
end)
