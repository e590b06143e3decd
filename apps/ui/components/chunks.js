// A document with its chunks in colour: JSON in, text nodes out. It stands behind strips.js, whose `make`, `fresh` and
// `roving` it uses; no export and no import, as there.

const CHUNK_COLOURS = 4; // neighbours never have the same

// data: {name, words: {hint, chunk, next, overlap, outside}, pieces: [{text, chunks, begins, label}]}
function chunkView(root, data) {
  const scrolled = root.querySelector(".document")?.scrollTop ?? 0;
  if (!fresh(root, data)) return;
  const text = make("div", "document");
  text.setAttribute("role", "group");
  text.setAttribute("aria-label", data.name);
  const detail = make("p", "detail", data.words.hint);
  detail.setAttribute("aria-live", "polite");
  const boxes = [];
  for (const piece of data.pieces) {
    const box = chunkPiece(piece);
    if (piece.chunks.length) {
      box.dataset.place = boxes.length;
      box.tabIndex = -1;
      boxes.push(box);
    }
    text.append(box);
  }
  const tell = (event) => {
    const box = event.target.closest?.(".piece");
    if (box) detail.textContent = box.title;
  };
  for (const kind of ["pointerover", "focusin", "click"]) text.addEventListener(kind, tell);
  roving(text, boxes);
  root.append(make("p", "chunk-summary", data.name), chunkLegend(data.words), text, detail);
  text.scrollTop = scrolled; // moved sliders recolour what is being read
}

function chunkPiece(piece) {
  const number = piece.chunks[0];
  const kinds = ["outside", `colour-${number % CHUNK_COLOURS}`, "overlap"];
  const box = make("span", `piece ${kinds[Math.min(2, piece.chunks.length)]}`);
  if (piece.chunks.length > 1) box.classList.add(`under-${number % CHUNK_COLOURS}`);
  box.title = piece.label;
  for (const begun of piece.begins) box.append(make("span", "chunk-number", `${begun}`));
  box.append(document.createTextNode(piece.text));
  return box;
}

function chunkLegend(words) {
  const list = make("ul", "legend");
  const kinds = [["piece colour-0", words.chunk], ["piece colour-1", words.next], ["piece overlap under-0", words.overlap]];
  for (const [look, name] of [...kinds, ["piece outside", words.outside]]) list.append(make("li", look, name));
  return list;
}
