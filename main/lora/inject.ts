/**
 * Puts adapters round the model's linear layers: wraps, never edits them (PEFT's rule). Also creates the adapters' first weights:
 * loraA uniform in ±1/√in, loraB zero (method.md section 9), so that the wrapped model computes the same function.
 */
import type { Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import { adaptsRows } from '../core/adapterForm.ts';
import { parseModuleName } from '../core/modules.ts';
import { linearShape } from '../core/parameterShapes.ts';
import { randomStream } from '../core/random.ts';
import { tf } from '../engine/tf.ts';
import { matchRows } from '../model/classToken.ts';
import type { HostTensor } from '../model/init.ts';
import type { LinearLayer } from '../model/linear.ts';
import { linearWeights, plainLinear, type ViTContext } from '../model/vit.ts';
import type { ModelShape } from '../protocol/config.ts';
import { FAMILIES } from '../protocol/families.ts';
import { type Adapter, adapterBranch, frozenLoraLinear, jointLoraLinear } from './layer.ts';

/** Rank and alpha per adapted module; modules without an entry keep their plain layer. */
export type RankPattern = ReadonlyMap<string, { rank: number; alpha: number }>;

/** The model's linear layers with adapters where `ranks` has an entry. */
export function injectAdapters(context: ViTContext, ranks: RankPattern): LinearLayer {
  const plain = plainLinear(context);
  return (module, x) => {
    const place = ranks.get(module);
    if (!place) return plain(module, x);
    const adapter = adapterOf(context.parameters, module, place.alpha / place.rank);
    const weights = linearWeights(context.parameters, module);
    const dropout = context.masks?.[`${module}.loraDropout`] as Tensor2D | undefined; // [B·N, in]
    if (dropout || adaptsRows(x.shape[0], weights.weight.shape)) {
      const adapted: Tensor2D = dropout ? tf.mul(x, matchRows(dropout, x)) : x;
      return tf.add(plain(module, x), adapterBranch(adapted, adapter));
    }
    const isJoint = context.isTrainable(`${module}.weight`);
    return isJoint ? jointLoraLinear(x, weights, adapter) : frozenLoraLinear(x, weights, adapter);
  };
}

/** The adapter tensors of one module among the parameters. */
export function adapterOf(parameters: Record<string, Tensor>, module: string, scaling: number): Adapter {
  const loraA = parameters[`${module}.loraA`] as Tensor2D;
  const loraB = parameters[`${module}.loraB`] as Tensor2D;
  return { loraA, loraB, scaling };
}

/** First weights of all adapters by path. Each module has its own place in the `adapterInit` stream. */
export function initialAdapters(model: ModelShape, ranks: RankPattern, seed: number): Map<string, HostTensor> {
  const adapters = new Map<string, HostTensor>();
  for (const [module, { rank }] of ranks) {
    const place = parseModuleName(module);
    if (!place) throw new Error(`${module} is not a module of the model`);
    const [inputs, outputs] = linearShape(model, place.family);
    const stream = randomStream(seed, 'adapterInit', place.layer, FAMILIES.indexOf(place.family));
    const bound = 1 / Math.sqrt(inputs);
    const data = Float32Array.from({ length: inputs * rank }, () => (2 * stream.uniform() - 1) * bound);
    adapters.set(`${module}.loraA`, { shape: [inputs, rank], data });
    adapters.set(`${module}.loraB`, { shape: [rank, outputs], data: new Float32Array(rank * outputs) });
  }
  return adapters;
}
