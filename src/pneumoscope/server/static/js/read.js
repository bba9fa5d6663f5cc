// The Read page: films come in, go to the server two at a time, and their readings are shown.

import { address, logIn, post, Problem, problemOf } from "./api.js";
import { BASE } from "./base.js";
import { el, icon } from "./dom.js";
import { listenForFilms, sorted } from "./drop.js";
import { bind } from "./keys.js";
import { draw, makeCard, totals } from "./queue.js";
import { fetchCard, findingOf, kindOf, resultSkeleton, spoken } from "./result.js";
import { Stage } from "./stage.js";
import { announce, toast } from "./toast.js";
import { send } from "./upload.js";

const PARALLEL = 2; // films on their way at the same time; the server has its own queue
const PRESET = "pneumoscope.preset";

const root = document.getElementById("read");
const list = document.getElementById("queue");
const total = document.getElementById("queue-total");
const panel = document.getElementById("result");
const stop = document.getElementById("stop");
const stage = new Stage(document.getElementById("stage"));
const limits = { film: Number(root.dataset.maxBytes), request: Number(root.dataset.maxRequestBytes), files: Number(root.dataset.maxFiles) };
const items = [];
let chosen = null;
let running = 0;
let stopping = new AbortController();

/* What is given */

function take(files) {
  const { films, left } = sorted(files);
  if (left) toast(`${left} ${left === 1 ? "file was" : "files were"} left out: no ${left === 1 ? "film" : "films"}.`);
  if (!films.length) return;
  const added = films.map((file) => ({ file, label: file.webkitRelativePath || file.name, state: "waiting", share: 0 }));
  addItems(added);
  choose(added[0]);
  announce(added.length === 1 ? `Reading ${added[0].label}.` : `${added.length} films are being read.`);
  for (let i = running; i < PARALLEL; i++) work();
}

function addItems(added, before = null) {
  const rows = added.map((item) => makeCard(item, (one) => choose(one, true)));
  if (before) {
    items.splice(items.indexOf(before), 0, ...added);
    before.row.before(...rows);
  } else {
    items.push(...added);
    list.append(...rows);
  }
  count();
}

function tooLarge(file) {
  const zip = /\.zip$/i.test(file.name) || file.type === "application/zip";
  return file.size > (zip ? limits.request : limits.film);
}

/* On their way */

async function work() {
  running += 1;
  for (let item; (item = items.find((each) => each.state === "waiting")); ) await readOne(item);
  running -= 1;
  if (running === 0 && items.length > 1) announce(`All done: ${totals(items)}.`);
  count();
}

async function readOne(item) {
  const signal = stopping.signal;
  const began = performance.now();
  try {
    if (tooLarge(item.file)) throw problemOf(413, "");
    change(item, { state: "sending", share: 0 });
    const inside = [];
    const answers = await send(item.file, {
      query: { preset: preset() },
      signal,
      part: isZip(item) ? (answer) => inside.push(unpacked(item, answer)) : null,
      progress: (share) => change(item, share < 1 ? { state: "sending", share } : { state: "reading" }),
      waiting: (seconds, problem) => {
        if (item.state !== "paused") announce(problem.sentence);
        change(item, { state: "paused", seconds, problem });
      },
    });
    if (isZip(item)) emptied(item, inside);
    else if (taken(answers[0])) done(item, complete(answers[0]), performance.now() - began);
    else throw problemIn(answers[0]);
  } catch (problem) {
    if (signal.aborted) change(item, { state: "stopped" });
    else if (problem.status === 401) logIn();
    else failed(item, problem);
  }
}

function failed(item, problem) {
  change(item, { state: "failed", problem });
  announce(`${item.label} was not read. ${problem.sentence ?? problem.message}`);
}

