// Pages that are shown in the one dialog: it opens with them, and gives the focus back to what opened it.
const dialog = document.getElementById("dialog");
// In rows everything is an opener but the way to the console, which is a page of its own.
const OPENERS = "a[data-opens], .app-actions > a:not(.app-console)";
let opener = "";

function firstField() {
  const fields = dialog.querySelectorAll(".pf-v6-c-modal-box__body :is(input, select):enabled");
  return [...fields].find((field) => field.checkVisibility() && field.type !== "hidden");
}

// What the row or header was drawn anew with meanwhile is found by its id or by where it leads.
function way(element) {
  return element.id ? `#${CSS.escape(element.id)}` : `a[href="${CSS.escape(element.getAttribute("href"))}"]`;
}

if (dialog) {
  // Listened for here and not at each link: nothing is lost on one that has just been drawn.
  document.addEventListener("click", (event) => {
    const link = event.target.closest(OPENERS);
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    htmx.ajax("GET", link.href, { source: link, target: "#dialog", swap: "innerHTML", push: "false" });
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.target !== dialog) return;
    if (!dialog.open) {
      opener = way(event.detail.requestConfig.elt);
      dialog.showModal();
    }
    (firstField() ?? dialog.querySelector("a, button"))?.focus();
  });
  dialog.addEventListener("click", (event) => {
    if (!event.target.closest("[data-close]")) return;
    event.preventDefault();
    dialog.close();
  });
  document.addEventListener("saved", () => dialog.open && dialog.close());
  dialog.addEventListener("close", () => {
    dialog.replaceChildren();
    document.querySelector(opener)?.focus();
  });
}

// Verbs: buttons of one form, wherever they stand.
document.addEventListener("submit", (event) => {
  if (!event.submitter?.matches("[data-verb], .app-actions > button")) return;
  event.preventDefault();
  htmx.ajax("POST", event.submitter.formAction, { source: event.submitter, swap: "none" });
});
