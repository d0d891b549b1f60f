/**
 * Comparisons in which rounding never decides an equality (method.md section 1): with plain doubles the loss 4 → 3.9 is a change of
 * 2.500000000000002 %. Also the percent change all thresholds are stated in (section 7).
 */

const TOLERANCE = 1e-9;
const NEAR_ZERO = 1e-12;

/** |x − y| ≤ 1e-9 · max(1, |y|). Infinity is the same as itself and nothing else. */
export function same(x: number, y: number): boolean {
  if (!Number.isFinite(x) || !Number.isFinite(y)) return x === y;
  return Math.abs(x - y) <= TOLERANCE * Math.max(1, Math.abs(y));
}

/** x < y, and not merely by rounding. */
export function lt(x: number, y: number): boolean {
  return x < y && !same(x, y);
}

/** x ≤ y, up to rounding. */
export function le(x: number, y: number): boolean {
  return x <= y || same(x, y);
}

/** Change of a scalar (norm, loss) in percent, 0 … Infinity. From zero, any change is infinite. */
export function percentChange(from: number, to: number): number {
  return percentOf(Math.abs(to - from), from);
}

/** `amount ≥ 0` in percent of `whole`, with the rule near zero of percentChange. What is not a number is not known to be small. */
export function percentOf(amount: number, whole: number): number {
  if (Math.abs(whole) < NEAR_ZERO) return amount < NEAR_ZERO ? 0 : Number.POSITIVE_INFINITY;
  const percent = 100 * Math.abs(amount / whole);
  return Number.isNaN(percent) ? Number.POSITIVE_INFINITY : percent;
}
