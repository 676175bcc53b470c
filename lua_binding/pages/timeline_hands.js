// The wheel, the mouse and the keys.
function attachHands(page) {
  const { view, stage, scroll, element } = page;
  const over = element("over"), selection = d3.select(over);

  function place(event) {
    const box = stage.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  // ---- Zoom and drag, by d3, of time alone; a drag moves the rows, too ----

  let begin = { top: 0, y: 0 };
  view.zoomer
    .on("zoomstart", () => { begin = { top: scroll.scrollTop, y: view.zoomer.translate()[1] }; })
    .on("zoom", () => {
      const source = d3.event.sourceEvent, y = d3.event.translate[1];
      if (source && source.type === "mousemove") {
        over.classList.add("dragged");
        scroll.scrollTop = begin.top - (y - begin.y);
        view.clamp();
        view.zoomer.translate([view.zoomer.translate()[0], y]);
      } else view.clamp();
      page.draw();
    })
    .on("zoomend", () => over.classList.remove("dragged"));
  selection.call(view.zoomer).on("dblclick.zoom", null);

  // Which of these are d3's: the wheel scrolls over the names, and with Shift; a drag with Shift
  // marks a range.
  const zoomByWheel = selection.on("wheel.zoom"), drag = selection.on("mousedown.zoom");
  selection.on("wheel.zoom", function (...rest) {
    const event = d3.event, { x } = place(event);
    if (x < view.gutter) return;
    if (event.shiftKey) {
      event.preventDefault();
      scroll.scrollTop += event.deltaY || event.deltaX;
    } else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      event.preventDefault();
      page.pan(event.deltaX / (view.width - view.gutter));
    } else zoomByWheel.apply(this, rest);
  });
  selection.on("mousedown.zoom", function (...rest) {
    const event = d3.event, at = place(event);
    if (event.button !== 0 || at.x < view.gutter) return;
    element("tip").hidden = true;
    if (event.shiftKey) mark(event, at); else drag.apply(this, rest);
  });

  let justMarked = false;
  function mark(event, at) {
    event.preventDefault();
    page.marked = { from: at.x, to: at.x };
    const move = (next) => {
      page.marked.to = Math.max(view.gutter, Math.min(view.width, place(next).x));
      page.draw(true);
    };
    const up = () => {
      window.removeEventListener("mousemove", move);
      window.removeEventListener("mouseup", up);
      const [from, to] = [page.marked.from, page.marked.to].map((x) => view.x.invert(x));
      justMarked = Math.abs(page.marked.to - page.marked.from) > 3;
      page.marked = null;
      if (justMarked) page.zoom(Math.min(from, to), Math.max(from, to)); else page.draw(true);
    };
    window.addEventListener("mousemove", move);
    window.addEventListener("mouseup", up);
  }

  // ---- Pointing and clicking ----

  over.addEventListener("mousemove", (event) => {
    page.point(place(event), event.buttons !== 0);
    page.draw(true);
  });
  over.addEventListener("mouseleave", () => {
    page.point(null);
    page.draw(true);
  });
  over.addEventListener("click", (event) => {
    const dragged = event.defaultPrevented || justMarked; // d3 says so of its own drags
    justMarked = false;
    if (dragged) return;
    const { x, y } = place(event), found = page.at(x, y);
    if (!found) return;
    const { lane } = found;
    if (found.label && lane.children.length > 0) page.collapse(lane, !lane.collapsed);
    if (found.slice >= 0 && found.count > 1) page.scale(0.25, view.x.invert(x));
    page.select(found.count === 1 ? found.slice : -1, lane);
  });
  over.addEventListener("dblclick", (event) => {
    const { x, y } = place(event), found = page.at(x, y);
    if (found && found.count === 1) page.zoomToSelected();
  });
  scroll.addEventListener("scroll", () => page.draw());

  // ---- What is beside the lanes ----

  element("all").addEventListener("click", page.all);
  element("help").addEventListener("click", () => element("keys").showModal());
  element("keys").addEventListener("click", () => element("keys").close());
  element("only").addEventListener("change", () => page.onlyMatches(element("only").checked));
  element("search").addEventListener("input", () => page.search(element("search").value));
  element("search").addEventListener("keydown", (event) => {
    if (event.key === "Enter") page.next(event.shiftKey ? -1 : 1);
    else if (event.key === "Escape") {
      page.search("");
      element("search").blur();
    } else return;
    event.preventDefault();
  });

  const bottom = element("bottom");
  d3.select("#divider").call(d3.behavior.drag().on("drag", () => {
    const height = document.body.clientHeight - d3.event.sourceEvent.clientY - 5;
    bottom.style.height = `${Math.max(0, Math.min(document.body.clientHeight - 240, height))}px`;
  }));

  // ---- Keys ----

  const scrollBy = (rows) => { scroll.scrollTop += rows * ROW; };
  const screenful = () => Math.max(1, Math.floor(view.height / ROW) - 1);
  const KEYS = {
    "+": () => page.scale(0.5), "=": () => page.scale(0.5),
    "-": () => page.scale(2), _: () => page.scale(2),
    ArrowLeft: () => page.pan(-0.2), ArrowRight: () => page.pan(0.2),
    ArrowUp: () => scrollBy(-3), ArrowDown: () => scrollBy(3),
    PageUp: () => scrollBy(-screenful()), PageDown: () => scrollBy(screenful()),
    Home: () => { scroll.scrollTop = 0; }, End: () => { scroll.scrollTop = scroll.scrollHeight; },
    0: page.all, "/": () => element("search").select(), "?": () => element("keys").showModal(),
    ",": () => page.step(-1), ".": () => page.step(1), z: page.zoomToSelected, w: page.selectWaker,
    n: () => page.next(1), N: () => page.next(-1),
    t: () => { bottom.hidden = !bottom.hidden; }, Escape: () => page.select(-1),
  };
  document.addEventListener("keydown", (event) => {
    const inside = event.target.closest("input:not([type=checkbox]), dialog");
    if (inside || event.ctrlKey || event.metaKey || event.altKey) return;
    const action = Object.prototype.hasOwnProperty.call(KEYS, event.key) && KEYS[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
}
