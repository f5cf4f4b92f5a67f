// Completion below the search: what the server offers for the word at the cursor, by mouse and keyboard.
const list = document.createElement("ul");
list.className = "app-offered";
list.id = "offered";
list.setAttribute("role", "listbox");
let field = null;
let timer = 0;
let asked = 0;

function close() {
  list.remove();
  if (!field) return;
  field.setAttribute("aria-expanded", "false");
  field.removeAttribute("aria-activedescendant");
}

function show(offered) {
  list.replaceChildren(
    ...offered.map(({ text, start }, at) => {
      const option = document.createElement("li");
      Object.assign(option, { id: `offered-${at}`, textContent: text });
      option.setAttribute("role", "option");
      option.setAttribute("aria-selected", "false");
      option.dataset.start = start;
      return option;
    }),
  );
  if (!offered.length) return close();
  field.parentElement.append(list);
  field.setAttribute("aria-expanded", "true");
}

async function ask() {
  const mine = ++asked;
  const given = new URLSearchParams({ q: field.value, cursor: field.selectionStart });
  const answer = await fetch(`${field.dataset.suggest}?${given}`, { headers: { Accept: "application/json" } });
  if (!answer.ok || mine !== asked) return;
  show((await answer.json()).offered.filter(({ text, start }) => field.value.slice(start, field.selectionStart) !== text));
}

function take(option) {
  const rest = field.value.slice(field.selectionStart);
  const before = `${field.value.slice(0, option.dataset.start)}${option.textContent} `;
  field.value = before + rest.trimStart();
  field.setSelectionRange(before.length, before.length);
  close();
  field.focus();
  ask();
}

function move(step) {
  const options = [...list.children];
  const at = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
  const next = (at + step + options.length) % options.length;
  options.forEach((option, place) => option.setAttribute("aria-selected", place === next));
  options[next].scrollIntoView({ block: "nearest" });
  field.setAttribute("aria-activedescendant", options[next].id);
}

document.addEventListener("focusin", (event) => {
  if (!event.target.matches("[data-suggest]")) return;
  field = event.target;
  field.setAttribute("role", "combobox");
  field.setAttribute("aria-autocomplete", "list");
  field.setAttribute("aria-expanded", "false");
  field.setAttribute("aria-controls", "offered");
});
document.addEventListener("input", (event) => {
  if (event.target !== field) return;
  clearTimeout(timer);
  timer = setTimeout(ask, 120);
});
document.addEventListener("focusout", (event) => event.target === field && setTimeout(close, 150));
document.addEventListener("submit", close);
list.addEventListener("mousedown", (event) => {
  event.preventDefault();
  if (event.target.matches("[role=option]")) take(event.target);
});
document.addEventListener("keydown", (event) => {
  if (event.target !== field || !list.isConnected) return;
  const chosen = list.querySelector("[aria-selected=true]");
  if (event.key === "ArrowDown" || event.key === "ArrowUp") move(event.key === "ArrowDown" ? 1 : -1);
  else if ((event.key === "Enter" || event.key === "Tab") && chosen) take(chosen);
  else if (event.key === "Escape") close();
  else return;
  event.preventDefault();
});
