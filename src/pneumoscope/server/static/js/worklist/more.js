// "Show 50 more" adds the next rows below the others.

import { fetched } from "../fragment.js";
import { announce, toast } from "../toast.js";
import { all, body, go } from "./rows.js";

/** Add the next page; answers the first row that is new, or null at the end. */
export async function more() {
  const button = document.getElementById("more");
  if (!button || button.getAttribute("aria-disabled") === "true") return null;
  button.setAttribute("aria-disabled", "true");
  try {
    const content = await fetched(`/worklist/results${new URL(button.href).search}`);
    const known = new Set(all().map((row) => row.dataset.id));
    // A study that has moved since is there already.
    const fresh = [...content.querySelectorAll("#rows tr")].filter((row) => !known.has(row.dataset.id));
    body().append(...fresh);
    button.closest(".pages").replaceWith(content.querySelector(".pages"));
    announce(`${fresh.length} more studies, ${all().length} are shown.`);
    return fresh[0] ?? null;
  } catch {
    button.removeAttribute("aria-disabled");
    toast("The worklist cannot be reached. Try again.");
    return null;
  }
}

/** Listen to the button. */
export function listen() {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("#more");
    if (!button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go(await more());
  });
}
