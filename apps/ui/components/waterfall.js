// The waterfall of samplers: JSON in, text nodes out. It stands behind strips.js, whose `make` it uses; no export and no
// import, as there. Drawn again with the same rows and columns, it changes only what is new: the bars move.

// data: {name, words: {token, scroll}, columns: [{title, help, lines}],
//        rows: [{id, text, label, hit, choosable, cells: [{share, ghost, cut, left, text, label}]}],
//        segment: null | {label, told, place, parts: [{text, label, size, hit, other}]}}
// `report({token})` is called with the id of the row that was clicked.
function waterfallView(root, data, report) {
  root.report = report;
  if (!data) {
    root.waterfall = undefined;
    root.replaceChildren();
    return;
  }
  const shape = JSON.stringify([data.columns.length, data.rows.length]);
  if (root.waterfall?.shape !== shape) root.waterfall = { shape, ...beginWaterfall(root, data) };
  fillWaterfall(root.waterfall, data);
}

function beginWaterfall(root, data) {
  const table = make("table", "waterfall");
  const head = make("tr");
  const corner = make("th", "corner");
  corner.scope = "col";
  head.append(corner);
  const heads = data.columns.map(() => {
    const cell = make("th", "stage");
    cell.scope = "col";
    cell.append(make("span", "stage-name"), make("span", "stage-lines"));
    head.append(cell);
    return cell;
  });
  table.append(head);
  const rows = data.rows.map(() => waterfallRow(root, table, data.columns.length));
  const scroller = make("div", "waterfall-scroll");
  scroller.tabIndex = 0;
  scroller.setAttribute("role", "region");
  scroller.append(table);
  const segment = make("div", "segment-box");
  root.replaceChildren(scroller, segment);
  return { table, scroller, corner, heads, rows, segment };
}

function waterfallRow(root, table, columns) {
  const row = make("tr");
  const name = make("th", "row-name");
  name.scope = "row";
  const button = make("button", "candidate");
  button.type = "button";
  const known = { row, button, cells: [], id: null };
  button.addEventListener("click", () => {
    if (known.id !== null) root.report?.({ token: known.id });
  });
  name.append(button);
  row.append(name);
  for (let at = 0; at < columns; at += 1) {
    const cell = make("td", "mass");
    const marks = ["ghost", "mass-bar", "cut"].map((look) => make("span", look));
    for (const mark of marks) mark.setAttribute("aria-hidden", "true");
    const text = make("span", "mass-text");
    cell.append(...marks, text);
    row.append(cell);
    known.cells.push({ cell, marks, text });
  }
  table.append(row);
  return known;
}

function fillWaterfall(drawn, data) {
  drawn.scroller.setAttribute("aria-label", data.name);
  drawn.corner.textContent = data.words.token;
  data.columns.forEach((column, at) => {
    const [name, lines] = drawn.heads[at].children;
    drawn.heads[at].title = column.help;
    name.textContent = column.title;
    lines.textContent = column.lines.join("\n");
  });
  data.rows.forEach((row, at) => fillWaterfallRow(drawn.rows[at], row));
  fillSegment(drawn.segment, data.segment);
}

function fillWaterfallRow(drawn, row) {
  drawn.id = row.choosable ? row.id : null;
  drawn.row.className = `${row.hit ? "hit" : ""}${row.id === null ? " others" : ""}`;
  drawn.button.textContent = `${row.hit ? "◆ " : ""}${row.text}`;
  drawn.button.disabled = !row.choosable;
  drawn.button.title = row.label;
  drawn.button.setAttribute("aria-label", row.label);
  row.cells.forEach((told, at) => {
    const { cell, marks, text } = drawn.cells[at];
    const [ghost, bar, cut] = marks;
    cell.className = `mass${told.left ? "" : " gone"}`;
    cell.title = told.label;
    ghost.style.setProperty("--share", told.ghost ?? 0);
    ghost.hidden = told.ghost === null;
    bar.style.setProperty("--share", told.share);
    cut.style.setProperty("--share", told.cut ?? 0);
    cut.hidden = told.cut === null;
    text.textContent = told.text;
  });
}

function fillSegment(box, segment) {
  box.replaceChildren();
  if (!segment) return;
  const bar = make("div", "segment");
  bar.setAttribute("role", "img");
  bar.setAttribute("aria-label", segment.label);
  segment.parts.forEach((part, at) => {
    const look = part.hit ? "hit" : part.other ? "other" : at % 2 ? "odd" : "even";
    const piece = make("span", `segment-part ${look}`, part.size > 0.04 ? part.text : "");
    piece.title = part.label;
    piece.style.setProperty("--size", part.size);
    bar.append(piece);
  });
  const dart = make("span", "dart", "▼");
  dart.setAttribute("aria-hidden", "true");
  dart.style.setProperty("--share", segment.place);
  const lane = make("div", "lane");
  lane.append(dart);
  box.append(lane, bar, make("p", "detail", segment.told));
}
