// The list follows what others and the node do, and never moves what the person looks at: rows that changed are drawn
// again in their place, and new ones wait behind a button.

import { ROOT } from "../api.js";
import { el } from "../dom.js";
import { fetched } from "../fragment.js";
import { search, show, unsettled } from "./filter.js";
import { all, body, byId, go, place } from "./rows.js";
import { count, refresh } from "./pick.js";

const PAUSE = 1500; // milliseconds between two looks
const waiting = new Map(); // id -> row, in the order of the server
let changed = new Set();
let timer = 0;

async function look() {
  timer = 0;
  const ids = [...changed];
  changed = new Set();
  try {
    await refresh(ids);
    if (ids.some((id) => !byId(id))) await findNew((id) => ids.includes(id));
  } catch {
    for (const id of ids) changed.add(id); // the next event tries again
  }
}

/** What happened while nobody listened: before the stream was there, and while it was broken. */
async function catchUp() {
  try {
    await refresh(all().slice(0, 200).map((row) => row.dataset.id));
    if (new URLSearchParams(location.search).has("cursor")) return; // not at the top of the list
    let above = true; // new ones come before the first that is known
    await findNew((id) => (above &&= !byId(id)));
  } catch {
    // the next event tries again
  }
}

async function findNew(isNew) {
  if (unsettled()) return; // all rows are about to be drawn
  const asked = search();
  const content = await fetched(`/worklist/results${asked ? `?${asked}` : ""}`);
  if (unsettled() || search() !== asked) return; // the answer is to a question of before
  const found = [...content.querySelectorAll("#rows tr")];
  const rows = found.filter(({ dataset: { id } }) => (isNew(id) || waiting.has(id)) && !byId(id));
  waiting.clear();
  for (const row of rows) waiting.set(row.dataset.id, row);
  const words = content.querySelector("[data-count]")?.dataset.count;
  if (words) document.getElementById("count").textContent = words;
  tell();
}

function tell() {
  const banner = document.getElementById("new");
  const n = waiting.size;
  banner.replaceChildren(
    ...(n
      ? [
          el(
            "div",
            {},
            el("span", {}, n === 1 ? "1 new study" : `${n} new studies`),
            el("button", { class: "button", type: "button", onclick: insert }, "Show"),
          ),
        ]
      : []),
  );
}

/** Put the new rows where they belong, and go to the first of them. */
async function insert() {
  const rows = [...waiting.values()];
  waiting.clear();
  tell();
  const newest = !/order=(urgency|priority)/.test(search()) && !new URLSearchParams(location.search).has("cursor");
  if (body() && newest) {
    body().prepend(...rows.filter((row) => !byId(row.dataset.id)));
    count();
  } else {
    await show();
  }
  const first = byId(rows[0].dataset.id) ?? all()[0];
  for (const row of rows) byId(row.dataset.id)?.classList.add("fresh");
  go(first);
}

/** Follow the server's events; the browser connects again by itself. */
export function listen() {
  const events = new EventSource(`${ROOT}/events`);
  events.addEventListener("open", catchUp);
  events.addEventListener("changed", (event) => {
    for (const id of JSON.parse(event.data).ids) changed.add(id);
    if (!timer) timer = setTimeout(look, PAUSE);
  });
  place().addEventListener("rows", () => {
    waiting.clear();
    tell();
  });
  addEventListener("pagehide", () => events.close());
  addEventListener("pageshow", (event) => event.persisted && location.reload());
}
