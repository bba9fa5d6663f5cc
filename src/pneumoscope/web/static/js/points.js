// What an operating point means, in plain words, from the counts that stand in the bundle.

import { get } from "./api.js";

const known = new Map(); // "name version" -> a promise of its points

/** Points that the page brought with it; `given` is { bundle, points: [...] }. */
export function keepPoints(given) {
  known.set(given.bundle, Promise.resolve(given.points));
}

/** The point that a reading was called at; null where the bundle is not there any more. */
export async function pointOf(model, preset) {
  if (!model) return null;
  const key = `${model.name} ${model.version}`;
  if (!known.has(key)) known.set(key, fetched(model).catch(() => []));
  return (await known.get(key)).find((point) => point.preset === preset) ?? null;
}

async function fetched(model) {
  const meta = await get(`/bundles/${encodeURIComponent(model.name)}`);
  if (meta.version !== model.version) return []; // another version's counts would be wrong
  return [...meta.operating_points, ...(meta.band ? [meta.band] : [])].map((each) => pointFrom(each));
}

/** One shape for a point with one threshold and a band with two: what is missed, what is called without reason. */
function pointFrom(given) {
  const band = "between" in given;
  return {
    preset: band ? "three-way" : given.preset,
    missed: band ? given.missed : opposite(given.sensitivity),
    called: band ? given.false_calls : opposite(given.specificity),
    open: band ? given.between : null,
    chosen_on: given.chosen_on,
  };
}

function opposite(rate) {
  return { k: rate.n - rate.k, n: rate.n, value: 1 - rate.value, low: 1 - rate.high, high: 1 - rate.low };
}

/** "about 4 (3 to 7)", of 100. */
export function ofHundred({ k, value, low, high }) {
  const whole = Math.round(100 * value);
  const about = k === 0 ? "none" : whole === 0 ? "fewer than 1" : `about ${whole}`;
  return `${about} (${Math.floor(100 * low + 0.5)} to ${Math.ceil(100 * high - 0.5)})`;
}

/** What the setting means, as whole sentences. */
export function pointWords(point, finding = "pneumonia") {
  const said = `Of 100 films with ${finding} this setting misses ${ofHundred(point.missed)}; of 100 without it, it calls ${ofHundred(point.called)}.`;
  return point.open ? `${said} It leaves ${ofHundred(point.open)} of 100 open.` : said;
}

/** Where that was counted. */
export function pointCounts(point) {
  const counts = `Counted: ${point.missed.k} of ${point.missed.n} missed, ${point.called.k} of ${point.called.n} called`;
  const open = point.open ? `, ${point.open.k} of ${point.open.n} left open` : "";
  return `${counts}${open} (95 % intervals). Films of another hospital may differ.`;
}
