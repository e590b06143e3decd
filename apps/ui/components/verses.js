// The verse strip: JSON in, text nodes out; one cell per verse, changed where it changed, so that nothing flickers.
// It stands behind strips.js, whose `make` and `roving` it uses; no export and no import, as there.

// data: {name, words: {extra, hint}, verses: [{n, state, sign, label}], extra: [the same]}
function verseStrip(root, data) {
  if (!data) {
    root.verseStrip = undefined;
    root.replaceChildren();
    return;
  }
  const face = JSON.stringify([data.name, data.words]);
  const known = root.verseStrip;
  const grows = known && known.face === face && known.lists.every((list, at) => list.boxes.length <= cells(data)[at].length);
  const drawn = grows ? known : begin(root, data, face);
  drawn.lists.forEach((list, at) => list.draw(cells(data)[at]));
  drawn.head.hidden = data.extra.length === 0;
}

function cells(data) {
  return [data.verses, data.extra];
}

function begin(root, data, face) {
  const detail = make("p", "detail", data.words.hint);
  const head = make("p", "verse-head", data.words.extra);
  const lists = [verseList(data.name, detail), verseList(data.words.extra, detail)];
  root.replaceChildren(lists[0].element, head, lists[1].element, detail);
  root.verseStrip = { face, head, lists };
  return root.verseStrip;
}

function verseList(name, detail) {
  const element = make("ul", "verses");
  element.setAttribute("aria-label", name);
  const boxes = [];
  const tell = (event) => {
    const box = event.target.closest?.(".verse");
    if (box) detail.textContent = box.title;
  };
  element.addEventListener("pointerover", tell);
  element.addEventListener("focusin", tell);
  const draw = (items) => {
    items.forEach((item, at) => {
      if (at === boxes.length) {
        boxes.push(verseBox(at));
        element.append(boxes[at]);
      }
      fillVerse(boxes[at], item);
    });
    if (boxes.length && !element.dataset.roving) {
      element.dataset.roving = "yes";
      roving(element, boxes);
    }
  };
  return { element, boxes, draw };
}

function verseBox(at) {
  const box = make("li", "verse");
  box.dataset.place = at;
  box.tabIndex = -1;
  const sign = make("span", "sign");
  sign.setAttribute("aria-hidden", "true");
  const number = make("span", "n");
  number.setAttribute("aria-hidden", "true");
  box.append(sign, number);
  return box;
}

function fillVerse(box, item) {
  if (box.title === item.label) return;
  box.className = `verse ${item.state}`;
  box.title = item.label;
  box.setAttribute("aria-label", item.label);
  box.firstChild.textContent = item.sign;
  box.lastChild.textContent = item.n;
}
