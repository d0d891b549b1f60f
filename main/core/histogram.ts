/** How values are spread, as counts in equal bins, with the figures that a picture hides. */

export interface Histogram {
  counts: number[];
  mean: number;
  /** Standard deviation. */
  std: number;
  min: number;
  max: number;
  count: number;
}

/** Smallest and largest of all values; a single value gets some room on both sides. Values that are not finite are passed over. */
export function commonRange(sets: readonly ArrayLike<number>[]): [number, number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const values of sets) {
    for (let i = 0; i < values.length; i++) {
      const value = values[i] as number;
      if (!Number.isFinite(value)) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  if (low > high) return [-1, 1];
  if (low < high) return [low, high];
  const room = Math.abs(low) * 1e-3 || 1e-6;
  return [low - room, high + room];
}

/** The edges of `bins` equal bins over a range. */
export function binEdges([low, high]: readonly [number, number], bins: number): number[] {
  return Array.from({ length: bins + 1 }, (_, i) => low + ((high - low) * i) / bins);
}

/** Counts in the bins between `edges`, the last of which includes its upper end. `count` is of all finite values. */
export function histogramOf(values: ArrayLike<number>, edges: readonly number[]): Histogram {
  const bins = edges.length - 1;
  const [low, high] = [edges[0] as number, edges[bins] as number];
  const counts = new Array<number>(bins).fill(0);
  let [sum, squares, count, min, max] = [0, 0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (!Number.isFinite(value)) continue;
    count++;
    sum += value;
    squares += value * value;
    if (value < min) min = value;
    if (value > max) max = value;
    const bin = Math.min(bins - 1, Math.floor(((value - low) / (high - low)) * bins));
    if (bin >= 0) counts[bin] = (counts[bin] as number) + 1;
  }
  const mean = count > 0 ? sum / count : 0;
  return { counts, mean, std: count > 0 ? Math.sqrt(Math.max(0, squares / count - mean * mean)) : 0, min, max, count };
}
