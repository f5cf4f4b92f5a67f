// Messages: shown, read out, put away; and the bar that says when the server does not answer.
const offline = document.getElementById("offline");

document.addEventListener("click", (event) => {
  event.target.closest("[data-dismiss]")?.closest("li").remove();
});

// What was refused is read out first; its links lead to the fields.
document.addEventListener("htmx:afterSettle", (event) => {
  event.detail.elt.querySelector("[data-focus]")?.focus();
});

document.addEventListener("htmx:sendError", () => (offline.hidden = false));
document.addEventListener("htmx:responseError", () => (offline.hidden = false));
document.addEventListener("htmx:afterOnLoad", (event) => {
  if (event.detail.xhr.status < 500) offline.hidden = true;
});

setInterval(() => {
  for (const told of document.querySelectorAll("#toasts .pf-m-success")) {
    if (told.dataset.seen) told.closest("li").remove();
    told.dataset.seen = "yes";
  }
}, 6000);
