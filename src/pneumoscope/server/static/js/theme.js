// Loaded before the page is drawn (a classic script, not a module), so that no page flashes in the wrong theme.
(() => {
  "use strict";
  const KEY = "pneumoscope.theme";
  const root = document.documentElement;
  const system = window.matchMedia("(prefers-color-scheme: light)");

  function kept() {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null; // storage is forbidden: the system's theme holds
    }
  }

  function show() {
    const theme = kept() ?? (system.matches ? "light" : "dark");
    root.dataset.theme = theme;
    const colour = document.querySelector('meta[name="theme-color"]');
    if (colour) colour.content = theme === "dark" ? "#15191e" : "#ffffff";
    for (const button of document.querySelectorAll("[data-theme-toggle]")) {
      const other = theme === "dark" ? "light" : "dark";
      button.setAttribute("aria-label", `Change to the ${other} theme`);
      button.title = `Change to the ${other} theme`;
    }
  }

  show();
  system.addEventListener("change", show);
  window.addEventListener("storage", (event) => event.key === KEY && show());
  document.addEventListener("DOMContentLoaded", show);
  document.addEventListener("click", (event) => {
    if (!event.target.closest?.("[data-theme-toggle]")) return;
    try {
      localStorage.setItem(KEY, root.dataset.theme === "dark" ? "light" : "dark");
    } catch {
      root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
      return;
    }
    show();
  });
})();
