// One viewer: a film, how it is looked at, and the drawing. It knows no buttons; toolbar.js and pointer.js work it.

import { flatRenderer } from "./flat.js";
import { glRenderer } from "./gl.js";
import { drawInk } from "./ink.js";
import { loadEvidence, loadPixels } from "./pixels.js";
import * as place from "./view.js";
import { bounded, histogram, preset } from "./window.js";

const LENS = 2.5; // times the film's size on the screen

export class Viewer extends EventTarget {
  constructor(root, { flat = false } = {}) {
    super();
    this.root = root;
    this.canvas = root.querySelector(".viewer-film");
    this.ink = root.querySelector(".viewer-ink");
    this.renderer = (flat ? null : glRenderer(this.canvas)) ?? flatRenderer(this.canvas);
    this.film = null;
    this.view = place.START;
    this.fitting = true; // stays fitted while the pane changes its size
    this.window = { centre: 127.5, width: 255 };
    this.preset = "full";
    this.invert = false;
    this.evidence = { there: false, on: true, opacity: 0.7 };
    this.side = false;
    this.tool = "window";
    this.ruler = null; // { from, to } in film pixels
    this.boxes = []; // { from, to, active } in film pixels; the last one is worked on
    this.lens = null; // a point of the pane, in CSS pixels
    this.frame = 0;
    this.watch = new ResizeObserver(() => this.resized());
    this.watch.observe(this.canvas);
    this.canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    this.canvas.addEventListener("webglcontextrestored", () => this.restored());
  }

  /** Load a reading's film and evidence. */
  async open(reading, { evidence = true, signal } = {}) {
    const film = await loadPixels(reading, signal);
    this.show(film);
    if (!evidence) return;
    const layer = await loadEvidence(reading, signal);
    this.evidence.there = layer !== null;
    this.layer = layer;
    this.renderer.setEvidence(layer);
    this.changed();
  }

  show(film) {
    this.film = film;
    this.counts = histogram(film.levels.at(-1), film.white);
    this.renderer.setFilm(film);
    this.usePreset(film.white > 255 ? "film" : "full");
    this.root.dataset.state = "film";
    this.resized();
    this.fit();
  }

  /* The window */

  usePreset(name) {
    this.preset = name;
    this.window = preset(name, this.counts, this.film.white);
    this.changed();
  }

  setWindow(window) {
    this.window = bounded(window, this.film.white);
    this.preset = null;
    this.changed();
  }

  /** By steps of a fortieth of all values. */
  nudge({ width = 0, centre = 0 }) {
    const step = this.film.white / 40;
    this.setWindow({ width: this.window.width + width * step, centre: this.window.centre + centre * step });
  }

  /* The place */

