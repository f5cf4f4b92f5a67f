// Which machines are selected: counted, kept while rows are drawn anew, and a page selected at once.
const chosen = new Set();
const boxes = () => document.querySelectorAll("input[form=many][name=vm]");

function tell() {
  const told = document.getElementById("selected");
  if (!told) return;
  told.textContent = chosen.size ? `${chosen.size} ${told.dataset.text}` : "";
  const page = document.getElementById("select-page");
  const all = [...boxes()];
  page.hidden = false;
  page.labels[0].querySelector("[data-with-script]").hidden = false;
  page.checked = all.length > 0 && all.every((box) => box.checked);
}

document.addEventListener("change", (event) => {
  if (event.target.matches("input[form=many][name=vm]")) {
    chosen[event.target.checked ? "add" : "delete"](event.target.value);
  } else if (event.target.id === "select-page") {
    for (const box of boxes()) {
      box.checked = event.target.checked;
      chosen[box.checked ? "add" : "delete"](box.value);
    }
  } else return;
  tell();
});

document.addEventListener("htmx:afterSettle", () => {
  const there = new Set([...boxes()].map((box) => box.value));
  for (const key of chosen) if (!there.has(key)) chosen.delete(key);
  for (const box of boxes()) box.checked = chosen.has(box.value);
  tell();
});
tell();
