/**
 * What to do when memory ran out: the largest micro-batch that would fit (product.md section 3, reliability.md R13). The batch, and with it
 * what a step means, stays; an update is then summed over more and smaller micro-batches, so that a fork can go on with it.
 */
import type { ResolvedConfig } from '../protocol/config.ts';
import type { MemoryShortage } from '../protocol/records.ts';
import type { Phase } from '../protocol/run.ts';
import { predictMemory } from './predictedMemory.ts';
import type { Ranks } from './targets.ts';

/**
 * `availableBytes` is what a process could have had; null where nobody knows (memory of a GPU). Where the prediction says that it should have
 * fitted, the prediction is wrong and at most half of the micro-batch is offered.
 */
export function memoryShortage(config: ResolvedConfig, phase: Phase, ranks: Ranks, availableBytes: number | null): MemoryShortage {
  const { batchSize, microBatch } = config.train;
  const needs = (size: number): number =>
    predictMemory({ ...config, train: { ...config.train, microBatch: size } }, phase, ranks).totalBytes;
  const neededBytes = needs(microBatch);
  const isToldByPrediction = availableBytes !== null && neededBytes > availableBytes;
  const largest = isToldByPrediction ? microBatch - 1 : Math.floor(microBatch / 2);
  const sizes = Array.from({ length: largest }, (_, i) => largest - i).filter((size) => batchSize % size === 0);
  const fits = sizes.find((size) => !isToldByPrediction || needs(size) <= availableBytes) ?? null;
  return { microBatch, neededBytes, availableBytes, fits, fitsBytes: fits === null ? null : needs(fits) };
}

/** "memory ran out: train.microBatch 64 needs about 5.2 GiB, 3.1 GiB could be had; train.microBatch 16 needs about 2.2 GiB". */
export function shortageWords({ microBatch, neededBytes, availableBytes, fits, fitsBytes }: MemoryShortage): string {
  const had = availableBytes === null ? '' : `, ${inGiB(availableBytes)} could be had`;
  const way =
    fits === null ? 'no smaller micro-batch fits, only a smaller model does' : `train.microBatch ${fits} needs about ${inGiB(fitsBytes)}`;
  return `memory ran out: train.microBatch ${microBatch} needs about ${inGiB(neededBytes)}${had}; ${way}`;
}

function inGiB(bytes: number | null): string {
  return `${((bytes ?? 0) / 2 ** 30).toFixed(2)} GiB`;
}
