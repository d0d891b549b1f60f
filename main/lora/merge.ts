/**
 * Merging: W ← W + γ·A·B on a copy (core/mergedWeight.ts; method.md section 10, formats.md section 3). Used at export only; checkpoints
 * hold base and adapters apart, so merging twice or unmerging cannot go wrong.
 */
import { mergedWeight } from '../core/mergedWeight.ts';
import type { HostTensor } from '../model/init.ts';
import type { RankPattern } from './inject.ts';

/** A full model without adapters, computing what base and adapters compute together. Tensors that were not adapted are shared. */
export function mergeAdapters(parameters: ReadonlyMap<string, HostTensor>, ranks: RankPattern): Map<string, HostTensor> {
  const merged = new Map([...parameters].filter(([path]) => !/\.lora[AB]$/.test(path)));
  for (const [module, { rank, alpha }] of ranks) {
    const weight = tensorOf(parameters, `${module}.weight`);
    const loraA = tensorOf(parameters, `${module}.loraA`);
    const loraB = tensorOf(parameters, `${module}.loraB`);
    merged.set(`${module}.weight`, { shape: weight.shape, data: mergedWeight(weight, loraA, loraB, { rank, scaling: alpha / rank }) });
  }
  return merged;
}

function tensorOf(parameters: ReadonlyMap<string, HostTensor>, path: string): HostTensor {
  const tensor = parameters.get(path);
  if (!tensor) throw new Error(`no tensor ${path} to merge`);
  return tensor;
}
