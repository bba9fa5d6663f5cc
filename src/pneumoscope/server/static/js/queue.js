// The list of films on the Read page: one card a film, of one height whatever stands in it.

import { el, icon, percent } from "./dom.js";
import { badge, findingOf } from "./result.js";

/** The card of a film; `draw` fills it. */
export function makeCard(item, choose) {
  const thumb = el("span", { class: "card-thumb" }, icon("film"));
  const name = el("span", { class: "card-name", title: item.label }, item.label);
  const state = el("span", { class: "card-state" });
  const card = el("button", { class: "card", type: "button", tabindex: -1, onclick: () => choose(item) }, thumb, name, el("span", { class: "card-share" }), state);
  item.card = card;
  item.row = el("li", {}, card);
  draw(item);
  return item.row;
}

/** Bring a card up to date. */
export function draw(item) {
  const [thumb, , share, state] = item.card.children;
  if (item.drawn !== item.state || item.state === "sending" || item.state === "paused" || item.stale) {
    state.replaceChildren(...words(item));
    share.textContent = shareOf(item);
    item.drawn = item.state;
    item.stale = false;
  }
  if (item.answer?.thumbnail && !thumb.querySelector("img")) {
    const image = el("img", { alt: "", loading: "lazy", decoding: "async", width: 48, height: 48 });
    image.addEventListener("error", () => thumb.replaceChildren(icon("film")));
    image.src = item.answer.thumbnail;
    thumb.replaceChildren(image);
  }
}

function words(item) {
  switch (item.state) {
    case "waiting":
      return ["waiting"];
    case "sending":
      return [el("progress", { class: "progress", max: 1, value: item.share, "aria-label": "sent" })];
    case "reading":
      return ["reading…"];
    case "paused":
      return [icon(item.seconds === null ? "offline" : "wait"), item.seconds === null ? "offline, waiting" : `busy, again in ${item.seconds} s`];
    case "failed":
      return [icon("warn"), "not read"];
    case "stopped":
      return ["stopped"];
    default:
      return [badge(item.answer.reading)];
  }
}

/** The finding's probability; nothing of a film that is not read. */
function shareOf(item) {
  const reading = item.state === "done" ? item.answer.reading : null;
  return reading?.status === "read" ? percent(findingOf(reading).probability) : "";
}

/** "12 films: 5 pneumonia, 3 no pneumonia, 1 refused, 3 to go". */
export function totals(items) {
  if (!items.length) return "none yet";
  const counts = new Map();
  const add = (what) => counts.set(what, (counts.get(what) ?? 0) + 1);
  let left = 0;
  for (const item of items) {
    if (item.state === "done") add(item.answer.reading.status === "refused" ? "refused" : findingOf(item.answer.reading).call);
    else if (item.state === "failed" || item.state === "stopped") add("not read");
    else left += 1;
  }
  const rank = (what) => ({ indeterminate: 2, refused: 3, "not read": 4 })[what] ?? (what.startsWith("no ") ? 1 : 0);
  const parts = [...counts].sort(([a], [b]) => rank(a) - rank(b)).map(([what, count]) => `${count} ${what}`);
  if (left) parts.push(`${left} to go`);
  return parts.join(", ");
}
