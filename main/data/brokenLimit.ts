/** How many unreadable images a data set may have before a run refuses to start, or pauses (formats.md section 9, corruption policy). */
import { PreloraError } from '../protocol/reply.ts';
import type { SkippedImage } from './rawSource.ts';

/** This many are always allowed, so that a small set does not fail over one file. */
const ALWAYS_ALLOWED = 10;

/** Of `total` images, `maxBroken` as a fraction. */
export function brokenLimit(total: number, maxBroken: number): number {
  return Math.max(ALWAYS_ALLOWED, Math.floor(total * maxBroken));
}

/** Throws `data-too-many-broken` when more of `total` images are left out than `maxBroken` allows. */
export function checkBroken(skipped: readonly SkippedImage[], total: number, maxBroken: number): void {
  const limit = brokenLimit(total, maxBroken);
  const [first] = skipped;
  if (!first || skipped.length <= limit) return;
  const message = `${skipped.length} of ${total} images unreadable, limit ${limit}; first: ${first.path}: ${first.reason}`;
  throw new PreloraError('data-too-many-broken', message, 'data.maxBroken');
}
