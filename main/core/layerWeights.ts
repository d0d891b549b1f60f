/** How the layers of a family count in its mean change (method.md section 7). */
import type { RunConfig } from '../protocol/config.ts';

export type LayerWeighting = RunConfig['prelora']['layerWeighting'];

/** Share of the last layer under `power`, from an older variant of the authors' code; the others share the rest. */
const POWER_LAST = 0.45;
const POWER_EXPONENT = 10;
const EXPONENTIAL_BASE = 0.8;

/** Weights of n ≥ 1 layers in block order, summing to 1. */
export function layerWeights(weighting: LayerWeighting, n: number): number[] {
  if (n === 1) return [1];
  if (weighting === 'power') {
    const others = normalised(n - 1, (i) => i ** POWER_EXPONENT);
    return [...others.map((share) => (1 - POWER_LAST) * share), POWER_LAST];
  }
  if (weighting === 'linear') return normalised(n, (i) => i);
  if (weighting === 'exponential') return normalised(n, (i) => EXPONENTIAL_BASE ** (n - i));
  return normalised(n, () => 1);
}

/** weight(1) … weight(n), each divided by their sum. */
function normalised(n: number, weight: (i: number) => number): number[] {
  const weights = Array.from({ length: n }, (_, index) => weight(index + 1));
  const sum = weights.reduce((total, value) => total + value, 0);
  return weights.map((value) => value / sum);
}
