// Shortcuts: one key each, where nobody is typing; `?` shows them all.
const ACTIONS = { n: "do-new", e: "do-edit", r: "do-start", o: "do-run-once", c: "do-console" };
const typing = (at) => at.closest("input, select, textarea, [contenteditable]");

function press(id) {
  const found = document.getElementById(id);
  found?.focus();
  found?.click();
}

document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  if (key === "Enter" && event.ctrlKey) return target.closest("form")?.requestSubmit();
  if (event.altKey && /^[1-9]$/.test(key)) {
    const dialog = document.querySelector("dialog[open]");
    const tabs = (dialog ?? document).querySelectorAll(dialog ? "[role=tab]" : ".pf-v6-c-tabs__link");
    if (!tabs[key - 1]) return;
    event.preventDefault();
    return tabs[key - 1].click();
  }
  if (event.ctrlKey || event.altKey || event.metaKey || typing(target) || document.querySelector("dialog[open]")) return;
  if (key === "?") document.getElementById("shortcuts")?.showModal();
  else if (key === "/") document.getElementById("search")?.focus();
  else if (ACTIONS[key]) press(ACTIONS[key]);
  else return;
  event.preventDefault();
});
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-shortcuts]")) document.getElementById("shortcuts")?.showModal();
  if (event.target.closest("[data-close-shortcuts]")) document.getElementById("shortcuts")?.close();
});
