// Pages that htmx puts into the one dialog: it opens with them, and gives the focus back to what opened it.
const dialog = document.getElementById("dialog");
let opener = "";

function firstField() {
  const fields = dialog.querySelectorAll(".pf-v6-c-modal-box__body :is(input, select):enabled");
  return [...fields].find((field) => field.checkVisibility() && field.type !== "hidden");
}

if (dialog) {
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.target !== dialog || dialog.open) return;
    opener = event.detail.requestConfig.elt.id;
    dialog.showModal();
    firstField()?.focus();
  });
  dialog.addEventListener("click", (event) => {
    if (!event.target.closest("[data-close]")) return;
    event.preventDefault();
    dialog.close();
  });
  document.addEventListener("saved", () => dialog.open && dialog.close());
  dialog.addEventListener("close", () => {
    dialog.replaceChildren();
    // The row or header that held the opener may have been drawn anew meanwhile.
    document.getElementById(opener)?.focus();
  });
}
