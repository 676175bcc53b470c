-- From a script to the page: what greenlua writes, as a browser shows it.
local browser = require "spec.browser"
local run = require "spec.cmd.run"

local SCRIPT = [[
local lock = greenlet.lock.Lock("accounts")
local function named(name, f)
  local g = greenlet.spawn(f)
  g.name = name
  return g
end
local first = named("first", function()
  lock:acquire()
  greenlet.sleep(0.002)
  lock:release()
end)
local second = named("second", function()
  named("inner", function() greenlet.sleep(0.001) end)
  lock:acquire()
  lock:release()
end)
named("</script><script>alert(1)", function() greenlet.sleep(0.001) end)
named("<img src=x onerror=alert(2)>", function() error("</script><b>oops") end)
greenlet.joinall { first, second }
]]

describe("the page that greenlua writes", function()
  local it = browser.specs()

  local function show(b, option)
    local result = run.program(run.greenlua, {
      files = { ["t.lua"] = SCRIPT },
      shell = ("lua %s t.lua 2>/dev/null; cat *.html"):format(option),
    })
    b:open(result.stdout)
    b:wait_for("window.timeline !== undefined")
  end

  -- The lane of a greenlet, found by its name.
  local function lane(b, name)
    return b:script([[
      const found = timeline.lanes().find((lane) => lane.name === arguments[0]);
      return found && { tid: found.tid, depth: found.depth, slices: timeline.slices(found.tid) };]],
      name)
  end

  local function names(lane_found)
    local list = {}
    for _, slice in ipairs(lane_found.slices) do
      if slice.kind == "wait" then list[#list + 1] = slice.name end
    end
    return list
  end

  it("opens without an error, asks for nothing, and has all lanes", function(b)
    show(b, "--trace=t.html")
    assert.same({}, b:console())
    assert.same({ b.address }, b:requests())
    assert.same({ "sleep" }, names(lane(b, "first")))
    assert.same({ 'acquire of lock "accounts"' }, names(lane(b, "second")))
    assert.equal(lane(b, "second").depth + 1, lane(b, "inner").depth)
  end)

  it("knows the lines", function(b)
    show(b, "--trace=t.html")
    local slices = lane(b, "second").slices
    for _, slice in ipairs(slices) do
      if slice.kind == "wait" then assert.equal("t.lua:14", slice.line) end
    end
    assert.is_truthy(b:script("return document.getElementById('trace').textContent")
      :find('"t.lua:14":"  lock:acquire()"', 1, true))
  end)

  it("shows names as names", function(b)
    show(b, "--trace=t.html")
    assert.is_nil(b:dialog())
    assert.same({ "sleep" }, names(lane(b, "</script><script>alert(1)")))
    assert.is_table(lane(b, "<img src=x onerror=alert(2)>"))
    assert.equal(0, b:script("return document.querySelectorAll('img, b').length"))
    assert.same({ "</script><script>alert(1)" },
      b:script([[
        timeline.search("alert(1)");
        return timeline.lanes().filter((lane) => lane.matches).map((lane) => lane.name);]]))
  end)

  it("of the flight recorder is one, too", function(b)
    local result = run.program(run.greenlua, {
      files = { ["t.lua"] = SCRIPT .. "error('now')" },
      shell = "lua --flight-recorder=t.html t.lua 2>/dev/null; cat t.html",
    })
    b:open(result.stdout)
    b:wait_for("window.timeline !== undefined")
    assert.same({}, b:console())
    assert.same({ "sleep" }, names(lane(b, "first")))
  end)
end)
