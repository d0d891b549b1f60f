/**
 * Figures over random seeds: mean ± sample standard deviation with n, and differences between two variants of one study, seed by seed
 * (method.md section 18: several seeds before a difference is claimed, the gap shown with its spread).
 */
import type { Difference, Spread } from '../protocol/comparison.ts';
import { mean, standardDeviation } from './statistics.ts';

/** Of the values that are there; null when none is. */
export function spreadOf(values: readonly (number | null)[]): Spread | null {
  const known = values.filter((value) => value !== null && Number.isFinite(value)) as number[];
  if (known.length === 0) return null;
  return { mean: mean(known), std: known.length > 1 ? standardDeviation(known) : null, n: known.length };
}

/** b − a of two groups that share no seeds: the spread of a difference of two draws is √(σa² + σb²). */
export function differenceOf(a: Spread | null, b: Spread | null): Difference | null {
  if (!a || !b) return null;
  const std = a.std === null || b.std === null ? null : Math.hypot(a.std, b.std);
  return judged({ mean: b.mean - a.mean, std, n: Math.min(a.n, b.n) });
}

/** Seed → value. */
export type BySeed = ReadonlyMap<number, number | null>;

export interface PairedDifference extends Difference {
  bySeed: Record<number, number>;
}

/** b − a over the seeds that both have: what the random start adds to both drops out. Null without a common seed. */
export function pairedDifference(a: BySeed, b: BySeed): PairedDifference | null {
  const bySeed: Record<number, number> = {};
  for (const [seed, from] of a) {
    const to = b.get(seed);
    if (from !== null && to !== null && to !== undefined) bySeed[seed] = to - from;
  }
  const spread = spreadOf(Object.values(bySeed));
  return spread && { ...judged(spread), bySeed };
}

function judged(spread: Spread): Difference {
  return { ...spread, isWithinSpread: spread.std === null ? null : Math.abs(spread.mean) <= spread.std };
}
