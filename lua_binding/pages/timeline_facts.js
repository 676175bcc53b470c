// What is said of a slice or a greenlet: beside the pointer, and of what is selected. All of it is
// text; nothing that a script named becomes an element.
function makeFacts(model, overlay) {
  const { slices, texts } = model;
  const LONGEST = 2000; // characters of a text that are shown

  const shown = (text) => units.shortened(units.visible(text), LONGEST);

  function element(kind, className, text) {
    const one = document.createElement(kind);
    if (className) one.className = className;
    if (text !== undefined) one.textContent = text;
    return one;
  }

  // "script.lua:12" and the text of that line.
  function place(line) {
    const part = document.createDocumentFragment();
    if (line) {
      part.append(element("span", "code", shown(line)));
      if (Object.prototype.hasOwnProperty.call(model.sources, line)) {
        part.append(" ", element("span", "code source", shown(String(model.sources[line]).trim())));
      }
    }
    return part;
  }

  function list(pairs) {
    const facts = element("dl", "facts");
    for (const [name, value] of pairs) {
      if (value === "" || value === null || value === undefined) continue;
      const about = element("dd");
      about.append(value);
      facts.append(element("dt", "", name), about);
    }
    return facts;
  }

  const nameOf = (lane) => units.shortened(lane.label, 120);
  const placeOrNone = (line) => (line ? place(line) : "");

  function what(slice) {
    const kind = slices.kind[slice];
    if (kind === RUN) return "runs";
    return kind === READY ? "is ready, waiting for its turn"
      : `waits: ${shown(texts[slices.name[slice]])}`;
  }

  // Who did it: the hub does what timers and descriptors ask for.
  function waker(tid) {
    return tid === HUB ? "the hub: a timer, a descriptor or a callback"
      : nameOf(model.byTid.get(tid));
  }

  const laneName = (index) => waker(model.lanes[index].tid);

  function woke(by) {
    const names = Array.from(new Set(by.map((wake) => laneName(wake.toLane))));
    return names.length > 4 ? `${names.slice(0, 4).join(", ")} and ${names.length - 4} more`
      : names.join(", ");
  }

  // How long a lane ran in a range of time.
  function ranIn(lane, from, to) {
    const i = upperBound(slices.to, from, lane.first, lane.last);
    const end = lowerBound(slices.from, to, i, lane.last);
    if (i === end) return 0;
    const before = slices.kind[i] === RUN ? Math.max(0, from - slices.from[i]) : 0;
    const behind = slices.kind[end - 1] === RUN ? Math.max(0, slices.to[end - 1] - to) : 0;
    return slices.ran[end] - slices.ran[i] - before - behind;
  }

  // Who kept the greenlet of a slice from running: those that ran longest meanwhile.
  function meanwhile(slice) {
    const from = slices.from[slice], to = slices.to[slice], MOST = 3;
    const all = model.lanes.map((lane) => ({ lane, time: ranIn(lane, from, to) }))
      .filter(({ time }) => time > 0).sort((a, b) => b.time - a.time);
    const longest = all.slice(0, MOST)
      .map(({ lane, time }) => `${nameOf(lane)} for ${units.duration(time)}`).join(", ");
    return all.length > MOST ? `${longest} and ${all.length - MOST} more` : longest;
  }

  // The line of the wait that a run follows (-1), or that follows it (1): what runs is between.
  function waitBeside(slice, by) {
    const { first, last } = model.lanes[slices.lane[slice]];
    let i = slice + by;
    if (i >= first && i < last && slices.kind[i] === READY) i += by;
    return i >= first && i < last && slices.kind[i] === WAIT ? texts[slices.line[i]] : "";
  }

  function ofSlice(slice) {
    const lane = model.lanes[slices.lane[slice]], { of, by } = overlay.wakesOf(slice);
    const line = texts[slices.line[slice]], runs = slices.kind[slice] === RUN;
    return [element("div", "what", `${nameOf(lane)} ${what(slice)}`), list([
      ["for", units.duration(slices.to[slice] - slices.from[slice])],
      ["from", units.moment(slices.from[slice])],
      ["at", placeOrNone(line)],
      ["after wait at", runs ? placeOrNone(waitBeside(slice, -1)) : ""],
      ["until wait at", runs ? placeOrNone(waitBeside(slice, 1)) : ""],
      ["woken by", of.length > 0 ? laneName(of[0].fromLane) : ""],
      ["meanwhile ran", slices.kind[slice] === READY ? meanwhile(slice) : ""],
      ["wakes", woke(by)],
    ])];
  }

  // Some slices that share a pixel.
  function ofSome({ lane, first, end, count }) {
    let waited = 0;
    for (let i = first; i < end && i < first + 100000; i++) {
      if (slices.kind[i] === WAIT) waited += slices.to[i] - slices.from[i];
    }
    const what = `${nameOf(lane)}: ${units.count(count)} slices in this pixel`;
    return [element("div", "what", what), list([
      ["running", units.duration(slices.ran[end] - slices.ran[first])],
      ["ready", units.duration(slices.queued[end] - slices.queued[first])],
      ["waiting", units.duration(waited)],
      ["", "zoom in to see them"],
    ])];
  }

  function ofLane(lane) {
    return [element("div", "what", nameOf(lane)), list([
      ["state", units.shortened(lane.state, 200)],
      ["runs", placeOrNone(lane.function)],
      ["spawned by", lane.spawnerName && (lane.spawner === HUB ? "the hub" : lane.spawnerName)],
      ["at", placeOrNone(lane.spawned)],
      ["CPU", `${units.duration(lane.cpu)} in ${units.many(lane.runs, "run", "runs")}`],
      ["ready", units.duration(lane.queued)],
      ["waited", `${units.duration(lane.waited)} in ${units.many(lane.waits, "wait", "waits")}`],
      ["longest", lane.longestSlice < 0 ? ""
        : `${units.duration(lane.longest)}, ${units.shortened(lane.longestName, 200)}`],
      ["number", String(lane.tid)],
    ])];
  }

  const DID = { spawn: "spawns", kill: "kills", link: "links to", end: "ends" };

  // What was done, to whom, and where.
  function ofMark(i) {
    const { marks } = model, kind = MARKS[marks.kind[i]];
    const target = model.byTid.get(marks.target[i]), about = document.createDocumentFragment();
    const whom = target ? nameOf(target) : `greenlet ${marks.target[i]}`;
    about.append(kind === "end" ? `with ${shown(texts[marks.how[i]]) || "a value"}` : whom, " ",
      place(texts[marks.line[i]]));
    return [DID[kind], about];
  }

  function ofMarks({ lane, firstMark, lastMark }) {
    if (!(lastMark > firstMark)) return [];
    const rows = [], MOST = 5, more = lastMark - firstMark - MOST;
    for (let i = firstMark; i < lastMark && rows.length < MOST; i++) rows.push(ofMark(i));
    if (more > 0) rows.push(["", `and ${units.count(more)} more`]);
    return [element("div", "what", `${nameOf(lane)}, ${units.moment(model.marks.at[firstMark])}`),
      list(rows)];
  }

  return {
    // Of what overlay.at() has found.
    of(found) {
      if (!found) return [];
      if (found.label) return ofLane(found.lane);
      const ofIt = found.slice < 0 ? [] : found.count > 1 ? ofSome(found) : ofSlice(found.slice);
      return [...ofMarks(found), ...ofIt];
    },
    ofSlice, ofLane, element,
  };
}
