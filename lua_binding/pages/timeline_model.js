// The trace, so that it can be drawn: lanes in the order of the tree, and in arrays by columns the
// slices, marks and wakes, each ordered by lane, then by time. Times are in microseconds.
const KINDS = ["run", "ready", "wait"];
const RUN = 0, READY = 1, WAIT = 2;
const MARKS = ["spawn", "kill", "link", "end"];
const MAIN = 1, HUB = 2; // their tids

// The first index from `low` on, below `high`, whose value is at least `value`.
function lowerBound(values, value, low, high) {
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle] < value) low = middle + 1; else high = middle;
  }
  return low;
}

// The first index whose value is greater.
function upperBound(values, value, low, high) {
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle] <= value) low = middle + 1; else high = middle;
  }
  return low;
}

const buildModel = (() => {
  const text = (value) => (value === undefined || value === null ? "" : String(value));

  // ---- Texts by number: there are few, many slices have the same ----

  function makeTexts() {
    const list = [""], numbers = new Map([["", 0]]);
    return {
      list,
      number(value) {
        const key = text(value);
        let number = numbers.get(key);
        if (number === undefined) {
          number = list.push(key) - 1;
          numbers.set(key, number);
        }
        return number;
      },
    };
  }

  // ---- Rows of a table of columns, by lane and time ----

  // What `read(event)` takes out of events that are in order by and large, sorted: each lane's rows
  // are those from lane[first] to lane[last].
  function table(events, columns, laneOf, order, lanes, first, last) {
    const counts = new Uint32Array(lanes.length + 1);
    for (const event of events) counts[laneOf(event) + 1]++;
    for (let i = 0; i < lanes.length; i++) counts[i + 1] += counts[i];
    const next = counts.slice(), sorted = new Array(events.length);
    for (const event of events) sorted[next[laneOf(event)]++] = event;
    lanes.forEach((lane, i) => {
      lane[first] = counts[i];
      lane[last] = counts[i + 1];
      sortPart(sorted, order, counts[i], counts[i + 1]);
    });
    const result = {};
    for (const [name, Type, read] of columns) {
      const column = new Type(sorted.length);
      for (let i = 0; i < sorted.length; i++) column[i] = read(sorted[i]);
      result[name] = column;
    }
    return result;
  }

  function sortPart(values, order, from, to) {
    for (let i = from + 1; i < to; i++) {
      if (order(values[i - 1]) > order(values[i])) {
        const part = values.slice(from, to).sort((a, b) => order(a) - order(b));
        for (let k = 0; k < part.length; k++) values[from + k] = part[k];
        return;
      }
    }
  }

  // ---- Events by their kind ----

  function sortOut(events) {
    const kinds = { names: [], slices: [], starts: [], ends: [], marks: [], counters: [] };
    let unknown = 0;
    for (const event of events) {
      if (!event || !Number.isInteger(event.tid)) { unknown++; continue; }
      if (event.ph === "M") {
        if (event.name === "thread_name" || event.name === "process_name") kinds.names.push(event);
      } else if (!Number.isFinite(event.ts)) unknown++;
      else if (event.ph === "X" && KINDS.includes(event.cat) && event.dur >= 0) {
        kinds.slices.push(event);
      } else if (event.ph === "s") kinds.starts.push(event);
      else if (event.ph === "f") kinds.ends.push(event);
      else if (event.ph === "i" && MARKS.includes(event.cat)) kinds.marks.push(event);
      else if (event.ph === "C") kinds.counters.push(event);
      else unknown++;
    }
    return { kinds, unknown };
  }

  // ---- Lanes ----

  const USUAL = { [MAIN]: "main", [HUB]: "hub" };

  function makeLane(tid) {
    return { tid, name: USUAL[tid] || `greenlet ${tid}`, function: "", spawner: null, spawned: "",
      depth: 0, children: [], collapsed: false, matches: true, how: null };
  }

  function findLanes(kinds) {
    const lanes = new Map();
    const lane = (tid) => {
      if (!lanes.has(tid)) lanes.set(tid, makeLane(tid));
      return lanes.get(tid);
    };
    for (const event of kinds.names) {
      if (event.name !== "thread_name") continue;
      const args = event.args || {}, one = lane(event.tid);
      if (args.name !== undefined) one.name = text(args.name);
      one.function = text(args.function);
      one.spawned = text(args.spawned);
      one.spawner = args.spawner === undefined ? null : args.spawner;
    }
    for (const events of [kinds.slices, kinds.marks, kinds.starts, kinds.ends]) {
      for (const event of events) lane(event.tid);
    }
    return lanes;
  }

  // The hub is first, then main with all below it; what the hub spawned, or nobody who is
  // known, comes last: so the two are always on top.
  function inTreeOrder(byTid) {
    const rank = ({ tid }) => (tid === HUB ? 0 : tid === MAIN ? 1 : 2);
    const all = Array.from(byTid.values()).sort((a, b) => rank(a) - rank(b) || a.tid - b.tid);
    const roots = [];
    for (const lane of all) {
      const parent = byTid.get(lane.spawner);
      if (!parent || parent.tid === HUB || rank(lane) < 2 || parent === lane) roots.push(lane);
      else parent.children.push(lane);
    }
    const order = [], placed = new Set();
    const place = (root) => {
      const stack = [root];
      while (stack.length > 0) {
        const lane = stack.pop();
        if (placed.has(lane)) continue;
        placed.add(lane);
        order.push(lane);
        for (let i = lane.children.length - 1; i >= 0; i--) {
          const child = lane.children[i];
          if (!placed.has(child)) {
            child.depth = lane.depth + 1;
            stack.push(child);
          }
        }
      }
    };
    roots.forEach(place);
    all.forEach(place); // those that spawned each other, which only a broken file says
    return order;
  }

  // ---- Slices, marks, wakes, counters ----

  // In which way it waits; for a watcher, of which kind that is: "read fd" of "read fd 5".
  function reasonOf({ args, name }) {
    const reason = text(args && args.reason) || text(name) || "unknown";
    const kind = reason === "watcher" ? /^\S+(?: fd)?/.exec(text(name)) : null;
    return kind ? kind[0] : reason;
  }

  function readSlices(kinds, lanes, laneOf, texts) {
    const slices = table(kinds.slices, [
      ["from", Float64Array, (e) => e.ts],
      ["to", Float64Array, (e) => e.ts + e.dur],
      ["kind", Uint8Array, (e) => KINDS.indexOf(e.cat)],
      ["name", Uint32Array, (e) => texts.number(e.name)],
      ["reason", Uint32Array, (e) => (e.cat === "wait" ? texts.number(reasonOf(e)) : 0)],
      ["line", Uint32Array, (e) => texts.number(e.args && e.args.line)],
      ["lane", Uint32Array, laneOf],
    ], laneOf, (e) => e.ts, lanes, "first", "last");
    slices.length = kinds.slices.length;
    for (let i = 0; i + 1 < slices.length; i++) { // times are rounded
      if (slices.lane[i] === slices.lane[i + 1] && slices.to[i] > slices.from[i + 1]) {
        slices.to[i] = slices.from[i + 1];
      }
    }
    return sumUp(slices);
  }

  // How long greenlets ran, and were ready, in all slices before each: so that of any number of
  // slices that share a pixel the shares are known at once.
  function sumUp(slices) {
    const ran = new Float64Array(slices.length + 1), queued = new Float64Array(slices.length + 1);
    for (let i = 0; i < slices.length; i++) {
      const time = slices.to[i] - slices.from[i];
      ran[i + 1] = ran[i] + (slices.kind[i] === RUN ? time : 0);
      queued[i + 1] = queued[i] + (slices.kind[i] === READY ? time : 0);
    }
    return Object.assign(slices, { ran, queued });
  }

  function readMarks(kinds, lanes, laneOf, texts) {
    const args = (event) => event.args || {};
    const marks = table(kinds.marks, [
      ["at", Float64Array, (e) => e.ts],
      ["kind", Uint8Array, (e) => MARKS.indexOf(e.cat)],
      ["target", Float64Array, (e) => (args(e).target === undefined ? -1 : Number(args(e).target))],
      ["line", Uint32Array, (e) => texts.number(args(e).line)],
      ["how", Uint32Array, (e) => texts.number(args(e).how)],
    ], laneOf, (e) => e.ts, lanes, "firstMark", "lastMark");
    return marks;
  }

  // Twice: by who was woken, and by who woke.
  function readWakes(kinds, lanes, laneOf) {
    const starts = new Map(kinds.starts.map((event) => [event.id, event]));
    const pairs = [];
    for (const end of kinds.ends) {
      const start = starts.get(end.id);
      if (start) pairs.push({ start, end });
    }
    const columns = [
      ["fromLane", Uint32Array, (pair) => laneOf(pair.start)],
      ["toLane", Uint32Array, (pair) => laneOf(pair.end)],
      ["from", Float64Array, (pair) => pair.start.ts],
      ["to", Float64Array, (pair) => pair.end.ts],
    ];
    return {
      of: table(pairs, columns, (pair) => laneOf(pair.end), (pair) => pair.end.ts, lanes,
        "firstWakeOf", "lastWakeOf"),
      by: table(pairs, columns, (pair) => laneOf(pair.start), (pair) => pair.start.ts, lanes,
        "firstWakeBy", "lastWakeBy"),
      length: pairs.length,
    };
  }

  function readCounters(events) {
    events.sort((a, b) => a.ts - b.ts);
    const number = (value) => (Number.isFinite(value) ? value : 0);
    return {
      length: events.length,
      at: Float64Array.from(events, (e) => e.ts),
      living: Float64Array.from(events, (e) => number(e.args && e.args.living)),
      ready: Float64Array.from(events, (e) => number(e.args && e.args.ready)),
    };
  }

  // ---- Sums of each lane ----

  function stateOf(lane, slices, texts) {
    if (lane.how) return lane.how === "value" ? "ended" : lane.how;
    if (lane.first === lane.last) return "not seen to run";
    const last = lane.last - 1;
    return slices.kind[last] === WAIT ? `waits: ${units.visible(texts.list[slices.name[last]])}`
      : slices.kind[last] === RUN ? "running" : "ready";
  }

  function sumLane(lane, slices, marks, texts, byTid) {
    Object.assign(lane, { cpu: 0, waited: 0, queued: 0, waits: 0, runs: 0, longest: 0,
      longestSlice: -1 });
    for (let i = lane.first; i < lane.last; i++) {
      const time = slices.to[i] - slices.from[i];
      if (slices.kind[i] === RUN) { lane.cpu += time; lane.runs++; }
      else if (slices.kind[i] === READY) lane.queued += time;
      else {
        lane.waited += time;
        lane.waits++;
        if (time >= lane.longest) { lane.longest = time; lane.longestSlice = i; }
      }
    }
    for (let i = lane.firstMark; i < lane.lastMark; i++) {
      if (MARKS[marks.kind[i]] === "end") lane.how = texts.list[marks.how[i]] || "value";
    }
    lane.state = stateOf(lane, slices, texts);
    lane.longestName = lane.longestSlice < 0 ? ""
      : units.visible(texts.list[slices.name[lane.longestSlice]]);
    const spawner = byTid.get(lane.spawner);
    lane.spawnerName = spawner ? units.visible(spawner.name) : "";
    lane.label = units.visible(lane.name);
    lane.lower = `${lane.label} ${lane.function}`.toLowerCase();
  }

  // The classes of waits by the time they took, the longest first.
  function reasonsOf(slices) {
    const sums = new Map();
    for (let i = 0; i < slices.length; i++) {
      if (slices.kind[i] === WAIT) {
        const reason = slices.reason[i];
        sums.set(reason, (sums.get(reason) || 0) + slices.to[i] - slices.from[i]);
      }
    }
    return Array.from(sums).sort((a, b) => b[1] - a[1]).map(([reason]) => reason);
  }

  function extent(slices, marks, counters, other) {
    let from = Infinity, to = -Infinity;
    for (let i = 0; i < slices.length; i++) {
      if (slices.from[i] < from) from = slices.from[i];
      if (slices.to[i] > to) to = slices.to[i];
    }
    for (const at of [marks.at, counters.at]) {
      for (let i = 0; i < at.length; i++) {
        if (at[i] < from) from = at[i];
        if (at[i] > to) to = at[i];
      }
    }
    if (Number.isFinite(other.from)) from = Math.min(from, other.from);
    if (Number.isFinite(other.to)) to = Math.max(to, other.to);
    if (from > to) return { from: 0, to: 1 };
    return { from, to: to > from ? to : from + 1 };
  }

  return ({ events, other, problem }) => {
    const texts = makeTexts();
    const { kinds, unknown } = sortOut(events);
    const byTid = findLanes(kinds);
    const lanes = inTreeOrder(byTid);
    lanes.forEach((lane, i) => { lane.index = i; });
    const laneOf = (event) => byTid.get(event.tid).index;
    const slices = readSlices(kinds, lanes, laneOf, texts);
    const marks = readMarks(kinds, lanes, laneOf, texts);
    const wakes = readWakes(kinds, lanes, laneOf);
    const counters = readCounters(kinds.counters);
    for (const lane of lanes) sumLane(lane, slices, marks, texts, byTid);
    const process = kinds.names.find((event) => event.name === "process_name");
    return {
      lanes, byTid, slices, marks, wakes, counters, texts: texts.list, problem, unknown,
      reasons: reasonsOf(slices), extent: extent(slices, marks, counters, other),
      events: kinds.slices.length + kinds.starts.length + kinds.ends.length + kinds.marks.length,
      lost: Number(other.lost) || 0, cpu: Number(other.cpu) || 0,
      sources: other.sources || {}, program: text(other.program),
      title: units.visible(other.script || (process && process.args && process.args.name) || ""),
    };
  };
})();
