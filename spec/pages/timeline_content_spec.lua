local browser = require "spec.browser"
local timeline = require "spec.pages.timeline"
local traces = require "spec.pages.traces"

local show, small = timeline.show, timeline.small

describe("the page of a timeline", function()
  local it = browser.specs()

  local function place(b, ...) return b:script("return timeline.place(...arguments)", ...) end

  describe("names and texts", function()
    local EVIL = {
      "</script><script>alert(1)</script>", "<img src=x onerror=alert(2)>", "a\0b\27[31mc\n\td",
      "🦎 Ünïcödé", "\u{202E}txet", "<!-- <script>", "${alert(3)} {{x}} \\u003c",
      "]]>&lt;&amp;\"'", ("long "):rep(2000), "", "__proto__", "constructor",
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
        b:wait_for("document.querySelector('#tip:not([hidden]) .what') !== null")
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
      assert.same("script>", b:text("#title"))
      assert.same(EVIL[1], b:script("return document.querySelector('#title').title"))
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
      assert.matches("slices share a pixel", b:text("#merged"))
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
        '{"ph":"X","tid":2,"ts":"x","dur":1,"cat":"run"}',
        '{"ph":"X","tid":2,"ts":1e999,"dur":1,"cat":"run"}',
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
