/** How many unreadable images a data set may have before a run refuses to start, or pauses (formats.md section 9, corruption policy). */

/** This many are always allowed, so that a small set does not fail over one file. */
const ALWAYS_ALLOWED = 10;

/** Of `total` images, `maxBroken` as a fraction. */
export function brokenLimit(total: number, maxBroken: number): number {
  return Math.max(ALWAYS_ALLOWED, Math.floor(total * maxBroken));
}
