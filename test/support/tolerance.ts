/**
 * One tolerance per kind of comparison, never per case (style.md section 8). Every relative error here is the largest absolute difference
 * over a tensor divided by the tensor's largest absolute value.
 */
import { expect } from 'vitest';

/** The same sums in another order: merge, eager against compiled, accumulation (method.md sections 10 and 16). */
export const REWRITTEN = 1e-5;
/** Logits and gradients against another program in double precision (issue 2). */
export const GOLDEN = 2e-5;
/** Losses, gradient norms and distances moved over 20 updates against another program (issue 2). */
export const GOLDEN_RUN = 1e-4;
/** Central differences of a float32 function. */
export const FINITE_DIFFERENCE = 1e-2;
/** Norms of a snapshot against double precision (method.md section 6). */
export const NORM = 1e-6;

type Values = ArrayLike<number>;

/** Largest difference relative to the largest expected value, or to `atLeast` where all expected values are smaller. */
export function relativeError(actual: Values, expected: Values, atLeast = Number.MIN_VALUE): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let [difference, largest] = [0, atLeast];
  for (let i = 0; i < expected.length; i++) {
    // Written so that NaN counts as a difference.
    if (!(Math.abs(actual[i]! - expected[i]!) <= difference)) difference = Math.abs(actual[i]! - expected[i]!);
    largest = Math.max(largest, Math.abs(expected[i]!));
  }
  return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference / largest;
}

/** Fails with the name and the figure when the relative error is above `tolerance`. */
export function expectClose(actual: Values, expected: Values, tolerance: number, what = 'values', atLeast?: number): void {
  expect(relativeError(actual, expected, atLeast), `relative error of ${what}`).toBeLessThanOrEqual(tolerance);
}

/** Fails unless both hold the same float32 bits. */
export function expectSameBits(actual: Float32Array, expected: Float32Array, what = 'values'): void {
  const bits = (values: Float32Array) => new Uint32Array(values.slice().buffer);
  const [a, b] = [bits(actual), bits(expected)];
  expect(a.length, `length of ${what}`).toBe(b.length);
  const different = a.findIndex((word, i) => word !== b[i]);
  expect(different, `first index at which ${what} differ`).toBe(-1);
}
