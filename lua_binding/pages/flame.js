// Begins: reads the profile, makes the page, and lets hands and scripts use it.
//
// The fragment, `profile.html#mode=wait&merged=1&search=parse`, sets what is shown:
//   mode     cpu, wait or both
//   merged   1: greenlets of one function are together, whatever their names
//   search   what to look for in names
//   table    0: no tables
function attachHands(page) {
  const { element, canvas, drawing, scroll } = page;
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return drawing.at(event.clientX - box.left, event.clientY - box.top);
  };
  canvas.addEventListener("mousemove", (event) => {
    const node = at(event);
    if (node !== drawing.hovered) {
      drawing.hovered = node;
      page.draw();
    }
    canvas.style.cursor = node ? "pointer" : "default";
    if (node) page.showTip(node, event.clientX, event.clientY);
    else page.hideTip();
  });
  canvas.addEventListener("mouseleave", () => {
    drawing.hovered = null;
    page.hideTip();
    page.draw();
  });
  canvas.addEventListener("click", (event) => {
    const node = at(event);
    if (node) page.zoom(node);
  });
  scroll.addEventListener("scroll", page.draw);
  for (const button of element("modes").children) {
    button.addEventListener("click", () => page.change(button.dataset.mode, page.merged));
  }
  element("merged").addEventListener("change", (event) => page.change(page.mode, event.target.checked));
  element("search").addEventListener("input", (event) => page.search(event.target.value));
  element("all").addEventListener("click", () => page.zoom(drawing.tree.all));
  element("help").addEventListener("click", () => element("keys").showModal());
  attachDivider(page);
  document.addEventListener("keydown", (event) => onKey(page, event));
}

function attachDivider(page) {
  const divider = page.element("divider"), bottom = page.element("bottom");
  divider.addEventListener("pointerdown", (event) => {
    const from = event.clientY, height = bottom.getBoundingClientRect().height;
    const move = (moved) => {
      const most = window.innerHeight - 200;
      bottom.style.height = `${Math.max(0, Math.min(most, height + from - moved.clientY))}px`;
    };
    divider.setPointerCapture(event.pointerId);
    divider.addEventListener("pointermove", move);
    divider.addEventListener("pointerup", () => divider.removeEventListener("pointermove", move),
      { once: true });
  });
}

function onKey(page, event) {
  const { element } = page, typing = event.target === element("search");
  if (event.ctrlKey || event.metaKey || event.altKey || element("keys").open) return;
  if (event.key === "Escape") {
    if (element("search").value) page.search("");
    else page.zoom(page.drawing.tree.all);
    element("search").blur();
    return;
  }
  if (typing) return;
  const actions = {
    0: () => page.zoom(page.drawing.tree.all),
    1: () => page.change("cpu", page.merged),
    2: () => page.change("wait", page.merged),
    3: () => page.change("both", page.merged),
    m: () => page.change(page.mode, !page.merged),
    t: () => { element("bottom").hidden = !element("bottom").hidden; },
    "/": () => element("search").focus(),
    "?": () => element("keys").showModal(),
  };
  if (actions[event.key]) {
    event.preventDefault();
    actions[event.key]();
  }
}

// window.flame, for scripts. A node is named by the texts on the way to it from the root, which is
// left out: ["worker (a.lua:3)", "[sleep]"]. Times are microseconds.
function makeScriptable(page) {
  const { drawing, model } = page;

  function find(path) {
    let node = drawing.tree.all;
    for (const text of path) {
      node = node.children.find((child) => child.frame.text === text);
      if (!node) throw new RangeError(`no frame ${text}`);
    }
    return node;
  }
  const pathOf = (node) => (node && node.parent ? [...pathOf(node.parent), node.frame.text] : []);
  const about = (node) => node && { path: pathOf(node), self: node.self, total: node.total,
    cpu: node.cpu, wait: node.wait, x: node.x, width: node.width };

  return {
    problem: model.problem || null,
    counts: { nodes: model.nodes.length, frames: model.frames.length, shares: model.shares.length },
    // What is shown: {mode, merged, focus: a path, total}.
    shown: () => ({ mode: page.mode, merged: page.merged, focus: pathOf(drawing.focus),
      total: drawing.tree.all.total }),
    show: (mode, merged = page.merged) => page.change(mode, merged),
    node: (...path) => about(find(path)),
    children: (...path) => find(path).children.map((child) => child.frame.text),
    zoom: (...path) => page.zoom(find(path), true),
    // The time of the stacks that have a frame of such a name.
    search: (text) => page.search(text),
    // What is at a place of the window; where a node is, or null if it is not seen.
    at(x, y) {
      const box = page.canvas.getBoundingClientRect();
      return about(drawing.at(x - box.left, y - box.top));
    },
    place(...path) {
      const box = page.canvas.getBoundingClientRect(), place = drawing.place(find(path));
      return place && { x: place.x + box.left, y: place.y + box.top };
    },
    tables: page.tables,
    // Draw all now: how many milliseconds it took.
    frame() {
      const began = performance.now();
      page.drawNow();
      return performance.now() - began;
    },
  };
}

function applyFragment(page, text) {
  const wanted = new URLSearchParams(text.replace(/^#/, ""));
  const mode = wanted.get("mode");
  if (wanted.has("table")) page.element("bottom").hidden = wanted.get("table") === "0";
  if (mode in weightOf || wanted.has("merged")) {
    page.change(mode in weightOf ? mode : page.mode,
      wanted.has("merged") ? wanted.get("merged") === "1" : page.merged);
  }
  if (wanted.has("search")) page.search(wanted.get("search"));
}

function begin() {
  const page = makePage(buildModel(readProfile(document.getElementById("profile").textContent)));
  document.getElementById("profile").textContent = ""; // its memory is wanted
  page.show();
  attachHands(page);
  applyFragment(page, location.hash);
  window.addEventListener("hashchange", () => applyFragment(page, location.hash));
  new ResizeObserver(page.resize).observe(page.scroll);
  colours.onChange(() => { colours.read(); page.show(); });
  window.flame = makeScriptable(page);
}

whenReady(begin);
