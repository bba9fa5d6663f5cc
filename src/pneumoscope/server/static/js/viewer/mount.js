// Puts a viewer into every element with `data-viewer`:
//   <div data-viewer data-reading="ID" data-label="film" data-finding="pneumonia" data-evidence="true"></div>
// `data-evidence="false"` is for refused readings, which have none; `data-flat` draws without WebGL2.

import { el, icon } from "../dom.js";
import { listenToPointer } from "./pointer.js";
import { bindKeys, makeToolbar } from "./toolbar.js";
import { START } from "./view.js";
import { Viewer } from "./viewer.js";

let last = null; // the viewer that a person touched last has the keys

/** Mount all viewers below a node; answers them. */
export function mountViewers(node = document) {
  return [...node.querySelectorAll("[data-viewer]:not([data-mounted])")].map(mountViewer);
}

export function mountViewer(root) {
  root.dataset.mounted = "";
  root.dataset.state = "busy";
  root.classList.add("viewer");
  const { reading, label = "film", finding, evidence = "true", sides = "assumed" } = root.dataset;
  const withEvidence = evidence !== "false";
  const stage = el(
    "div",
    { class: "viewer-stage" },
    el("canvas", { class: "viewer-film", "aria-hidden": "true" }),
    el("canvas", { class: "viewer-ink", tabindex: 0, role: "img", "aria-label": `Film ${label}. Keys work here; the question mark lists them.`, "data-tool": "window" }),
    el("p", { class: "viewer-message", role: "status" }, "The film is loaded…"),
    el("p", { class: "viewer-told", "aria-hidden": "true" }),
  );
  root.replaceChildren(stage);
  const viewer = new Viewer(root, { flat: "flat" in root.dataset });
  root.viewer = viewer;
  viewer.sides = sides;
  root.prepend(makeToolbar(viewer, { finding, evidence: withEvidence }));
  const mine = () => last === viewer || (last === null && document.querySelector("[data-viewer]") === root);
  viewer.unbind = bindKeys(viewer, mine, { evidence: withEvidence });
  root.addEventListener("pointerdown", () => (last = viewer));
  root.addEventListener("focusin", () => (last = viewer));
  listenToPointer(viewer);
  tell(viewer, stage.querySelector(".viewer-told"));
  if (reading) open(viewer, reading, withEvidence, stage.querySelector(".viewer-message"));
  return viewer;
}

/** Show another film in a viewer: of a reading's id, or of a path below /api/v1. Done when it is drawn. */
export async function showFilm(viewer, reading, { evidence = false } = {}) {
  const message = viewer.root.querySelector(".viewer-message");
  message.textContent = "The film is loaded…";
  message.hidden = false;
  viewer.root.dataset.state = "busy";
  viewer.evidence.there = false;
  viewer.set({ boxes: [], ruler: null, lens: null, invert: false, view: START });
  await open(viewer, reading, evidence, message);
}

async function open(viewer, reading, evidence, message) {
  try {
    await viewer.open(reading, { evidence });
    message.hidden = true;
  } catch (problem) {
    viewer.root.dataset.state = viewer.film ? "film" : "failed";
    if (viewer.film) {
      message.hidden = true; // the film is there; only its evidence is not
      return;
    }
    const again = el("button", { class: "button", type: "button" }, icon("reset"), "Try again");
    again.addEventListener("click", () => {
      message.textContent = "The film is loaded…";
      viewer.root.dataset.state = "busy";
      open(viewer, reading, evidence, message);
    });
    message.replaceChildren(el("span", {}, problem.sentence ?? `The film cannot be shown: ${problem.message}.`), again);
  }
}

/** Window, size and value under the pointer, in a corner. */
function tell(viewer, line) {
  let under = null;
  const write = () => {
    if (!viewer.film) return;
    const { width, centre } = viewer.window;
    const parts = [`W ${Math.round(width)} L ${Math.round(centre)}`, `${Math.round(100 * viewer.view.scale * devicePixelRatio)} %`];
    if (viewer.sides === "assumed") parts.push("(R) (L) assumed");
    if (!viewer.sides) parts.push("sides not known: taken for mirrored");
    if (viewer.ruler) parts.push(viewer.measured() + (viewer.film.spacing ? " at the detector" : ""));
    if (under) parts.push(`${under.x}, ${under.y}: ${under.value}`);
    line.textContent = parts.join("   ");
  };
  viewer.addEventListener("change", write);
  viewer.root.addEventListener("probe", (event) => {
    under = event.detail;
    write();
  });
}

mountViewers();
