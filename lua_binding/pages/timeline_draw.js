// Draws lanes. What a frame costs depends on how many pixels there are, not on how long the trace
// is: slices that share a pixel are passed over by binary search, and drawn as one.
function makePainter(model, view, canvas, times) {
  const { slices, marks } = model;
  const pen = canvas.getContext("2d", { alpha: false });
  const labels = makeLabels(model, pen);
  let merged = false, theme = colours.theme;

  // ---- Slices ----

  function waitStyle(from, to) {
    for (let i = from; i < to && i < from + 4; i++) {
      if (slices.kind[i] === WAIT) return colours.reasons.get(slices.reason[i]);
    }
    return null;
  }

  // The colour, as pixels have it, of all slices from `i` to `j` in one: by the share that is
  // run.
  function mergedColour(i, j, time) {
    const style = waitStyle(i, j);
    const share = time > 0 ? Math.sqrt((slices.ran[j] - slices.ran[i]) / time) : 1; // to be seen
    if (!style) return share > 0 ? theme.pixels.run : theme.pixels.ready;
    return style.levels[Math.min(colours.LEVELS, Math.ceil(share * colours.LEVELS))];
  }

  function drawWide(i, left, right, y) {
    const width = right - left, kind = slices.kind[i];
    if (kind === RUN) {
      pen.fillStyle = theme.run;
      pen.fillRect(left, y, width, BAR);
    } else if (kind === READY) {
      pen.fillStyle = theme["ready-line"];
      pen.fillRect(left, y + 3, width, BAR - 6);
      if (width > 2) {
        pen.fillStyle = theme.ready;
        pen.fillRect(left + 1, y + 4, width - 2, BAR - 8);
      }
    } else {
      const style = colours.reasons.get(slices.reason[i]);
      pen.fillStyle = style.hatch;
      pen.fillRect(left, y, width, BAR);
      drawText(i, left, width, y);
    }
  }

  // On the plain colour, since hatches are hard to read on.
  function drawText(i, left, width, y) {
    const text = labels.ofWait(slices.name[i], slices.reason[i], width - 8);
    if (text === "") return;
    pen.fillStyle = colours.reasons.get(slices.reason[i]).pale;
    pen.fillRect(left + 2, y, Math.min(labels.widthOf(text) + 4, width - 4), BAR);
    pen.fillStyle = theme.text;
    pen.fillText(text, left + 4, y + BAR / 2 + 0.5, width - 8);
  }

  // Slices that share a pixel, or are too narrow to be hatched, are pixels of a picture, of which
  // each row has one line: the screen is full of them when all is seen, and to draw each as a
  // rectangle would take too long.
  const HATCHED = 4;
  const strip = document.createElement("canvas"), stripPen = strip.getContext("2d");
  let image = null, pixels = null, stripRows = [];

  function clearStrip(rows) {
    const width = Math.max(1, Math.round((view.width - view.gutter) * view.ratio));
    if (!image || image.width !== width || image.height !== rows) {
      strip.width = width;
      strip.height = rows;
      image = stripPen.createImageData(width, rows);
      pixels = new Uint32Array(image.data.buffer);
    } else pixels.fill(0);
    stripRows = new Array(rows).fill(false);
  }

  function drawStrip(firstRow) {
    if (!stripRows.includes(true)) return;
    stripPen.putImageData(image, 0, 0);
    pen.imageSmoothingEnabled = false;
    stripRows.forEach((used, i) => {
      if (!used) return;
      pen.globalAlpha = isDimmed(view.rows[firstRow + i]) ? DIMMED : 1;
      pen.drawImage(strip, 0, i, strip.width, 1, view.gutter,
        view.top(firstRow + i) + MARGIN, strip.width / view.ratio, BAR);
    });
    pen.globalAlpha = 1;
  }

  function fillStrip(line, left, right, colour) {
    const from = Math.round((left - view.gutter) * view.ratio);
    const to = Math.min(strip.width, Math.round((right - view.gutter) * view.ratio));
    pixels.fill(colour, line * strip.width + from, line * strip.width + to);
    stripRows[line] = true;
  }

  // `line` is that of the strip.
  function drawSlices(lane, y, range, { snap, timeAt }, line) {
    const pixel = 1 / view.ratio;
    let i = upperBound(slices.to, range.from, lane.first, lane.last);
    while (i < lane.last && slices.from[i] < range.to) {
      const left = Math.max(view.gutter, snap(slices.from[i]));
      const right = Math.min(view.width, snap(slices.to[i]));
      if (right - left >= pixel) {
        if (right - left < HATCHED && slices.kind[i] !== READY) {
          fillStrip(line, left, right, mergedColour(i, i + 1, slices.to[i] - slices.from[i]));
        } else drawWide(i, left, right, y);
        i++;
        continue;
      }
      const end = timeAt(left + pixel / 2);
      let j = Math.max(i + 1, lowerBound(slices.from, end, i, lane.last));
      if (j > i + 1 && snap(slices.to[j - 1]) - snap(slices.from[j - 1]) >= pixel) j--;
      if (j > i + 1) merged = true;
      fillStrip(line, left, left + pixel, mergedColour(i, j, slices.to[j - 1] - slices.from[i]));
      i = j;
    }
  }

  // ---- Marks ----

  // Corners by their distances from a place: x, y, x, y...
  function polygon(x, y, corners) {
    pen.moveTo(x + corners[0], y + corners[1]);
    for (let i = 2; i < corners.length; i += 2) pen.lineTo(x + corners[i], y + corners[i + 1]);
    pen.closePath();
  }

  const SHAPES = {
    spawn(x, y) { polygon(x, y + BAR, [0, 2, 3, -3, -3, -3]); },
    kill(x, y) {
      polygon(x, y + 3, [-3, -1, -1, -3, 0, -2, 1, -3, 3, -1, 2, 0, 3, 1, 1, 3, 0, 2, -1, 3, -3, 1,
        -2, 0]);
    },
    link(x, y) { pen.moveTo(x + 2.5, y); pen.arc(x, y, 2.5, 0, 2 * Math.PI); },
    end(x, y) { pen.rect(x - 1, y - 2, 2, BAR + 4); },
  };

  function markColour(i) {
    const kind = MARKS[marks.kind[i]];
    if (kind === "kill") return theme.bad;
    if (kind !== "end") return theme.text;
    return model.texts[marks.how[i]] === "error" ? theme.bad
      : model.texts[marks.how[i]] === "killed" ? theme.select : theme.dim;
  }

  const SPACE = 3; // pixels between marks of a kind that are drawn
  function drawMarks(lane, y, range) {
    let i = lowerBound(marks.at, range.from, lane.firstMark, lane.lastMark);
    const last = [-Infinity, -Infinity, -Infinity, -Infinity];
    while (i < lane.lastMark && marks.at[i] <= range.to) {
      const x = Math.round(view.x(marks.at[i])), kind = marks.kind[i];
      if (x - last[kind] >= SPACE || MARKS[kind] === "end") {
        last[kind] = x;
        pen.fillStyle = markColour(i);
        pen.beginPath();
        SHAPES[MARKS[kind]](x, y);
        pen.fill();
        i++;
      } else { // none of these few pixels is looked at again
        const next = lowerBound(marks.at, view.x.invert(x + 1), i, lane.lastMark);
        i = Math.max(i + 1, Math.min(next, i + 8));
      }
    }
  }

  // ---- Names ----

  function drawLabel(lane, y) {
    const x = 6 + Math.min(lane.depth, DEEPEST) * INDENT;
    const bright = lane.matches || view.sought === "";
    if (lane.children.length > 0) {
      pen.fillStyle = theme.dim;
      pen.beginPath();
      const middle = y + ROW / 2;
      polygon(x, middle, lane.collapsed ? [0, -4, 5, 0, 0, 4] : [-1, -2, 7, -2, 3, 3]);
      pen.fill();
    }
    const room = view.gutter - x - 16;
    const name = units.shortened(lane.label, Math.floor(room / 6.2));
    pen.fillStyle = lane.how === "error" ? theme.bad : bright ? theme.text : theme.dim;
    pen.fillText(name, x + 11, y + ROW / 2 + 0.5, room);
    const used = pen.measureText(name).width + 8;
    const place = labels.ofPlace(lane.function, room - used);
    if (place !== "") {
      pen.fillStyle = theme.dim;
      pen.fillText(place, x + 11 + used, y + ROW / 2 + 0.5, room - used);
    }
  }

  // ---- Rows ----

  const MARGIN = (ROW - BAR) / 2, DIMMED = 0.3;
  const isDimmed = (lane) => view.sought !== "" && !lane.matches;

  function drawBack(row) {
    pen.fillStyle = theme.faint;
    pen.fillRect(0, view.top(row) + ROW - 1, view.width, 1);
  }

  function drawFront(row, range) {
    const lane = view.rows[row], y = view.top(row), dimmed = isDimmed(lane);
    pen.globalAlpha = dimmed ? DIMMED : 1;
    drawMarks(lane, y + MARGIN, range);
    pen.globalAlpha = dimmed ? 0.6 : 1;
    pen.fillStyle = view.sought !== "" && !dimmed ? theme.match : theme.panel;
    pen.fillRect(0, y, view.gutter - 1, ROW - 1);
    drawLabel(lane, y);
    pen.globalAlpha = 1;
  }

  // The scale, in whole pixels of the screen, for what is asked a hundred thousand times a frame.
  function exactScale({ from, to }) {
    const { ratio, gutter, width } = view, factor = (width - gutter) / (to - from);
    return {
      snap: (time) => Math.round((gutter + (time - from) * factor) * ratio) / ratio,
      timeAt: (x) => from + (x - gutter) / factor,
    };
  }

  function drawLanes() {
    const range = view.range(), scale = exactScale(range), { ratio } = view;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.fillStyle = theme.back;
    pen.fillRect(0, 0, view.width, view.height);
    pen.fillStyle = theme.panel;
    pen.fillRect(0, 0, view.gutter - 1, view.height);
    pen.font = `11px ${colours.fonts.sans}`;
    pen.textBaseline = "middle";
    drawGrid();
    const firstRow = Math.max(0, Math.floor(view.scrollTop / ROW));
    const lastRow = Math.min(view.rows.length, Math.ceil((view.scrollTop + view.height) / ROW));
    const each = (draw) => { for (let row = firstRow; row < lastRow; row++) draw(row); };
    clearStrip(Math.max(1, lastRow - firstRow));
    each(drawBack);
    each((row) => {
      const lane = view.rows[row];
      pen.globalAlpha = isDimmed(lane) ? DIMMED : 1;
      drawSlices(lane, view.top(row) + MARGIN, range, scale, row - firstRow);
    });
    drawStrip(firstRow);
    each((row) => drawFront(row, range));
    pen.fillStyle = theme.line;
    pen.fillRect(view.gutter - 1, 0, 1, view.height);
  }

  function drawGrid() {
    pen.fillStyle = theme.faint;
    for (const x of times.ticks()) pen.fillRect(x, 0, 1, view.height);
  }

  return {
    pen,
    resize() {
      times.size(canvas, view.height);
      times.resize();
    },
    // Returns whether slices were too narrow to be seen by themselves.
    draw() {
      merged = false;
      theme = colours.theme;
      drawLanes();
      times.draw();
      return merged;
    },
  };
}
