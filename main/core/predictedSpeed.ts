/**
 * Step time of one phase before it is trained: its matrix products at the machine's measured rate, all else in the step as a share of
 * them, and AdamW's pass over what trains. An estimate; rates come from host/machineSpeed.ts, measured once per machine.
 */
import type { ResolvedConfig } from '../protocol/config.ts';
import type { Phase } from '../protocol/run.ts';
import { matrixProducts, productMultiplyAdds } from './matrixProducts.ts';
import type { Ranks } from './targets.ts';
import { countInPhase } from './trainableSet.ts';

/** What a machine does in a second. */
export interface MachineSpeed {
  multiplyAddsPerSecond: number;
  updatedParametersPerSecond: number;
}

/** Matrix products' share of forward and backward pass in the compiled step (benchmarks.md P6); the rest is elementwise work. */
const PRODUCT_SHARE = 0.8;

/** Predicted images per second of the compiled native step. `ranks` are not looked at in phase full. */
export function predictImagesPerSecond(config: ResolvedConfig, phase: Phase, ranks: Ranks, speed: MachineSpeed): number {
  const { batchSize, microBatch } = config.train;
  const passes = Math.ceil(batchSize / microBatch);
  const multiplyAdds = passes * productMultiplyAdds(matrixProducts(config, phase, ranks, microBatch));
  const { trainable } = countInPhase(config, phase, ranks);
  const passSeconds = multiplyAdds / speed.multiplyAddsPerSecond / PRODUCT_SHARE;
  return batchSize / (passSeconds + trainable / speed.updatedParametersPerSecond);
}
