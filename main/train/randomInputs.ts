/**
 * Dropout, attention dropout, drop path and adapter dropout as inputs of the step: ready factors, 0 or 1/(1−rate), drawn outside it from
 * named streams by (step, micro-batch, place), so that nothing random is baked into a compiled step (method.md section 3). A rate of 0
 * has no input at all.
 */
import type { TensorSpec } from '../compile/program.ts';
import { parseModuleName } from '../core/modules.ts';
import { linearShape, tokenCount } from '../core/parameterShapes.ts';
import { randomStream, type StreamName } from '../core/random.ts';
import type { ModelShape } from '../protocol/config.ts';
import { FAMILIES } from '../protocol/families.ts';

export interface RandomInput {
  name: string;
  spec: TensorSpec;
  rate: number;
  stream: StreamName;
  /** Tells inputs of one stream apart; the same whatever other inputs there are. */
  place: number;
}

/** All random inputs of a training step over micro-batches of B images. */
export function randomInputs(model: ModelShape, B: number, adapters: { modules: Iterable<string>; loraDropRate: number }): RandomInput[] {
  const N = tokenCount(model);
  const D = model.embedDim;
  const inputs: RandomInput[] = [];
  const add = (name: string, rate: number, stream: StreamName, place: number, shape: number[]): void => {
    if (rate > 0) inputs.push({ name, rate, stream, place, spec: { shape, dtype: 'float32' } });
  };
  add('embed.dropout', model.dropRate, 'dropout', 0, [B * N, D]);
  for (let layer = 0; layer < model.depth; layer++) {
    const block = `blocks.${layer}`;
    const pathRate = model.depth > 1 ? (model.dropPathRate * layer) / (model.depth - 1) : model.dropPathRate;
    add(`${block}.attnDropout`, model.attnDropRate, 'attnDropout', layer, [B, model.numHeads, N, N]);
    for (const [i, branch] of ['attn', 'mlp'].entries()) {
      const place = 1 + 2 * layer + i;
      add(`${block}.${branch}.dropout`, model.dropRate, 'dropout', place, [B * N, D]);
      add(`${block}.${branch}.dropPath`, pathRate, 'dropPath', place, [B, 1, 1]);
    }
  }
  for (const module of adapters.modules) {
    const found = parseModuleName(module);
    if (!found) continue;
    const place = FAMILIES.length * found.layer + FAMILIES.indexOf(found.family);
    add(`${module}.loraDropout`, adapters.loraDropRate, 'loraDropout', place, [B * N, linearShape(model, found.family)[0]]);
  }
  return inputs;
}

/** Draws the factors of one micro-batch: a pure function of seed, step and micro-batch. */
export function drawRandomInputs(inputs: readonly RandomInput[], seed: number, step: number, micro: number): Record<string, Float32Array> {
  const feeds: Record<string, Float32Array> = {};
  for (const { name, spec, rate, stream, place } of inputs) {
    const draw = randomStream(seed, stream, step, micro, place);
    const kept = 1 / (1 - rate);
    const size = spec.shape.reduce((product, side) => product * side, 1);
    feeds[maskInput(name)] = Float32Array.from({ length: size }, () => (draw.uniform() < rate ? 0 : kept));
  }
  return feeds;
}

/** Name of the program's input for a mask. */
export function maskInput(name: string): string {
  return `mask/${name}`;
}
