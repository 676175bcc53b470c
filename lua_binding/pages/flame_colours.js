// Colours of frames: functions of one file are alike; what greenlets waited for has the colours
// that it has in a timeline.
const colours = (() => {
  const LIGHT = ["#88ccee", "#ddcc77", "#cc6677", "#44aa99", "#9f8fd0", "#b9b95a", "#c987bb"];
  const DARK = ["#3f7fa6", "#8d7b2b", "#98505a", "#2f7d70", "#6a5bb0", "#75752f", "#8c4f80"];
  const USUAL = ["sleep", "get", "acquire", "join", "put", "io", "select"];
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const names = ["back", "panel", "line", "faint", "text", "dim", "run", "ready", "ready-line",
    "match", "select", "accent"];
  const fonts = {}, kept = new Map();
  let theme = {};

  function hash(text) {
    let value = 2166136261;
    for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 16777619);
    return value >>> 0;
  }

  // From red to yellow by the file; functions of it differ a little.
  function warm(frame) {
    const hue = 12 + (hash(frame.file || "") % 40), shade = hash(frame.text) % 100 / 100;
    return dark.matches ? d3.hsl(hue, 0.55, 0.33 + 0.09 * shade).toString()
      : d3.hsl(hue, 0.85, 0.66 + 0.1 * shade).toString();
  }

  function reason(frame) {
    const word = frame.text.replace(/^\[/, "").split(/[ \]]/)[0];
    const place = USUAL.indexOf(word), palette = dark.matches ? DARK : LIGHT;
    return palette[(place >= 0 ? place : hash(word)) % palette.length];
  }

  function choose(frame) {
    switch (frame.kind) {
      case KIND.lua: return warm(frame);
      case KIND.c: return dark.matches ? "#4a5563" : "#c3cad4";
      case KIND.wait: return reason(frame);
      case KIND.ready: return theme.ready;
      case KIND.note: return theme.faint;
      default: return dark.matches ? "#2c4a6b" : "#a9c6e8";
    }
  }

  return {
    fonts,
    get theme() { return theme; },
    get dark() { return dark.matches; },
    // To be called when the page begins, and when its colours have become others.
    read() {
      const style = getComputedStyle(document.documentElement);
      theme = {};
      kept.clear();
      for (const name of names) theme[name] = style.getPropertyValue(`--${name}`).trim();
      fonts.sans = style.getPropertyValue("--sans");
    },
    of(frame) {
      if (!kept.has(frame)) kept.set(frame, choose(frame));
      return kept.get(frame);
    },
    onChange(callback) { dark.addEventListener("change", callback); },
  };
})();
