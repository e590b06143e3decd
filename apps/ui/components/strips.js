// Token strips: JSON in, text nodes out. What a model wrote is never markup here: textContent and setAttribute alone.
// No export and no import: Streamlit takes this as a module, Gradio as the body of a function (apps/ui/strips.py).

const FIRST_TOKENS = 3000; // more are drawn at a click: a browser lays out 3000 boxes in an instant
const LEVELS = [0.9, 0.5, 0.2, 0.05]; // likely to unlikely; each has a colour and a line of its own

function make(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

// Draw into `root` unless just that is drawn already: a redrawing would take focus and pop-up from the reader.
function fresh(root, data) {
  const text = JSON.stringify(data);
  if (root.drawnData === text) return false;
  root.drawnData = text;
  root.closeOpen?.();
  root.replaceChildren();
  return Boolean(data); // without data: an empty place
}

// One tab stop for the whole strip; arrows, Home and End go from box to box.
function roving(strip, boxes) {
  let place = 0;
  const go = (to) => {
    boxes[place].tabIndex = -1;
    place = Math.max(0, Math.min(boxes.length - 1, to));
    boxes[place].tabIndex = 0;
    boxes[place].focus();
  };
  if (boxes.length) boxes[0].tabIndex = 0;
  strip.addEventListener("focusin", (event) => {
    const at = Number(event.target.dataset.place ?? -1);
    if (at < 0 || at === place) return;
    boxes[place].tabIndex = -1;
    place = at;
    boxes[place].tabIndex = 0;
  });
  strip.addEventListener("keydown", (event) => {
    const steps = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: boxes.length - 1 };
    if (!(event.key in steps) || event.target.dataset.place === undefined) return;
    event.preventDefault();
    go(steps[event.key]);
  });
}

function boxed(strip, items, makeBox, labels) {
  const boxes = [];
  const draw = (until) => {
    const part = document.createDocumentFragment();
    for (const item of items.slice(boxes.length, until)) {
      const box = makeBox(item, boxes.length);
      box.dataset.place = boxes.length;
      box.tabIndex = -1;
      boxes.push(box);
      part.append(box);
      if (item.breaks) part.append(document.createElement("br"));
    }
    strip.append(part);
  };
  draw(FIRST_TOKENS);
  if (boxes.length < items.length) {
    const more = make("button", "more", labels.more);
    more.addEventListener("click", () => {
      const at = boxes.length;
      more.remove();
      draw(items.length);
      boxes[at].focus();
    });
    strip.append(more);
  }
  roving(strip, boxes);
  return boxes;
}

// data: {name, labels, pieces: [{id, shown, special, label, breaks}]}
function tokenStrip(root, data) {
  if (!fresh(root, data)) return;
  const strip = make("div", "strip tokens");
  strip.setAttribute("role", "list");
  strip.setAttribute("aria-label", data.name);
  const detail = make("p", "detail", data.labels.hint);
  boxed(
    strip,
    data.pieces,
    (piece, place) => {
      const box = make("span", `token ${place % 2 ? "odd" : "even"}${piece.special ? " special" : ""}`, piece.shown);
      box.setAttribute("role", "listitem");
      box.setAttribute("aria-label", piece.label);
      box.title = piece.label;
      return box;
    },
    data.labels,
  );
  const tell = (event) => {
    const place = event.target.dataset.place;
    if (place !== undefined) detail.textContent = data.pieces[place].label;
  };
  strip.addEventListener("pointerover", tell);
  strip.addEventListener("focusin", tell);
  root.append(strip, detail);
}

function level(probability) {
  const found = LEVELS.findIndex((limit) => probability >= limit);
  return found < 0 ? LEVELS.length : found;
}

function legend(labels) {
  const list = make("ul", "legend");
  list.setAttribute("aria-label", labels.legend);
  labels.levels.forEach((text, at) => list.append(make("li", `level-${at}`, text)));
  return list;
}

// data: {name, choosable, labels, tokens: [{shown, p, label, breaks, alternatives: [{text, shown, p, percent, label, whole}]}]}
// `report({position, text})` is called when an alternative is chosen.
function scoredStrip(root, data, report) {
  root.report = report;
  if (!fresh(root, data)) return;
  const strip = make("div", "strip scored");
  strip.setAttribute("role", "group");
  strip.setAttribute("aria-label", data.name);
  const panel = make("div", "panel");
  panel.setAttribute("role", "group");
  if ("popover" in panel) panel.popover = "manual";
  panel.hidden = true;
  const boxes = boxed(
    strip,
    data.tokens,
    (token) => {
      const box = make("button", `token level-${level(token.p)}`, token.shown);
      box.type = "button";
      box.setAttribute("aria-label", token.label);
      box.setAttribute("aria-haspopup", "true");
      box.setAttribute("aria-expanded", "false");
      box.title = token.label;
      return box;
    },
    data.labels,
  );
  root.append(legend(data.labels), strip, panel);
  popping(root, strip, panel, boxes, data);
}

