// What of the trace is seen: a range of time, and rows of lanes; and where that is on the screen.
const ROW = 18, BAR = 12, INDENT = 9, DEEPEST = 14;
const SHORTEST = 0.02; // microseconds that can fill the screen

function makeView(model) {
  const { from: first, to: last } = model.extent;
  // The whole trace has a little room at both ends.
  const room = (last - first) * 0.005;
  const bounds = { from: first - room, to: last + room };
  const x = d3.scale.linear().domain([bounds.from, bounds.to]);
  const whole = x.copy();
  const zoomer = d3.behavior.zoom();
  const view = { bounds, x, zoomer, gutter: 230, width: 1000, height: 300, ratio: 1, rows: [],
    scrollTop: 0, selected: -1, hovered: null, only: false, sought: "" };

  // ---- Time ----

  const longest = bounds.to - bounds.from;
  zoomer.scaleExtent([1, Math.max(1, longest / SHORTEST)]);

  view.range = () => { const [from, to] = x.domain(); return { from, to }; };

  // Show this range, or as much of it as there is.
  view.zoom = (from, to) => {
    if (!(Number.isFinite(from) && Number.isFinite(to))) throw new RangeError("zoom: no numbers");
    const length = Math.min(longest, Math.max(SHORTEST, Math.abs(to - from)));
    const middle = (from + to) / 2;
    const start = Math.max(bounds.from, Math.min(bounds.to - length, middle - length / 2));
    const scale = longest / length;
    zoomer.scale(scale).translate([view.gutter - scale * whole(start), 0]);
    x.domain([start, start + length]);
  };

  // What a wheel or a drag made of the range may be beyond the ends.
  view.clamp = () => {
    const { from, to } = view.range();
    view.zoom(from, to);
  };

  view.pan = (share) => {
    const { from, to } = view.range(), by = (to - from) * share;
    view.zoom(from + by, to + by);
  };

  view.scale = (factor, at) => {
    const { from, to } = view.range(), middle = at === undefined ? (from + to) / 2 : at;
    view.zoom(middle - (middle - from) * factor, middle + (to - middle) * factor);
  };

  view.resize = (width, height, ratio) => {
    const { from, to } = view.range();
    view.gutter = Math.round(Math.min(230, width * 0.3));
    Object.assign(view, { width, height, ratio });
    whole.range([view.gutter, width]);
    x.range([view.gutter, width]);
    x.domain([bounds.from, bounds.to]);
    zoomer.x(x);
    view.zoom(from, to);
  };

  // ---- Rows ----

  // Lanes that are not below a collapsed one; if only those sought are to be seen, these.
  view.layout = () => {
    view.rows = [];
    let hiddenBelow = Infinity;
    for (const lane of model.lanes) {
      lane.row = -1;
      if (lane.depth > hiddenBelow) { lane.shownBy = view.rows[view.rows.length - 1]; continue; }
      hiddenBelow = lane.collapsed ? lane.depth : Infinity;
      if (view.only && view.sought !== "" && !lane.matches) continue;
      lane.row = view.rows.push(lane) - 1;
    }
  };

  // The row that stands for a lane: its own, or that of whom it is hidden below; -1: none.
  view.rowOf = (lane) => (lane.row >= 0 ? lane.row
    : lane.shownBy && !view.only ? lane.shownBy.row : -1);

  view.top = (row) => row * ROW - view.scrollTop;

  view.search = (text) => {
    view.sought = text.toLowerCase();
    let found = 0;
    for (const lane of model.lanes) {
      lane.matches = view.sought === "" || lane.lower.includes(view.sought);
      if (lane.matches) found++;
    }
    view.layout();
    return found;
  };

  // Show a lane in spite of what is collapsed.
  view.reveal = (lane) => {
    const seen = new Set();
    for (let above = model.byTid.get(lane.spawner); above && !seen.has(above);
      above = model.byTid.get(above.spawner)) {
      seen.add(above);
      above.collapsed = false;
    }
    if (view.only && !lane.matches) view.only = false;
    view.layout();
  };

  view.layout();
  return view;
}
