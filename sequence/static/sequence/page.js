// What the pages do in addition to links and forms, which work without this script.

const PAUSE_MS = 200; // the next key may be on its way
const COPIED_MS = 1500;

const part = (id) => document.getElementById(id);

/** Answer a form while it is filled in: with the part of its page that answers it. */
function enableAnswering(form) {
  const place = part(form.dataset.answers);
  let asking = new AbortController();
  form.addEventListener("input", answer);
  // After a reload or on the way back browsers fill in what was typed, and not what was answered.
  addEventListener("pageshow", () => isAsTyped(form) || answer());

  async function answer() {
    asking.abort();
    asking = new AbortController();
    const { signal } = asking;
    const wrong = form.querySelector(":invalid");
    if (wrong) {
      place.replaceChildren(fault(`${wrong.title}, please.`));
      return;
    }
    const address = `${form.dataset.live}?${new URLSearchParams(new FormData(form))}`;
    try {
      await new Promise((done) => setTimeout(done, PAUSE_MS));
      if (signal.aborted) return;
      const response = await fetch(address, { headers: { Accept: "text/html" }, signal });
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      place.replaceChildren(...page.getElementById(place.id).childNodes);
      place.querySelectorAll("[data-copies]").forEach(show);
      // Reloaded, copied or sent to a friend, the address shows the same.
      if (response.ok) history.replaceState(null, "", address);
    } catch {
      if (!signal.aborted) place.replaceChildren(fault("There is no answer now."));
    }
  }
}

function fault(sentence) {
  const paragraph = document.createElement("p");
  paragraph.className = "fault";
  paragraph.textContent = sentence;
  return paragraph;
}

/** Whether the fields of a form hold what they held when the page came. */
function isAsTyped(form) {
  const chosen = ({ options }) => [...options].find((each) => each.defaultSelected) ?? options[0];
  return (
    [...form.querySelectorAll("input")].every((each) => each.value === each.defaultValue) &&
    [...form.querySelectorAll("select")].every((each) => each.value === chosen(each).value)
  );
}

function show(element) {
  element.hidden = false;
}

async function copy(button) {
  const name = button.textContent;
  const { textContent } = part(button.dataset.copies);
  try {
    await navigator.clipboard.writeText(textContent);
  } catch {
    // Only pages over https: or of this host have a clipboard; others have a selection.
    copySelected(textContent);
    button.focus();
  }
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = name), COPIED_MS);
}

function copySelected(text) {
  const area = document.createElement("textarea");
  area.className = "skip";
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
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
