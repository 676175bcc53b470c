// Draws what is above the lanes: the axis of time, and the graph of how many lived.
function makeTimes(model, view, canvas, axisElement) {
  const HEIGHT = 40, ROOM = 6;
  const { counters } = model;
  const pen = canvas.getContext("2d", { alpha: false });
  const axis = d3.svg.axis().scale(view.x).orient("bottom").tickSize(22);
  const selection = d3.select(axisElement);

  // ---- The axis ----

  const tickCount = () => Math.max(2, Math.floor((view.width - view.gutter) / 110));

  function drawAxis() {
    const ticks = view.x.ticks(tickCount());
    const distance = ticks.length > 1 ? ticks[1] - ticks[0] : 1;
    axis.ticks(tickCount()).tickFormat((time) => units.time(time, distance));
    selection.call(axis);
    selection.selectAll("text").attr("y", 4).attr("dy", ".71em").attr("x", 4)
      .style("text-anchor", "start");
  }

  // ---- The graph ----

  let most = 0;
  for (const values of [counters.living, counters.ready]) {
    for (const value of values) if (value > most) most = value;
  }

  // The greatest value in each pixel: that many there were.
  function heights(values) {
    const { at, length } = counters, tops = [], MOST = 64;
    let i = Math.max(0, upperBound(at, view.range().from, 0, length) - 1);
    for (let x = view.gutter; x < view.width; x++) {
      const time = view.x.invert(x + 1), end = upperBound(at, time, i, length);
      let top = i < length && at[i] <= time ? values[i] : 0;
      const step = Math.max(1, Math.floor((end - i) / MOST)); // of so many in a pixel some will do
      for (let k = i; k < end; k += step) top = Math.max(top, values[k]);
      tops.push((top / (most || 1)) * (HEIGHT - ROOM));
      i = Math.max(i, end - 1);
    }
    return tops;
  }

  function drawArea(values, colour) {
    pen.fillStyle = colour;
    pen.beginPath();
    pen.moveTo(view.gutter, HEIGHT);
    heights(values).forEach((top, k) => {
      pen.lineTo(view.gutter + k, HEIGHT - top);
      pen.lineTo(view.gutter + k + 1, HEIGHT - top);
    });
    pen.lineTo(view.width, HEIGHT);
    pen.fill();
  }

  function drawLabel(text, colour, y) {
    pen.fillStyle = colour;
    pen.fillRect(8, y - 8, 9, 9);
    pen.fillStyle = colours.theme.dim;
    pen.fillText(text, 22, y);
  }

  function drawGraph() {
    const { theme, fonts } = colours, { ratio } = view;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.fillStyle = theme.back;
    pen.fillRect(0, 0, view.width, HEIGHT);
    drawArea(counters.living, theme.ready);
    drawArea(counters.ready, theme["ready-line"]);
    pen.fillStyle = theme.panel;
    pen.fillRect(0, 0, view.gutter - 1, HEIGHT);
    pen.font = `11px ${fonts.sans}`;
    drawLabel(`living, at most ${units.count(most)}`, theme.ready, 16);
    drawLabel("ready, waiting for their turn", theme["ready-line"], 31);
    pen.fillStyle = theme.line;
    pen.fillRect(view.gutter - 1, 0, 1, HEIGHT);
  }

  // A canvas as wide as the lanes.
  function size(element, height) {
    element.width = Math.round(view.width * view.ratio);
    element.height = Math.round(height * view.ratio);
    element.style.width = `${view.width}px`;
    element.style.height = `${height}px`;
  }

  return {
    size,
    ticks: () => view.x.ticks(tickCount()).map((time) => Math.round(view.x(time))),
    resize() { size(canvas, HEIGHT); },
    draw() {
      drawAxis();
      if (counters.length > 0) drawGraph();
    },
  };
}
