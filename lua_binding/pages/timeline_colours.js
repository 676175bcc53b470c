// Colours and hatches. Reasons of waits have colours that those who see few colours can tell apart
// (Paul Tol's "muted" and "light" schemes), and where there are more, another hatch.
const colours = (() => {
  const LIGHT = ["#88ccee", "#ddcc77", "#cc6677", "#44aa99", "#332288", "#999933", "#aa4499",
    "#117733", "#882255"];
  const DARK = ["#99ddff", "#eedd88", "#ee8866", "#44bb99", "#77aadd", "#bbcc33", "#ffaabb",
    "#aaaa00", "#dddddd"];
  // What is common looks the same in every trace.
  const USUAL = ["sleep", "get", "acquire", "join", "put", "read", "write", "wait", "select"];
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
    const palette = dark.matches ? DARK : LIGHT, count = palette.length;
    const places = choose(model.reasons.map((reason) => model.texts[reason]), count);
    reasons = new Map(model.reasons.map((reason, i) => [reason, places[i] < 0
      ? styleOf(context, theme.dim, 2, ratio)
      : styleOf(context, palette[places[i] % count], Math.floor(places[i] / count) % 4, ratio)]));
  }

  // A number for each reason, -1 for that of the idle hub; those that have no place of their
  // own get the first that are free.
  function choose(texts, count) {
    const taken = new Set();
    const own = texts.map((text) => {
      const place = text === "poll" ? -1 : USUAL.indexOf(text.split(" ")[0]);
      const free = place >= 0 && place < count && !taken.has(place);
      if (free) taken.add(place);
      return text === "poll" ? -1 : free ? place : null;
    });
    let next = 0;
    return own.map((place) => {
      if (place !== null) return place;
      while (taken.has(next)) next++;
      taken.add(next);
      return next;
    });
  }

  return {
    LEVELS, read, fonts,
    get theme() { return theme; },
    get reasons() { return reasons; },
    onChange(callback) { dark.addEventListener("change", callback); },
  };
})();
