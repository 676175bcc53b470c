local browser = require "spec.browser"
local traces = require "spec.pages.traces"

-- hub, main, and what main spawned: a reader, which spawned two parsers, and a writer.
local function small()
  local t = traces.new()
  t:greenlet(2, "hub"):greenlet(1, "main", { ["function"] = "script.lua:0" })
  t:greenlet(3, "reader", { ["function"] = "script.lua:5", spawner = 1, spawned = "script.lua:30" })
  t:greenlet(4, "writer", { ["function"] = "script.lua:9", spawner = 1, spawned = "script.lua:31" })
  t:greenlet(5, "parser a", { spawner = 3, spawned = "script.lua:6" })
  t:greenlet(6, "parser b", { spawner = 3, spawned = "script.lua:6" })
  t:run(1, 0, 100):mark(1, 50, "spawn", { target = 3, line = "script.lua:30" })
  t:mark(1, 60, "spawn", { target = 4, line = "script.lua:31" })
  t:wait(1, 100, 1000, "join of", "join of 2 greenlets", "script.lua:33")
  t:ready(3, 50, 100):run(3, 100, 200):wait(3, 200, 500, "sleep", "sleep", "script.lua:7")
  t:ready(3, 500, 510):run(3, 510, 600):mark(3, 600, "end", { how = "value" })
  t:ready(4, 60, 200):run(4, 200, 300)
  t:wait(4, 300, 560, "get of", "get of queue jobs", "script.lua:12")
  t:ready(4, 560, 600):run(4, 600, 700):mark(4, 700, "end", { how = "error" })
  t:wait(5, 300, 900, "sleep"):mark(4, 650, "kill", { target = 5 }):mark(5, 900, "end", { how = "killed" })
  t:wait(6, 300, 950, "acquire of", "acquire of lock accounts", "script.lua:14")
  t:wake(2, 500, 3, 510):wake(3, 560, 4, 600)
  t:wait(2, 400, 500, "poll"):count(100, 5, 2):count(600, 3, 0)
  t.other.sources["script.lua:12"] = "  local job = jobs:get()"
  t.other.to = 1000
  return t
end

local function names(lanes)
  local list = {}
  for i, lane in ipairs(lanes) do list[i] = ("%s%s"):format((" "):rep(lane.depth), lane.name) end
  return list
end

