/**
 * Which samples make up which batch: a pure function of seed, step and micro-batch, so that a resumed run sees exactly the batches
 * an uninterrupted one sees. Each epoch is a fresh permutation; steps count optimizer updates from 0 (method.md sections 1 and 3).
 */
import { permutation, randomStream } from '../core/random.ts';
import { PreloraError } from '../protocol/reply.ts';

export interface BatchSizes {
  /** Samples per optimizer update. */
  batchSize: number;
  /** Samples per forward pass; divides batchSize. */
  microBatch: number;
  /** Leave out the incomplete batch at the end of an epoch. */
  dropLast: boolean;
}

export interface PlannedBatch {
  /** The update that leads from `step` to `step + 1`. */
  step: number;
  /** Which micro-batch of that update, from 0. */
  micro: number;
  samples: Uint32Array;
}

/** Updates in one pass over `count` samples. Throws bad-config when there would be none. */
export function stepsPerEpoch(count: number, { batchSize, dropLast }: Pick<BatchSizes, 'batchSize' | 'dropLast'>): number {
  if (dropLast && count < batchSize) {
    const message = `train.batchSize ${batchSize} is larger than the training set of ${count} images; lower it or turn train.dropLast off`;
    throw new PreloraError('bad-config', message, 'train.batchSize');
  }
  return dropLast ? Math.floor(count / batchSize) : Math.ceil(count / batchSize);
}

/**
 * Micro-batches of a training set of `count` samples from update `fromStep` on, without end. Throws bad-config, at once, when the
 * sizes do not fit each other or the data.
 */
export function planBatches(count: number, plan: BatchSizes & { seed: number }, fromStep = 0): Generator<PlannedBatch, never> {
  const { batchSize, microBatch } = plan;
  if (batchSize % microBatch !== 0) {
    const message = `train.microBatch ${microBatch} does not divide train.batchSize ${batchSize}`;
    throw new PreloraError('bad-config', message, 'train.microBatch');
  }
  return generate(count, { ...plan, perEpoch: stepsPerEpoch(count, plan) }, fromStep);
}

interface EpochPlan extends BatchSizes {
  seed: number;
  perEpoch: number;
}

function* generate(count: number, plan: EpochPlan, fromStep: number): Generator<PlannedBatch, never> {
  const { seed, perEpoch, batchSize, microBatch } = plan;
  let order: Uint32Array = new Uint32Array(0);
  let shuffled = -1;
  for (let step = fromStep; ; step++) {
    const epoch = Math.floor(step / perEpoch);
    if (epoch !== shuffled) {
      order = permutation(randomStream(seed, 'shuffle', epoch), count);
      shuffled = epoch;
    }
    const start = (step % perEpoch) * batchSize;
    const batch = order.subarray(start, start + batchSize);
    for (let micro = 0; micro * microBatch < batch.length; micro++) {
      yield { step, micro, samples: batch.slice(micro * microBatch, (micro + 1) * microBatch) };
    }
  }
}
