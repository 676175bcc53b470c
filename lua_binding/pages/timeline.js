// Begins: reads the trace, makes the page, does what the fragment of its address says, and lets
// scripts do the same.
//
// The fragment, `timeline.html#from=100&to=250.5&search=worker&select=3@120`, sets what is seen:
//   from, to   the range of time, microseconds as in the trace; one alone: to that end
//   search     what to look for in names; only=1: no other greenlets
//   select     a greenlet, by its tid; TID@TIME: its slice at that moment
//   collapse   tids whose subtrees are hidden, 2,5
//   top        the tid of the greenlet in the first row
//   sort       a column of the table (see `timeline.table.columns`), `-cpu`: the greatest first
//   table      0: no table, or its height in pixels
function makeScriptable(page) {
  const { model, view } = page;
  const { slices, texts } = model;

  function laneOf(tid) {
    const lane = model.byTid.get(tid);
    if (!lane) throw new RangeError(`no greenlet ${tid}`);
    return lane;
  }

  const aboutSlice = (i) => (i < 0 ? null : { tid: model.lanes[slices.lane[i]].tid,
    kind: KINDS[slices.kind[i]], from: slices.from[i], to: slices.to[i],
    name: texts[slices.name[i]], reason: texts[slices.reason[i]], line: texts[slices.line[i]] });

  const aboutLane = (lane) => ({ tid: lane.tid, name: lane.name, function: lane.function,
    spawner: lane.spawner, spawned: lane.spawned, depth: lane.depth, state: lane.state,
    slices: lane.last - lane.first, cpu: lane.cpu, ready: lane.queued, waited: lane.waited,
    waits: lane.waits, switches: lane.runs, longest: lane.longest, row: lane.row,
    matches: lane.matches, collapsed: lane.collapsed });

  // window.timeline. Times are microseconds, greenlets are named by their tid, places are
  // pixels of the window. What changes the view draws it before the next frame.
  return {
    // What is wrong with the file, or null; how much is in it.
    problem: model.problem || null,
    counts: { events: model.events, lanes: model.lanes.length, slices: slices.length,
      wakes: model.wakes.length, marks: model.marks.at.length, lost: model.lost },
    // From the first moment to the last; what of it is seen; see another part, or all.
    extent: () => ({ ...model.extent }),
    range: () => view.range(),
    zoom: (from, to) => { page.zoom(from, to); return view.range(); },
    all: page.all,
    // All greenlets in the order of the tree; the tids of those that have a row, from the top.
    lanes: () => model.lanes.map(aboutLane),
    rows: () => view.rows.map((lane) => lane.tid),
    // The slices of one, in order: {tid, kind: "run", "ready" or "wait", from, to, name, ...}.
    slices(tid) {
      const lane = laneOf(tid), list = [];
      for (let i = lane.first; i < lane.last; i++) list.push(aboutSlice(i));
      return list;
    },
    // Search names: how many match. next(): go to the next, its tid.
    search: page.search,
    next: () => { const lane = page.next(1); return lane ? lane.tid : null; },
    only: page.onlyMatches,
    collapse: (tid, collapsed = true) => page.collapse(laneOf(tid), collapsed),
    show: (tid) => page.show(laneOf(tid)),
    // Select a greenlet, its slice at a moment, or (null) nothing.
    select(tid, at) {
      if (tid === null || tid === undefined) page.select(-1);
      else page.select(at === undefined ? -1 : page.sliceOf(laneOf(tid), at), laneOf(tid));
    },
    selected: () => (view.marked
      ? { tid: view.marked.tid, slice: aboutSlice(view.selected) } : null),
    // What is at a place: {tid, slice, count: slices that share the pixel}, or null. And where a
    // moment of a greenlet is; null if its row is not on the screen.
    at(x, y) {
      const box = page.stage.getBoundingClientRect();
      const found = page.at(x - box.left, y - box.top);
      return found && { tid: found.lane.tid, slice: aboutSlice(found.slice), count: found.count,
        label: Boolean(found.label) };
    },
    place(tid, at) {
      const box = page.stage.getBoundingClientRect(), row = view.rowOf(laneOf(tid));
      page.look();
      const y = view.top(row) + ROW / 2;
      return row < 0 || y < 0 || y > view.height ? null
        : { x: box.left + (at === undefined ? 20 : view.x(at)), y: box.top + y };
    },
    // The arrows that are drawn now: [{from: {tid, at}, to: {tid, at}}, ...].
    arrows: () => page.overlay.arrows(),
    table: { columns: page.table.columns, sort: page.table.sortBy,
      tids: () => page.table.lanes().map((lane) => lane.tid) },
    // Draw all now: how many milliseconds it took.
    frame: () => page.drawNow(),
  };
}

function applyFragment(page, timeline, text) {
  const wanted = new URLSearchParams(text.replace(/^#/, ""));
  const number = (name) => (wanted.get(name) ? Number(wanted.get(name)) : NaN);
  const has = (tid) => page.model.byTid.has(tid);
  if (wanted.has("table")) {
    page.element("bottom").hidden = wanted.get("table") === "0";
    if (number("table") > 0) page.element("bottom").style.height = `${number("table")}px`;
    page.resize();
  }
  const { bounds } = page.view, from = number("from"), to = number("to");
  if (!Number.isNaN(from) || !Number.isNaN(to)) {
    timeline.zoom(Number.isFinite(from) ? from : bounds.from, Number.isFinite(to) ? to : bounds.to);
  }
  if (wanted.has("search")) timeline.search(wanted.get("search"));
  if (wanted.has("only")) timeline.only(wanted.get("only") !== "0");
  for (const tid of (wanted.get("collapse") || "").split(",").filter(Boolean).map(Number)) {
    if (has(tid)) timeline.collapse(tid);
  }
  if (wanted.has("sort")) {
    const key = wanted.get("sort");
    timeline.table.sort(key.replace(/^-/, ""), key.startsWith("-"));
  }
  const [tid, at] = (wanted.get("select") || "").split("@").filter(Boolean).map(Number);
  if (has(tid)) timeline.select(tid, Number.isFinite(at) ? at : undefined);
  if (has(number("top"))) {
    page.element("scroll").scrollTop = Math.max(0, page.model.byTid.get(number("top")).row) * ROW;
  }
  page.draw();
}

function begin() {
  const page = makePage(buildModel(readTrace(document.getElementById("trace").textContent)));
  attachHands(page);
  page.resize();
  const timeline = makeScriptable(page);
  applyFragment(page, timeline, location.hash);
  window.addEventListener("hashchange", () => applyFragment(page, timeline, location.hash));
  new ResizeObserver(page.resize).observe(page.scroll);
  colours.onChange(page.resize);
  window.timeline = timeline;
}

whenReady(begin);
