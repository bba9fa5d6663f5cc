// Window and level: which values are drawn from black to white. Films have no units like a CT's, so that the presets
// come from the film's own values.

/** Number of pixels up to each value, on a small copy of the film: enough for percentiles. */
export function histogram(level, white) {
  const counts = new Uint32Array(white + 1);
  for (const value of level.data) counts[Math.min(white, value)] += 1;
  return counts;
}

/** The value below which a share of the pixels lies. */
export function percentile(counts, share) {
  let total = 0;
  for (const count of counts) total += count;
  const wanted = share * total;
  let seen = 0;
  for (let value = 0; value < counts.length; value++) {
    seen += counts[value];
    if (seen >= wanted) return value;
  }
  return counts.length - 1;
}

/** Low and high value of each preset. */
export const PRESETS = [
  { name: "full", say: "Full range", of: (_, white) => [0, white] },
  { name: "film", say: "Film (1 to 99 %)", of: (counts) => [percentile(counts, 0.01), percentile(counts, 0.99)] },
  // Air is dark and takes about the darker half of a chest film; bone and what lies under the diaphragm the brighter.
  { name: "lung", say: "Lung (darker half)", of: (counts) => [percentile(counts, 0.02), percentile(counts, 0.75)] },
  { name: "soft", say: "Bone and soft tissue", of: (counts) => [percentile(counts, 0.3), percentile(counts, 0.995)] },
];

/** { centre, width } of a preset; at least two values wide. */
export function preset(name, counts, white) {
  const [low, high] = PRESETS.find((each) => each.name === name).of(counts, white);
  return { centre: (low + high) / 2, width: Math.max(2, high - low) };
}

/** A window after a drag: to the right is wider, down is brighter, as on the field's other viewers. */
export function dragged(start, dx, dy, white) {
  const step = white / 600;
  return bounded({ width: start.width + dx * step, centre: start.centre - dy * step }, white);
}

export function bounded({ width, centre }, white) {
  return { width: Math.min(2 * white, Math.max(2, width)), centre: Math.min(1.5 * white, Math.max(-0.5 * white, centre)) };
}
