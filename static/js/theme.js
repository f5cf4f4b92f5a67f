// Light, dark or what the system says; a classic script in the head, so that the page is never painted twice.
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => localStorage.getItem("theme") ?? "system";
  const apply = () => {
    const dark = chosen() === "dark" || (chosen() === "system" && system.matches);
    document.documentElement.classList.toggle("pf-v6-theme-dark", dark);
  };
  apply();
  system.addEventListener("change", apply);
  addEventListener("storage", apply);
  addEventListener("DOMContentLoaded", () => {
    const choice = document.querySelector(".app-theme");
    if (!choice) return;
    choice.hidden = false;
    for (const radio of choice.querySelectorAll("input")) {
      radio.checked = radio.value === chosen();
      radio.addEventListener("change", () => {
        localStorage.setItem("theme", radio.value);
        apply();
      });
    }
  });
})();
