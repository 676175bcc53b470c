// Draws a tree: the root above, each node as wide as its time, below it what it called. Only what
// is seen is looked at: of many narrow children only the first, those after it being narrower.
const ROW = 18, LEAST = 0.5, PADDING = 4; // pixels
const MOST_CHARACTERS = 300;

function makeDrawing(canvas) {
  const pen = canvas.getContext("2d");
  const drawing = { width: 100, height: 100, ratio: 1, top: 0, tree: null, from: 0, to: 1,
    focus: null, hovered: null, matches: null };
  let letter = 6;

  const left = (x) => ((x - drawing.from) / (drawing.to - drawing.from)) * drawing.width;

  drawing.resize = (width, height, ratio) => {
    Object.assign(drawing, { width, height, ratio });
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  };

  // The frames that led to what is zoomed to fill the width, whatever part of them is seen.
  function isAbove(node) {
    return node.x <= drawing.from + 1e-12 && node.x + node.width >= drawing.to - 1e-12
      && drawing.focus && node.depth < drawing.focus.depth;
  }

  function box(node, x, width, y) {
    const { theme } = colours;
    const found = drawing.matches && drawing.matches(node.frame);
    pen.globalAlpha = isAbove(node) || (drawing.matches && !found) ? 0.45 : 1;
    pen.fillStyle = found ? theme.select : colours.of(node.frame);
    pen.fillRect(x, y, Math.max(width - (width > 3 ? 1 : 0), LEAST), ROW - 1);
    pen.globalAlpha = 1;
    if (node === drawing.hovered) {
      pen.strokeStyle = theme.text;
      pen.strokeRect(x + 0.5, y + 0.5, Math.max(1, width - 2), ROW - 2);
    }
  }

  // As much as there is room for. That a function has no name says less than where it is.
  function shortened(frame, most) {
    const { text, name, place } = frame;
    if (text.length <= most) return text;
    return units.shortened(frame.kind === KIND.lua && name === "function" ? place : name, most);
  }

  function label(node, x, width, y, found) {
    const room = width - 2 * PADDING;
    if (room < 2 * letter) return;
    const most = Math.min(MOST_CHARACTERS, Math.floor(room / letter));
    pen.fillStyle = found ? "#000000" : colours.theme.text; // on yellow, dark as it may be around
    const text = shortened(node.frame, most);
    pen.fillText(text, x + PADDING, y + ROW / 2 + 0.5, room);
  }

  function visit(node) {
    const x = Math.max(0, left(node.x)), end = Math.min(drawing.width, left(node.x + node.width));
    const y = node.depth * ROW - drawing.top;
    if (y > drawing.height) return;
    if (y > -ROW) {
      box(node, x, end - x, y);
      label(node, x, end - x, y, drawing.matches && drawing.matches(node.frame));
    }
    for (const child of node.children) {
      const start = left(child.x), stop = left(child.x + child.width);
      if (stop <= 0) continue;
      if (start >= drawing.width) break;
      if (stop - start < LEAST) { rest(node, start); break; }
      visit(child);
    }
  }

  // The children from there on, which are too narrow to be told apart.
  function rest(node, start) {
    const last = node.children[node.children.length - 1];
    const end = Math.min(drawing.width, left(last.x + last.width));
    const y = (node.depth + 1) * ROW - drawing.top;
    if (end - start < LEAST || y > drawing.height) return;
    pen.fillStyle = colours.theme.line;
    pen.fillRect(start, y, end - start, ROW - 1);
  }

  drawing.draw = () => {
    const { theme, fonts } = colours;
    pen.setTransform(drawing.ratio, 0, 0, drawing.ratio, 0, 0);
    pen.fillStyle = theme.back;
    pen.fillRect(0, 0, drawing.width, drawing.height);
    pen.font = `11px ${fonts.sans}`;
    pen.textBaseline = "middle";
    pen.lineWidth = 1;
    letter = pen.measureText("aeinorst").width / 8;
    if (drawing.tree && drawing.tree.all.total > 0) visit(drawing.tree.all);
  };

  // The child in which a share of the whole lies.
  function childAt(node, x) {
    let low = 0, high = node.children.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (node.children[middle].x <= x) low = middle + 1; else high = middle;
    }
    const child = node.children[low - 1];
    return child && x < child.x + child.width ? child : null;
  }

  // The node at a place in the canvas, or null.
  drawing.at = (px, py) => {
    const x = drawing.from + (px / drawing.width) * (drawing.to - drawing.from);
    const depth = Math.floor((py + drawing.top) / ROW);
    let node = drawing.tree && drawing.tree.all.total > 0 ? drawing.tree.all : null;
    while (node && node.depth < depth) node = childAt(node, x);
    return node;
  };

  // Where its middle is; null if it is not seen.
  drawing.place = (node) => {
    const from = Math.max(0, left(node.x)), to = Math.min(drawing.width, left(node.x + node.width));
    const y = (node.depth + 0.5) * ROW - drawing.top;
    return to - from < LEAST || y < 0 || y > drawing.height ? null : { x: (from + to) / 2, y };
  };

  return drawing;
}