/** A film of a zip: a card of its own, above that of the zip, as soon as it is read. */
function unpacked(zip, answer) {
  const told = taken(answer) ? { state: "done", answer: complete(answer) } : { state: "failed", problem: problemIn(answer), final: true };
  const item = { label: answer.name, ...told };
  addItems([item], zip);
  if (chosen === zip) choose(item);
  return item;
}

/** When all that was in a zip has its card, the zip's own goes. */
function emptied(zip, inside) {
  items.splice(items.indexOf(zip), 1);
  zip.row.remove();
  if (!inside.length) toast(`${zip.label} holds no film.`);
  if (chosen === zip) choose(items[0] ?? null);
  count();
}

/** Whether it was read, or looked at and refused; what is too large to be looked at has a reason and no place. */
function taken(answer) {
  return Boolean(answer?.reading && answer.reading_id);
}

function problemIn(answer) {
  const refusal = answer?.reading?.refusal;
  const told = refusal ? { code: refusal.code, detail: refusal.reason, remedy: refusal.remedy } : { detail: "The server answered nothing" };
  const { status, code, detail, remedy } = answer?.problem ?? told;
  return new Problem({ status, code, detail, remedy });
}

function isZip(item) {
  return /\.zip$/i.test(item.label);
}

function done(item, answer, milliseconds) {
  item.stale = true;
  change(item, { state: "done", answer, milliseconds });
  if (!answer.card) load(item);
  if (item === chosen) announce(spoken(answer.reading, item.label));
}

/** An answer with the addresses of its pictures. */
function complete(answer) {
  const film = answer.reading.film.rows ? answer.reading.film.sha256 : null; // without rows it could not be decoded
  const reading = answer.reading_id;
  return {
    ...answer,
    thumbnail: film && address(`/films/${film}/thumbnail`),
    stored: film && address(`/films/${film}/picture`),
    picture: film && address(`/readings/${reading}/picture`, { size: 1600 }),
    evidence: reading && address(`/readings/${reading}/evidence`),
  };
}

/** Fetch the card of a reading, and show it if its film is still in view. */
async function load(item) {
  const { answer } = item;
  if (answer.coming) return;
  answer.coming = true;
  try {
    answer.card = dressed(await fetchCard(answer), item, answer);
  } catch (problem) {
    if (item === chosen) toast(problem.sentence ?? String(problem.message), { action: { label: "Try again", run: () => load(item) } });
  }
  answer.coming = false;
  if (answer.card && item === chosen && item.answer === answer) show();
}

/** A card with what can be done about it here, and how long it took. */
function dressed(card, item, answer) {
  const about = card.querySelector(".result-about");
  const made = actions(item, answer);
  if (made.length) about.before(el("div", { class: "row result-actions" }, ...made));
  if (item.milliseconds) about.append(`, answered in ${(item.milliseconds / 1000).toFixed(2)} s`);
  return card;
}

function change(item, values) {
  Object.assign(item, values);
  draw(item);
  count();
  if (item === chosen) show();
}

let counted = 0;

function count() {
  // Once a frame: a folder of a thousand films changes often.
  cancelAnimationFrame(counted);
  counted = requestAnimationFrame(() => {
    total.textContent = totals(items);
    stop.hidden = !items.some((item) => ["waiting", "sending", "paused"].includes(item.state));
  });
}

/* What is shown */

function choose(item, focus = false) {
  if (chosen?.card) {
    chosen.card.removeAttribute("aria-current");
    chosen.card.tabIndex = -1;
  }
  chosen = item;
  if (!item) return;
  item.card.setAttribute("aria-current", "true");
  item.card.tabIndex = 0;
  reveal(item.row);
  if (focus) item.card.focus({ preventScroll: true });
  // On a phone the list is below the film: a film that is chosen there must come into sight.
  if (focus && stage.root.getBoundingClientRect().top < 0) stage.root.scrollIntoView({ block: "start" });
  show();
  if (item.answer && findingOf(item.answer.reading).preset !== preset()) atSetting(item);
}

