// The page: what is shown, and what hands do to it.
function makePage(model) {
  const element = (id) => document.getElementById(id);
  const { data } = model, canvas = element("flames"), scroll = element("scroll");
  const drawing = makeDrawing(canvas), trees = new Map();
  const ZOOM_MILLISECONDS = 160;
  const percent = (part, whole) => (whole > 0 ? `${(100 * part / whole).toFixed(1)} %` : "");
  let mode = "cpu", merged = false, sought = "", only = null, moving = null, waiting = false;

  // ---- Drawing ----

  function drawNow() {
    drawing.top = scroll.scrollTop;
    drawing.draw();
  }

  function draw() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; drawNow(); });
  }

  function resize() {
    element("spacer").style.height = `${(drawing.tree.deepest + 1) * ROW}px`;
    drawing.resize(scroll.clientWidth, scroll.clientHeight, window.devicePixelRatio || 1);
    drawNow();
  }

  // ---- What is shown ----

  function treeOf() {
    const key = `${mode} ${merged}`;
    if (!trees.has(key)) trees.set(key, buildTree(model, mode, merged));
    return trees.get(key);
  }

  const NOTHING = { cpu: "Nothing has used the CPU for long enough to be seen.",
    wait: "Nobody has waited.", both: "Nothing has happened in this profile." };

  function show() {
    const tree = drawing.tree = treeOf();
    drawing.focus = drawing.hovered = null;
    [drawing.from, drawing.to] = [0, 1];
    element("nothing").textContent = NOTHING[mode];
    element("nothing").hidden = tree.all.total > 0 || Boolean(model.problem);
    for (const button of element("modes").children) {
      button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
    }
    element("merged").checked = merged;
    element("all").disabled = true;
    fillFunctions();
    fillLegend();
    seek();
    hideTip();
    scroll.scrollTop = 0;
    resize();
  }

  // The same stack in another tree, as far as it is there.
  function follow(node, tree) {
    const path = [];
    for (let at = node; at && at.parent; at = at.parent) path.unshift(at.frame.index);
    let found = tree.all;
    for (const index of path) {
      const next = found.byFrame.get(index);
      if (!next || next.total === 0) break;
      found = next;
    }
    return found;
  }

  function change(nextMode, nextMerged) {
    const { focus } = drawing;
    [mode, merged] = [nextMode, nextMerged];
    show();
    if (focus) zoom(follow(focus, drawing.tree), true);
  }

  function zoom(node, atOnce) {
    const whole = !node.parent;
    const goal = [node.x, node.x + node.width], start = [drawing.from, drawing.to];
    const began = performance.now();
    drawing.focus = whole ? null : node;
    element("all").disabled = whole;
    const step = () => {
      const share = atOnce ? 1 : Math.min(1, (performance.now() - began) / ZOOM_MILLISECONDS);
      const eased = d3.ease("cubic-out")(share);
      drawing.from = start[0] + (goal[0] - start[0]) * eased;
      drawing.to = start[1] + (goal[1] - start[1]) * eased;
      moving = share < 1 ? requestAnimationFrame(step) : null;
      drawNow();
    };
    if (moving) cancelAnimationFrame(moving);
    step();
  }

  // ---- Search ----

  function search(text, frame) {
    sought = text.trim().toLowerCase();
    only = frame || null;
    element("search").value = text;
    functions.select(only ? only.index : null);
    seek();
    draw();
    return drawing.matches ? soughtTime(drawing.tree, drawing.matches) : 0;
  }

  function seek() {
    drawing.matches = only ? (frame) => frame === only
      : sought ? (frame) => frame.sought.includes(sought) : null;
    const { all } = drawing.tree;
    const time = drawing.matches ? soughtTime(drawing.tree, drawing.matches) : 0;
    element("found").textContent = drawing.matches
      ? time > 0 ? `${percent(time, all.total)}, ${units.duration(time)}` : "nothing found" : "";
  }

  // ---- Tables ----

  const time = (value) => (value > 0 ? units.duration(value) : "");
  const greenlets = makeTable(element("greenlets"), [
    { key: "name", title: "greenlets", width: 40 },
    { key: "greenlets", title: "number", width: 11, show: units.count, tip: "how many have run" },
    { key: "cpu", title: "CPU", width: 13, show: time, tip: "time on the CPU" },
    { key: "share", title: "", width: 10, show: (value) => (value > 0 ? `${(100 * value).toFixed(1)} %` : "") },
    { key: "wait", title: "waited", width: 13, show: time, tip: "time in which it could not run" },
    { key: "ready", title: "ready", width: 13, show: time, tip: "time in which it waited for its turn" },
  ], { key: "cpu", descending: true }, (row) => {
    const node = drawing.tree.homes.get(row.id);
    if (node && node.total > 0) zoom(node);
  });
  const functions = makeTable(element("functions"), [
    { key: "name", title: "functions", width: 34 },
    { key: "place", title: "", width: 26 },
    { key: "self", title: "self", width: 14, show: time, tip: "time in it, and not in what it called" },
    { key: "share", title: "", width: 11, show: (value) => `${(100 * value).toFixed(1)} %` },
    { key: "total", title: "total", width: 15, show: time, tip: "time in it and in what it called" },
  ], { key: "self", descending: true }, (row) => {
    if (only === row.frame) search("");
    else search(row.frame.text, row.frame);
  });

  function fillGreenlets() {
    const whole = model.shares.reduce((sum, share) => sum + share.cpu, 0);
    greenlets.fill(model.shares.map((share) => ({ id: share.node.index, name: share.frame.text,
      greenlets: share.greenlets, cpu: share.cpu, share: whole > 0 ? share.cpu / whole : 0,
      wait: share.wait, ready: share.ready })));
  }

  function fillFunctions() {
    const { all } = drawing.tree;
    functions.fill(functionTimes(drawing.tree)
      .filter(({ frame }) => frame.kind <= KIND.c || frame.kind >= KIND.wait)
      .map(({ frame, self, total }) => ({ id: frame.index, frame, name: frame.name,
        place: frame.kind === KIND.c ? "[C]" : frame.place, self, total, share: self / all.total })));
  }

  // ---- Texts ----

  function fillSummary() {
    const seen = model.shares.reduce((sum, share) => sum + share.cpu, 0);
    const parts = [`${units.duration(data.cpu)} of CPU in ${units.duration(data.wall)}`,
      `${units.duration(data.idle)} idle`,
      `${units.count(data.samples)} samples, about ${units.duration(data.interval)} apart`,
      `${units.duration(seen)} told apart by greenlet`];
    if (data.dropped > 0) parts.push(`${units.count(data.dropped)} lost for want of memory`);
    element("summary").textContent = model.problem ? "" : parts.join(" · ");
    element("title").textContent = units.shortened(units.visible(data.command || "profile"), 120);
    element("problem").textContent = model.problem || "";
    element("problem").hidden = !model.problem;
  }

  function fillLegend() {
    const sample = (kind, text, name) => ({ kind, text: name || "", file: "", title: text });
    const items = [sample(KIND.greenlet, "greenlets"), sample(KIND.lua, "Lua, a shade for each file"),
      sample(KIND.c, "C")];
    if (mode !== "cpu") {
      const reasons = new Set(drawing.tree.list.filter((node) => node.total > 0)
        .map((node) => node.frame).filter((frame) => frame.kind === KIND.wait));
      for (const frame of Array.from(reasons).slice(0, 10)) {
        items.push({ ...frame, title: frame.text.replace(/^\[|\]$/g, "") });
      }
      items.push(sample(KIND.ready, "waits for its turn"));
    }
    element("legend").replaceChildren(...items.map((frame) => {
      const item = document.createElement("span"), box = document.createElement("i");
      box.style.background = colours.of(frame);
      item.append(box, frame.title);
      return item;
    }));
  }

  // ---- The tip ----

  function facts(node) {
    const { all } = drawing.tree, rows = [];
    if (node.frame.place) rows.push(["where", node.frame.place]);
    rows.push(["total", `${units.duration(node.total)}, ${percent(node.total, all.total)}`]);
    rows.push(["self", `${units.duration(node.self)}, ${percent(node.self, all.total)}`]);
    if (mode === "both") rows.push(["CPU", units.duration(node.cpu)], ["waited", units.duration(node.wait)]);
    let root = node;
    while (root.parent && root.parent.parent) root = root.parent;
    if (root !== node && root.parent) {
      rows.push(["of its greenlets", percent(node.total, root.total)]);
    }
    return rows;
  }

  function showTip(node, x, y) {
    const tip = element("tip"), list = document.createElement("dl");
    const what = document.createElement("div");
    what.className = "what";
    what.textContent = units.shortened(node.frame.name, 300);
    list.className = "facts";
    for (const [name, text] of facts(node)) {
      const term = document.createElement("dt"), fact = document.createElement("dd");
      term.textContent = name;
      fact.textContent = text;
      list.append(term, fact);
    }
    tip.replaceChildren(what, list);
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(0, Math.min(x + 12, window.innerWidth - box.width - 4))}px`;
    tip.style.top = `${Math.max(0, y + 16 + box.height > window.innerHeight ? y - box.height - 8 : y + 16)}px`;
  }

  function hideTip() { element("tip").hidden = true; }

  fillSummary();
  fillGreenlets();
  colours.read();

  return { element, model, drawing, canvas, scroll, draw, drawNow, resize, show, zoom, search, change,
    showTip, hideTip, tables: { greenlets, functions },
    get mode() { return mode; }, get merged() { return merged; } };
}
