// The buttons of a viewer, and its keys. Both do the same things: the table below is the only list of them.

import { el, icon } from "../dom.js";
import { bind } from "../keys.js";
import { announce } from "../toast.js";
import { PRESETS } from "./window.js";

const TOOLS = [
  ["window", "window", "w", "Window and level: drag"],
  ["pan", "pan", "h", "Move the film: drag"],
  ["ruler", "ruler", "l", "Ruler: drag a line"],
  ["magnify", "magnify", "m", "Magnifier"],
];
const STEP = 24; // CSS pixels of one press of an arrow

/** The bar of a viewer; `more` are links that the page adds. */
export function makeToolbar(viewer, { finding = "the finding", evidence = true } = {}) {
  const refresh = []; // what follows the viewer's state
  const button = (name, key, label, run, pressed = null) => {
    const made = el("button", { class: "button button-icon", type: "button", "aria-label": label, title: `${label} (${key})`, "aria-keyshortcuts": key, onclick: run }, icon(name));
    if (pressed) refresh.push(() => made.setAttribute("aria-pressed", String(pressed())));
    return made;
  };
  const group = (label, ...children) => el("div", { class: "viewer-group", role: "group", "aria-label": label }, ...children);

  const presets = el("select", { class: "input viewer-preset", "aria-label": "Window preset", title: "Window preset (p)" });
  presets.append(...PRESETS.map(({ name, say }) => el("option", { value: name }, say)), el("option", { value: "", disabled: true }, "By hand"));
  presets.addEventListener("change", () => viewer.usePreset(presets.value));
  refresh.push(() => (presets.value = viewer.preset ?? ""));

  const opacity = el("input", { class: "range", type: "range", min: 0, max: 100, step: 5, "aria-label": "Opacity of the evidence", title: "Opacity of the evidence ([ and ])" });
  opacity.addEventListener("input", () => viewer.setEvidence({ on: true, opacity: opacity.value / 100 }));
  const toggle = el("button", { class: "button", type: "button", "aria-keyshortcuts": "e", title: `Evidence on or off (e). Blue speaks against ${finding}, orange for it`, onclick: () => viewer.setEvidence({ on: !viewer.evidence.on }) }, icon("evidence"), el("span", { class: "viewer-word" }, "Evidence"));
  const side = button("side", "s", "Side by side with the evidence", () => viewer.set({ side: !viewer.side }), () => viewer.side);
  refresh.push(() => {
    const { there, on } = viewer.evidence;
    for (const part of [toggle, opacity, side]) part.disabled = !there;
    toggle.setAttribute("aria-pressed", String(there && on));
    opacity.value = Math.round(viewer.evidence.opacity * 100);
  });

  const bar = el(
    "div",
    { class: "viewer-bar", role: "toolbar", "aria-label": "Film tools" },
    group("Tool", ...TOOLS.map(([tool, drawing, key, label]) => button(drawing, key, label, () => pick(viewer, tool), () => viewer.tool === tool))),
    group("Gray", presets, button("invert", "i", "Invert", () => viewer.set({ invert: !viewer.invert }), () => viewer.invert)),
    group(
      "Size and place",
      button("zoom-out", "-", "Smaller", () => viewer.zoom(1 / 1.25)),
      button("zoom-in", "+", "Larger", () => viewer.zoom(1.25)),
      button("fit", "0", "Whole film", () => viewer.fit(), () => viewer.fitting),
      el("button", { class: "button button-icon", type: "button", "aria-label": "One film pixel on one screen pixel", title: "1:1 (1)", "aria-keyshortcuts": "1", onclick: () => viewer.actual() }, "1:1"),
      button("turn", "r", "Turn clockwise", () => viewer.turn(1)),
      button("flip", "f", "Flip left and right", () => viewer.flip(), () => viewer.view.flip),
      button("reset", "z", "As at the beginning", () => viewer.reset()),
    ),
    evidence ? group("Evidence", toggle, opacity, side) : null,
  );
  viewer.addEventListener("change", () => refresh.forEach((run) => run()));
  refresh.forEach((run) => run());
  roving(bar);
  return bar;
}