  /** The pane under a point, or the first one: CSS pixels from the canvas's top left. */
  panes() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!this.side) return [{ left: 0, top: 0, width, height, evidence: true }];
    const gap = 2;
    if (width >= height) {
      const half = (width - gap) / 2;
      return [{ left: 0, top: 0, width: half, height, evidence: false }, { left: half + gap, top: 0, width: half, height, evidence: true }];
    }
    const half = (height - gap) / 2;
    return [{ left: 0, top: 0, width, height: half, evidence: false }, { left: 0, top: half + gap, width, height: half, evidence: true }];
  }

  paneAt({ x, y }) {
    const panes = this.panes();
    return panes.find((pane) => x >= pane.left && x < pane.left + pane.width && y >= pane.top && y < pane.top + pane.height) ?? panes[0];
  }

  /** A point of the canvas on the film. */
  onFilm(point) {
    const pane = this.paneAt(point);
    return place.toFilm(this.view, this.film, pane, { x: point.x - pane.left, y: point.y - pane.top });
  }

  fit() {
    if (!this.film) return;
    this.view = place.fitted(this.view, this.film, this.panes()[0]);
    this.fitting = true;
    this.changed();
  }

  /** One pixel of the film on one of the screen. */
  actual() {
    this.zoom(1 / devicePixelRatio / this.view.scale);
  }

  zoom(factor, at = null) {
    const pane = at ? this.paneAt(at) : this.panes()[0];
    this.view = place.zoomed(this.view, pane, factor, at ? { x: at.x - pane.left, y: at.y - pane.top } : undefined);
    this.view = place.moved(this.view, this.film, pane, 0, 0);
    this.fitting = false;
    this.changed();
  }

  pan(dx, dy) {
    this.view = place.moved(this.view, this.film, this.panes()[0], dx, dy);
    this.fitting = false;
    this.changed();
  }

  turn(quarters) {
    this.view = place.turned(this.view, quarters);
    if (this.fitting) this.fit();
    else this.changed();
  }

  flip() {
    this.view = place.flipped(this.view);
    this.changed();
  }

  reset() {
    this.view = place.START;
    this.invert = false;
    this.ruler = null;
    this.lens = null;
    this.usePreset(this.film.white > 255 ? "film" : "full");
    this.fit();
  }

  /* What is shown */

  set(values) {
    Object.assign(this, values);
    if ("side" in values && this.fitting) this.fit();
    this.changed();
  }

  setEvidence(values) {
    Object.assign(this.evidence, values);
    this.changed();
  }

  changed() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.draw());
    this.dispatchEvent(new Event("change"));
  }

  resized() {
    const ratio = devicePixelRatio;
    for (const canvas of [this.canvas, this.ink]) {
      const [width, height] = [Math.max(1, Math.round(this.canvas.clientWidth * ratio)), Math.max(1, Math.round(this.canvas.clientHeight * ratio))];
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    }
    if (!this.film) return;
    if (this.fitting) this.view = place.fitted(this.view, this.film, this.panes()[0]);
    this.draw(); // at once: a canvas that has changed its size is empty
  }

  restored() {
    this.renderer = glRenderer(this.canvas) ?? this.renderer;
    if (this.film) this.renderer.setFilm(this.film);
    if (this.layer) this.renderer.setEvidence(this.layer);
    this.changed();
  }

  draw() {
    if (!this.film) return;
    const ratio = devicePixelRatio;
    const { window, invert } = this;
    const view = { ...this.view, scale: this.view.scale * ratio, x: this.view.x * ratio, y: this.view.y * ratio };
    this.renderer.begin();
    for (const pane of this.panes()) {
      const inside = Object.fromEntries(["left", "top", "width", "height"].map((key) => [key, Math.round(pane[key] * ratio)]));
      const shown = this.evidence.there && this.evidence.on && pane.evidence;
      const how = { window, invert, opacity: shown ? this.evidence.opacity : 0 };
      this.renderer.draw(inside, view, how);
      if (this.lens && this.paneAt(this.lens).left === pane.left && this.paneAt(this.lens).top === pane.top) {
        const at = { x: this.lens.x - pane.left, y: this.lens.y - pane.top };
        const near = place.zoomed(this.view, pane, LENS, at);
        const lens = { x: this.lens.x * ratio, y: this.lens.y * ratio, radius: this.lensRadius() * ratio };
        this.renderer.draw(inside, { ...near, scale: near.scale * ratio, x: near.x * ratio, y: near.y * ratio }, { ...how, lens });
      }
    }
    this.renderer.end();
    drawInk(this, ratio);
  }

  lensRadius() {
    return Math.min(120, this.canvas.clientWidth / 4, this.canvas.clientHeight / 4);
  }

  /** What the ruler says. */
  measured() {
    if (!this.ruler) return "";
    const long = place.length(this.ruler.from, this.ruler.to, this.film.spacing);
    return this.film.spacing ? `${long.toFixed(1)} mm` : `${Math.round(long)} px`;
  }

  /** The film's value at a point of the canvas: { x, y, value }, or null beside it. */
  probe(point) {
    const { x, y } = this.onFilm(point);
    const [column, row] = [Math.floor(x), Math.floor(y)];
    if (column < 0 || row < 0 || column >= this.film.width || row >= this.film.height) return null;
    return { x: column, y: row, value: this.film.levels[0].data[row * this.film.width + column] };
  }

  close() {
    this.watch.disconnect();
    this.renderer.free();
  }
}
