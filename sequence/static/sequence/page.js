// What the pages do in addition to links and forms, which work without this script.

const SCREENFUL_BYTES = 2400;

const part = (id) => document.getElementById(id);
const counted = (number) => Number(number).toLocaleString("en");

/** Request bytes of an address; the answer is never coded, so it has its exact length. */
function request(address, span, options) {
  // A browser that asks for a range accepts no coding with it (Fetch Standard, section 4.6).
  return fetch(address, { ...options, headers: { Range: `bytes=${span}` } });
}

function enableCopying(button) {
  const name = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const source = part(button.dataset.copies);
    try {
      await navigator.clipboard.writeText(source.textContent);
    } catch {
      // Only pages over https: or of this host have a clipboard; others have a selection.
      getSelection().selectAllChildren(source);
      document.execCommand("copy");
    }
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = name), 1500);
  });
}

function enableGoing(form) {
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    location.assign(`/terms/${part("n").value}`);
  });
}

function enableAsking(form) {
  const { sn, start, format } = form.elements;
  const most = Number(sn.max);
  let sizing = new AbortController();
  let showing = new AbortController();

  form.addEventListener("input", update);
  form.addEventListener("submit", show);
  part("stop").addEventListener("click", () => showing.abort());
  part("download").hidden = false;

  function address() {
    const query = new URLSearchParams({ sn: sn.valueAsNumber });
    if (start.valueAsNumber) query.set("start", start.valueAsNumber);
    if (format.value !== "text") query.set("format", format.value);
    return `${location.origin}/?${query}`;
  }

  /** Make the page say what the form asks for now. */
  async function update() {
    sizing.abort();
    showing.abort();
    part("preview").hidden = true;
    start.max = Math.max(most - (sn.valueAsNumber || 0), 0);
    const wrong = form.querySelector(":invalid");
    if (wrong) {
      part("download").removeAttribute("href");
      part("size").textContent = wrong.validationMessage;
      return;
    }
    part("size").textContent = "…";
    part("download").href = address();
    tell("address", address());
    sizing = new AbortController();
    const { signal } = sizing;
    try {
      await pause(150); // the next key may be on its way
      const { headers } = await request(address(), "0-", { method: "HEAD", signal });
      // An error has no such file name, and an answer that was coded after all has no length.
      const [, file] = /filename="(.*)"/.exec(headers.get("Content-Disposition"));
      const [length] = /[0-9]+/.exec(headers.get("Content-Length"));
      tell("file", file);
      part("size").textContent = `${counted(length)} bytes, exactly.`;
    } catch {
      if (!signal.aborted) part("size").textContent = "The length is not available now.";
    }
  }

  /** Show the beginning of the answer, and ask for no more than that. */
  async function show(event) {
    event.preventDefault();
    showing.abort();
    showing = new AbortController();
    const { signal } = showing;
    const screen = part("screen");
    part("preview").hidden = false;
    part("stop").disabled = false;
    part("progress").value = 0;
    part("shown").textContent = screen.textContent = "";
    let [shown, total] = [0, 0];
    const state = () => `${counted(shown)} of ${counted(total)} bytes`;
    try {
      const response = await request(address(), `0-${SCREENFUL_BYTES - 1}`, { signal });
      if (!response.ok) throw new Error(await response.text());
      total = lengthOf(response);
      part("progress").max = total || 1;
      for await (const piece of pieces(response.body, SCREENFUL_BYTES)) {
        screen.append(new TextDecoder().decode(piece)); // it is all ASCII
        part("progress").value = shown += piece.length;
        part("shown").textContent = `${state()} …`;
      }
      part("shown").textContent = `${state()}${shown < total ? ": a screenful." : ": all."}`;
    } catch (error) {
      if (showing.signal !== signal) return; // another one has begun
      const why = signal.aborted ? "Stopped" : error.message;
      part("shown").textContent = total ? `${why} after ${state()}.` : why;
    }
    part("stop").disabled = true;
  }
}

/** Return the length of the whole that the response is a part of. */
function lengthOf({ headers }) {
  const range = headers.get("Content-Range"); // missing if the whole is empty
  return Number(range ? range.split("/")[1] : headers.get("Content-Length"));
}

/** Yield the first bytes of a stream as they come; the rest is not read. */
async function* pieces(stream, most) {
  const reader = stream.getReader();
  while (most > 0) {
    const { done, value } = await reader.read();
    if (done) return;
    const piece = value.subarray(0, most);
    most -= piece.length;
    yield piece;
  }
  await reader.cancel();
}

function tell(what, words) {
  for (const place of document.querySelectorAll(`[data-of="${what}"]`)) place.textContent = words;
}

function pause(milliseconds) {
  return new Promise((done) => setTimeout(done, milliseconds));
}

document.querySelectorAll("[data-copies]").forEach(enableCopying);
document.querySelectorAll("#go").forEach(enableGoing);
document.querySelectorAll("#ask").forEach(enableAsking);