/** Choose a tool; one that is chosen by key has something to move at once. */
export function pick(viewer, tool, byKey = false) {
  const middle = { x: viewer.canvas.clientWidth / 2, y: viewer.canvas.clientHeight / 2 };
  viewer.set({ tool, lens: tool === "magnify" && byKey ? middle : null });
  viewer.ink.dataset.tool = tool;
  if (tool === "ruler" && byKey && !viewer.ruler) {
    const pane = viewer.panes()[0];
    const at = (share) => viewer.onFilm({ x: pane.left + share * pane.width, y: pane.top + pane.height / 2 });
    viewer.set({ ruler: { from: at(0.4), to: at(0.6), active: "to" } });
  }
  if (byKey) announce(TOOLS.find(([name]) => name === tool)[3].split(":")[0]);
}

/** A toolbar is one stop of the Tab key; the arrows go along it (ARIA Authoring Practices, toolbar). */
function roving(bar) {
  const parts = () => [...bar.querySelectorAll("button, select, input")].filter((each) => !each.disabled);
  const only = (one) => bar.querySelectorAll("button, select, input").forEach((each) => (each.tabIndex = each === one ? 0 : -1));
  only(bar.querySelector("button"));
  bar.addEventListener("focusin", (event) => only(event.target));
  bar.addEventListener("keydown", (event) => {
    const own = event.target.matches("select, input"); // these need the arrows up and down, and the slider all of them
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const all = parts();
    const at = all.indexOf(event.target);
    let next = null;
    if (by && !event.target.matches("input")) next = all[(at + by + all.length) % all.length];
    else if (event.key === "Home" && !own) next = all[0];
    else if (event.key === "End" && !own) next = all.at(-1);
    if (!next) return;
    event.preventDefault();
    event.stopPropagation();
    next.focus();
  });
}

