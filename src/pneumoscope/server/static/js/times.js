// Times of the server, in the time of the place: <time datetime="..." data-local>.

const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const YEAR = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const WHOLE = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

/** "14:03" of today, "20 Nov, 14:03" of this year, "20 Nov 2025" of an earlier one. */
export function short(at, now = new Date()) {
  if (at.toDateString() === now.toDateString()) return CLOCK.format(at);
  if (at.getFullYear() === now.getFullYear()) return `${DAY.format(at)}, ${CLOCK.format(at)}`;
  return YEAR.format(at);
}

/** Write all marked times below an element. */
export function localise(root = document) {
  for (const element of root.querySelectorAll("time[data-local]")) {
    const at = new Date(element.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    element.textContent = short(at);
    element.title = WHOLE.format(at);
  }
}
