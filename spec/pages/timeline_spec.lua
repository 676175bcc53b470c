local browser = require "spec.browser"
local timeline = require "spec.pages.timeline"
local traces = require "spec.pages.traces"

local show, small = timeline.show, timeline.small

local function names(lanes)
  local list = {}
  for i, lane in ipairs(lanes) do list[i] = ("%s%s"):format((" "):rep(lane.depth), lane.name) end
  return list
end

-- The texts that a frame writes on the lanes, in a set.
local function written(b)
  local texts = {}
  for _, text in ipairs(b:script([[
    const pen = CanvasRenderingContext2D.prototype, former = pen.fillText, texts = [];
    pen.fillText = function (text, ...rest) { texts.push(text); former.call(this, text, ...rest); };
    try { timeline.frame(); } finally { pen.fillText = former; }
    return texts]])) do
    texts[text] = true
  end
  return texts
end

describe("the page of a timeline", function()
  local it = browser.specs()

  local function range(b) return b:script("return timeline.range()") end
  local function place(b, ...) return b:script("return timeline.place(...arguments)", ...) end

  it("opens without an error and asks for nothing but itself", function(b)
    show(b, small())
    assert.same({}, b:console())
    local address = b.address
    assert.same({ address }, b:requests())
    assert.is_nil(b:dialog())
    assert.same("script.lua", b:text("#title"))
    assert.matches("of 6 greenlets in 1 ms", b:text("#summary"))
    assert.is_true(b:script("return document.querySelector('#lost').hidden"))
  end)

  it("is named after the script, without its directory", function(b)
    local t = small()
    t.other.script = "/a/long/way/to/script.lua"
    show(b, t)
    assert.same("script.lua", b:text("#title"))
    assert.same("script.lua - greenlua", b:script("return document.title"))
    assert.same(t.other.script, b:script("return document.querySelector('#title').title"))
  end)

  it("has D3's notice", function()
    assert.truthy(traces.page("timeline", ""):find("Michael Bostock", 1, true))
  end)

  describe("lanes", function()
    it("are in the order of the tree", function(b)
      show(b, small())
      assert.same({ "hub", "main", " reader", "  parser a", "  parser b", " writer" },
        names(b:script("return timeline.lanes()")))
    end)

    it("have slices that say what the trace says", function(b)
      show(b, small())
      local slices = b:script("return timeline.slices(4)")
      assert.same({ "ready", "run", "wait", "ready", "run" },
        { slices[1].kind, slices[2].kind, slices[3].kind, slices[4].kind, slices[5].kind })
      assert.same({ tid = 4, kind = "wait", from = 300, to = 560, name = "get of queue jobs",
        reason = "get of", line = "script.lua:12" }, slices[3])
    end)

    it("are found at a place of the screen", function(b)
      show(b, small())
      local found = b:script("const p = timeline.place(4, 400); return timeline.at(p.x, p.y)")
      assert.same({ 4, 300, 560, 1 }, { found.tid, found.slice.from, found.slice.to, found.count })
      found = b:script("const p = timeline.place(6); return timeline.at(p.x, p.y)")
      assert.same({ 6, true }, { found.tid, found.label })
    end)

    local function width_of(b, text)
      return b:script([[
        const pen = document.createElement("canvas").getContext("2d");
        const style = getComputedStyle(document.documentElement);
        pen.font = `11px ${style.getPropertyValue("--sans")}`;
        return pen.measureText(arguments[0]).width]], text)
    end

    -- So that the slice of a wait from 300 to 560 has about so many pixels.
    local function slice_of(b, pixels)
      local p, q = place(b, 4, 300), place(b, 4, 560)
      local now = range(b)
      local longer = (now.to - now.from) * (q.x - p.x) / pixels
      return b:script("return timeline.zoom(430 - arguments[0] / 2, 430 + arguments[0] / 2)", longer)
    end

    it("say of a wait as much as fits: all, what it is for, its name, how that begins", function(b)
      show(b, small())
      local all, jobs = 'get of queue "jobs"', width_of(b, "jobs")
      for _, case in ipairs { { width_of(b, all), all }, { width_of(b, all) - 6, 'queue "jobs"' },
        { width_of(b, 'queue "jobs"') - 6, "jobs" }, { jobs * 0.85, "jo…" } } do
        local t = small()
        t:run(3, 1e5, 1e5 + 1) -- so that there is room to zoom out
        for i, line in ipairs(t.lines) do
          t.lines[i] = line:gsub("get of queue jobs", 'get of queue \\"jobs\\"')
        end
        show(b, t, "#from=0&to=1000")
        slice_of(b, case[1] + 10)
        assert.is_true(written(b)[case[2]], case[2])
      end
      slice_of(b, jobs * 0.5 + 10)
      local texts = written(b)
      assert.is_nil(texts["j…"] or texts["jo…"])
    end)

    it("have the place of the function, or its end, beside the name", function(b)
      local t = small()
      local directory = ("directory/"):rep(10)
      t:greenlet(7, "near", { ["function"] = "src/near.lua:3" })
      t:greenlet(8, "far", { ["function"] = directory .. "far.lua:4" })
      t:greenlet(9, "long", { ["function"] = ("x"):rep(100) .. "end.lua:5" })
      show(b, t)
      local texts = written(b)
      assert.is_true(texts["src/near.lua:3"])
      assert.is_true(texts["far.lua:4"])
      local ends = ""
      for text in pairs(texts) do
        if text:find("end.lua:5", 1, true) then ends = text end
      end
      assert.matches("^…x+end%.lua:5$", ends)
    end)

    it("hide and show their subtrees at a click", function(b)
      show(b, small())
      b:click(place(b, 3))
      b:wait_for("timeline.rows().length === 4")
      assert.same({ 2, 1, 3, 4 }, b:script("return timeline.rows()"))
      b:click(place(b, 3))
      b:wait_for("timeline.rows().length === 6")
    end)

    it("are all there though spawners are missing or go in circles", function(b)
      local t = small()
      t:greenlet(8, "orphan", { spawner = 77 }):greenlet(9, "of the hub", { spawner = 2 })
      t:greenlet(10, "a", { spawner = 11 }):greenlet(11, "b", { spawner = 10 })
      t:greenlet(12, "own", { spawner = 12 }):run(13, 1, 2)
      show(b, t)
      local lanes = names(b:script("return timeline.lanes()"))
      assert.same({ "hub", "main" }, { lanes[1], lanes[2] })
      assert.same({ "orphan", "of the hub", "own", "greenlet 13", "a", " b" },
        { table.unpack(lanes, 7) })
    end)
  end)

  describe("the view", function()
    it("zooms by the wheel around the pointer", function(b)
      show(b, small())
      local before, at = range(b), place(b, 4, 250)
      b:wheel(at, -300)
      b:wait_for("timeline.range().to - timeline.range().from < arguments[0]",
        (before.to - before.from) / 1.4)
      local after = place(b, 4, 250)
      assert.is_true(math.abs(after.x - at.x) < 2)
      b:wheel(at, 5000)
      b:wait_for("timeline.range().to - timeline.range().from > arguments[0]",
        (before.to - before.from) * 0.999)
      assert.is_true(math.abs(range(b).from - before.from) < 1e-6)
    end)

    it("scrolls by the wheel over the names", function(b)
      show(b, traces.busy(200, 1000))
      local before = range(b)
      b:wheel(place(b, 5), 400)
      b:wait_for("document.querySelector('#scroll').scrollTop === 400")
      assert.same(before, range(b))
    end)

    it("is moved by a drag, in time and from lane to lane", function(b)
      show(b, traces.busy(200, 1000), "#from=500&to=1000&top=40")
      local before = b:script("return document.querySelector('#scroll').scrollTop")
      local box = b:middle_of("#over")
      b:drag(box, { x = box.x - 100, y = box.y - 36 })
      b:wait_for("document.querySelector('#scroll').scrollTop === arguments[0]", before + 36)
      local now, pixel = range(b), 500 / 1155
      assert.is_true(now.from > 500 + 90 * pixel and now.from < 500 + 110 * pixel)
      assert.is_true(math.abs(now.to - now.from - 500) < 1e-6)
      assert.is_nil(b:script("return timeline.selected()")) -- a drag is no click
    end)

    it("becomes the range that a drag with Shift marks", function(b)
      show(b, small())
      local from, to = place(b, 3, 300), place(b, 4, 500)
      b:holding("Shift", function() b:drag(to, from) end)
      b:wait_for("timeline.range().to - timeline.range().from < 202")
      assert.is_true(math.abs(range(b).from - 300) < 1 and math.abs(range(b).to - 500) < 1)
      assert.is_nil(b:script("return timeline.selected()"))
    end)

    it("has keys", function(b)
      show(b, small(), "#from=400&to=600")
      b:keys("+")
      b:wait_for("timeline.range().from === 450 && timeline.range().to === 550")
      b:keys("-")
      b:wait_for("timeline.range().from === 400 && timeline.range().to === 600")
      b:keys("Right")
      b:wait_for("timeline.range().from === 440")
      b:keys("0")
      b:wait_for("timeline.range().from < 0 && timeline.range().to > 1000")
      b:keys("/")
      b:wait_for("document.activeElement.id === 'search'")
      b:type("-0") -- which are no keys there
      assert.is_true(b:script("return document.activeElement.value === '-0'"))
      b:keys("Escape")
      b:wait_for("document.activeElement.id !== 'search'")
    end)

    it("never leaves the trace, nor zooms to nothing", function(b)
      show(b, small())
      local whole = range(b)
      assert.same(whole, b:script("return timeline.zoom(-1e12, 1e12)"))
      local least = b:script("return timeline.zoom(500, 500)")
      assert.is_true(least.to > least.from)
      local last = b:script("return timeline.zoom(5000, 5100)")
      assert.is_true(math.abs(last.to - whole.to) < 1e-6)
      assert.is_true(math.abs(last.to - last.from - 100) < 1e-6)
      assert.has_error(function() b:script("timeline.zoom(NaN, 1)") end)
    end)

    it("is set by the fragment of the address", function(b)
      show(b, small(), "#from=100&to=300&search=parser&only=1&select=6@400&sort=-waited&table=150")
      local now = range(b)
      assert.is_true(now.to - now.from > 199.99 and now.to - now.from < 200.01)
      assert.same({ 5, 6 }, b:script("return timeline.rows()"))
      assert.same("acquire of", b:script("return timeline.selected().slice.reason"))
      assert.same({ 6, 5 }, b:script("return timeline.table.tids()"))
      b:script("location.hash = '#from=600&to=700'")
      b:wait_for("timeline.range().from === 600")
    end)

    it("stays as it is when the fragment makes no sense", function(b)
      show(b, small(), "#from=x&to=&select=99@y&top=-&collapse=,,7&sort=nothing&%%%")
      assert.same({}, b:console())
      assert.is_true(range(b).to > 1000)
    end)
  end)

  describe("a search", function()
    it("says how many match; Enter goes from one to the next", function(b)
      show(b, small())
      b:keys("/")
      b:type("PARSER")
      b:wait_for("document.querySelector('#found').textContent === '2 greenlets'")
      b:keys("Enter")
      b:wait_for("timeline.selected() && timeline.selected().tid === 5")
      b:keys("Enter")
      b:wait_for("timeline.selected().tid === 6")
      b:keys("Enter")
      b:wait_for("timeline.selected().tid === 5")
      assert.same({ 5, 6 }, b:script("return timeline.table.tids()"))
      assert.equal(6, #b:script("return timeline.rows()"))
      b:click("#only")
      b:wait_for("timeline.rows().length === 2")
    end)

    it("shows what is hidden below others, and far away", function(b)
      show(b, traces.busy(300, 1000))
      b:script("timeline.collapse(1)")
      assert.equal(2, #b:script("return timeline.rows()"))
      assert.equal(1, b:script("return timeline.search('worker 300')"))
      assert.equal(300, b:script("return timeline.next()"))
      b:wait_for("timeline.place(300) !== null")
    end)

    it("finds nothing without ado", function(b)
      show(b, small())
      assert.equal(0, b:script("return timeline.search('(.*')"))
      assert.is_nil(b:script("return timeline.next()"))
    end)
  end)

  describe("the tip", function()
    it("tells of the slice at the pointer, with the line of the source", function(b)
      show(b, small())
      b:point(place(b, 4, 400))
      b:wait_for("!document.querySelector('#tip').hidden")
      local text = b:text("#tip")
      assert.matches("writer waits: get of queue jobs", text, 1, true)
      assert.matches("260 µs", text, 1, true)
      assert.matches("script.lua:12 local job = jobs:get()", text, 1, true)
      assert.matches("woken by%s+reader", text)
    end)

    it("tells of a slice that is ready who ran meanwhile", function(b)
      show(b, small())
      b:point(place(b, 4, 580))
      b:wait_for("!document.querySelector('#tip').hidden")
      assert.matches("meanwhile ran%s+reader for 40 µs$", b:text("#tip"))
      b:point(place(b, 4, 150)) -- main until it was spawned, then the reader
      b:wait_for("document.querySelector('#tip').innerText.includes('140 µs')")
      assert.matches("meanwhile ran%s+reader for 100 µs, main for 40 µs$", b:text("#tip"))
    end)

    it("tells of a run between which waits it is", function(b)
      show(b, small())
      b:point(place(b, 4, 250))
      b:wait_for("!document.querySelector('#tip').hidden")
      assert.matches("until wait at%s+script.lua:12 local job = jobs:get%(%)", b:text("#tip"))
      assert.not_matches("after wait at", b:text("#tip"), 1, true)
      b:point(place(b, 4, 650))
      b:wait_for("document.querySelector('#tip').innerText.includes('after wait at')")
      assert.matches("after wait at%s+script.lua:12 ", b:text("#tip"))
      assert.not_matches("until wait at", b:text("#tip"), 1, true)
    end)

    it("has the moment above it, and how many lived then", function(b)
      show(b, small(), "#from=0&to=1000")
      b:point(place(b, 4, 400))
      b:wait_for("!document.querySelector('#moment').hidden")
      assert.matches("^[34]%d%d%.?%d* µs: 5 living, 2 ready$", b:text("#moment"))
    end)

    it("tells of a mark", function(b)
      show(b, small(), "#from=0&to=100")
      b:point(place(b, 1, 50))
      b:wait_for("!document.querySelector('#tip').hidden")
      assert.matches("spawns%s+reader script.lua:30", b:text("#tip"))
      assert.matches("main runs", b:text("#tip"), 1, true)
      b:point(place(b, 1, 80))
      b:wait_for("!document.querySelector('#tip').innerText.includes('spawns')")
    end)

    it("tells of the greenlet at a name", function(b)
      show(b, small())
      b:point(place(b, 4))
      b:wait_for("!document.querySelector('#tip').hidden")
      assert.matches("error", b:text("#tip"))
      assert.matches("spawned by%s+main", b:text("#tip"))
      b:point({ x = 700, y = 10 })
      b:wait_for("document.querySelector('#tip').hidden")
    end)
  end)

  describe("arrows", function()
    local wake = { from = { tid = 3, at = 560 }, to = { tid = 4, at = 600 } }

    it("lead from who woke to who was woken, from either", function(b)
      show(b, small())
      assert.same({}, b:script("return timeline.arrows()"))
      b:point(place(b, 4, 650)) -- the run that follows
      b:wait_for("timeline.arrows().length === 1")
      assert.same({ wake }, b:script("return timeline.arrows()"))
      b:point(place(b, 4, 400)) -- the wait that was ended
      b:wait_for("timeline.at(...Object.values(timeline.place(4, 400))).slice.from === 300")
      assert.same({ wake }, b:script("return timeline.arrows()"))
      b:point(place(b, 3, 550)) -- the run that did it, which the hub had woken
      b:wait_for("timeline.arrows().length === 2")
      assert.same({ { from = { tid = 2, at = 500 }, to = { tid = 3, at = 510 } }, wake },
        b:script("return timeline.arrows()"))
      b:point(place(b, 5, 500))
      b:wait_for("timeline.arrows().length === 0")
    end)

    it("stay with what is selected; keys go on from there", function(b)
      show(b, small())
      b:click(place(b, 4, 400))
      b:wait_for("timeline.selected() !== null")
      b:point({ x = 700, y = 10 })
      b:wait_for("timeline.arrows().length === 1")
      assert.matches("get of queue jobs", b:text("#details"), 1, true)
      b:keys("w")
      b:wait_for("timeline.selected().tid === 3 && timeline.selected().slice.from === 510")
      b:keys(",")
      b:wait_for("timeline.selected().slice.kind === 'ready'")
      b:keys("Escape")
      b:wait_for("timeline.selected() === null && timeline.arrows().length === 0")
    end)
  end)

  describe("the table", function()
    local function tids(b) return b:script("return timeline.table.tids()") end

    it("sorts by the column whose head is clicked, then the other way, then not", function(b)
      show(b, small())
      b:click("th[data-key=cpu]")
      b:wait_for("document.querySelector('th[data-key=cpu]').ariaSort === 'descending'")
      assert.same({ 4, 3, 1 }, { table.unpack(tids(b), 1, 3) })
      b:click("th[data-key=cpu]")
      b:wait_for("document.querySelector('th[data-key=cpu]').ariaSort === 'ascending'")
      assert.same({ 1, 3, 4 }, { table.unpack(tids(b), 4) })
      b:click("th[data-key=cpu]")
      b:wait_for("document.querySelector('th[data-key=cpu]').ariaSort === null")
      assert.same({ 2, 1, 3, 5, 6, 4 }, tids(b))
      b:click("th[data-key=label]")
      b:wait_for("document.querySelector('th[data-key=label]').ariaSort === 'ascending'")
      assert.same({ 2, 1, 5, 6, 3, 4 }, tids(b))
    end)

    it("has sums, and what became of each", function(b)
      show(b, small())
      assert.same("writer error 200 µs 180 µs 260 µs 1 2 260 µs get of queue jobs main",
        (b:text("tr[data-tid='4']"):gsub("%s+", " ")))
    end)

    it("leads to the lane at a click", function(b)
      show(b, traces.busy(300, 3000))
      b:script("timeline.table.sort('label', true)")
      b:wait_for("document.querySelector('tbody tr[data-tid]').dataset.tid === '302'")
      b:click("tr[data-tid='302'] td")
      b:wait_for("timeline.place(302) !== null && timeline.selected().tid === 302")
    end)
  end)

  describe("colours", function()
    -- What the legend has: the pictures by their names.
    local function legend(b)
      return b:script([[
        return Object.fromEntries(Array.from(document.querySelectorAll("#legend > span"))
          .filter((item) => item.querySelector("canvas"))
          .map((item) => [item.innerText, item.querySelector("canvas").toDataURL()]))]])
    end

    it("are the same in all traces, whatever else is in them", function(b)
      local function of(...)
        local t = traces.new():greenlet(1, "main")
        for i, reason in ipairs { ... } do t:wait(1, i, i + 0.5, reason) end
        show(b, t)
        return legend(b)
      end
      local alone = { of("release of"), of("something"), of("select of") }
      local known = { "acquire of", "release of", "set of", "get from", "put to", "peek at",
        "tasks of", "select of", "join of", "join of all of", "sleep", "switch", "poll" }
      local all = of("something", table.unpack(known))
      for _, one in ipairs(alone) do
        for name, picture in pairs(one) do assert.equal(all[name], picture, name) end
      end
      local seen = {}
      for name, picture in pairs(all) do
        assert.is_nil(seen[picture], name)
        seen[picture] = name
      end
    end)

    it("tell the descriptors from the other watchers", function(b)
      local t = traces.new():greenlet(1, "main")
      t:wait(1, 1, 2, "watcher", "read fd 5"):wait(1, 3, 4, "watcher", "write fd 5")
      t:wait(1, 5, 6, "watcher", "read fd 7"):wait(1, 7, 8, "watcher", "timer")
      show(b, t)
      local names = {}
      for name in pairs(legend(b)) do names[#names + 1] = name end
      table.sort(names)
      assert.same({ "read fd", "ready", "running", "timer", "write fd" }, names)
    end)

    it("are those of the system", function(b)
      local back = "return getComputedStyle(document.body).backgroundColor"
      show(b, small())
      b:dark(false)
      local light = b:script(back)
      b:dark(true)
      b:wait_for("getComputedStyle(document.body).backgroundColor !== arguments[0]", light)
      b:dark(false)
    end)
  end)
end)