/** The keys; `active()` says whether they are for this viewer. */
export function bindKeys(viewer, active, { evidence = true } = {}) {
  const when = (run) => (event) => (viewer.film && active() ? run(event) : false);
  const nextPreset = () => {
    const at = PRESETS.findIndex(({ name }) => name === viewer.preset);
    const next = PRESETS[(at + 1) % PRESETS.length];
    viewer.usePreset(next.name);
    announce(next.say);
  };
  const arrow = (event) => {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const step = event.shiftKey ? 4 : 1;
    move(viewer, by[0] * step, by[1] * step);
  };
  const flipEvidence = () => {
    viewer.setEvidence({ on: !viewer.evidence.on });
    announce(viewer.evidence.on ? "Evidence shown." : "Evidence hidden.");
  };
  const groups = {
    "Viewer: tools": [
      ...TOOLS.map(([tool, , key, label]) => ({ keys: [key], say: label.split(":")[0], run: () => pick(viewer, tool, true) })),
      { keys: ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"], say: "Move the film, the ruler's end, a box's corner or the magnifier (Shift: farther)", run: arrow },
      { keys: ["Enter"], say: "The other end of the ruler, or corner of the box", run: () => swap(viewer) },
      { keys: ["Escape"], say: "Put ruler and magnifier away", run: () => viewer.set({ ruler: null, lens: null, tool: "window" }) },
    ],
    "Viewer: gray": [
      { keys: ["p"], say: "Next window preset", run: nextPreset },
      { keys: [",", "."], say: "Darker, brighter", run: (event) => viewer.nudge({ centre: event.key === "." ? -1 : 1 }) },
      { keys: ["<", ">"], say: "Narrower, wider window", run: (event) => viewer.nudge({ width: event.key === ">" ? 1 : -1 }) },
      { keys: ["i"], say: "Invert", run: () => viewer.set({ invert: !viewer.invert }) },
    ],
    "Viewer: size and place": [
      { keys: ["+", "="], say: "Larger", run: () => viewer.zoom(1.25) },
      { keys: ["-"], say: "Smaller", run: () => viewer.zoom(1 / 1.25) },
      { keys: ["0"], say: "Whole film", run: () => viewer.fit() },
      { keys: ["1"], say: "One film pixel on one screen pixel", run: () => viewer.actual() },
      { keys: ["r", "R"], say: "Turn clockwise, counter-clockwise", run: (event) => viewer.turn(event.key === "r" ? 1 : -1) },
      { keys: ["f"], say: "Flip left and right", run: () => viewer.flip() },
      { keys: ["z"], say: "As at the beginning", run: () => viewer.reset() },
    ],
    "Viewer: evidence": [
      { keys: ["e"], say: "Evidence on or off", run: flipEvidence },
      { keys: ["[", "]"], say: "Evidence fainter, stronger", run: (event) => fade(viewer, event.key === "]" ? 0.1 : -0.1) },
      { keys: ["s"], say: "Side by side with the evidence", run: () => viewer.set({ side: !viewer.side }) },
    ],
  };
  if (!evidence) delete groups["Viewer: evidence"];
  const unbind = Object.entries(groups).map(([group, entries]) => bind(group, entries.map((each) => ({ ...each, run: when(each.run) }))));
  return () => unbind.forEach((run) => run());
}

function fade(viewer, by) {
  viewer.setEvidence({ on: true, opacity: Math.min(1, Math.max(0, viewer.evidence.opacity + by)) });
}

function swap(viewer) {
  if (viewer.tool === "box" && viewer.boxes.length) {
    const box = viewer.boxes.at(-1);
    viewer.set({ boxes: [...viewer.boxes.slice(0, -1), { ...box, active: box.active === "from" ? "to" : "from" }] });
    return true;
  }
  if (!viewer.ruler) return false;
  viewer.set({ ruler: { ...viewer.ruler, active: viewer.ruler.active === "from" ? "to" : "from" } });
  return true;
}

/** Choose the box tool by key: a box in the middle, whose corners the arrows move. */
export function drawBox(viewer) {
  const { width, height } = viewer.film;
  const at = (share) => ({ x: share * width, y: share * height });
  viewer.set({ tool: "box", lens: null, boxes: [...viewer.boxes, { from: at(0.4), to: at(0.6), active: "to" }] });
  viewer.ink.dataset.tool = "box";
  viewer.ink.focus();
  viewer.dispatchEvent(new Event("boxes"));
}

function moveCorner(viewer, dx, dy) {
  const { film, boxes } = viewer;
  const box = boxes.at(-1);
  const other = box[box.active === "to" ? "from" : "to"];
  const hold = (value, step, side, beside) => {
    const moved = Math.min(side, Math.max(0, value + (step * side) / 100));
    return moved === beside ? value : moved; // a box keeps its area
  };
  const end = box[box.active];
  const corner = { x: hold(end.x, dx, film.width, other.x), y: hold(end.y, dy, film.height, other.y) };
  viewer.set({ boxes: [...boxes.slice(0, -1), { ...box, [box.active]: corner }] });
  viewer.dispatchEvent(new Event("boxes"));
}

function move(viewer, dx, dy) {
  if (viewer.tool === "box" && viewer.boxes.length) {
    moveCorner(viewer, dx, dy);
  } else if (viewer.tool === "magnify" && viewer.lens) {
    viewer.set({ lens: { x: viewer.lens.x + dx * 10, y: viewer.lens.y + dy * 10 } });
  } else if (viewer.tool === "ruler" && viewer.ruler) {
    const { active } = viewer.ruler;
    const pane = viewer.panes()[0];
    const middle = { x: pane.width / 2, y: pane.height / 2 };
    const from = viewer.onFilm(middle);
    const to = viewer.onFilm({ x: middle.x + dx * 2, y: middle.y + dy * 2 });
    const end = viewer.ruler[active];
    viewer.set({ ruler: { ...viewer.ruler, [active]: { x: end.x + to.x - from.x, y: end.y + to.y - from.y } } });
    announce(viewer.measured());
  } else {
    viewer.pan(-dx * STEP, -dy * STEP);
  }
}
