// What lies over the film: sides, the ruler with its length, the rim of the magnifier.

import { toPane } from "./view.js";

const INK = "#f2f4f6";
const SHADOW = "rgba(0, 0, 0, 0.85)";
const END = 6; // half the size of a ruler's end, CSS pixels

export function drawInk(viewer, ratio) {
  const { ink, film, ruler, lens, view } = viewer;
  const pen = ink.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, ink.width, ink.height);
  const panes = viewer.panes();
  for (const pane of panes) {
    pen.save();
    pen.beginPath();
    pen.rect(pane.left, pane.top, pane.width, pane.height);
    pen.clip();
    pen.translate(pane.left, pane.top);
    sides(pen, viewer, film, pane);
    if (ruler) measure(pen, viewer, film, pane);
    viewer.boxes.forEach((box, number) => frame(pen, viewer, pane, box, number + 1));
    pen.restore();
  }
  if (panes.length > 1) {
    pen.fillStyle = "#4a5563";
    const [, second] = panes;
    if (second.left) pen.fillRect(second.left - 2, 0, 2, second.height);
    else pen.fillRect(0, second.top - 2, second.width, 2);
  }
  if (lens) {
    outlined(pen, 2, () => {
      pen.beginPath();
      pen.arc(lens.x, lens.y, viewer.lensRadius(), 0, 2 * Math.PI);
      pen.stroke();
    });
  }
}

/**
 * R and L as the file has them; in brackets where they are only assumed (films are looked at as if facing the patient),
 * and none where the film is taken for mirrored. They turn and flip with the film. They stand beside it, or at the
 * middle of its edge where there is no room: markers in the film itself stand in its corners.
 */
function sides(pen, { sides: known, view }, film, pane) {
  if (!known) return;
  const letters = ["R", "L"];
  const middle = toPane(view, film, pane, { x: film.width / 2, y: film.height / 2 });
  for (const [letter, x] of [[letters[0], 0], [letters[1], film.width]]) {
    const edge = toPane(view, film, pane, { x, y: film.height / 2 });
    const away = Math.hypot(edge.x - middle.x, edge.y - middle.y) || 1;
    const hold = (value, side) => Math.min(side - 20, Math.max(20, value));
    const at = { x: edge.x + (18 * (edge.x - middle.x)) / away, y: edge.y + (18 * (edge.y - middle.y)) / away };
    label(pen, known === "assumed" ? `(${letter})` : letter, hold(at.x, pane.width), hold(at.y, pane.height), "center", 16);
  }
}

function measure(pen, viewer, film, pane) {
  const { ruler, view } = viewer;
  const from = toPane(view, film, pane, ruler.from);
  const to = toPane(view, film, pane, ruler.to);
  outlined(pen, 1.5, () => {
    pen.beginPath();
    pen.moveTo(from.x, from.y);
    pen.lineTo(to.x, to.y);
    pen.stroke();
    for (const [end, active] of [[from, ruler.active === "from"], [to, ruler.active !== "from"]]) {
      pen.beginPath();
      pen.moveTo(end.x - END, end.y);
      pen.lineTo(end.x + END, end.y);
      pen.moveTo(end.x, end.y - END);
      pen.lineTo(end.x, end.y + END);
      pen.stroke();
      if (!active) continue;
      pen.beginPath();
      pen.arc(end.x, end.y, END + 3, 0, 2 * Math.PI);
      pen.stroke();
    }
  });
  const lying = Math.abs(to.x - from.x) > Math.abs(to.y - from.y);
  label(pen, viewer.measured(), (from.x + to.x) / 2 + (lying ? 0 : 14), (from.y + to.y) / 2 - (lying ? 16 : 0), lying ? "center" : "left", 14);
}

/** A box with its number; it turns with the film. */
function frame(pen, { view, film, tool, boxes }, pane, box, number) {
  const corners = [box.from, { x: box.to.x, y: box.from.y }, box.to, { x: box.from.x, y: box.to.y }];
  const [first, ...rest] = corners.map((corner) => toPane(view, film, pane, corner));
  outlined(pen, 2, () => {
    pen.beginPath();
    pen.moveTo(first.x, first.y);
    for (const corner of rest) pen.lineTo(corner.x, corner.y);
    pen.closePath();
    pen.stroke();
    if (tool !== "box" || number !== boxes.length) return;
    const end = toPane(view, film, pane, box[box.active]);
    pen.beginPath();
    pen.arc(end.x, end.y, END, 0, 2 * Math.PI);
    pen.stroke();
  });
  const top = Math.min(first.y, ...rest.map((corner) => corner.y));
  const left = Math.min(first.x, ...rest.map((corner) => corner.x));
  label(pen, String(number), left + 4, Math.max(10, top - 10), "left", 13);
}

/** A light line with a dark rim is seen on black and on white. */
function outlined(pen, width, draw) {
  pen.lineCap = "round";
  pen.strokeStyle = SHADOW;
  pen.lineWidth = width + 3;
  draw();
  pen.strokeStyle = INK;
  pen.lineWidth = width;
  draw();
}

function label(pen, text, x, y, align, size) {
  pen.font = `600 ${size}px system-ui, sans-serif`;
  pen.textAlign = align;
  pen.textBaseline = "middle";
  pen.lineJoin = "round";
  pen.strokeStyle = SHADOW;
  pen.lineWidth = 4;
  pen.strokeText(text, x, y);
  pen.fillStyle = INK;
  pen.fillText(text, x, y);
}
