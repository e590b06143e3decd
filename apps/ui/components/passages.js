// Numbered passages with score bars: JSON in, text nodes out. It stands behind strips.js, whose `make` and `fresh` it
// uses; no export and no import, as there.

// data: {name, words: {open}, passages: [{number, place, heading, text, warnings, scores: [{name, value, rank, share}]}]}
// `report({opened})` is called with the place in the list of the passage that was clicked.
function passageView(root, data, report) {
  root.report = report;
  if (!fresh(root, data)) return;
  const list = make("ol", "passages");
  list.setAttribute("aria-label", data.name);
  data.passages.forEach((passage, at) => list.append(passageCard(root, data, passage, at)));
  root.append(list);
}

function passageCard(root, data, passage, at) {
  const card = make("li", "passage");
  const mark = passage.number ? `[${passage.number}] ` : "";
  const open = make("button", "open-passage", `${mark}${passage.place}`);
  open.type = "button";
  open.title = data.words.open;
  open.addEventListener("click", () => root.report?.({ opened: at }));
  card.append(open);
  if (passage.heading) card.append(make("p", "passage-heading", passage.heading));
  for (const told of passage.warnings) {
    const line = make("p", "passage-warning", told);
    line.setAttribute("role", "note");
    card.append(line);
  }
  const text = make("div", "passage-text", passage.text);
  text.tabIndex = 0;
  card.append(text);
  if (passage.scores.length) card.append(scoreTable(passage.scores));
  return card;
}

function scoreTable(scores) {
  const table = make("table", "scores");
  for (const score of scores) {
    const row = make("tr");
    const name = make("th", "", score.name);
    name.scope = "row";
    const cell = make("td", "track");
    const bar = make("span", "score-bar");
    bar.setAttribute("aria-hidden", "true");
    bar.style.setProperty("--share", score.share);
    cell.append(bar);
    row.append(name, cell, make("td", "value", score.value), make("td", "value", score.rank));
    table.append(row);
  }
  return table;
}
