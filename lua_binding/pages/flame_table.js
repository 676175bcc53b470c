// A table that its columns sort. A column is {key, title, width, show, tip}: with `show`, which
// makes text of it, it is a number.
function makeTable(container, columns, sort, onRow) {
  const MOST_ROWS = 1000;
  const head = container.querySelector("thead tr"), body = container.querySelector("tbody");
  const collate = new Intl.Collator("en", { numeric: true }).compare;
  let rows = [], selected = null;

  function element(kind, name, text) {
    const made = document.createElement(kind);
    if (name) made.className = name;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function arrange() {
    const column = columns.find(({ key }) => key === sort.key), sign = sort.descending ? -1 : 1;
    rows.sort((a, b) => sign * (column.show ? a[column.key] - b[column.key]
      : collate(a[column.key], b[column.key])) || a.order - b.order);
    for (const cell of head.children) {
      if (cell.dataset.key !== sort.key) cell.removeAttribute("aria-sort");
      else cell.setAttribute("aria-sort", sort.descending ? "descending" : "ascending");
    }
    draw();
  }

  function makeRow(row) {
    const line = element("tr", row.id === selected ? "selected" : "");
    for (const column of columns) {
      const value = row[column.key];
      const cell = element("td", column.show ? "number" : "",
        column.show ? column.show(value, row) : units.shortened(value, 200));
      if (!column.show) cell.title = units.shortened(value, 500);
      line.append(cell);
    }
    line.addEventListener("click", () => onRow(row));
    return line;
  }

  function draw() {
    const shown = rows.slice(0, MOST_ROWS).map(makeRow);
    if (rows.length > MOST_ROWS) {
      const more = element("tr", "more");
      const cell = element("td", "", `… and ${units.count(rows.length - MOST_ROWS)} more`);
      cell.colSpan = columns.length;
      more.append(cell);
      shown.push(more);
    }
    body.replaceChildren(...shown);
  }

  for (const column of columns) {
    const cell = element("th", column.show ? "number" : "", column.title);
    cell.dataset.key = column.key;
    cell.style.width = `${column.width}%`;
    cell.scope = "col";
    if (column.tip) cell.title = column.tip;
    cell.addEventListener("click", () => {
      const again = sort.key === column.key;
      sort = { key: column.key, descending: again ? !sort.descending : Boolean(column.show) };
      arrange();
    });
    head.append(cell);
  }

  return {
    // Show these: each has an id, and a value for each column.
    fill(list) {
      rows = list;
      rows.forEach((row, order) => { row.order = order; });
      arrange();
    },
    select(id) { selected = id; draw(); },
    sortBy(key, descending) { sort = { key, descending }; arrange(); },
    rows: () => rows.map((row) => Object.fromEntries(columns.map(({ key }) => [key, row[key]]))),
  };
}
