// The same drawing on a 2D canvas, for browsers without WebGL2.

import { levelFor } from "./pixels.js";
import { matrix } from "./view.js";

export function flatRenderer(canvas) {
  return new FlatRenderer(canvas);
}

class FlatRenderer {
  name = "2D canvas";

  constructor(canvas) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d", { alpha: false });
    this.grays = new Map(); // level -> { key, canvas }
    this.evidence = null;
  }

  setFilm(film) {
    this.grays.clear();
    this.film = film;
  }

  setEvidence(bitmap) {
    this.evidence = bitmap;
  }

  /** A level with the window applied; kept until the window changes. */
  gray(level, window, invert) {
    const key = `${window.centre} ${window.width} ${invert}`;
    const kept = this.grays.get(level);
    if (kept?.key === key) return kept.canvas;
    const canvas = kept?.canvas ?? new OffscreenCanvas(level.width, level.height);
    const pen = canvas.getContext("2d");
    const picture = pen.createImageData(level.width, level.height);
    const table = lookup(this.film.white, window, invert);
    const words = new Uint32Array(picture.data.buffer);
    for (let i = 0; i < level.data.length; i++) words[i] = table[level.data[i]];
    pen.putImageData(picture, 0, 0);
    this.grays.set(level, { key, canvas });
    return canvas;
  }

  begin() {
    this.pen.setTransform(1, 0, 0, 1, 0, 0);
    this.pen.fillStyle = "#000";
    this.pen.fillRect(0, 0, this.canvas.width, this.canvas.height);
  }

  draw(pane, view, { window, invert, opacity, lens = null }) {
    const { pen, film } = this;
    const [a, b, c, d] = matrix(view);
    pen.save();
    pen.beginPath();
    if (lens) pen.arc(lens.x, lens.y, lens.radius, 0, 2 * Math.PI);
    else pen.rect(pane.left, pane.top, pane.width, pane.height);
    pen.clip();
    if (lens) {
      pen.fillStyle = "#000";
      pen.fill();
    }
    pen.setTransform(a, b, c, d, pane.left + pane.width / 2 + view.x, pane.top + pane.height / 2 + view.y);
    pen.imageSmoothingQuality = "medium";
    // While a window is dragged, a copy of a million pixels is fast enough to follow the hand.
    const level = levelFor(film.levels, view.scale, 1600);
    const [left, top] = [-film.width / 2, -film.height / 2];
    pen.drawImage(this.gray(level, window, invert), left, top, film.width, film.height);
    if (this.evidence && opacity > 0) {
      pen.globalAlpha = opacity;
      pen.drawImage(this.evidence, left, top, film.width, film.height);
    }
    pen.restore();
  }

  end() {}

  free() {
    this.grays.clear();
  }
}

/** Gray of each value as a word of RGBA; the platforms of browsers are little-endian. */
function lookup(white, { centre, width }, invert) {
  const table = new Uint32Array(65536);
  const low = centre - width / 2;
  for (let value = 0; value <= white; value++) {
    const share = Math.min(1, Math.max(0, (value - low) / width));
    const gray = Math.round(255 * (invert ? 1 - share : share));
    table[value] = 0xff000000 | (gray << 16) | (gray << 8) | gray;
  }
  table.fill(table[white], white + 1);
  return table;
}
