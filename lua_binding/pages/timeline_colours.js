// Colours and hatches. Reasons of waits have colours that those who see few colours can tell apart
// (Paul Tol's "muted" and "light" schemes), and since there are more of them, several hatches.
const colours = (() => {
  const LIGHT = ["#88ccee", "#ddcc77", "#cc6677", "#44aa99", "#332288", "#999933", "#aa4499",
    "#117733", "#882255"];
  const DARK = ["#99ddff", "#eedd88", "#ee8866", "#44bb99", "#77aadd", "#bbcc33", "#ffaabb",
    "#aaaa00", "#dddddd"];
  // What greenlua waits for, so that it looks the same in every trace: a place in the palette, and
  // how the lines of the hatch run; like things share a colour.
  const KNOWN = new Map([
    ["sleep", [0, 0]], ["turn of the loop", [0, 1]], ["end of the loop", [0, 2]],
    ["get from", [1, 0]], ["peek at", [1, 1]],
    ["acquire of", [2, 0]], ["release of", [2, 1]],
    ["join of", [3, 0]], ["join of all of", [3, 1]],
    ["put to", [4, 0]], ["tasks of", [4, 1]],
    ["read fd", [5, 0]], ["write fd", [5, 1]], ["read/write fd", [5, 2]],
    ["switch", [6, 0]], ["timer", [6, 1]], ["signal", [6, 2]],
    ["set of", [7, 0]], ["child", [7, 1]], ["stat", [7, 2]],
    ["select of", [8, 0]], ["wait for", [8, 1]],
  ]);
  const LEVELS = 16; // of how much of a pixel is run
  const TILE = 6;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const names = ["back", "panel", "line", "faint", "text", "dim", "run", "ready", "ready-line",
    "bad", "match", "select", "accent"];
  const fonts = {};
  let theme = {}, reasons = new Map();

  // `share` of one colour, the rest of the other.
  const mixed = (one, other, share) => d3.interpolateRgb(other, one)(share);

  function hatch(context, colour, back, turn, ratio) {
    const tile = document.createElement("canvas");
    const size = tile.width = tile.height = Math.round(TILE * ratio);
    const pen = tile.getContext("2d");
    pen.fillStyle = back;
    pen.fillRect(0, 0, size, size);
    pen.strokeStyle = colour;
    pen.lineWidth = 1.2 * ratio;
    pen.beginPath();
    const line = (x1, y1, x2, y2) => {
      pen.moveTo(x1 * size, y1 * size);
      pen.lineTo(x2 * size, y2 * size);
    };
    if (turn === 0) { line(-0.5, 0.5, 0.5, -0.5); line(0, 1, 1, 0); line(0.5, 1.5, 1.5, 0.5); }
    else if (turn === 1) { line(-0.5, 0.5, 0.5, 1.5); line(0, 0, 1, 1); line(0.5, -0.5, 1.5, 0.5); }
    else if (turn === 2) line(0, 0.5, 1, 0.5);
    else line(0.5, 0, 0.5, 1);
    pen.stroke();
    const pattern = context.createPattern(tile, "repeat");
    pattern.setTransform(new DOMMatrix().scale(1 / ratio));
    return pattern;
  }

  // As the pixels of a picture have it.
  function pixelOf(colour) {
    const { r, g, b } = d3.rgb(colour);
    return new Uint32Array(new Uint8Array([r, g, b, 255]).buffer)[0];
  }

  function styleOf(context, colour, turn, ratio) {
    const pale = mixed(colour, theme.back, 0.3), levels = [];
    for (let i = 0; i <= LEVELS; i++) levels.push(pixelOf(mixed(theme.run, pale, i / LEVELS)));
    return { colour, pale, levels, hatch: hatch(context, colour, pale, turn, ratio) };
  }

  // To be called when the page begins, and when its colours or its pixels have become others.
  function read(context, model, ratio) {
    const style = getComputedStyle(document.documentElement);
    theme = { dark: dark.matches };
    for (const name of names) theme[name] = style.getPropertyValue(`--${name}`).trim();
    theme.pixels = { run: pixelOf(theme.run), ready: pixelOf(theme["ready-line"]) };
    fonts.sans = style.getPropertyValue("--sans");
    fonts.mono = style.getPropertyValue("--mono");
    const palette = dark.matches ? DARK : LIGHT;
    reasons = new Map(model.reasons.map((reason) => {
      const text = model.texts[reason];
      if (text === "poll") return [reason, styleOf(context, theme.dim, 2, ratio)];
      const [place, turn] = KNOWN.get(text) || byHash(text, palette.length);
      return [reason, styleOf(context, palette[place], turn, ratio)];
    }));
  }

  // Any other text has the same colour in every trace as well, and the hatch that none of these has.
  function byHash(text, count) {
    let hash = 0;
    for (let i = 0; i < text.length; i++) hash = (hash * 31 + text.charCodeAt(i)) >>> 0;
    return [hash % count, 3];
  }

  return {
    LEVELS, read, fonts,
    get theme() { return theme; },
    get reasons() { return reasons; },
    onChange(callback) { dark.addEventListener("change", callback); },
  };
})();
