// Rows that are selected, and what is done with them all.

import { Problem, post, remove } from "../api.js";
import { announce, toast } from "../toast.js";
import { all, box, byId, current, exchange, fetchedRows, go, link, place } from "./rows.js";
import { search, show } from "./filter.js";

let last = null; // the row that was selected last: where a range begins

const picked = () => all().filter((row) => box(row)?.checked);
const studies = (n) => (n === 1 ? "1 study" : `${n} studies`);

/** Say how many are selected, and offer the actions. */
export function count(aloud = false) {
  const bar = document.getElementById("bulk");
  if (!bar) return;
  const rows = picked();
  for (const row of all()) row.classList.toggle("picked", Boolean(box(row)?.checked));
  bar.classList.toggle("live", true);
  bar.hidden = rows.length === 0;
  document.getElementById("picked").textContent = `${studies(rows.length)} selected`;
  const every = document.getElementById("pick-all");
  every.checked = rows.length > 0 && rows.length === all().length;
  every.indeterminate = rows.length > 0 && rows.length < all().length;
  if (aloud) announce(`${studies(rows.length)} selected.`);
}

/** Select the row of the focus, or take it back. */
export function toggle(row = current()) {
  if (!box(row)) return;
  box(row).checked = !box(row).checked;
  last = row;
  count(true);
}

/** Agree with the selected rows, or with the one of the focus. */
export async function agree(rows = picked().length ? picked() : [current()].filter(Boolean)) {
  if (!rows.length) return;
  const ids = rows.map((row) => row.dataset.id);
  try {
    const given = {};
    for (let i = 0; i < ids.length; i += 200) {
      Object.assign(given, (await post("/studies/actions", { action: "agree", ids: ids.slice(i, i + 200) })).verdicts);
    }
    none();
    await refresh(ids);
    const n = Object.keys(given).length;
    const left = ids.length - n;
    const refused = left ? ` ${left === 1 ? "1 was" : `${left} were`} left out: refused, there is no call to agree with.` : "";
    toast(`Agreed with ${studies(n)}.${refused}`, n ? { action: { label: "Undo", run: () => undo(given) } } : {});
  } catch (error) {
    failed(error);
  }
}

/** Take verdicts back: ids of verdicts by study. */
async function undo(given) {
  try {
    for (const [study, verdict] of Object.entries(given)) await remove(`/studies/${study}/verdicts/${verdict}`);
    toast("Taken back.");
  } catch (error) {
    failed(error);
  }
  await refresh(Object.keys(given));
}

/** Ask, then delete the selected rows. */
export function askToDelete() {
  const rows = picked();
  const dialog = document.getElementById("delete-dialog");
  if (!rows.length || !dialog) return;
  const names = rows.slice(0, 3).map((row) => link(row).textContent).join(", ");
  const others = rows.length > 3 ? ` and ${rows.length - 3} more` : "";
  document.getElementById("delete-title").textContent = `Delete ${studies(rows.length)}?`;
  document.getElementById("delete-words").textContent =
    `${names}${others}. Films, readings and verdicts are deleted for good; the audit log keeps that it happened.`;
  dialog.showModal();
}

async function deletePicked() {
  const ids = picked().map((row) => row.dataset.id);
  document.getElementById("delete-dialog").close();
  try {
    const next = neighbour();
    for (let i = 0; i < ids.length; i += 200) await post("/studies/actions", { action: "delete", ids: ids.slice(i, i + 200) });
    for (const id of ids) byId(id)?.remove();
    if (!all().length) await show();
    count();
    toast(`${studies(ids.length)} deleted.`);
    go(next?.isConnected ? next : all()[0]);
  } catch (error) {
    failed(error);
  }
}

/** The first row after the selected ones, where the focus goes when they are gone. */
function neighbour() {
  const rows = all();
  const at = rows.findIndex((row) => box(row)?.checked);
  return rows.slice(at).find((row) => !box(row)?.checked) ?? rows.findLast((row) => !box(row)?.checked);
}

/** Draw rows again as they are now. */
export async function refresh(ids) {
  const here = ids.filter((id) => byId(id)).slice(0, 200);
  if (!here.length) return;
  const filters = search();
  const query = `${here.map((id) => `ids=${encodeURIComponent(id)}`).join("&")}${filters ? `&${filters}` : ""}`;
  const fresh = new Map((await fetchedRows(`/worklist/rows?${query}`)).map((row) => [row.dataset.id, row]));
  for (const id of here) {
    const old = byId(id);
    if (!old) continue;
    if (!fresh.has(id)) gone(old);
    else if (fresh.get(id).dataset.changed !== old.dataset.changed) exchange(old, fresh.get(id));
  }
  count();
}

/** Somebody deleted it: the row stays in its place, so that nothing moves, and says so. */
function gone(row) {
  row.classList.add("gone");
  for (const input of row.querySelectorAll("input")) input.remove();
  const name = link(row);
  const words = document.createElement("span");
  words.textContent = `${name.textContent} (deleted)`;
  name.replaceWith(words);
}

function none() {
  for (const row of picked()) box(row).checked = false;
  count();
}

function failed(error) {
  toast(error instanceof Problem ? error.sentence : "The server does not answer. Try again.", { stay: true });
}

/** Listen to boxes and buttons. */
export function listen() {
  place().addEventListener("click", (event) => {
    const input = event.target.closest?.('input[name="ids"]');
    if (!input) return;
    const row = input.closest("tr");
    if (event.shiftKey && last?.isConnected) {
      const rows = all();
      const [from, to] = [rows.indexOf(last), rows.indexOf(row)].sort((a, b) => a - b);
      for (const each of rows.slice(from, to + 1)) if (box(each)) box(each).checked = input.checked;
    }
    last = row;
    count(true);
  });
  place().addEventListener("change", (event) => {
    if (event.target.id !== "pick-all") return;
    for (const row of all()) if (box(row)) box(row).checked = event.target.checked;
    count(true);
  });
  place().addEventListener("reset", () => setTimeout(() => count(true)));
  place().addEventListener("submit", (event) => {
    event.preventDefault();
    if (event.submitter?.id === "bulk-delete") askToDelete();
    else if (event.submitter?.id === "bulk-agree") agree(picked());
  });
  document.getElementById("delete-yes")?.addEventListener("click", deletePicked);
  count();
}