/** Scroll the list, and only the list, until a card is in it. */
function reveal(row) {
  const inner = row.getBoundingClientRect();
  const outer = list.getBoundingClientRect();
  list.scrollBy({
    top: Math.min(0, inner.top - outer.top) + Math.max(0, inner.bottom - outer.bottom),
    left: Math.min(0, inner.left - outer.left) + Math.max(0, inner.right - outer.right),
  });
}

function show() {
  const item = chosen;
  stage.show(item);
  const key = item.answer ? (item.answer.card ?? item.answer) : item.state + (item.seconds ?? "");
  if (item.panel === key && panel.dataset.of === item.label) return;
  item.panel = key;
  panel.dataset.of = item.label;
  panel.setAttribute("aria-busy", String(!item.answer?.card && !["failed", "stopped"].includes(item.state)));
  panel.replaceChildren(title(item), content(item));
}

function title(item) {
  const study = item.answer?.study;
  const link = study && el("a", { class: "button button-quiet button-small", href: `${BASE}/studies/${encodeURIComponent(study)}` }, "Study and verdict", icon("right"));
  return el("div", { class: "result-title" }, el("h2", { class: "result-film", title: item.label }, item.label), link);
}

function content(item) {
  if (item.answer?.card) return item.answer.card;
  if (item.answer) load(item);
  if (item.state === "failed" || item.state === "stopped") return trouble(item);
  if (item.state === "paused") return el("div", { class: "stack" }, el("p", { class: "remark" }, icon("wait"), el("span", {}, pausedWords(item))), resultSkeleton());
  return resultSkeleton();
}

function pausedWords(item) {
  if (item.seconds === null) return "This device is offline. The film is sent as soon as the connection is back.";
  const why = item.problem.status === 503 || item.problem.status === 429 ? "The server is busy." : "The server does not answer.";
  return `${why} It is tried again in ${item.seconds} s.`;
}

function trouble(item) {
  const words = item.state === "stopped" ? "Stopped before it was read." : (item.problem.sentence ?? String(item.problem.message));
  const retry = item.final || !item.file ? null : el("button", { class: "button", type: "button", onclick: () => (change(item, { state: "waiting" }), running < PARALLEL && work()) }, icon("reset"), "Try again");
  return el("div", { class: "result", "data-call": "refused" }, el("div", { class: "result-head" }, el("h3", { class: "result-call" }, "Not read")), el("p", { class: "remark", "data-kind": "alarm" }, icon("warn"), el("span", {}, words)), retry && el("div", { class: "row" }, retry));
}

function actions(item, { study, reading }) {
  const made = [];
  if (study && kindOf(reading) === "refused" && reading.film.rows) {
    made.push(el("button", { class: "button", type: "button", onclick: () => again(item, { force: true }) }, "Read it all the same"));
  }
  return made;
}

/** Look at a film with the setting that is chosen now: the server decides from the kept probabilities, and writes nothing. */
async function atSetting(item) {
  const { answer } = item;
  if (answer.reading.status !== "read") return;
  const asked = (item.asked = (item.asked ?? 0) + 1);
  const at = preset();
  panel.setAttribute("aria-busy", "true");
  try {
    const card = await fetchCard(answer, at);
    if (item.asked !== asked) return; // something else was asked for meanwhile
    const kept = answer.kept ?? answer.reading;
    const reading = card.dataset.reading ? JSON.parse(card.dataset.reading) : kept;
    const looked = complete({ ...answer, kept, reading, card: null, coming: false });
    looked.card = dressed(card, item, looked);
    done(item, looked, item.milliseconds);
  } catch (problem) {
    if (item.asked !== asked) return;
    panel.setAttribute("aria-busy", "false");
    toast(problem.sentence ?? String(problem.message), { action: { label: "Try again", run: () => atSetting(item) } });
  }
}

