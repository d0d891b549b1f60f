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

/** What a model is given at once. */
export interface Inputs {
  count: number;
  /** [count, tokens − 1, P·P·K]. */
  patches: Float32Array;
}

/** The first 64 validation images, fewer if there are fewer, `batch` at a time. Throws what the data throws. */
export async function imageInputs(config: ResolvedConfig, batch: number): Promise<Inputs[]> {
  const inputs: Inputs[] = [];
  const size = valuesPerInput(config);
  const dataset = await openDataset(config.data, { channels: config.model.inChannels });
  let left = IMAGES;
  for await (const { count, patches } of openEvalBatches(dataset, config, Math.min(IMAGES, batch))) {
    const taken = Math.min(count, left);
    inputs.push({ count: taken, patches: patches.slice(0, taken * size) });
    left -= taken;
    if (left === 0) break;
  }
  return inputs;
}

/** Those, or where the run's images are not here, inputs that need none: ramps over the patches, each with another slope. */
export async function imageOrRampInputs(config: ResolvedConfig, batch: number): Promise<{ inputs: Inputs[]; isOnRamps: boolean }> {
  try {
    return { inputs: await imageInputs(config, batch), isOnRamps: false };
  } catch (error) {
    if (!isWithoutData(error)) throw error;
    return { inputs: Array.from({ length: RAMPS }, (_, ramp) => rampInput(config, ramp)), isOnRamps: true };
  }
}

function rampInput(config: ResolvedConfig, ramp: number): Inputs {
  const size = valuesPerInput(config);
  return { count: 1, patches: Float32Array.from({ length: size }, (_, place) => (((ramp + 1) * place) % size) / size - 0.5) };
}

function valuesPerInput({ model }: ResolvedConfig): number {
  return (tokenCount(model) - 1) * patchDim(model);
}

/** Logits [n, C] of all the inputs. */
export function logitsOf(evaluator: Evaluator, inputs: readonly Inputs[]): number[] {
  return inputs.flatMap((input) => [...evaluator.logits(input)]);
}

/** True for what says that the images of a run cannot be had here. */
export function isWithoutData(error: unknown): error is PreloraError {
  return error instanceof PreloraError && error.code.startsWith('data-');
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