describe("the page of a timeline", function()
  local it = browser.specs()

  -- Open the page of a trace, and wait until it can be used.
  local function show(b, trace, fragment)
    local text = type(trace) == "string" and trace or trace:json()
    b:open(traces.page("timeline", text), fragment)
    b:wait_for("window.timeline !== undefined")
  end

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
      assert.is_true(math.abs(last.to - whole.to) < 1e-6 and math.abs(last.to - last.from - 100) < 1e-6)
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

  describe("names and texts", function()
    local EVIL = {
      "</script><script>alert(1)</script>", "<img src=x onerror=alert(2)>", "a\0b\27[31mc\n\td",
      "🦎 Ünïcödé", "\u{202E}txet", "<!-- <script>", "${alert(3)} {{x}} \\u003c", "]]>&lt;&amp;\"'",
      ("long "):rep(2000), "", "__proto__", "constructor",
    }

    it("are shown as they are, and are nothing else", function(b)
      local t = traces.new():greenlet(2, "hub"):greenlet(1, "main")
      for i, name in ipairs(EVIL) do
        local tid = i + 2
        t:greenlet(tid, name, { ["function"] = name, spawner = 1, spawned = name })
        t:run(tid, 1, 2):wait(tid, 2, 100, name, name, name):mark(tid, 100, "end", { how = name })
        t.other.sources[name] = name
      end
      t.other.script, t.other.program = EVIL[1], EVIL[1]
      show(b, t)
      local count = "return document.querySelectorAll('script, img').length"
      local elements = b:script(count)
      local found = b:script("return timeline.lanes().map((lane) => lane.name)")
      for i, name in ipairs(EVIL) do
        assert.equal(name, found[i + 2])
        b:point(place(b, i + 2, 50))
        b:wait_for("document.querySelector('#tip .what') !== null && !document.querySelector('#tip').hidden")
        b:click(place(b, i + 2, 50))
        b:wait_for("timeline.selected() && timeline.selected().tid === arguments[0]", i + 2)
        b:script("timeline.select(arguments[0])", i + 2)
      end
      for _, i in ipairs { 1, 2, 4, 6, 7, 8 } do
        b:script("timeline.select(arguments[0], 50)", i + 2)
        assert.matches(EVIL[i], b:text("#details"), 1, true)
      end
      b:script("timeline.select(5, 50)")
      assert.matches("a\\x00b\\x1b[31mc\\n\\td", b:text("#details"), 1, true)
      b:script("timeline.select(7, 50)")
      assert.matches("\\u{202e}txet", b:text("#details"), 1, true)
      assert.equal(elements, b:script(count))
      assert.same(EVIL[1], b:text("#title"))
      assert.is_nil(b:dialog())
      assert.same({}, b:console())
      assert.equal(1, #b:requests())
    end)
  end)

  describe("what it does not have", function()
    it("is told: events that were lost", function(b)
      local t = small()
      t.other.lost = 1000000
      show(b, t)
      assert.matches("Shows the last %d+ events; 1,000,000 before them are not in this file%.",
        b:text("#lost"))
    end)

    it("is told: slices that share a pixel", function(b)
      show(b, traces.busy(20, 20000))
      assert.matches("narrower than a pixel are drawn together", b:text("#merged"))
      local found = b:script([[
        for (const {tid} of timeline.lanes().slice(2))
          for (let at = 100; at < 2000; at += 7) {
            const p = timeline.place(tid, at);
            if (!p) continue;
            const x = Math.round(p.x), y = Math.round(p.y), found = timeline.at(x, y);
            if (found && found.count > 1) return {x, y};
          }]])
      b:point(found)
      b:wait_for("document.querySelector('#tip').innerText.includes('zoom in to see them')")
      b:script("timeline.zoom(1000, 1010)")
      b:wait_for("document.querySelector('#merged').hidden")
    end)

    it("is told: that nothing happened", function(b)
      show(b, traces.new())
      assert.is_false(b:script("return document.querySelector('#nothing').hidden"))
      assert.same({}, b:console())
    end)

    it("is told: a file that ends in the middle", function(b)
      local text = small():json()
      local page = traces.page("timeline", text)
      local from = page:find('"id":1', 1, true)
      b:open(page:sub(1, from))
      b:wait_for("window.timeline !== undefined")
      assert.matches("is not whole: it ends in the middle", b:text("#problem"), 1, true)
      assert.same("get of queue jobs", b:script("return timeline.slices(4)[2].name"))
      assert.same({}, b:console())
    end)

    it("is told: a file of which nothing is left, or something else", function(b)
      for _, text in ipairs { "", '{"displayTimeUnit":"ns","traceEv', "\0\0\0", "[1,2]", "null",
        '{"traceEvents":{}}' } do
        show(b, text)
        assert.is_false(b:script("return document.querySelector('#problem').hidden"))
        assert.same({}, b:console())
      end
    end)

    it("is told: lines that make no sense, which change nothing else", function(b)
      local t = small()
      for _, line in ipairs { "null", "7", '"x"', "[]", '{"ph":"X"}', '{"ph":"X","tid":"1","ts":0}',
        '{"ph":"X","tid":2,"ts":"x","dur":1,"cat":"run"}', '{"ph":"X","tid":2,"ts":1e999,"dur":1,"cat":"run"}',
        '{"ph":"X","tid":2,"ts":1,"dur":-5,"cat":"run"}', '{"ph":"?","tid":2,"ts":1}',
        '{"ph":"i","tid":2,"ts":1,"cat":"unheard"}' } do
        t.lines[#t.lines + 1] = line
      end
      show(b, t)
      assert.matches("11 lines say what this page does not know", b:text("#summary"), 1, true)
      assert.equal(6, b:script("return timeline.counts.lanes"))
      assert.same({}, b:console())
    end)
  end)

  describe("colours", function()
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

  -- How fast it is depends on the machine; SPEC_FIGURES=1 prints what it was.
  it("shows 100,000 events", function(b)
    show(b, traces.busy(200, 60000))
    local counts = b:script("return timeline.counts")
    assert.is_true(counts.events > 100000 and counts.lanes == 202)
    local sum = b:script("return timeline.lanes().reduce((sum, lane) => sum + lane.slices, 0)")
    assert.equal(counts.slices, sum)
    -- A frame each time that the browser wants one.
    b:script([[
      const {from, to} = timeline.extent(), times = window.times = [];
      const step = () => {
        const half = (to - from) / 2 / 1.1 ** times.length, middle = from + (to - from) * 0.6;
        timeline.zoom(middle - half, middle + half);
        times.push(timeline.frame());
        if (times.length < 100) requestAnimationFrame(step);
      };
      requestAnimationFrame(step)]])
    b:wait_for("times.length === 100")
    local times = b:script("return times.sort((a, b) => a - b)")
    if os.getenv("SPEC_FIGURES") then
      print(("a frame of 100,000 events: %.1f ms, 95 of 100 at most %.1f ms, all %.1f ms"):format(
        times[50], times[95], times[100]))
    end
    assert.equal(100, #times)
  end)
end)
