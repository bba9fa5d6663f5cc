// Filters take effect as they are set; they stand in the address, so that a reload or a link shows the same rows.

import { Problem } from "../api.js";
import { BASE } from "../base.js";
import { fetched } from "../fragment.js";
import { announce, toast } from "../toast.js";
import { place } from "./rows.js";

const WAIT = 250; // milliseconds after the last letter of a search
let timer = 0;
let turn = 0;

/** What the form asks for, without what is empty. */
export function search(form = document.getElementById("filters")) {
  const asked = [...new FormData(form)].filter(([name, value]) => value && !(name === "order" && value === "newest"));
  return new URLSearchParams(asked).toString();
}

/** Whether the filters say something else than the rows that are shown: they were just set. */
export function unsettled() {
  return timer !== 0 || place().hasAttribute("aria-busy");
}

/** Show the rows of the filters as they are set. */
export async function show() {
  clearTimeout(timer);
  timer = 0;
  const mine = ++turn;
  const asked = search();
  place().setAttribute("aria-busy", "true");
  try {
    const content = await fetched(`/worklist/results${asked ? `?${asked}` : ""}`);
    if (mine !== turn) return; // a later filter is on its way
    history.replaceState(null, "", `${BASE}/worklist${asked ? `?${asked}` : ""}`);
    place().replaceChildren(content);
    const count = place().querySelector("[data-count]").dataset.count;
    document.getElementById("count").textContent = count;
    announce(`${count}.`);
    place().dispatchEvent(new CustomEvent("rows", { bubbles: true }));
    mark(asked);
  } catch (error) {
    if (mine === turn) toast(error instanceof Problem ? error.sentence : "The worklist cannot be reached. Try again.");
  } finally {
    if (mine === turn) place().removeAttribute("aria-busy");
  }
}

/** Which view these filters are, if one; and whether there is something to clear. */
function mark(asked) {
  for (const view of document.querySelectorAll(".views a")) {
    const same = new URL(view.href).searchParams.toString() === asked;
    if (same) view.setAttribute("aria-current", "true");
    else view.removeAttribute("aria-current");
  }
  const filtered = [...new URLSearchParams(asked).keys()].some((name) => name !== "order");
  document.getElementById("clear").hidden = !filtered;
}

/** Listen to the form. */
export function listen() {
  const form = document.getElementById("filters");
  form.classList.add("live");
  form.addEventListener("change", () => show());
  form.addEventListener("input", (event) => {
    if (event.target.type !== "search") return;
    clearTimeout(timer);
    timer = setTimeout(show, WAIT);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    show();
  });
}
