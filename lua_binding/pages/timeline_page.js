// The page: its parts, when they are drawn, and what can be done with it, by whatever hand.
function makePage(model) {
  const element = (id) => document.getElementById(id);
  const scroll = element("scroll"), stage = element("stage"), tip = element("tip");
  const view = makeView(model);
  const times = makeTimes(model, view, element("counters"), element("axis"));
  const painter = makePainter(model, view, element("lanes"), times);
  const overlay = makeOverlay(model, view, element("over"), times);
  const facts = makeFacts(model, overlay);
  const page = { model, view, overlay, facts, element, stage, scroll };
  Object.assign(page, { pointer: null, quiet: false, marked: null });

  // ---- Frames ----

  let frame = 0, all = false;

  // See to which row it is scrolled.
  page.look = () => { view.scrollTop = scroll.scrollTop; };

  page.at = (x, y) => {
    page.look();
    return overlay.at(x, y);
  };

  const drawOver = () => overlay.draw(page.pointer, page.marked);

  function drawNow() {
    const began = performance.now();
    page.look();
    const merged = painter.draw();
    drawOver();
    element("merged").hidden = !merged;
    return performance.now() - began;
  }

  // Draw soon: all, or only what lies over the lanes.
  page.draw = (over) => {
    all = all || !over;
    if (frame) return;
    frame = requestAnimationFrame(() => {
      frame = 0;
      if (page.pointer) page.point(page.pointer, page.quiet); // what is there now
      if (all) drawNow(); else drawOver();
      all = false;
    });
  };

  page.drawNow = drawNow;

  // Give all the size that there is now.
  page.resize = () => {
    const width = scroll.clientWidth, height = scroll.clientHeight;
    const ratio = window.devicePixelRatio || 1;
    stage.style.height = `${height}px`;
    view.resize(width, height, ratio);
    painter.resize();
    overlay.resize();
    colours.read(painter.pen, model, ratio);
    page.fit();
    drawLegend();
    drawNow();
    table.redraw();
  };

  // The scroll bar is as long as there are rows.
  page.fit = () => {
    const height = view.rows.length * ROW - scroll.clientHeight;
    element("spacer").style.height = `${Math.max(0, height)}px`;
  };

  // ---- What it says in words ----

  function drawLegend() {
    const legend = element("legend");
    const fill = (pen, style, ...box) => { pen.fillStyle = style; pen.fillRect(...box); };
    const items = [
      ["running", (pen) => fill(pen, colours.theme.run, 0, 0, 18, 11)],
      ["ready", (pen) => {
        fill(pen, colours.theme["ready-line"], 0, 2, 18, 7);
        fill(pen, colours.theme.ready, 1, 3, 16, 5);
      }],
    ];
    for (const [reason, style] of colours.reasons) {
      items.push([units.visible(model.texts[reason]).replace(/ (of|from|to)$/, ""),
        (pen) => fill(pen, style.hatch, 0, 0, 18, 11)]);
    }
    const MOST = 16, hidden = items.length - MOST;
    const marks = facts.element("span", "", "▼ spawn  ✕ kill  ● link  ❘ end (red: by an error)");
    marks.style.whiteSpace = "pre";
    legend.replaceChildren(...items.slice(0, MOST).map(([name, paint]) => swatch(name, paint)),
      ...(hidden > 0 ? [facts.element("span", "", `and ${hidden} more`)] : []), marks);
  }

  function swatch(name, paint) {
    const canvas = facts.element("canvas"), one = facts.element("span");
    const ratio = view.ratio;
    canvas.width = 18 * ratio;
    canvas.height = 11 * ratio;
    canvas.style.width = "18px";
    canvas.style.height = "11px";
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    paint(pen);
    one.append(canvas, facts.element("span", "", units.shortened(name, 40)));
    return one;
  }

  const { many } = units;

  page.describe = () => {
    const { extent, events, lost, lanes, cpu, problem, unknown } = model;
    const long = units.duration(extent.to - extent.from);
    const script = units.baseName(model.title); // of a long path the end counts
    element("title").textContent = script || "timeline";
    element("title").title = model.title;
    document.title = `${script || "timeline"} - greenlua`;
    element("summary").textContent = `${many(events, "event", "events")} of ${
      many(lanes.length, "greenlet", "greenlets")}${lanes.length > 0 ? ` in ${long}` : ""}`
      + (cpu > 0 ? `, CPU ${units.duration(cpu)}` : "")
      + (unknown > 0
        ? `; ${many(unknown, "line says", "lines say")} what this page does not know` : "");
    element("summary").title = element("summary").textContent; // which may be cut off
    const say = (id, text) => {
      element(id).textContent = text;
      element(id).hidden = !text;
    };
    say("problem", problem || "");
    say("lost", lost > 0 ? `Shows the last ${many(events, "event", "events")}; ${
      units.count(lost)} before them are not in this file.` : "");
    element("nothing").hidden = lanes.length > 0 || Boolean(problem);
    element("top").classList.toggle("uncounted", model.counters.length === 0);
  };

  // ---- The pointer ----

  // When that is, and how many lived then.
  function showMoment(pointer) {
    const label = element("moment"), { counters } = model;
    label.hidden = !pointer || pointer.x < view.gutter;
    if (label.hidden) return;
    const at = view.x.invert(pointer.x), { from, to } = view.range();
    const i = upperBound(counters.at, at, 0, counters.length) - 1;
    label.textContent = units.time(at, (to - from) / (view.width - view.gutter))
      + (i < 0 ? "" : `: ${units.count(counters.living[i])} living, ${
        units.count(counters.ready[i])} ready`);
    label.style.left = `${Math.min(pointer.x + 1, view.width - label.offsetWidth)}px`;
  }

  // It is at a place of the stage; {x, y} or null. Shows what is said of that, unless it is to be
  // quiet, as in a drag.
  page.point = (pointer, quiet) => {
    page.pointer = pointer;
    page.quiet = quiet;
    showMoment(pointer);
    const found = pointer && !page.marked ? page.at(pointer.x, pointer.y) : null;
    const former = view.hovered;
    view.hovered = found;
    element("over").classList.toggle("label", Boolean(found && found.label));
    const any = found && (found.label || found.slice >= 0 || found.lastMark > found.firstMark);
    if (!any || quiet) { tip.hidden = true; return; }
    const same = former && ["slice", "lane", "count", "label", "firstMark", "lastMark"]
      .every((name) => former[name] === found[name]);
    if (tip.hidden || !same) {
      tip.replaceChildren(...facts.of(found));
    }
    tip.hidden = false;
    const box = stage.getBoundingClientRect();
    const x = box.left + pointer.x, y = box.top + pointer.y;
    const { offsetWidth: width, offsetHeight: height } = tip;
    tip.style.left = `${Math.max(2, x + 14 + width > innerWidth ? x - width - 10 : x + 14)}px`;
    tip.style.top = `${Math.max(2, y + 16 + height > innerHeight ? y - height - 8 : y + 16)}px`;
  };

  // ---- Doing ----

  page.zoom = (from, to) => { view.zoom(from, to); page.draw(); };
  page.all = () => page.zoom(view.bounds.from, view.bounds.to);
  page.pan = (share) => { view.pan(share); page.draw(); };
  page.scale = (factor, at) => { view.scale(factor, at); page.draw(); };

  page.relayout = () => {
    view.layout();
    page.fit();
    page.draw();
  };

  // Bring a lane into sight.
  page.show = (lane) => {
    if (lane.row < 0) {
      view.reveal(lane);
      element("only").checked = view.only;
      page.fit();
    }
    const y = lane.row * ROW, top = scroll.scrollTop;
    if (y < top || y + ROW > top + view.height) scroll.scrollTop = Math.max(0, y - view.height / 2);
    page.draw();
  };

  function showTime(slice) {
    const { from, to } = view.range(), { slices } = model;
    if (slices.to[slice] < from || slices.from[slice] > to) {
      const middle = (slices.from[slice] + slices.to[slice]) / 2, half = (to - from) / 2;
      view.zoom(middle - half, middle + half);
    }
  }

  // Select a slice by its index, or a lane, or nothing (-1).
  page.select = (slice, lane) => {
    view.selected = slice;
    view.marked = lane || (slice >= 0 ? model.lanes[model.slices.lane[slice]] : null);
    if (view.marked) page.show(view.marked);
    if (slice >= 0) showTime(slice);
    describeSelected();
    if (view.marked) table.show(view.marked); else table.redraw();
    page.draw();
  };

  function button(text, title, action) {
    const one = facts.element("button", "", text);
    one.type = "button";
    one.title = title;
    one.addEventListener("click", action);
    return one;
  }

  function describeSelected() {
    const { marked: lane, selected: slice } = view;
    if (!lane) {
      element("details").replaceChildren(facts.element("p", "",
        "Click a slice, or a row of the table, to keep what is said of it here."));
      return;
    }
    const buttons = slice < 0 ? [] : [button("◂", "the slice before (,)", () => page.step(-1)),
      button("▸", "the slice after (.)", () => page.step(1)),
      button("zoom to it", "zoom to this slice (z)", page.zoomToSelected),
      button("who woke it", "select what woke the greenlet (w)", page.selectWaker)];
    element("details").replaceChildren(
      ...(slice >= 0 ? [...facts.ofSlice(slice), ...buttons, facts.element("hr")] : []),
      ...facts.ofLane(lane));
  }

  page.step = (by) => {
    const { marked: lane, selected } = view;
    if (!lane || lane.first === lane.last) return;
    const next = selected < 0 ? (by > 0 ? lane.first : lane.last - 1) : selected + by;
    if (next >= lane.first && next < lane.last) page.select(next);
  };

  page.zoomToSelected = () => {
    const slice = view.selected;
    if (slice < 0) return;
    const from = model.slices.from[slice], to = model.slices.to[slice];
    const room = Math.max((to - from) * 0.2, SHORTEST / 2);
    page.zoom(from - room, to + room);
  };

  // The slice of a lane at a moment, or the last before it; -1: none.
  page.sliceOf = (lane, at) => {
    const i = upperBound(model.slices.from, at, lane.first, lane.last) - 1;
    return i >= lane.first ? i : -1;
  };

  page.selectWaker = () => {
    if (view.selected < 0) return;
    const { of } = overlay.wakesOf(view.selected);
    if (of.length === 0) return;
    const lane = model.lanes[of[0].fromLane], slice = page.sliceOf(lane, of[0].from);
    page.select(slice, lane);
  };

  // ---- Searching ----

  let place = -1;
  page.search = (text) => {
    element("search").value = text;
    const found = view.search(text);
    place = -1;
    element("found").textContent = text === "" ? "" : many(found, "greenlet", "greenlets");
    page.fit();
    table.arrange();
    page.draw();
    return found;
  };

  page.next = (by) => {
    const found = model.lanes.filter((lane) => lane.matches);
    if (view.sought === "" || found.length === 0) return null;
    place = place < 0 && by < 0 ? found.length - 1 : (place + by + found.length) % found.length;
    element("found").textContent = `${units.count(place + 1)} of ${units.count(found.length)}`;
    page.select(-1, found[place]);
    return found[place];
  };

  page.onlyMatches = (only) => {
    element("only").checked = view.only = only;
    page.relayout();
  };

  page.collapse = (lane, collapsed) => {
    lane.collapsed = collapsed;
    page.relayout();
  };

  // From the table to a lane: and to its first slice, if none is in sight.
  const table = page.table = makeTable(model, view, element("greenlets"), facts, (lane) => {
    page.select(-1, lane);
    const { from, to } = view.range();
    if (lane.first === lane.last) return;
    const i = upperBound(model.slices.to, from, lane.first, lane.last);
    if (i === lane.last || model.slices.from[i] > to) showTime(i === lane.last ? lane.first : i);
    page.draw();
  });

  page.describe();
  describeSelected();
  table.arrange();
  return page;
}