/** Read a film again that the server has: at another setting, or in spite of the gate. */
async function again(item, choice) {
  const { study, reading } = item.answer;
  const asked = (item.asked = (item.asked ?? 0) + 1);
  const began = performance.now();
  panel.setAttribute("aria-busy", "true");
  try {
    const rows = await post(`/studies/${encodeURIComponent(study)}/readings`, undefined, { preset: preset(), ...choice });
    const row = rows.find((each) => each.film === reading.film.sha256);
    if (!row || item.asked !== asked) return; // something else was asked for meanwhile
    const answer = complete({ ...item.answer, reading: row.reading, reading_id: row.id, card: null, coming: false });
    item.milliseconds = performance.now() - began;
    answer.card = dressed(await fetchCard(answer), item, answer); // the card of before stays until this one is there
    if (item.asked === asked) done(item, answer, item.milliseconds);
  } catch (problem) {
    if (item.asked !== asked) return;
    panel.setAttribute("aria-busy", "false");
    toast(problem.sentence ?? String(problem.message), { action: { label: "Try again", run: () => again(item, choice) } });
  }
}

/* The setting */

function preset() {
  return root.querySelector('input[name="preset"]:checked').value;
}

function setting(changed) {
  // What it means stands there until the first reading takes its place.
  for (const each of root.querySelectorAll("#setting-meaning > [data-preset]")) each.hidden = each.dataset.preset !== preset();
  if (!changed) return;
  try {
    localStorage.setItem(PRESET, preset());
  } catch {
    // it holds for this page
  }
  if (chosen?.answer) atSetting(chosen);
}

function restoreSetting() {
  try {
    const kept = localStorage.getItem(PRESET);
    const radio = [...root.querySelectorAll('input[name="preset"]')].find((each) => each.value === kept);
    if (radio) radio.checked = true;
  } catch {
    // the bundle's default holds
  }
  setting(false);
}

function nextSetting() {
  const radios = [...root.querySelectorAll('input[name="preset"]')];
  const next = radios[(radios.findIndex((each) => each.checked) + 1) % radios.length];
  next.checked = true;
  announce(`Setting ${next.value}.`);
  setting(true);
}

/* Keys */

function go(by) {
  if (!items.length) return;
  const at = items.indexOf(chosen);
  const next = items[Math.min(items.length - 1, Math.max(0, at + by))];
  choose(next, true);
  if (next.answer) announce(spoken(next.answer.reading, next.label));
}

function evidence() {
  if (!stage.toggle.disabled) announce(stage.flip() ? "Evidence shown." : "Evidence hidden.");
}

bind("Films", [
  { keys: ["o"], say: "Choose films", run: () => document.getElementById("files").click() },
  { keys: ["j", "ArrowDown"], say: "Next in the list", run: () => go(1) },
  { keys: ["k", "ArrowUp"], say: "Previous in the list", run: () => go(-1) },
  { keys: ["t"], say: "Next setting (operating point)", run: nextSetting },
]);
bind("Film", [
  { keys: ["e"], say: "Evidence on or off", run: evidence },
  { keys: ["[", "]"], say: "Evidence fainter, stronger", run: (event) => stage.step(event.key === "]" ? 10 : -10) },
  { keys: ["v"], say: "Open the viewer", run: () => stage.viewer.href && stage.viewer.click() },
]);

document.getElementById("setting").addEventListener("change", () => setting(true));
stop.addEventListener("click", () => {
  stopping.abort();
  stopping = new AbortController();
  for (const item of items) if (item.state === "waiting") change(item, { state: "stopped" });
  announce("Stopped.");
});
window.addEventListener("beforeunload", (event) => {
  if (items.some((item) => ["waiting", "sending", "paused"].includes(item.state))) event.preventDefault();
});
restoreSetting();
listenForFilms({
  inputs: ["files", "folder", "camera"].map((id) => document.getElementById(id)),
  take,
  hover: (on) => root.toggleAttribute("data-held", on),
});
