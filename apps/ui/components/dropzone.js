// A place to drop one GGUF file: it goes to our own /upload as it is read, with a bar, and can be cancelled.
// No export and no import: Streamlit takes this as a module, Gradio as the body of a function (apps/ui/dropzone.py).

function dropElement(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

const dropFilled = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

// data: {url, lang, labels: {drop, help, sending, megabytes, sent, broken, cancel}}; `tell({name, error})` at the end:
// error is null, or what the server said: {code, message, details}
function dropZone(root, data, tell) {
  if (!data || root.dropData === JSON.stringify(data)) return;
  root.dropData = JSON.stringify(data);
  const { labels } = data;
  const zone = dropElement("label", "drop");
  const input = dropElement("input");
  input.type = "file";
  input.accept = ".gguf";
  zone.append(input, dropElement("span", "drop-title", labels.drop), dropElement("span", "drop-help", labels.help));
  const line = dropElement("div", "drop-line");
  const told = dropElement("span", "drop-told");
  told.setAttribute("role", "status");
  const bar = dropElement("progress");
  bar.max = 1;
  const cancel = dropElement("button", "drop-cancel", labels.cancel);
  cancel.type = "button";
  line.append(bar, told, cancel);
  line.hidden = true;
  root.replaceChildren(zone, line);

  const size = (count) =>
    dropFilled(labels.megabytes, { count: new Intl.NumberFormat(data.lang).format(Math.round(count / 1e6)) });
  let request = null;

  const send = (file) => {
    if (request || !file) return;
    request = new XMLHttpRequest();
    request.open("POST", `${data.url}?name=${encodeURIComponent(file.name)}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    const show = (done) => {
      bar.value = file.size ? done / file.size : 0;
      told.textContent = dropFilled(labels.sending, { name: file.name, done: size(done), total: size(file.size) });
    };
    const end = (text, error) => {
      request = null;
      input.value = "";
      bar.hidden = cancel.hidden = true;
      told.textContent = dropFilled(text, { name: file.name });
      if (error !== undefined) tell({ name: file.name, error });
    };
    request.upload.onprogress = (event) => show(event.loaded);
    request.onload = () => {
      if (request.status === 201) return end(labels.sent, null);
      let error = null;
      try {
        error = JSON.parse(request.responseText).error;
      } catch {
        error = null;
      }
      end("", error ?? { code: "stream_cut", message: String(request.status), details: {} });
    };
    request.onerror = () => end(labels.broken);
    request.onabort = () => end("");
    line.hidden = bar.hidden = cancel.hidden = false;
    show(0);
    request.send(file);
  };

  input.addEventListener("change", () => send(input.files[0]));
  cancel.addEventListener("click", () => request?.abort());
  for (const name of ["dragenter", "dragover"]) {
    zone.addEventListener(name, (event) => {
      event.preventDefault();
      zone.classList.add("over");
    });
  }
  for (const name of ["dragleave", "drop"]) {
    zone.addEventListener(name, (event) => {
      event.preventDefault();
      zone.classList.remove("over");
    });
  }
  zone.addEventListener("drop", (event) => send(event.dataTransfer?.files[0]));
}
