// The table of greenlets, of which only those rows are elements that are seen.
function makeTable(model, view, container, facts, onRow) {
  const HEIGHT = 19, SPARE = 10;
  const time = (value) => (value > 0 ? units.duration(value) : "");
  const number = (value) => (value > 0 ? units.count(value) : "");
  // Pixels: of a time all is to be read, its unit more than all; texts share what is left.
  const QUEUED = "time in which it waited for its turn", RUNS = "times that it was switched to";
  const COLUMNS = [
    { key: "label", title: "greenlet", of: (lane) => lane.label },
    { key: "state", title: "at the end", of: (lane) => lane.state },
    { key: "cpu", title: "CPU", width: 78, show: time, tip: "time in which it ran" },
    { key: "queued", title: "ready", width: 78, show: time, tip: QUEUED },
    { key: "waited", title: "waited", width: 78, show: time },
    { key: "waits", title: "waits", width: 66, show: number },
    { key: "runs", title: "switches", width: 80, show: number, tip: RUNS },
    { key: "longest", title: "longest wait", width: 104, show: time },
    { key: "longestName", title: "for" },
    { key: "spawnerName", title: "spawner" },
  ];
  const head = container.querySelector("thead tr"), body = container.querySelector("tbody");
  let sort = { key: null, descending: false }, lanes = model.lanes, drawn = "";

  function compare(key) {
    const collate = new Intl.Collator("en", { numeric: true }).compare;
    return COLUMNS.find((column) => column.key === key).show
      ? (a, b) => a[key] - b[key] : (a, b) => collate(a[key], b[key]);
  }

  // Without a key they are in the order of the lanes.
  function arrange() {
    lanes = view.sought === "" ? model.lanes.slice() : model.lanes.filter((lane) => lane.matches);
    if (sort.key) {
      const order = compare(sort.key), sign = sort.descending ? -1 : 1;
      lanes.sort((a, b) => sign * order(a, b) || a.index - b.index);
    }
    for (const cell of head.children) {
      if (cell.dataset.key !== sort.key) cell.removeAttribute("aria-sort");
      else cell.setAttribute("aria-sort", sort.descending ? "descending" : "ascending");
    }
    drawn = "";
    draw();
  }

  // Numbers first from the greatest on; the third click takes the order away.
  function click(column) {
    const numeric = Boolean(column.show);
    if (sort.key !== column.key) sort = { key: column.key, descending: numeric };
    else if (sort.descending === numeric) sort = { key: column.key, descending: !numeric };
    else sort = { key: null, descending: false };
    arrange();
  }

  function makeHead() {
    for (const column of COLUMNS) {
      const cell = facts.element("th", column.show ? "number" : "", column.title);
      cell.dataset.key = column.key;
      if (column.width) cell.style.width = `${column.width}px`;
      cell.scope = "col";
      if (column.tip) cell.title = column.tip;
      cell.addEventListener("click", () => click(column));
      head.append(cell);
    }
  }

  function makeRow(lane) {
    const row = facts.element("tr", lane === view.marked ? "selected" : "");
    row.dataset.tid = lane.tid;
    for (const column of COLUMNS) {
      const value = lane[column.key];
      const cell = facts.element("td", column.show ? "number" : "",
        column.show ? column.show(value) : units.shortened(value, 200));
      if (column.key === "state" && lane.how === "error") cell.className = "bad";
      if (!column.show) cell.title = units.shortened(value, 500);
      row.append(cell);
    }
    return row;
  }

  function space(rows) {
    const row = facts.element("tr", "space"), cell = facts.element("td");
    cell.colSpan = COLUMNS.length;
    cell.style.height = `${rows * HEIGHT}px`;
    row.append(cell);
    return row;
  }

  function draw() {
    const top = Math.max(0, Math.floor(container.scrollTop / HEIGHT) - SPARE);
    const seen = Math.ceil(container.clientHeight / HEIGHT);
    const end = Math.min(lanes.length, top + seen + 2 * SPARE);
    const now = `${top} ${end}`;
    if (now === drawn) return;
    drawn = now;
    body.replaceChildren(space(top), ...lanes.slice(top, end).map(makeRow),
      space(lanes.length - end));
  }

  makeHead();
  container.addEventListener("scroll", draw);
  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr[data-tid]");
    if (row) onRow(model.byTid.get(Number(row.dataset.tid)));
  });

  return {
    arrange, draw,
    columns: COLUMNS.map((column) => column.key),
    lanes: () => lanes,
    sortBy(key, descending) {
      if (key && !COLUMNS.some((column) => column.key === key)) return;
      sort = { key: key || null, descending: Boolean(descending) };
      arrange();
    },
    redraw() { drawn = ""; draw(); },
    // Bring a lane's row into sight.
    show(lane) {
      const at = lanes.indexOf(lane);
      if (at < 0) return;
      const y = at * HEIGHT, room = container.clientHeight - 2 * HEIGHT;
      if (y < container.scrollTop || y > container.scrollTop + room) {
        container.scrollTop = Math.max(0, y - room / 2);
      }
      this.redraw();
    },
  };
}
