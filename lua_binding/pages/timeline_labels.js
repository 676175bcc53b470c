// What is written where there is little room: as much of a text as tells the most.
function makeLabels(model, pen) {
  const LEAST = 6, LEAST_PLACE = 30; // pixels
  const fitting = new Map(), widths = new Map();

  // Of few texts, since a font has to be asked.
  function widthOf(text) {
    let width = widths.get(text);
    if (width === undefined) widths.set(text, width = pen.measureText(text).width);
    return width;
  }

  // As many characters of the text as fit.
  const most = (text, room) => Math.floor((text.length * room) / widthOf(text));

  // The text, or so much of it that one may guess the rest.
  function begun(text, room) {
    if (widthOf(text) <= room) return text;
    return most(text, room) < 3 ? "" : units.shortened(text, most(text, room));
  }

  // All that a wait is for; what, without the way, which its colour tells; the name of that alone.
  function variants(name, reason) {
    const whole = units.visible(model.texts[name]), way = `${model.texts[reason]} `;
    const descriptor = / (fd \d+)$/.exec(whole);
    if (descriptor) return [whole, descriptor[1]];
    const object = whole.startsWith(way) ? whole.slice(way.length) : whole;
    const quoted = /^[^"]*"([^"]+)"$/.exec(object);
    return [whole, object, quoted ? quoted[1] : object];
  }

  return {
    // What to write into so many pixels of a slice; "" if there is no room.
    ofWait(name, reason, room) {
      if (room < LEAST) return "";
      let list = fitting.get(name);
      if (!list) fitting.set(name, list = variants(name, reason));
      return begun(list.find((one) => widthOf(one) <= room) || list[list.length - 1], room);
    },
    // Of the place of a function its end counts: the file's own name, and the line.
    ofPlace(place, room) {
      if (room < LEAST_PLACE) return "";
      const whole = units.visible(place);
      const text = widthOf(whole) <= room ? whole : units.baseName(whole);
      return widthOf(text) <= room ? text : `…${text.slice(1 - most(text, room))}`;
    },
    widthOf,
  };
}
