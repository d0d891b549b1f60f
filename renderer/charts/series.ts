/**
 * From records to drawable points. Smoothing comes before thinning, and thinning keeps the smallest and largest value of every
 * pixel column, so that a peak is never lost (tensorflow/tensorboard#1518, #6829). Rates, ranks, phases and thresholds are drawn
 * as they are: the caller smooths losses and throughput only.
 */
export interface Point {
  x: number;
  y: number;
}

/** Two columns of equal length; xs rises, null or NaN is a gap. */
export interface Columns {
  xs: ArrayLike<number>;
  ys: ArrayLike<number | null>;
}

/**
 * Exponential average, debiased as Adam does it, so that the first values are not pulled to zero. `weight` in [0, 1): 0 gives the
 * input back. Gaps stay gaps (NaN) and do not enter the average.
 */
export class Smoother {
  #average = 0;
  #bias = 1;
  readonly #weight: number;

  constructor(weight: number) {
    this.#weight = weight;
  }

  next(y: number): number {
    if (!Number.isFinite(y)) return Number.NaN;
    this.#average = this.#weight * this.#average + (1 - this.#weight) * y;
    this.#bias *= this.#weight;
    return this.#average / (1 - this.#bias);
  }
}

/** Index of the first x that is at least `value`. */
export function lowerBound(xs: ArrayLike<number>, value: number): number {
  let low = 0;
  let high = xs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((xs[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Index of the first x beyond `value`; the length when there is none. */
export function firstAfter(xs: ArrayLike<number>, value: number): number {
  const index = lowerBound(xs, value);
  return xs[index] === value ? index + 1 : index;
}

/**
 * At most about two points per column between `from` and `to`, one point beyond each end so that lines reach the edge. Points are
 * in x order; a gap becomes a point with y NaN, which ends the line.
 */
export function thin({ xs, ys }: Columns, from: number, to: number, columns: number): Point[] {
  const first = Math.max(0, lowerBound(xs, from) - 1);
  const last = Math.min(xs.length, lowerBound(xs, to) + 2);
  if (last - first <= columns * 2) return copy(xs, ys, first, last);
  const width = (to - from) / columns || 1;
  const points: Point[] = [];
  let bucket = emptyBucket(Number.NEGATIVE_INFINITY);
  for (let i = first; i < last; i++) {
    const x = xs[i] as number;
    const y = ys[i] ?? Number.NaN;
    const column = Math.floor((x - from) / width);
    if (column !== bucket.column) {
      flush(bucket, points);
      bucket = emptyBucket(column);
    }
    if (Number.isFinite(y)) widen(bucket, x, y);
    else bucket.gap ??= x;
  }
  flush(bucket, points);
  return points;
}

interface Bucket {
  column: number;
  min: Point | null;
  max: Point | null;
  gap: number | null;
}

function emptyBucket(column: number): Bucket {
  return { column, min: null, max: null, gap: null };
}

function widen(bucket: Bucket, x: number, y: number): void {
  if (bucket.min === null || y < bucket.min.y) bucket.min = { x, y };
  if (bucket.max === null || y > bucket.max.y) bucket.max = { x, y };
}

function flush({ min, max, gap }: Bucket, into: Point[]): void {
  if (min === null || max === null) {
    if (gap !== null) into.push({ x: gap, y: Number.NaN });
    return;
  }
  if (min.x === max.x) into.push(min);
  else if (min.x < max.x) into.push(min, max);
  else into.push(max, min);
}

function copy(xs: ArrayLike<number>, ys: ArrayLike<number | null>, first: number, last: number): Point[] {
  const points: Point[] = [];
  for (let i = first; i < last; i++) points.push({ x: xs[i] as number, y: ys[i] ?? Number.NaN });
  return points;
}

/** Smallest and largest finite y between two xs, or null when there is none. */
export function extent({ xs, ys }: Columns, from: number, to: number): [number, number] | null {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (let i = lowerBound(xs, from); i < xs.length && (xs[i] as number) <= to; i++) {
    const y = ys[i];
    if (y === null || y === undefined || !Number.isFinite(y)) continue;
    if (y < low) low = y;
    if (y > high) high = y;
  }
  return low <= high ? [low, high] : null;
}

/** A range widened to round steps, so that it grows in jumps and the axis keeps still in between. */
export function roundRange(low: number, high: number): [number, number] {
  if (low === high) {
    const pad = Math.abs(low) * 0.1 || 1;
    return roundRange(low - pad, high + pad);
  }
  const step = niceStep((high - low) / 4);
  return [Math.floor(low / step + 1e-9) * step, Math.ceil(high / step - 1e-9) * step];
}

/** The next 1, 2 or 5 times a power of ten that is not smaller. */
export function niceStep(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const factor = [1, 2, 5, 10].find((candidate) => candidate * power >= value * (1 - 1e-9)) ?? 10;
  return factor * power;
}

/** The index of the x nearest to `value`; -1 when there is none. */
export function nearest(xs: ArrayLike<number>, value: number): number {
  if (xs.length === 0) return -1;
  const right = Math.min(lowerBound(xs, value), xs.length - 1);
  const left = Math.max(0, right - 1);
  return value - (xs[left] as number) <= (xs[right] as number) - value ? left : right;
}

/** Ticks of a logarithmic axis: 1, 2 and 5 times powers of ten, round linear steps where these are fewer than three. */
export function logTicks(low: number, high: number): number[] {
  // An axis without data has no range yet.
  if (!(low > 0 && high > low && Number.isFinite(high))) return [];
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    for (const factor of [1, 2, 5]) ticks.push(Number(`${factor}e${power}`));
  }
  const inside = ticks.filter((tick) => tick >= low && tick <= high);
  if (inside.length > 7) return inside.filter((tick) => Math.abs(Math.log10(tick) % 1) < 1e-9);
  if (inside.length >= 3) return inside;
  const step = niceStep((high - low) / 4);
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.max(0, Math.floor(high / step + 1e-9) - first + 1) }, (_, i) =>
    Number(((first + i) * step).toPrecision(12)),
  );
}

/** The last value that can be drawn; -1 when there is none. */
export function lastDrawn(ys: ArrayLike<number | null>): number {
  let i = ys.length - 1;
  while (i >= 0 && (ys[i] === null || !Number.isFinite(ys[i]))) i--;
  return i;
}
