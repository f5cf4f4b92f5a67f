// The server tells when something has changed that this page shows; without that, pages ask by themselves as before.
let source = null;
let pending = 0;
let due = 0;

function look() {
  clearTimeout(pending);
  pending = 0;
  for (const part of document.querySelectorAll("#poll, #live, [data-live-part]")) htmx.trigger(part, "changed");
}

// What is on the page is looked at now, what may come to it a little later; several changes at once are one look.
function told(event) {
  const kinds = Object.entries(JSON.parse(event.data));
  const here = ([kind, keys]) => keys.some((key) => document.getElementById(`${kind}-${key}`) || location.href.includes(key));
  const soon = kinds.some(here) ? 60 : 700;
  if (pending && due <= Date.now() + soon) return;
  clearTimeout(pending);
  due = Date.now() + soon;
  pending = setTimeout(look, soon);
}

function listen() {
  const url = document.body.dataset.live;
  if (!url || source || document.hidden) return;
  source = new EventSource(url);
  source.addEventListener("changed", told);
  source.onerror = () => source?.readyState === EventSource.CLOSED && stop();
}

function stop() {
  source?.close();
  source = null;
}

// A browser has few connections to one server: pages that nobody sees give theirs back.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return stop();
  listen();
  look();
});
addEventListener("pagehide", stop);
listen();
