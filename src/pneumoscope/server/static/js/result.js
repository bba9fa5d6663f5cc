// One reading (the contract of reports/json.py) in a word, as a badge and by ear. Its card is the server's.

import { el, percent } from "./dom.js";
import { fetched } from "./fragment.js";

/** The finding's object; of a refused film a name alone. */
export function findingOf(reading) {
  return reading.finding ?? { name: "pneumonia" };
}

/** Whether a reading was made in spite of quality control. */
export function forcedBy(reading) {
  return reading.forced;
}

/** "for", "against", "open" or "refused": what colours and shapes go by. */
export function kindOf(reading) {
  if (reading.status === "refused") return "refused";
  const finding = findingOf(reading);
  if (finding.call === "indeterminate" || forcedBy(reading)) return "open"; // a forced call must not look like one
  return finding.call === finding.name ? "for" : "against";
}

/** The call as a badge. */
export function badge(reading) {
  const kind = kindOf(reading);
  return el("span", { class: "badge", "data-call": kind }, kind === "refused" ? "refused" : findingOf(reading).call + (forcedBy(reading) ? " (forced)" : ""));
}

/** The reading in one breath, for screen readers. */
export function spoken(reading, label) {
  if (reading.status === "refused") return `${label}: refused, ${reading.refusal.reason}.`;
  const finding = findingOf(reading);
  const pattern = reading.pattern?.call ? ` Pattern ${reading.pattern.call}.` : "";
  return `${label}: ${finding.call}, probability ${percent(finding.probability)}, ${finding.preset} setting.${pattern}`;
}

/** The card as the server draws it, on every page: its words are those of the reports. */
export async function fetchCard({ study, reading_id: reading }, preset = "") {
  const at = preset ? `?preset=${encodeURIComponent(preset)}` : "";
  return (await fetched(`/studies/${encodeURIComponent(study)}/readings/${encodeURIComponent(reading)}/card${at}`)).firstElementChild;
}

/** What stands in the card's place while a film is read; of about its size, so that nothing jumps. */
export function resultSkeleton() {
  const line = (width) => el("div", { class: `skeleton bone bone-${width}` });
  return el(
    "div",
    { class: "result", "aria-hidden": "true" },
    el("div", { class: "result-head" }, el("div", { class: "skeleton bone bone-call" })),
    line("full"),
    ...[1, 2, 3].map(() => line("bar")),
    line("text"),
    line("half"),
  );
}
