// Where the film is on the screen: zoom, place, quarter turns and flip. Pure functions of plain objects.
//
// A view is { scale, x, y, turns, flip }: the film's middle lies at (x, y) from the pane's middle; a film pixel is
// `scale` screen pixels; it is flipped left to right first, then turned clockwise by quarters.

const LEAST = 0.02;
const MOST = 40;

export const START = { scale: 1, x: 0, y: 0, turns: 0, flip: false };

/** The 2 x 2 matrix from film to screen, as [a, b, c, d]: x' = a x + c y, y' = b x + d y. */
export function matrix(view) {
  const [cos, sin] = [[1, 0], [0, 1], [-1, 0], [0, -1]][view.turns];
  const s = view.scale;
  const f = view.flip ? -1 : 1;
  return [s * f * cos, s * f * sin, -s * sin, s * cos];
}

/** A point of the film (pixels from its top left) on the pane (pixels from its top left). */
export function toPane(view, film, pane, { x, y }) {
  const [a, b, c, d] = matrix(view);
  const dx = x - film.width / 2;
  const dy = y - film.height / 2;
  return { x: pane.width / 2 + view.x + a * dx + c * dy, y: pane.height / 2 + view.y + b * dx + d * dy };
}

/** And back. */
export function toFilm(view, film, pane, { x, y }) {
  const [a, b, c, d] = matrix(view);
  const dx = x - pane.width / 2 - view.x;
  const dy = y - pane.height / 2 - view.y;
  const area = a * d - b * c;
  return { x: film.width / 2 + (d * dx - c * dy) / area, y: film.height / 2 + (a * dy - b * dx) / area };
}

/** The whole film in the pane. */
export function fitted(view, film, pane) {
  const lying = view.turns % 2 === 1;
  const [width, height] = lying ? [film.height, film.width] : [film.width, film.height];
  const scale = Math.min(pane.width / width, pane.height / height);
  return { ...view, scale: Math.max(LEAST, scale), x: 0, y: 0 };
}

/** Larger or smaller, with a point of the pane (from its top left) staying where it is. */
export function zoomed(view, pane, factor, at = { x: pane.width / 2, y: pane.height / 2 }) {
  const scale = Math.min(MOST, Math.max(LEAST, view.scale * factor));
  const real = scale / view.scale;
  const px = at.x - pane.width / 2;
  const py = at.y - pane.height / 2;
  return { ...view, scale, x: px - (px - view.x) * real, y: py - (py - view.y) * real };
}

/** Moved, but never wholly out of the pane. */
export function moved(view, film, pane, dx, dy) {
  const reach = (view.scale * Math.hypot(film.width, film.height)) / 2;
  const hold = (value, side) => Math.min(side / 2 + reach - 40, Math.max(-side / 2 - reach + 40, value));
  return { ...view, x: hold(view.x + dx, pane.width), y: hold(view.y + dy, pane.height) };
}

/** A quarter turn clockwise (or counter-clockwise) about the pane's middle. */
export function turned(view, quarters) {
  const [x, y] = quarters > 0 ? [-view.y, view.x] : [view.y, -view.x];
  return { ...view, turns: (view.turns + quarters + 4) % 4, x, y };
}

/** Left and right swapped, as seen on the screen. */
export function flipped(view) {
  // A flip on the screen is a flip of the film and the turn the other way round.
  return { ...view, flip: !view.flip, turns: (4 - view.turns) % 4, x: -view.x };
}

/** Length of a line on the film: mm where the spacing is known, else pixels. */
export function length(from, to, spacing) {
  const [rowMm, columnMm] = spacing ?? [1, 1];
  return Math.hypot((to.x - from.x) * columnMm, (to.y - from.y) * rowMm);
}
