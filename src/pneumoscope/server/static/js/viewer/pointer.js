// Mouse, pen and touch: one finger or the main button works the tool, two fingers zoom and pan, the wheel zooms.

import { dragged } from "./window.js";

const LEAST = 6; // CSS pixels of a box's side
const NEAR = 22; // CSS pixels within which a ruler's end is taken hold of

export function listenToPointer(viewer) {
  const { ink: surface } = viewer;
  const down = new Map(); // pointerId -> point
  let drag = null;

  const point = (event) => {
    const box = surface.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };

  surface.addEventListener("contextmenu", (event) => event.preventDefault());

  surface.addEventListener("pointerdown", (event) => {
    if (!viewer.film) return;
    surface.setPointerCapture(event.pointerId);
    const at = point(event);
    down.set(event.pointerId, at);
    if (down.size === 2) {
      drag = { kind: "pinch", ...pinch(down) };
      viewer.set({ lens: null });
      return;
    }
    const panning = event.button === 1 || event.button === 2 || event.shiftKey;
    drag = start(viewer, panning ? "pan" : viewer.tool, at);
  });

  surface.addEventListener("pointermove", (event) => {
    if (!viewer.film) return;
    const at = point(event);
    if (!down.has(event.pointerId)) {
      hover(viewer, at, event.pointerType);
      return;
    }
    const before = down.get(event.pointerId);
    down.set(event.pointerId, at);
    if (drag?.kind === "pinch") {
      const now = pinch(down);
      viewer.zoom(now.apart / Math.max(1, drag.apart), now.middle);
      viewer.pan(now.middle.x - drag.middle.x, now.middle.y - drag.middle.y);
      drag = { kind: "pinch", ...now };
    } else {
      go(viewer, drag, before, at);
    }
    viewer.root.dispatchEvent(new CustomEvent("probe", { detail: viewer.probe(at) }));
  });

  const up = (event) => {
    down.delete(event.pointerId);
    if (drag?.kind === "magnify" && event.pointerType !== "mouse") viewer.set({ lens: null });
    if (drag?.kind === "box") finishBox(viewer);
    drag = null;
  };
  surface.addEventListener("pointerup", up);
  surface.addEventListener("pointercancel", up);
  surface.addEventListener("pointerleave", () => {
    if (!down.size && viewer.lens) viewer.set({ lens: null });
    viewer.root.dispatchEvent(new CustomEvent("probe", { detail: null }));
  });

  surface.addEventListener(
    "wheel",
    (event) => {
      if (!viewer.film) return;
      event.preventDefault();
      const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
      const speed = event.ctrlKey ? 0.01 : 0.0018; // a touchpad's pinch comes as a wheel with Ctrl, in small steps
      viewer.zoom(Math.exp(-event.deltaY * lines * speed), point(event));
    },
    { passive: false },
  );

  surface.addEventListener("dblclick", (event) => {
    if (!viewer.film || ["ruler", "box"].includes(viewer.tool)) return;
    if (viewer.fitting) viewer.zoom(Math.max(2, 1 / devicePixelRatio / viewer.view.scale), point(event));
    else viewer.fit();
  });
}

function pinch(down) {
  const [one, two] = [...down.values()];
  return { apart: Math.hypot(two.x - one.x, two.y - one.y), middle: { x: (one.x + two.x) / 2, y: (one.y + two.y) / 2 } };
}

function start(viewer, kind, at) {
  if (kind === "ruler") {
    const film = viewer.onFilm(at);
    const held = hold(viewer, at);
    if (held) viewer.set({ ruler: { ...viewer.ruler, active: held } });
    else viewer.set({ ruler: { from: film, to: film, active: "to" } });
  }
  if (kind === "box") {
    const corner = within(viewer, viewer.onFilm(at));
    viewer.set({ boxes: [...viewer.boxes, { from: corner, to: corner, active: "to" }] });
  }
  if (kind === "magnify") viewer.set({ lens: at });
  return { kind, at, window: viewer.window };
}

/** The end of the ruler that is near a point. */
function hold(viewer, at) {
  if (!viewer.ruler) return null;
  const film = viewer.onFilm(at);
  const reach = NEAR / viewer.view.scale;
  return ["to", "from"].find((end) => Math.hypot(viewer.ruler[end].x - film.x, viewer.ruler[end].y - film.y) < reach) ?? null;
}

function go(viewer, drag, before, at) {
  switch (drag?.kind) {
    case "window":
      viewer.setWindow(dragged(drag.window, at.x - drag.at.x, at.y - drag.at.y, viewer.film.white));
      break;
    case "pan":
      viewer.pan(at.x - before.x, at.y - before.y);
      break;
    case "ruler":
      viewer.set({ ruler: { ...viewer.ruler, [viewer.ruler.active]: viewer.onFilm(at) } });
      break;
    case "box":
      viewer.set({ boxes: [...viewer.boxes.slice(0, -1), { ...viewer.boxes.at(-1), to: within(viewer, viewer.onFilm(at)) }] });
      break;
    case "magnify":
      viewer.set({ lens: at });
      break;
    default:
  }
}

/** A point, held on the film. */
function within({ film }, { x, y }) {
  return { x: Math.min(film.width, Math.max(0, x)), y: Math.min(film.height, Math.max(0, y)) };
}

/** A click is no box. */
function finishBox(viewer) {
  const box = viewer.boxes.at(-1);
  const small = LEAST / viewer.view.scale;
  if (box && (Math.abs(box.to.x - box.from.x) < small || Math.abs(box.to.y - box.from.y) < small)) {
    viewer.set({ boxes: viewer.boxes.slice(0, -1) });
  }
  viewer.dispatchEvent(new Event("boxes"));
}

function hover(viewer, at, type) {
  if (viewer.tool === "magnify" && type === "mouse") viewer.set({ lens: at });
  viewer.root.dispatchEvent(new CustomEvent("probe", { detail: viewer.probe(at) }));
}
