// The rows of the worklist as they are in the page, and moving from one to the next.

import { BASE } from "../base.js";
import { localise } from "../times.js";

export const place = () => document.getElementById("results");
export const body = () => document.getElementById("rows");
export const all = () => [...(body()?.rows ?? [])];
export const byId = (id) => all().find((row) => row.dataset.id === id);
export const link = (row) => row?.querySelector(".wl-link");
export const box = (row) => row?.querySelector('input[name="ids"]');

/** The row that has the focus, or had it last. */
export function current() {
  const row = document.activeElement?.closest?.("#rows tr") ?? byId(place()?.dataset.current ?? "");
  return row?.isConnected ? row : null;
}

/** Put the focus on a row's link, and the row into view. */
export function go(row) {
  if (!row) return;
  link(row)?.focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}

/** Remember where the person is, so that a change of the rows does not lose the place. */
export function remember() {
  document.addEventListener("focusin", (event) => {
    const row = event.target.closest?.("#rows tr");
    if (row) place().dataset.current = row.dataset.id;
  });
}

/** Rows out of a fragment of bare <tr> elements. */
export async function fetchedRows(path) {
  const answer = await fetch(BASE + path, { credentials: "same-origin", headers: { Accept: "text/html" } });
  if (!answer.ok) throw new Error(`${answer.status}`);
  const table = document.createElement("table");
  table.innerHTML = `<tbody>${await answer.text()}</tbody>`;
  localise(table);
  return [...table.rows];
}

/** Put a row in the place of an older one; focus and selection stay. */
export function exchange(old, row) {
  const focused = old.contains(document.activeElement) ? document.activeElement.className : null;
  const picked = box(old)?.checked;
  old.replaceWith(row);
  if (picked && box(row)) box(row).checked = true;
  row.classList.toggle("picked", Boolean(picked));
  if (focused !== null) (focused ? link(row) : (box(row) ?? link(row)))?.focus({ preventScroll: true });
}
