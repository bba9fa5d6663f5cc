// What every page has: the keys for going about, the help sheet, and dialogs that close.

import { BASE } from "./base.js";
import { bind, listen, sheet } from "./keys.js";

const PLACES = [
  ["r", "/", "Read"],
  ["w", "/worklist", "Worklist"],
  ["s", "/reader-studies", "Readers"],
  ["m", "/models", "Models"],
  ["d", "/dashboard", "Dashboard"],
];

bind("Everywhere", [
  ...PLACES.map(([key, path, name]) => ({ keys: [`g ${key}`], say: `Go to ${name}`, run: () => location.assign(BASE + path) })),
  { keys: ["?"], say: "This sheet", run: sheet },
]);
listen();

document.addEventListener("click", (event) => {
  const target = event.target.closest?.("[data-help], [data-close]");
  if (target?.hasAttribute("data-help")) sheet();
  if (target?.hasAttribute("data-close")) target.closest("dialog")?.close();
  if (event.target instanceof HTMLDialogElement && event.target.hasAttribute("data-light")) event.target.close();
});
