// Notifications and tasks beside the page: what a link in the masthead leads to as a page, shown in a drawer.
const drawer = document.getElementById("drawer");
let shown = "";
let wasOpen = false;

const isOpen = () => drawer.matches(":popover-open");
const link = (at) => at.closest?.("a[data-drawer]");

function tell() {
  for (const each of document.querySelectorAll("a[data-drawer]")) {
    each.setAttribute("aria-expanded", isOpen() && each.href === shown);
  }
}

if (drawer) {
  // A press outside closes it before the click comes: on the link that had opened it that is all that is wanted.
  document.addEventListener("pointerdown", (event) => (wasOpen = isOpen() && link(event.target)?.href === shown), true);
  document.addEventListener("click", (event) => {
    const to = link(event.target);
    if (event.target.closest("[data-close-drawer]")) return drawer.hidePopover();
    if (!to || event.ctrlKey || event.metaKey || event.shiftKey || to.pathname === location.pathname) return;
    event.preventDefault();
    const again = wasOpen || (isOpen() && to.href === shown);
    wasOpen = false;
    if (again) return isOpen() && drawer.hidePopover();
    shown = to.href;
    htmx.ajax("GET", to.href, { source: to, target: drawer, swap: "innerHTML", push: "false" });
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    const opens = event.detail.target === drawer;
    if (opens && !isOpen()) drawer.showPopover();
    // Whoever has put something away with a button that is gone now goes on at the top.
    if (opens || (isOpen() && document.activeElement === document.body)) document.getElementById("drawer-title")?.focus();
    if (opens) tell();
  });
  drawer.addEventListener("toggle", (event) => {
    tell();
    if (event.newState !== "closed") return;
    drawer.replaceChildren();
    if (document.activeElement !== document.body) return;
    [...document.querySelectorAll("a[data-drawer]")].find((each) => each.href === shown)?.focus();
  });
}
