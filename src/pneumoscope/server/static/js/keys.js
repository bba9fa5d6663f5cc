// Keys of one character, and the sheet that lists them. They can be switched off (WCAG 2.2, 2.1.4), and they are never
// taken from a field that a person types in. A key means the same on every page; a test reads all tables.

import { el } from "./dom.js";

const KEY = "pneumoscope.keys";
const groups = new Map(); // heading -> [{ keys, say, run }]
let before = ""; // the first of two keys ("g" of "g w")
let beforeAt = 0;

/** Whether single keys are listened to. */
export function enabled() {
  try {
    return localStorage.getItem(KEY) !== "off";
  } catch {
    return true;
  }
}

function enable(on) {
  try {
    localStorage.setItem(KEY, on ? "on" : "off");
  } catch {
    // storage is forbidden: keys stay on for this page
  }
}

/**
 * Register keys: `bind("Film", [{ keys: ["e"], say: "Evidence on or off", run }])`.
 * A key is KeyboardEvent.key ("e", "ArrowLeft", "+"), or two of them after each other ("g w"). `run(event)` may answer
 * false to leave the key to the browser. Returns a function that takes them away again.
 */
export function bind(group, entries) {
  const list = groups.get(group) ?? [];
  groups.set(group, list);
  list.push(...entries);
  return () => groups.set(group, (groups.get(group) ?? []).filter((entry) => !entries.includes(entry)));
}

function typing(target) {
  if (!(target instanceof Element)) return false;
  if (target.closest("dialog[open]")) return true;
  if (target.matches("textarea, select, [contenteditable]")) return true;
  return target.matches("input") && !["button", "checkbox", "radio", "range", "file"].includes(target.type);
}

/** A field that uses the arrows itself keeps them. */
function taken(event) {
  const arrows = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown"];
  if (arrows.includes(event.key)) return event.target.matches?.("input, [role=slider], [role=tab]");
  return [" ", "Enter"].includes(event.key) && event.target.matches?.("a, button, input, summary, label");
}

function pressed(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (!enabled() || typing(event.target) || taken(event)) return;
  const pair = before && event.timeStamp - beforeAt < 1200 ? `${before} ${event.key}` : null;
  before = event.key;
  beforeAt = event.timeStamp;
  const all = [...groups.values()].flat();
  // The last one registered wins: a part of the page may take a key over while it is there.
  const found = all.findLast((entry) => pair && entry.keys.includes(pair)) ?? all.findLast((entry) => entry.keys.includes(event.key));
  if (!found) return;
  if (pair && found.keys.includes(pair)) before = "";
  if (found.run(event) !== false) event.preventDefault();
}

const NAMES = {
  ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", " ": "Space", Escape: "Esc", Delete: "Del",
};

function cap(keys) {
  return keys.split(" ").filter(Boolean).map((key) => el("kbd", { class: "key" }, NAMES[key] ?? key));
}

/** Fill and open the sheet of keys. */
export function sheet() {
  const dialog = document.getElementById("help");
  if (!dialog || dialog.open) return;
  const body = dialog.querySelector("[data-keys]");
  body.replaceChildren(
    ...[...groups].filter(([, entries]) => entries.length).map(([group, entries]) =>
      el(
        "section",
        {},
        el("h3", {}, group),
        el(
          "dl",
          {},
          ...entries.flatMap(({ keys, say }) => [
            el("dt", {}, ...keys.flatMap((key) => (key === " " ? [el("kbd", { class: "key" }, "Space")] : cap(key)))),
            el("dd", {}, say),
          ]),
        ),
      ),
    ),
  );
  const box = dialog.querySelector("[data-keys-on]");
  box.checked = enabled();
  box.onchange = () => enable(box.checked);
  dialog.showModal();
}

/** Start listening; called once by page.js. */
export function listen() {
  document.addEventListener("keydown", pressed);
}
