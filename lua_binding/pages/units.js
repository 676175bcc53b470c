// Texts of numbers, and of what a script named.
const units = (() => {
  const count = d3.format(",");
  const STEPS = [[1e6, "s"], [1e3, "ms"], [1, "µs"], [1e-3, "ns"]];

  const many = (number, one, more) => `${count(number)} ${number === 1 ? one : more}`;

  function step(microseconds) {
    const size = Math.abs(microseconds);
    return STEPS.find(([factor]) => size >= factor) || STEPS[3];
  }

  // Three digits at least, none after the point that mean nothing: times have whole nanoseconds.
  function duration(microseconds) {
    if (!(Math.abs(microseconds) >= 0.0005)) return "0";
    const [factor, unit] = step(microseconds);
    const value = microseconds / factor;
    const digits = unit === "ns" ? 0 : Math.abs(value) >= 100 ? 1 : Math.abs(value) >= 10 ? 2 : 3;
    return `${Number(value.toFixed(digits))} ${unit}`;
  }

  // A point in time, told apart from others that are `distance` away.
  function time(microseconds, distance) {
    const [factor, unit] = step(Math.max(Math.abs(microseconds), distance));
    const digits = Math.max(0, Math.ceil(-Math.log10(distance / factor) - 1e-9));
    const exact = Math.min(digits, unit === "s" ? 9 : unit === "ms" ? 6 : unit === "µs" ? 3 : 0);
    return `${(microseconds / factor).toFixed(exact)} ${unit}`;
  }

  // A moment, to the nanosecond.
  function moment(microseconds) {
    const [factor, unit] = step(microseconds);
    const digits = { s: 9, ms: 6, "µs": 3, ns: 0 }[unit];
    return `${Number((microseconds / factor).toFixed(digits))} ${unit}`;
  }

  // What does not show, or makes other text show elsewhere, is written as in Lua.
  const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;
  const NAMES = { "\n": "\\n", "\t": "\\t", "\r": "\\r" };
  function visible(text) {
    return String(text).replace(HIDDEN, (c) => {
      const code = c.charCodeAt(0);
      return NAMES[c] || (code < 256 ? `\\x${code.toString(16).padStart(2, "0")}`
        : `\\u{${code.toString(16)}}`);
    });
  }

  // The name of a file without its directory; what follows the name, a line say, stays.
  const baseName = (path) => path.replace(/^.*\/(?=[^/]+$)/s, "");

  // At most so many characters, the last of which then is an ellipsis.
  function shortened(text, most) {
    const characters = text.length > most ? Array.from(text.slice(0, 2 * most)) : null;
    return characters && characters.length > most
      ? characters.slice(0, Math.max(0, most - 1)).join("") + "…" : text;
  }

  return { count, many, duration, time, moment, visible, baseName, shortened };
})();
