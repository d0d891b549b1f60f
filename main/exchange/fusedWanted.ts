/** What a timm adapter must read back as: written from the sums of the method alone, so that it shares no line with the writer. */
import { moduleName } from '../core/modules.ts';
import type { Tensor } from '../store/safetensors.ts';
import type { Adapters, ExportSource } from './exportSource.ts';

const FUSED = ['q', 'k', 'v'] as const;

/**
 * q, k and v of a block with any adapter among them have each the A of all, side by side, and a B that is zero outside its own rows, which
 * hold γ·B in float64, rounded once. Everything else is as it was.
 */
export function fusedWanted({ config, parameters, adapters }: Pick<ExportSource, 'config' | 'parameters' | 'adapters'>): {
  parameters: Map<string, Tensor>;
  adapters: Adapters;
} {
  const wanted = new Map(parameters);
  const ranks = new Map(adapters);
  for (let layer = 0; layer < config.model.depth; layer++) {
    const modules = FUSED.map((family) => moduleName(layer, family));
    const present = modules.filter((module) => adapters.has(module));
    if (present.length === 0) continue;
    const rank = present.reduce((sum, module) => sum + (adapters.get(module)?.rank ?? 0), 0);
    const loraA = sideBySide(present.map((module) => parameters.get(`${module}.loraA`) as Tensor));
    let from = 0;
    for (const module of modules) {
      const own = adapters.get(module);
      const block = parameters.get(`${module}.loraB`);
      ranks.set(module, { rank, alpha: rank });
      wanted.set(`${module}.loraA`, loraA);
      const scaled = own && block ? { block, from, scaling: own.alpha / own.rank } : null;
      wanted.set(`${module}.loraB`, inRows([rank, config.model.embedDim], scaled));
      from += own?.rank ?? 0;
    }
  }
  return { parameters: wanted, adapters: ranks };
}

/** [in, r1] and [in, r2] as [in, r1 + r2]. */
function sideBySide(matrices: readonly Tensor[]): Tensor {
  const rows = matrices[0]?.shape[0] as number;
  const values: number[] = [];
  for (let row = 0; row < rows; row++) {
    for (const { shape, data } of matrices) {
      const width = shape[1] as number;
      values.push(...data.subarray(row * width, (row + 1) * width));
    }
  }
  return { shape: [rows, values.length / rows], data: Float32Array.from(values) };
}

/** Zeros of this shape with the scaled block from row `from` on. */
function inRows(shape: readonly [number, number], scaled: { block: Tensor; from: number; scaling: number } | null): Tensor {
  const data = new Float32Array(shape[0] * shape[1]);
  scaled?.block.data.forEach((value, index) => {
    data[scaled.from * shape[1] + index] = Math.fround(scaled.scaling * value);
  });
  return { shape, data };
}
