/** A resolved config and checkpoint contents of the tiny model, with values that tell every tensor from every other. */
import { adapterShapes, parameterShapes, type Shape, sizeOf } from '../../main/core/parameterShapes.ts';
import { type ResolvedConfig, RunConfig } from '../../main/protocol/config.ts';
import type { CheckpointContent } from '../../main/store/checkpoint.ts';
import type { Tensor } from '../../main/store/safetensors.ts';

export const tinyRunConfig: ResolvedConfig = RunConfig.parse({
  model: { size: 'custom', imageSize: 8, patchSize: 4, inChannels: 1, numClasses: 3, embedDim: 8, depth: 2, numHeads: 2 },
  data: { mean: [0.5], std: [0.25] },
  train: { epochs: 2, batchSize: 4, microBatch: 4, lrWarmupSteps: 0 },
  prelora: { minStep: 0 },
}) as ResolvedConfig;

/** Values that depend on the name, the step and the place, among them some that are no round numbers. */
export function namedTensor(name: string, shape: Shape, step: number): Tensor {
  const salt = [...name].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 9973, step);
  return { shape, data: Float32Array.from({ length: sizeOf(shape) }, (_, index) => Math.sin(salt + index)) };
}

/** A checkpoint of the tiny model; in phase lora block 0's q has an adapter of rank 2. */
export function tinyCheckpoint(step: number, options: { phase?: 'full' | 'lora'; segment?: number } = {}): CheckpointContent {
  const { phase = 'full', segment = 0 } = options;
  const { model } = tinyRunConfig;
  const shapes: [string, Shape][] = [...parameterShapes(model)];
  if (phase === 'lora') shapes.push(...adapterShapes(model, 'blocks.0.attn.q', 'q', 2));
  const all = (prefixes: string[]): Map<string, Tensor> =>
    new Map(shapes.flatMap(([path, shape]) => prefixes.map((prefix) => [prefix + path, namedTensor(prefix + path, shape, step)] as const)));
  const watched = [...all([''])].filter(([path]) => /^blocks.*(attn|mlp).*weight$/.test(path));
  return {
    step,
    phase,
    segment,
    tensors: { model: all(['']), optimizer: all(['m/', 'v/']), previous: new Map(watched) },
    state: { step, epoch: 1, lossSum: 0.1 + 0.2, random: { dropout: [1, 2, 3] } },
  };
}
