/** Whether two models compute the same: logits of the same images on the same backend (formats.md section 13, V4). */
import { patchDim, tokenCount } from '../core/parameterShapes.ts';
import { openEvalBatches } from '../data/batches.ts';
import { openDataset } from '../data/dataset.ts';
import type { ResolvedConfig } from '../protocol/config.ts';
import { PreloraError } from '../protocol/reply.ts';
import type { MergeReport } from '../protocol/results.ts';
import type { Evaluator } from '../train/evaluator.ts';

const IMAGES = 64;
/** Of the largest logit: float32 rounding alone was 6e-7 to 8e-7 of it. */
const TOLERANCE = 1e-5;
/** Made-up inputs where there are no images. */
const RAMPS = 4;

export type Difference = Pick<MergeReport, 'images' | 'largestDifference' | 'limit' | 'changedClasses' | 'isEqual'>;

interface Inputs {
  count: number;
  /** [count, tokens − 1, P·P·K]. */
  patches: Float32Array;
}

/** On the first 64 validation images, fewer if there are fewer. Throws what the data throws. */
export async function compareOnImages(wanted: Evaluator, found: Evaluator, config: ResolvedConfig): Promise<Difference> {
  const { numClasses, inChannels } = config.model;
  const logits = [[], []] as [number[], number[]];
  const dataset = await openDataset(config.data, { channels: inChannels });
  for await (const batch of openEvalBatches(dataset, config, Math.min(IMAGES, wanted.batch, found.batch))) {
    addLogits(logits, wanted, found, batch);
    if (logits[0].length >= IMAGES * numClasses) break;
  }
  return difference(logits[0].slice(0, IMAGES * numClasses), logits[1], numClasses);
}

/** The same on inputs that need no image: ramps over the patches, each with another slope. */
export function compareOnRamps(wanted: Evaluator, found: Evaluator, { model }: ResolvedConfig): Difference {
  const size = (tokenCount(model) - 1) * patchDim(model);
  const patches = Float32Array.from({ length: RAMPS * size }, (_, at) => {
    const [ramp, place] = [Math.floor(at / size), at % size];
    return (((ramp + 1) * place) % size) / size - 0.5;
  });
  const logits = [[], []] as [number[], number[]];
  const batch = Math.min(RAMPS, wanted.batch, found.batch);
  for (let from = 0; from < RAMPS; from += batch) {
    const count = Math.min(batch, RAMPS - from);
    addLogits(logits, wanted, found, { count, patches: patches.subarray(from * size, (from + count) * size) });
  }
  return difference(...logits, model.numClasses);
}

/** True for what says that the images of a run cannot be had here. */
export function isWithoutData(error: unknown): error is PreloraError {
  return error instanceof PreloraError && error.code.startsWith('data-');
}

function addLogits([a, b]: [number[], number[]], wanted: Evaluator, found: Evaluator, inputs: Inputs): void {
  for (const logit of wanted.logits(inputs)) a.push(logit);
  for (const logit of found.logits(inputs)) b.push(logit);
}

/** Largest difference of two sets of logits `[n, C]`, against what rounding may do. */
export function difference(wanted: readonly number[], found: readonly number[], numClasses: number): Difference {
  const limit = TOLERANCE * wanted.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  const largestDifference = wanted.reduce((largest, value, i) => {
    const apart = Math.abs(value - (found[i] ?? Number.NaN));
    return apart <= largest ? largest : apart; // NaN counts as a difference
  }, 0);
  const images = wanted.length / numClasses;
  let changedClasses = 0;
  for (let image = 0; image < images; image++) {
    const of = (values: readonly number[]) => values.slice(image * numClasses, (image + 1) * numClasses);
    const [first, second] = [...of(wanted)].sort((a, b) => b - a) as [number, number];
    const isClear = first - second > 2 * limit;
    if (isClear && top(of(found)) !== top(of(wanted))) changedClasses++;
  }
  return { images, largestDifference, limit, changedClasses, isEqual: largestDifference <= limit && changedClasses === 0 };
}

function top(values: readonly number[]): number {
  return values.indexOf(Math.max(...values));
}
