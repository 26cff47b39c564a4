// While a job runs, what the list of segments says of it and of the store is fetched again every
// second; at its end the whole page is. Without this script the page reloads itself.

const EVERY_MS = 1000;
const PARTS = ["job-progress", "store"];

async function update() {
  try {
    const response = await fetch(location.href);
    if (!response.ok) throw new Error(response.statusText);
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    if (!page.querySelector("#job[data-running]")) {
      location.reload();
      return;
    }
    for (const id of PARTS) {
      document.getElementById(id).replaceWith(page.getElementById(id));
    }
  } catch {
    // The service restarts, perhaps.
  }
  setTimeout(update, EVERY_MS);
}

setTimeout(update, EVERY_MS);
