// What lies over the lanes and changes as the pointer moves: the slice that is meant, who woke it
// and whom it woke, the moment. And what is at a place of the screen.
function makeOverlay(model, view, canvas, times) {
  const { slices, wakes } = model;
  const pen = canvas.getContext("2d");
  const MOST_ARROWS = 300;
  const NEAR = 2; // pixels that a hand may miss by
  let arrows = [];

  // ---- What is where; all in pixels of the stage ----

  function laneAt(y) {
    return view.rows[Math.floor((y + view.scrollTop) / ROW)] || null;
  }

  // `{lane, slice, count, firstMark, lastMark}`: one slice, or the first of `count` that share the
  // pixel; the marks that are near.
  function at(x, y) {
    const lane = y >= 0 && y < view.height ? laneAt(y) : null;
    if (!lane) return null;
    if (x < view.gutter) return { lane, slice: -1, count: 0, label: true };
    const time = view.x.invert(x), near = view.x.invert(x + NEAR) - time;
    return Object.assign(sliceAt(lane, time, near), marksAt(lane, time, 2 * near));
  }

  function marksAt(lane, time, near) {
    const { at } = model.marks, { firstMark, lastMark } = lane;
    return { firstMark: lowerBound(at, time - near, firstMark, lastMark),
      lastMark: upperBound(at, time + near, firstMark, lastMark) };
  }

  function sliceAt(lane, time, near) {
    let i = upperBound(slices.to, time, lane.first, lane.last);
    if (!(i < lane.last && slices.from[i] <= time)) i = nearest(lane, i, time, near);
    if (i < 0) return { lane, slice: -1, count: 0 };
    const pixel = near / NEAR;
    if (slices.to[i] - slices.from[i] >= pixel) return { lane, slice: i, count: 1 };
    const first = Math.max(lane.first, lowerBound(slices.from, time - pixel / 2, lane.first, i));
    const end = lowerBound(slices.from, time + pixel / 2, i, lane.last);
    return { lane, slice: i, count: Math.max(1, end - first), first, end: Math.max(end, i + 1) };
  }

  function nearest(lane, i, time, near) {
    const before = i > lane.first ? time - slices.to[i - 1] : Infinity;
    const behind = i < lane.last ? slices.from[i] - time : Infinity;
    if (Math.min(before, behind) > near) return -1;
    return before < behind ? i - 1 : i;
  }

  // ---- Who woke whom ----

  function wakesIn(table, times, from, to, first, last, list) {
    for (let i = lowerBound(times, from, first, last);
      i < last && times[i] <= to && list.length < MOST_ARROWS; i++) {
      list.push({ fromLane: table.fromLane[i], toLane: table.toLane[i], from: table.from[i],
        to: table.to[i] });
    }
  }

  // Of a run: the wake that led to it, and those made in it. Of a wait or the time in the
  // queue: the wake that ended it.
  function wakesOf(slice) {
    if (slice < 0) return { of: [], by: [] };
    const lane = model.lanes[slices.lane[slice]], of = [], by = [];
    const { firstWakeOf, lastWakeOf, firstWakeBy, lastWakeBy } = lane;
    const from = slices.from[slice], to = slices.to[slice], kind = slices.kind[slice];
    const slack = 0.002; // times are rounded
    if (kind === RUN) {
      wakesIn(wakes.of, wakes.of.to, from - slack, from + slack, firstWakeOf, lastWakeOf, of);
      wakesIn(wakes.by, wakes.by.from, from - slack, to + slack, firstWakeBy, lastWakeBy, by);
    } else { // the next wake of the greenlet
      const i = lowerBound(wakes.of.to, to - slack, firstWakeOf, lastWakeOf);
      const moment = kind === WAIT ? to : from;
      if (i < lastWakeOf && Math.abs(wakes.of.from[i] - moment) <= slack) {
        wakesIn(wakes.of, wakes.of.to, wakes.of.to[i], wakes.of.to[i], i, i + 1, of);
      }
    }
    return { of, by };
  }

  // ---- Drawing ----

  function middle(lane) {
    const row = view.rowOf(model.lanes[lane]);
    return row < 0 ? null : view.top(row) + ROW / 2;
  }

  function drawArrow(arrow, colour) {
    const y1 = middle(arrow.fromLane), y2 = middle(arrow.toLane);
    if (y1 === null || y2 === null) return;
    const x1 = view.x(arrow.from), x2 = view.x(arrow.to);
    const bend = Math.max(8, Math.min(60, Math.abs(x2 - x1) / 2));
    pen.strokeStyle = pen.fillStyle = colour;
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.moveTo(x1, y1);
    pen.bezierCurveTo(x1 + bend, y1, x2 - bend, y2, x2 - 4, y2);
    pen.stroke();
    pen.beginPath();
    pen.moveTo(x2, y2);
    pen.lineTo(x2 - 6, y2 - 3.5);
    pen.lineTo(x2 - 6, y2 + 3.5);
    pen.fill();
    pen.beginPath();
    pen.arc(x1, y1, 2.5, 0, 2 * Math.PI);
    pen.fill();
    arrows.push({ from: { tid: model.lanes[arrow.fromLane].tid, at: arrow.from },
      to: { tid: model.lanes[arrow.toLane].tid, at: arrow.to } });
  }

  function outline(slice, colour) {
    const y = middle(slices.lane[slice]);
    if (y === null) return;
    const left = Math.max(view.gutter - 4, view.x(slices.from[slice]));
    const right = Math.min(view.width + 4, view.x(slices.to[slice]));
    pen.strokeStyle = colour;
    pen.lineWidth = 2;
    pen.strokeRect(left - 1, y - BAR / 2 - 1, Math.max(1, right - left) + 2, BAR + 2);
  }

  function drawOf(slice, colour) {
    const { of, by } = wakesOf(slice);
    for (const arrow of of) drawArrow(arrow, colours.theme.bad);
    for (const arrow of by) drawArrow(arrow, colour);
    outline(slice, colour);
  }

  function drawMoment(pointer) {
    const x = Math.round(pointer.x);
    if (x < view.gutter) return;
    pen.fillStyle = colours.theme.dim;
    pen.fillRect(x, 0, 1, view.height);
  }

  function drawMarked({ from, to }) {
    pen.fillStyle = colours.theme.accent;
    pen.globalAlpha = 0.2;
    pen.fillRect(Math.min(from, to), 0, Math.abs(to - from), view.height);
    pen.globalAlpha = 1;
  }

  return {
    at, wakesOf,
    arrows: () => arrows,
    resize() { times.size(canvas, view.height); },
    // pointer: {x, y} or null; marked: a range of pixels or null.
    draw(pointer, marked) {
      arrows = [];
      pen.setTransform(view.ratio, 0, 0, view.ratio, 0, 0);
      pen.clearRect(0, 0, view.width, view.height);
      if (pointer) drawMoment(pointer);
      pen.save();
      pen.beginPath();
      pen.rect(view.gutter, 0, view.width - view.gutter, view.height);
      pen.clip();
      if (view.selected >= 0) drawOf(view.selected, colours.theme.select);
      const hovered = view.hovered && view.hovered.count === 1 ? view.hovered.slice : -1;
      if (hovered >= 0 && hovered !== view.selected) drawOf(hovered, colours.theme.text);
      if (marked) drawMarked(marked);
      pen.restore();
    },
  };
}
