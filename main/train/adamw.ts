/**
 * AdamW keyed by parameter name (Kingma & Ba 2014, arXiv 1412.6980; decoupled decay of Loshchilov & Hutter, arXiv 1711.05101). tfjs's own
 * Adam keeps moments by position in a list: after a freeze a variable would step with another one's moments. Here m and v are variables
 * `m/{path}` and `v/{path}`, and t is counted per name on the host, so that state follows its tensor through switch and freeze.
 * The bias corrections are folded into the step size and epsilon (program.ts, AdamWUpdate), computed here in double precision.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { AdamWUpdate, TensorSpec } from '../compile/program.ts';
import { tf } from '../engine/tf.ts';

export interface AdamWSettings {
  beta1: number;
  beta2: number;
  adamEps: number;
}

const scalar: TensorSpec = { shape: [], dtype: 'float32' };

/** Names of tensors that have taken the same number of updates share their bias correction; `groups[i]` is that number at the start. */
export interface UpdateGroups {
  counts: number[];
  groupOf: ReadonlyMap<string, number>;
}

/** Groups parameter names by their update count t. */
export function groupByUpdateCount(updateCounts: ReadonlyMap<string, number>): UpdateGroups {
  const counts = [...new Set(updateCounts.values())].sort((a, b) => b - a);
  const groupOf = new Map([...updateCounts].map(([path, count]) => [path, counts.indexOf(count)]));
  return { counts, groupOf };
}

/** The scalar inputs of one update. */
export function adamWInputs(groups: number): Record<string, TensorSpec> {
  const inputs: Record<string, TensorSpec> = { gradClip: scalar, decay: scalar };
  for (let group = 0; group < groups; group++) {
    inputs[`stepSize.${group}`] = scalar;
    inputs[`epsilon.${group}`] = scalar;
  }
  return inputs;
}

export interface AdamWStep extends AdamWSettings {
  /** η: the learning rate of this update. */
  lr: number;
  weightDecay: number;
  /** Largest gradient norm, 0 is off. */
  gradClip: number;
  /** t of each group, this update included. */
  counts: readonly number[];
}

/** Values of the scalar inputs for one update. */
export function adamWFeeds({ lr, weightDecay, gradClip, counts, beta1, beta2, adamEps }: AdamWStep): Record<string, Float32Array> {
  const feeds: Record<string, Float32Array> = {
    gradClip: Float32Array.of(gradClip === 0 ? Number.POSITIVE_INFINITY : gradClip),
    decay: Float32Array.of(lr * weightDecay),
  };
  // The update multiplies with the float32 nearest to each beta; corrected for another, the first steps would be off by 1e-5.
  const [b1, b2] = [Math.fround(beta1), Math.fround(beta2)];
  for (const [group, t] of counts.entries()) {
    const correction2 = Math.sqrt(1 - b2 ** t);
    feeds[`stepSize.${group}`] = Float32Array.of((lr * correction2) / (1 - b1 ** t));
    feeds[`epsilon.${group}`] = Float32Array.of(adamEps * correction2);
  }
  return feeds;
}

export interface AdamWTargets {
  gradients: ReadonlyMap<string, Tensor>;
  /** Factor on all gradients: the clip. */
  clip: Tensor;
  groupOf: ReadonlyMap<string, number>;
  decays: (path: string) => boolean;
  /** Names with group → the scalar inputs as tensors. */
  inputs: Readonly<Record<string, Tensor>>;
  settings: AdamWSettings;
}

/** One update per gradient, for the program to apply. Runs inside the caller's tidy. */
export function adamWUpdates({ gradients, clip, groupOf, decays, inputs, settings }: AdamWTargets): AdamWUpdate[] {
  const beta1 = tf.scalar(settings.beta1);
  const beta2 = tf.scalar(settings.beta2);
  return [...gradients].map(([path, gradient]) => {
    const group = groupOf.get(path) ?? 0;
    const stepSize = inputs[`stepSize.${group}`] as Tensor;
    const epsilon = inputs[`epsilon.${group}`] as Tensor;
    const decay = decays(path) ? { decay: inputs.decay as Tensor } : {};
    return { parameter: path, m: `m/${path}`, v: `v/${path}`, gradient, clip, beta1, beta2, stepSize, epsilon, ...decay };
  });
}
