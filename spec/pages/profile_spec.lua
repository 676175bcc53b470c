-- The page of a profile, used as a person does.
local browser = require "spec.browser"
local traces = require "spec.pages.traces"
local json = require "dkjson"

local LUA, C, GREENLET, MAIN, WAIT, READY = 0, 1, 2, 3, 5, 6

-- A profile made by hand: frames are known by their texts.
local function new()
  local data = { program = "greenlua 0.1.0", command = "greenlua script.lua", samples = 1234, dropped = 0,
    interval = 997, wall = 2000000, cpu = 1000000, idle = 500000, frames = {}, nodes = {}, shares = {} }
  local known, made, profile = {}, {}, { data = data }

  local function frame(kind, name, file, line)
    local key = ("%d %s %s %d"):format(kind, name, file or "", line or 0)
    if not known[key] then
      data.frames[#data.frames + 1] = { kind, name, file or "", line or 0 }
      known[key] = #data.frames - 1
    end
    return known[key]
  end

  -- Add time to a stack, a list of {kind, name, file, line}; returns the number of its root.
  function profile:stack(frames, cpu, wait)
    local parent, root = 0, nil
    for i, it in ipairs(frames) do
      local key = parent .. " " .. frame(table.unpack(it))
      if not made[key] then
        data.nodes[#data.nodes + 1] = { parent, frame(table.unpack(it)), 0, 0 }
        made[key] = #data.nodes
      end
      parent = made[key]
      if i == 1 then root = parent - 1 end
    end
    local node = data.nodes[parent]
    node[3], node[4] = node[3] + cpu, node[4] + wait
    return root
  end

  function profile:share(root, ...)
    data.shares[#data.shares + 1] = { root, ... }
    return self
  end

  function profile:json()
    return (json.encode(data):gsub("<", "\\u003c"))
  end
  return profile
end

local work, spin = { LUA, "work", "script.lua", 3 }, { LUA, "spin", "script.lua", 1 }
local sleep = { C, "greenlet.sleep" }

-- Two greenlets that have names, and main.
local function small()
  local p = new()
  local heavy, light, main = { GREENLET, "heavy" }, { GREENLET, "light" }, { MAIN, "main" }
  local root = p:stack({ heavy, work, spin }, 600, 0)
  p:stack({ heavy, work }, 30, 0)
  p:stack({ heavy, { READY, "[ready]" } }, 0, 200)
  p:share(root, 1, 630, 0, 200)
  root = p:stack({ light, work, spin }, 200, 0)
  p:stack({ light, work, sleep, { WAIT, "[sleep]" } }, 0, 300)
  p:share(root, 1, 200, 300, 0)
  root = p:stack({ main, { LUA, "main chunk", "script.lua", 0 } }, 170, 0)
  p:stack({ main, { LUA, "main chunk", "script.lua", 0 }, { C, "join" }, { WAIT, "[join]" } }, 0, 500)
  p:share(root, 1, 170, 500, 0)
  return p
end

-- `count` functions, some deep in others.
local function large(count)
  local p, path = new(), { { MAIN, "main" } }
  local root = p:stack(path, 1, 0)
  for i = 1, count do
    local depth = math.min(#path + 1, 2 + i % 40)
    path[depth] = { LUA, "function_" .. i, ("file%d.lua"):format(i % 17), i }
    for j = #path, depth + 1, -1 do path[j] = nil end
    p:stack(path, 1 + i * 7919 % 100, i % 5)
  end
  return p:share(root, 1, 1, 0, 0)
end

describe("the page of a profile", function()
  local it = browser.specs()

  local function show(b, profile, fragment)
    b:open(traces.page("flame", type(profile) == "string" and profile or profile:json()), fragment)
    b:wait_for("window.flame !== undefined")
  end

  local function children(b, ...) return b:script("return flame.children(...arguments)", ...) end
  local function node(b, ...) return b:script("return flame.node(...arguments)", ...) end
  local function place(b, ...) return b:script("return flame.place(...arguments)", ...) end

  it("opens without an error and asks for nothing but itself", function(b)
    show(b, small())
    assert.same({}, b:console())
    assert.same({ b.address }, b:requests())
    assert.equal("greenlua script.lua", b:text("#title"))
    assert.matches("1 s of CPU in 2 s", b:text("#summary"), 1, true)
    assert.matches("1,234 samples, about 997 µs apart", b:text("#summary"), 1, true)
    assert.is_nil(b:text("#summary"):find("lost", 1, true))
  end)

  it("shows stacks from their roots on, the greatest first", function(b)
    show(b, small())
    assert.same({ "heavy", "light", "main" }, children(b))
    assert.same({ "work (script.lua:3)" }, children(b, "heavy"))
    assert.same({ 630, 30 }, { node(b, "heavy").total, node(b, "heavy", "work (script.lua:3)").self })
    local at = b:script("const p = flame.place('light', 'work (script.lua:3)'); return flame.at(p.x, p.y)")
    assert.same({ "light", "work (script.lua:3)" }, at.path)
  end)

  it("shows waiting, and both, at a click", function(b)
    show(b, small())
    b:click("[data-mode=wait]")
    b:wait_for("flame.shown().mode === 'wait'")
    assert.same({ "main", "light", "heavy" }, children(b))
    assert.same({ "[sleep]" }, children(b, "light", "work (script.lua:3)", "greenlet.sleep [C]"))
    b:click("[data-mode=both]")
    b:wait_for("flame.shown().mode === 'both'")
    assert.equal(2000, b:script("return flame.shown().total"))
    assert.equal(830, node(b, "heavy").total)
  end)

  it("puts greenlets of one function together", function(b)
    show(b, small())
    b:click("#merged")
    b:wait_for("flame.shown().merged")
    assert.same({ "work (script.lua:3)", "main" }, children(b))
    assert.equal(830, node(b, "work (script.lua:3)").total)
    assert.equal(800, node(b, "work (script.lua:3)", "spin (script.lua:1)").self)
    b:script("flame.show('wait')")
    assert.equal(200, node(b, "work (script.lua:3)", "[ready]").total)
  end)

  it("zooms into what is clicked, and out again", function(b)
    show(b, small())
    b:click(place(b, "light"))
    b:wait_for("flame.shown().focus.length === 1")
    b:wait_for("Math.abs(flame.place('light').x - innerWidth / 2) < 20 && !flame.place('main')")
    b:script("flame.show('both')") -- stays there
    assert.same({ "light" }, b:script("return flame.shown().focus"))
    b:click("#all")
    b:wait_for("flame.shown().focus.length === 0 && flame.place('main')")
  end)

  it("says how much of the time has what is searched", function(b)
    show(b, small())
    b:click("#search")
    b:type("SPIN")
    b:wait_for("document.querySelector('#found').textContent !== ''")
    assert.equal("80.0 %, 800 µs", b:text("#found"))
    assert.equal(830, b:script("return flame.search('work')"))
    assert.equal(0, b:script("return flame.search('nobody')"))
    assert.equal("nothing found", b:text("#found"))
  end)

  it("tells of the frame under the pointer", function(b)
    show(b, small())
    b:point(place(b, "light", "work (script.lua:3)", "spin (script.lua:1)"))
    b:wait_for("!document.querySelector('#tip').hidden")
    local tip = b:text("#tip")
    for _, text in ipairs { "spin", "script.lua:1", "200 µs, 20.0 %", "100.0 %" } do
      assert.truthy(tip:find(text, 1, true), tip)
    end
  end)

  it("has tables that sort", function(b)
    show(b, small())
    local function names(table)
      local list = b:script(("return flame.tables.%s.rows().map((row) => row.name)"):format(table))
      return table == "greenlets" and list or { table.unpack(list) }
    end
    assert.same({ "heavy", "light", "main" }, names("greenlets"))
    b:click("#greenlets th[data-key=wait]")
    assert.same({ "main", "light", "heavy" }, names("greenlets"))
    b:click("#greenlets th[data-key=wait]")
    assert.same({ "heavy", "light", "main" }, names("greenlets"))
    local rows = b:script("return flame.tables.functions.rows()")
    assert.same({ "spin", 800, 800 }, { rows[1].name, rows[1].self, rows[1].total })
    assert.same({ "work", 30, 830 }, { rows[3].name, rows[3].self, rows[3].total })
    b:click("#functions tbody tr:nth-child(3)")
    b:wait_for("document.querySelector('#found').textContent.startsWith('83.0 %')")
  end)

  it("counts recursion once", function(b)
    local p = new()
    p:stack({ { MAIN, "main" }, work, spin, work, spin }, 100, 0)
    show(b, p)
    local rows = b:script("return flame.tables.functions.rows()")
    assert.same({ "spin", 100, 100 }, { rows[1].name, rows[1].self, rows[1].total })
    assert.same({ "work", 0, 100 }, { rows[2].name, rows[2].self, rows[2].total })
  end)

  it("shows names as text, whatever they are", function(b)
    local p, evil = new(), "</script><script>alert(1)</script><b onclick=alert(2)>&amp;\n\u{202e}"
    p:stack({ { GREENLET, evil }, { LUA, evil, evil, 1 }, { C, evil } }, 100, 0)
    p:share(0, 1, 100, 0, 0)
    p.data.command = evil
    show(b, p)
    assert.is_nil(b:dialog())
    assert.same({}, b:console())
    assert.equal(0, b:script("return document.querySelectorAll('#bottom b, header b').length"))
    assert.truthy(b:text("#greenlets tbody"):find("</script><script>alert(1)</script><b onclick", 1, true))
  end)

  it("says that nothing is there", function(b)
    show(b, new())
    assert.matches("Nothing has used the CPU", b:text("#nothing"), 1, true)
    show(b, small(), "#mode=wait")
    assert.is_true(b:script("return document.querySelector('#nothing').hidden"))
  end)

  it("says what is wrong with a file", function(b)
    for _, text in ipairs { "", "{\"frames\":[", "[]" } do
      show(b, text)
      assert.truthy(#b:text("#problem") > 20)
      assert.same({}, b:console())
    end
  end)

  it("draws twenty thousand frames in no time", function(b)
    show(b, large(20000))
    assert.truthy(b:script("return flame.counts.nodes") >= 20000)
    local best = b:script("return Math.min(...Array.from({ length: 20 }, () => flame.frame()))")
    assert.truthy(best < 50, best) -- of a slow machine; it is two on a usual one
  end)
end)