function popping(root, strip, panel, boxes, data) {
  let open = -1;
  let pinned = false;
  let leaving = 0;
  let still = false; // a pointer that rests where a panel closes opens nothing before it moves

  const close = () => {
    clearTimeout(leaving);
    if (open >= 0) boxes[open].setAttribute("aria-expanded", "false");
    open = -1;
    pinned = false;
    if (!panel.hidden) panel.hidePopover?.();
    panel.hidden = true;
  };
  const show = (place) => {
    clearTimeout(leaving);
    if (open === place) return;
    close();
    open = place;
    boxes[place].setAttribute("aria-expanded", "true");
    fill(panel, data, place, (choice) => {
      close();
      still = true;
      boxes[place].focus();
      close();
      root.report?.(choice);
    });
    panel.hidden = false;
    panel.showPopover?.();
    below(panel, boxes[place]);
  };
  const placeOf = (event) => (event.target.dataset?.place === undefined ? -1 : Number(event.target.dataset.place));
  const leave = () => {
    clearTimeout(leaving);
    if (!pinned) leaving = setTimeout(close, 250);
  };

  strip.addEventListener("pointerover", (event) => {
    if (event.pointerType !== "touch" && placeOf(event) >= 0 && !pinned && !still) show(placeOf(event));
  });
  strip.addEventListener("pointermove", (event) => {
    if (!still || (!event.movementX && !event.movementY)) return;
    still = false;
    if (event.pointerType !== "touch" && placeOf(event) >= 0 && !pinned) show(placeOf(event));
  });
  strip.addEventListener("pointerleave", leave);
  panel.addEventListener("pointerenter", () => clearTimeout(leaving));
  panel.addEventListener("pointerleave", leave);
  strip.addEventListener("focusin", (event) => {
    if (placeOf(event) >= 0 && event.target.matches(":focus-visible")) show(placeOf(event));
  });
  strip.addEventListener("click", (event) => {
    if (placeOf(event) < 0) return;
    show(placeOf(event));
    pinned = true;
    if (event.detail === 0) panel.querySelector("button:enabled")?.focus(); // by keyboard
  });
  panel.addEventListener("keydown", (event) => {
    const choices = [...panel.querySelectorAll("button:enabled")];
    const at = choices.indexOf(event.target);
    const steps = { ArrowDown: at + 1, ArrowUp: at - 1 };
    if (!(event.key in steps) || !choices.length) return;
    event.preventDefault();
    choices[(steps[event.key] + choices.length) % choices.length].focus();
  });
  root.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || open < 0) return;
    event.stopPropagation();
    const box = boxes[open];
    close();
    still = true;
    box.focus();
    close();
  });
  root.addEventListener("focusout", (event) => {
    if (!root.contains(event.relatedTarget) && event.relatedTarget) close();
  });
  // Each drawing has listeners of its own on the page: the one before goes when the next begins, or the strip is gone
  const outside = (event) => {
    if (!root.isConnected) root.closeOpen();
    else if (open < 0 || event.composedPath().includes(event.type === "pointerdown" ? root : panel)) return;
    else if (event.type === "pointerdown" || !inSight(strip, boxes[open])) close();
    else below(panel, boxes[open]);
  };
  const kinds = ["pointerdown", "scroll", "resize"];
  kinds.forEach((kind) => window.addEventListener(kind, outside, true));
  root.closeOpen = () => {
    close();
    kinds.forEach((kind) => window.removeEventListener(kind, outside, true));
  };
}

function fill(panel, data, place, choose) {
  const token = data.tokens[place];
  panel.setAttribute("aria-label", token.label);
  const list = make("ul");
  for (const other of token.alternatives) {
    const button = make("button", "alternative");
    button.type = "button";
    button.setAttribute("aria-label", other.label);
    button.disabled = !data.choosable || !other.whole || other.text === token.text;
    const bar = make("span", "bar");
    bar.style.setProperty("--share", other.p);
    button.append(make("span", "text", other.shown), make("span", "percent", other.percent), bar);
    button.addEventListener("click", () => choose({ position: place, text: other.text }));
    const row = make("li", other.text === token.text ? "taken" : "");
    row.append(button);
    list.append(row);
  }
  panel.replaceChildren(make("p", "title", token.label), list);
  if (data.choosable && token.alternatives.length) panel.append(make("p", "hint", data.labels.choose));
}

// Not scrolled away, out of the strip or out of the window.
function inSight(strip, box) {
  const [at, around] = [box.getBoundingClientRect(), strip.getBoundingClientRect()];
  return at.bottom > Math.max(0, around.top) && at.top < Math.min(window.innerHeight, around.bottom);
}

function below(panel, box) {
  const at = box.getBoundingClientRect();
  const room = { width: document.documentElement.clientWidth, height: window.innerHeight };
  const size = panel.getBoundingClientRect();
  const left = Math.max(8, Math.min(at.left, room.width - size.width - 8));
  const under = at.bottom + 4;
  const top = under + size.height > room.height && at.top > size.height + 8 ? at.top - size.height - 4 : under;
  panel.style.left = `${left}px`;
  panel.style.top = `${top}px`;
}
