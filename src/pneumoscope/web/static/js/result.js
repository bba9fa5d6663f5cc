// One reading (the contract of reports/json.py) as a card: the call, the probabilities, the pattern, what was mended,
// or the refusal and what to do about it.

import { bar, el, icon, percent } from "./dom.js";
import { pointCounts, pointOf, pointWords } from "./points.js";

const CAVEAT = "A radiographic impression, not microbiology.";

/** The finding's object and its name; null of a refused film. */
export function findingOf(reading) {
  const fixed = ["film", "status", "refusal", "mended", "warnings", "probabilities", "pattern", "evidence", "model", "software", "notice"];
  const name = Object.keys(reading).find((key) => !fixed.includes(key)) ?? "pneumonia";
  return { name, ...(reading[name] ?? {}) };
}

/** The warning of a reading that was made in spite of the gate; undefined of others. */
export function forcedBy(reading) {
  return reading.warnings.find((text) => text.startsWith("forced: "));
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
  return el("span", { class: "badge", "data-call": kind }, kind === "refused" ? "refused" : findingOf(reading).call + (forcedBy(reading) ? ", forced" : ""));
}

/** The reading in one breath, for screen readers. */
export function spoken(reading, label) {
  if (reading.status === "refused") return `${label}: refused, ${reading.refusal.reason}.`;
  const finding = findingOf(reading);
  const pattern = reading.pattern?.call ? ` Pattern ${reading.pattern.call}.` : "";
  return `${label}: ${finding.call}, probability ${percent(finding.probability)}, ${finding.preset} setting.${pattern}`;
}

/** The card. What the setting means is filled in when the bundle's counts are there; its place is held. */
export function resultCard(reading, { actions = [], also = "" } = {}) {
  const parts = reading.status === "refused" ? refused(reading) : read(reading);
  return el(
    "div",
    { class: "result", "data-call": kindOf(reading) },
    ...parts,
    actions.length ? el("div", { class: "row result-actions" }, ...actions) : null,
    about(reading, also),
  );
}

function read(reading) {
  const finding = findingOf(reading);
  return [
    el(
      "div",
      { class: "result-head" },
      el("h3", { class: "result-call" }, capital(finding.call), forcedBy(reading) ? " (forced)" : ""),
      el("p", { class: "result-share", "aria-hidden": "true" }, percent(finding.probability)),
    ),
    scale(finding),
    bars(reading, finding),
    ...remarks(reading),
    pattern(reading, finding),
    forcedBy(reading) ? null : meaning(reading, finding),
    zones(reading),
  ].filter(Boolean);
}

/** The finding's probability on a line from 0 to 1, with the thresholds of the setting. */
function scale(finding) {
  const marks = [finding.lower, finding.threshold].filter((mark) => typeof mark === "number" && mark <= 1);
  const open = typeof finding.lower === "number" ? `, left open from ${percent(finding.lower)}` : "";
  const where = `P(${finding.name}) ${percent(finding.probability)}; called from ${percent(finding.threshold)}${open}`;
  return el(
    "div",
    { class: "result-scale", "data-kind": finding.probability >= finding.threshold ? "for" : "plain" },
    bar(finding.probability, marks),
    el("p", { class: "small quiet" }, where),
  );
}

function bars(reading, finding) {
  const order = Object.entries(reading.probabilities);
  const positive = new Set(reading.pattern ? order.map(([name]) => name).filter((name) => !negative(name, reading, finding)) : [finding.name]);
  let seen = 0;
  return el(
    "dl",
    { class: "bars" },
    ...order.map(([name, share]) => {
      const kind = positive.has(name) ? (seen++ ? "second" : "for") : "against";
      return el("div", { "data-kind": kind }, el("dt", {}, capital(name)), el("dd", {}, bar(share)), el("dd", { class: "number" }, percent(share)));
    }),
  );
}

/** A class that is not the finding: the probabilities of those that are sum to the finding's. */
function negative(name, reading, finding) {
  const others = Object.entries(reading.probabilities).filter(([other]) => other !== name);
  return Math.abs(others.reduce((sum, [, share]) => sum + share, 0) - finding.probability) < 5e-5;
}

