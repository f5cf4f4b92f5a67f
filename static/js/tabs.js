// The parts of a long form as tabs; without this script they stand below each other.
function show(tabs, key, focus = false) {
  tabs.dataset.tabs = key;
  for (const tab of tabs.querySelectorAll("[data-tab]")) {
    const current = tab.dataset.tab === key;
    tab.setAttribute("aria-selected", current);
    tab.tabIndex = current ? 0 : -1;
    tab.parentElement.classList.toggle("pf-m-current", current);
    if (current && focus) tab.focus();
  }
  for (const panel of tabs.closest("form").querySelectorAll("[data-panel]")) {
    panel.hidden = panel.dataset.panel !== key;
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", `form-tab-${panel.dataset.panel}`);
  }
}

function showAll() {
  for (const tabs of document.querySelectorAll("[data-tabs]")) {
    tabs.hidden = false;
    tabs.closest("form").classList.add("app-tabbed");
    show(tabs, tabs.dataset.tabs);
  }
}

document.addEventListener("click", (event) => {
  const tab = event.target.closest("[data-tab]");
  if (tab) show(tab.closest("[data-tabs]"), tab.dataset.tab);
  const jump = event.target.closest("[data-jump]");
  if (!jump) return;
  event.preventDefault();
  const field = document.getElementById(jump.hash.slice(1));
  const tabs = field.closest("form").querySelector("[data-tabs]");
  if (tabs) show(tabs, field.closest("[data-panel]").dataset.panel);
  field.focus();
});

document.addEventListener("keydown", (event) => {
  const tab = event.target.closest("[data-tab]");
  // They stand in a column where there is room, else in a row.
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!tab || !step) return;
  event.preventDefault();
  const all = [...tab.closest("[data-tabs]").querySelectorAll("[data-tab]")];
  const next = all[(all.indexOf(tab) + step + all.length) % all.length];
  show(next.closest("[data-tabs]"), next.dataset.tab, true);
});

document.addEventListener("htmx:load", showAll);
showAll();
