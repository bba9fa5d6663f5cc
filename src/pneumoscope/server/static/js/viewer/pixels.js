// The film's pixels as numbers (8 to 16 bits), with smaller copies for looking at it from afar.

import { address, logIn, problemOf, unreachable } from "../api.js";

/** Where pixels and evidence are, below /api/v1: of a reading's id, or of a path that begins with a stroke. */
function source(reading) {
  return reading.startsWith("/") ? reading : `/readings/${encodeURIComponent(reading)}`;
}

/** Let the browser load a film before it is shown. */
export async function prefetchPixels(reading) {
  const answer = await fetch(address(`${source(reading)}/pixels`));
  if (answer.ok) await answer.blob();
}

/**
 * The pixels of a reading, as it saw them: { width, height, white, spacing: [row, column] in mm or null, levels }.
 * A level is { width, height, data }; each is half the size of the one before.
 */
export async function loadPixels(reading, signal) {
  let answer;
  try {
    answer = await fetch(address(`${source(reading)}/pixels`), { signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw unreachable();
  }
  if (answer.status === 401) logIn();
  if (!answer.ok) throw problemOf(answer.status, await answer.text(), answer.headers.get("Retry-After"));
  const white = Number(answer.headers.get("X-White") ?? 255);
  const spacing = (answer.headers.get("X-Spacing-Mm") ?? "").split(",").map(Number);
  const first = await decoded(await answer.blob(), white > 255);
  return {
    width: first.width,
    height: first.height,
    white,
    spacing: spacing.length === 2 && spacing.every((mm) => mm > 0) ? spacing : null,
    levels: halved(first),
  };
}

/** The evidence as a picture that can be drawn; null where there is none. */
export async function loadEvidence(reading, signal) {
  const answer = await fetch(address(`${source(reading)}/evidence`), { signal });
  if (!answer.ok) return null;
  return createImageBitmap(await answer.blob(), { colorSpaceConversion: "none", premultiplyAlpha: "premultiply" });
}

/** A PNG's numbers. No colour management: the browser must not touch them. */
async function decoded(blob, deep) {
  const picture = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  const { width, height } = picture;
  const canvas = new OffscreenCanvas(width, height);
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const data = deep ? new Uint16Array(width * height) : new Uint8Array(width * height);
  // A strip at a time: the canvas holds four bytes a pixel, and a film may have a hundred million.
  const strip = Math.max(1, Math.min(height, Math.floor(4e6 / width)));
  canvas.height = strip;
  for (let top = 0; top < height; top += strip) {
    const rows = Math.min(strip, height - top);
    pen.drawImage(picture, 0, top, width, rows, 0, 0, width, rows);
    const { data: rgba } = pen.getImageData(0, 0, width, rows);
    const start = top * width;
    if (deep) for (let i = 0; i < rows * width; i++) data[start + i] = (rgba[4 * i] << 8) | rgba[4 * i + 1];
    else for (let i = 0; i < rows * width; i++) data[start + i] = rgba[4 * i];
  }
  picture.close();
  return { width, height, data };
}

/** The film, and its halves (means of 2 x 2) down to 256 pixels: a reduced film must not glitter. */
function halved(first) {
  const levels = [first];
  while (Math.max(levels.at(-1).width, levels.at(-1).height) > 256) {
    const { width, height, data } = levels.at(-1);
    const w = Math.max(1, width >> 1);
    const h = Math.max(1, height >> 1);
    const half = new data.constructor(w * h);
    for (let y = 0; y < h; y++) {
      for (let x = 0; x < w; x++) {
        const at = 2 * y * width + 2 * x;
        const right = 2 * x + 1 < width ? 1 : 0;
        const below = 2 * y + 1 < height ? width : 0;
        half[y * w + x] = (data[at] + data[at + right] + data[at + below] + data[at + below + right] + 2) >> 2;
      }
    }
    levels.push({ width: w, height: h, data: half });
  }
  return levels;
}

/** The level to draw at a scale (screen pixels a film pixel), none larger than `largest`. */
export function levelFor(levels, scale, largest = Infinity) {
  let at = 0;
  const fits = (level) => Math.max(level.width, level.height) <= largest;
  while (at + 1 < levels.length && (!fits(levels[at]) || scale * 2 ** at < 0.6)) at += 1;
  return levels[at];
}