function meaning(reading, finding) {
  const words = el("p", {}, "\u00a0");
  const counts = el("p", { class: "quiet" }, "\u00a0");
  pointOf(reading.model, finding.preset).then((point) => {
    words.textContent = point ? pointWords(point, finding.name) : "The bundle of this reading is not installed: its counts are not known here.";
    counts.textContent = point ? pointCounts(point) : "";
  });
  return el("section", { class: "result-meaning small" }, el("h4", {}, `What the ${finding.preset} setting means`), words, counts);
}

function pattern(reading, finding) {
  const told = reading.pattern;
  if (!told) return null;
  const note = told.call ? CAVEAT : `${capital(finding.name)} is not called.`;
  const rows = [
    el("dt", {}, "Pattern"),
    el("dd", {}, el("strong", {}, capital(told.call ?? "none")), el("span", { class: "quiet" }, note)),
  ];
  if (told.coverage !== null) rows.push(el("dt", {}, "Not ruled out"), el("dd", {}, ...setWords(told, reading, finding)));
  return el("dl", { class: "facts" }, ...rows);
}

function setWords({ set, coverage }, reading, finding) {
  const names = set.length > 1 ? `${set.slice(0, -1).join(", ")} or ${set.at(-1)}` : (set[0] ?? "no class fits");
  const often = `Such sets hold the true class of ${Math.round(100 * coverage)} of 100 films.`;
  const denies = kindOf(reading) === "against" && !set.some((name) => negative(name, reading, finding));
  const doubt = denies ? " This one does not hold the call: have a second look." : "";
  return [el("strong", {}, capital(names)), el("span", { class: "quiet" }, often + doubt)];
}

/** Where the evidence for the finding lies: the patient's right is on the left, as on the film. */
function zones(reading) {
  const shares = reading.evidence?.zones;
  if (!shares || !Object.values(shares).some((share) => share > 0)) return null;
  const cell = (name) =>
    el("td", { "data-share": Math.min(4, Math.floor(shares[name] * 10)) }, `${Math.round(100 * shares[name])} %`);
  const inside = reading.evidence.in_lungs;
  return el(
    "table",
    { class: "zones small" },
    el("caption", {}, "Where the evidence lies", typeof inside === "number" ? el("span", { class: "quiet" }, ` (${Math.round(100 * inside)} % of it within the lungs)`) : ""),
    el("thead", {}, el("tr", {}, el("td", {}), el("th", { scope: "col" }, "Right"), el("th", { scope: "col" }, "Left"))),
    el("tbody", {}, ...["upper", "middle", "lower"].map((row) => el("tr", {}, el("th", { scope: "row" }, capital(row)), cell(`right ${row}`), cell(`left ${row}`)))),
  );
}

function refused(reading) {
  const { code, reason, remedy } = reading.refusal;
  return [
    el("div", { class: "result-head" }, el("h3", { class: "result-call" }, "Refused"), el("p", { class: "chip" }, code)),
    el("p", { class: "result-reason" }, sentence(reason)),
    el("div", { class: "remark" }, icon("info"), el("p", {}, el("strong", {}, "What to do: "), sentence(forPage(remedy)))),
    el("p", { class: "small quiet" }, "A refused film gets no number: it could not be judged."),
    ...remarks(reading),
  ];
}

/** Remedies are written for the command line too; here its options are buttons. */
function forPage(remedy) {
  return remedy
    .replace(/,? or leave out --no-mend/, "")
    .replace(/--force gives/, "reading it all the same gives")
    .replace(/; --force.*$/, "");
}

function remarks(reading) {
  return [
    ...reading.mended.map((what) => el("p", { class: "remark" }, icon("mend"), el("span", {}, `Put right before reading: ${what.replace(/^turned \d+$/, "$& degrees clockwise")}.`))),
    ...reading.warnings.map((what) => el("p", { class: "remark" }, icon("warn"), el("span", {}, sentence(what) + (what === forcedBy(reading) ? " Nothing vouches for this number." : "")))),
  ];
}

function about(reading, also) {
  const { film, model } = reading;
  const size = film.rows ? `${film.columns} × ${film.rows}` : null;
  return el(
    "p",
    { class: "result-about small quiet" },
    [film.format, size, model && `bundle ${model.name} ${model.version}`, also].filter(Boolean).join(" · "),
  );
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

export function capital(text) {
  return text ? text[0].toUpperCase() + text.slice(1) : text;
}

function sentence(text) {
  const start = capital(text.trim());
  return /[.!?]$/.test(start) ? start : `${start}.`;
}
