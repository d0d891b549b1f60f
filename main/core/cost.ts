/**
 * What a phase costs: multiply-adds and bytes (method.md section 13). Multiply-adds and parameter bytes are exact counts of the matrix
 * products and tensors; activations are a rough guide. Freezing saves only the weight gradients of the frozen linears.
 */
import type { ModelShape } from '../protocol/config.ts';
import { FAMILIES } from '../protocol/families.ts';
import type { Phase } from '../protocol/run.ts';
import { moduleName } from './modules.ts';
import { linearShape, patchDim, tokenCount } from './parameterShapes.ts';
import type { Ranks } from './targets.ts';
import {
  adaptedModules,
  countInPhase,
  type ParameterCounts,
  parametersInPhase,
  rankUnit,
  type TrainableSetConfig,
} from './trainableSet.ts';

const BYTES = 4;

export interface PhaseCost {
  parameters: ParameterCounts;
  multiplyAdds: MultiplyAdds;
  memory: MemoryBytes;
}

/** Multiply-adds of one image, forward and backward, in matrix products; LayerNorm, GELU and softmax are not counted. */
export interface MultiplyAdds {
  blocks: number;
  /** Patch embedding and head. */
  ends: number;
  total: number;
}

/** Bytes in fp32. */
export interface MemoryBytes {
  weights: number;
  gradients: number;
  moments: number;
  /** The three above: what stays from step to step. */
  state: number;
  /** Estimate: what one micro-batch keeps for its backward pass. */
  activationsEstimate: number;
  totalEstimate: number;
}

/** Counts, compute and memory of a phase. `microBatch` images are held at a time. */
export function phaseCost(config: TrainableSetConfig, phase: Phase, ranks: Ranks, microBatch: number): PhaseCost {
  const parameters = countInPhase(config, phase, ranks);
  return { parameters, multiplyAdds: multiplyAdds(config, phase, ranks), memory: memoryBytes(config.model, parameters, microBatch) };
}

/**
 * Per product: one forward, one for the gradient of its input, one for that of its weight where the weight trains. An adapter costs
 * r·(in + out) per token forward and twice that backward.
 */
export function multiplyAdds(config: TrainableSetConfig, phase: Phase, ranks: Ranks): MultiplyAdds {
  const { model } = config;
  const tokens = tokenCount(model);
  const trains = new Set(parametersInPhase(config, phase, ranks).flatMap(({ path, trainable }) => (trainable ? [path] : [])));
  const passes = (module: string): number => (trains.has(`${module}.weight`) ? 3 : 2);
  // Scores and their product with the values: 2·N·D per token, forward and two gradients.
  let blocks = model.depth * tokens * 3 * (2 * tokens * model.embedDim);
  for (let layer = 0; layer < model.depth; layer++) {
    for (const family of FAMILIES) {
      const [inputs, outputs] = linearShape(model, family);
      blocks += passes(moduleName(layer, family)) * tokens * inputs * outputs;
    }
  }
  if (phase !== 'full') {
    for (const module of adaptedModules(config, ranks)) blocks += 3 * tokens * (ranks[module] as number) * rankUnit(model, module);
  }
  // The image itself needs no gradient; the head sees the class token alone.
  const embedding = (passes('patchEmbed') - 1) * (tokens - 1) * patchDim(model) * model.embedDim;
  const head = passes('head') * model.embedDim * model.numClasses;
  return { blocks, ends: embedding + head, total: blocks + embedding + head };
}

function memoryBytes(model: ModelShape, { base, adapters, trainable }: ParameterCounts, microBatch: number): MemoryBytes {
  const weights = BYTES * (base + adapters);
  const gradients = BYTES * trainable;
  const moments = 2 * BYTES * trainable;
  const state = weights + gradients + moments;
  const activationsEstimate = microBatch * activationBytes(model);
  return { weights, gradients, moments, state, activationsEstimate, totalEstimate: state + activationsEstimate };
}

/** Rough guide per image: 4·L·(16·N·D + 2·numHeads·N²) bytes. The same in every phase: each adapter needs its input. */
export function activationBytes(model: ModelShape): number {
  const tokens = tokenCount(model);
  return BYTES * model.depth * (16 * tokens * model.embedDim + 2 * model.numHeads * tokens ** 2);
}
