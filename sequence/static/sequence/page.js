// What the pages do in addition to links and forms, which work without this script.

const PAUSE_MS = 200; // the next key may be on its way
const COPIED_MS = 1500;

const part = (id) => document.getElementById(id);

/** Answer a form while it is filled in: with the part of its page that answers it. */
function enableAnswering(form) {
  let asking = new AbortController();
  form.addEventListener("input", answer);
  // After a reload or on the way back browsers fill in what was typed, and not what was answered.
  addEventListener("pageshow", () => isAsTyped(form) || answer());

  async function answer() {
    asking.abort();
    asking = new AbortController();
    const { signal } = asking;
    const address = `${form.dataset.live}?${new URLSearchParams(new FormData(form))}`;
    try {
      await new Promise((done) => setTimeout(done, PAUSE_MS));
      if (signal.aborted) return;
      const response = await fetch(address, { headers: { Accept: "text/html" }, signal });
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const told = page.getElementById(form.dataset.answers);
      part(form.dataset.answers).replaceChildren(...told.childNodes);
      // Reloaded, copied or sent to a friend, the address shows the same.
      if (response.ok) history.replaceState(null, "", address);
    } catch {
      if (!signal.aborted) part(form.dataset.answers).textContent = "There is no answer now.";
    }
    document.querySelectorAll("[data-copies]").forEach(show);
  }
}

function isAsTyped(form) {
  return [...form.elements].every(
    ({ value, defaultValue, options }) =>
      options ? [...options].every((each) => each.selected === each.defaultSelected || !each.defaultSelected && !each.selected) : defaultValue === undefined || value === defaultValue,
  );
}

function show(element) {
  element.hidden = false;
}

async function copy(button) {
  const name = button.textContent;
  const source = part(button.dataset.copies);
  try {
    await navigator.clipboard.writeText(source.textContent);
  } catch {
    // Only pages over https: or of this host have a clipboard; others have a selection.
    getSelection().selectAllChildren(source);
    document.execCommand("copy");
  }
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = name), COPIED_MS);
}

/** Follow the arrow keys to the terms before and after. */
function go({ key, target, altKey, ctrlKey, metaKey, shiftKey }) {
  const way = { ArrowLeft: "prev", ArrowRight: "next" }[key];
  if (!way || altKey || ctrlKey || metaKey || shiftKey) return;
  if (target.closest("input, select, textarea, summary")) return;
  document.querySelector(`main [rel=${way}]`)?.click();
}

document.querySelectorAll("[data-copies]").forEach(show);
document.querySelectorAll("[data-live]").forEach(enableAnswering);
document.addEventListener("keydown", go);
document.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-copies]");
  if (button) copy(button);
});
