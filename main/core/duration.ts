/** Lengths of time in optimizer steps: the one unit of every counter and threshold (method.md section 1). */
import type { Duration } from '../protocol/config/values.ts';

/** Updates in one pass over `nTrain` images: ⌊nTrain / batchSize⌋ with `dropLast`, else ⌈…⌉. 0 when no whole batch fits. */
export function stepsPerEpoch(nTrain: number, batchSize: number, dropLast: boolean): number {
  return dropLast ? Math.floor(nTrain / batchSize) : Math.ceil(nTrain / batchSize);
}

/** A duration in steps: an integer is that many; "2.5ep" is max(1, round(2.5 · stepsPerEpoch)); 0 stays 0. */
export function durationSteps(duration: Duration, stepsPerEpoch: number): number {
  if (typeof duration === 'number') return duration;
  return epochSteps(Number(duration.slice(0, -'ep'.length)), stepsPerEpoch);
}

/** A number of epochs, whole or not, in steps. */
export function epochSteps(epochs: number, stepsPerEpoch: number): number {
  return epochs === 0 ? 0 : Math.max(1, Math.round(epochs * stepsPerEpoch));
}
