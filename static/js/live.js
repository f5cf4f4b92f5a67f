// The server tells when something has changed that this page shows; without that, pages ask by themselves as before.
const PARTS = "#poll, #live, [data-live-part]";
let source = null;
let pending = 0;
let due = 0;
let pressed = false;
let missed = false;

function look() {
  clearTimeout(pending);
  pending = 0;
  for (const part of document.querySelectorAll(PARTS)) htmx.trigger(part, "changed");
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

// What is drawn anew keeps its elements: focus, selected text, what was opened and what is half typed stay.
htmx.defineExtension("morph", {
  isInlineSwap: (style) => style === "morph",
  handleSwap: (style, target, fragment) =>
    style === "morph" &&
    Idiomorph.morph(target, fragment.children, {
      morphStyle: "outerHTML",
      ignoreActiveValue: true,
      callbacks: { beforeAttributeUpdated: (name) => !["open", "checked"].includes(name) },
    }),
});

// And nothing changes under a finger: a button that is pressed must not become another one before it is let go.
function press(event) {
  if (event.type === "pointerdown" || event.key === " ") pressed = true;
}

function release() {
  setTimeout(() => {
    pressed = false;
    if (missed) look();
    missed = false;
  });
}

for (const type of ["pointerdown", "keydown"]) addEventListener(type, press, true);
for (const type of ["pointerup", "pointercancel", "dragend", "keyup", "blur"]) addEventListener(type, release, true);
document.addEventListener("htmx:beforeSwap", (event) => {
  if (!pressed || !event.detail.elt.matches(PARTS)) return;
  event.detail.shouldSwap = false;
  missed = true;
});

// A browser has few connections to one server: pages that nobody sees give theirs back.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return stop();
  listen();
  look();
});
addEventListener("pagehide", stop);
listen();
