/**
 * Merging: W ← W + γ·A·B on a copy, in float64 and rounded once (method.md section 10, formats.md section 3). Used at export only;
 * checkpoints hold base and adapters apart, so merging twice or unmerging cannot go wrong.
 */
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

function mergedWeight(
  weight: HostTensor,
  loraA: HostTensor,
  loraB: HostTensor,
  { rank, scaling }: { rank: number; scaling: number },
): Float32Array {
  const [inputs, outputs] = weight.shape as [number, number];
  const result = new Float32Array(inputs * outputs);
  const row = new Float64Array(outputs);
  for (let i = 0; i < inputs; i++) {
    row.fill(0);
    for (let r = 0; r < rank; r++) {
      const a = loraA.data[i * rank + r] as number;
      for (let j = 0; j < outputs; j++) row[j] = (row[j] as number) + a * (loraB.data[r * outputs + j] as number);
    }
    for (let j = 0; j < outputs; j++) result[i * outputs + j] = (weight.data[i * outputs + j] as number) + scaling * (row[j] as number);
  }
  return result;
}

function tensorOf(parameters: ReadonlyMap<string, HostTensor>, path: string): HostTensor {
  const tensor = parameters.get(path);
  if (!tensor) throw new Error(`no tensor ${path} to merge`);
  return tensor;
}
