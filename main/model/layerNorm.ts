/**
 * LayerNorm over the last axis (arXiv 1607.06450) with its own gradient. The backward pass recomputes x̂ from x, the mean and
 * 1/σ, so that only two numbers per row are kept beside the input (benchmarks.md section 3).
 * With x̂ = (x − μ)/σ and h = g·weight:  dx = (h − mean(h) − x̂·mean(h·x̂)) / σ,  dweight = Σ g·x̂,  dbias = Σ g.
 */
import type { Tensor, Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import { type OwnKernels, ownKernels } from '../engine/ownKernels.ts';
import { tf } from '../engine/tf.ts';
import { customOp } from './linear.ts';

export interface LayerNormWeights {
  weight: Tensor1D;
  bias: Tensor1D;
  /** False once frozen: no gradient for weight and bias. */
  isTrainable: boolean;
}

/** Normalises each row of x `[n, D]`; returns a new `[n, D]` inside the caller's tidy. */
export function layerNorm(x: Tensor2D, weights: LayerNormWeights, eps: number): Tensor2D {
  const { weight, bias, isTrainable } = weights;
  const forward = (x: Tensor, ...rest: unknown[]) => {
    const save = rest.at(-1) as (tensors: Tensor[]) => void;
    const { value, mean, inverseStd } = normalise(x, weights, eps);
    save([x, mean, inverseStd]);
    const gradFunc = (g: Tensor, [x, mean, inverseStd]: Tensor[]) => gradients(g, { x, mean, inverseStd } as Saved, weight, isTrainable);
    return { value, gradFunc };
  };
  return customOp(forward, isTrainable ? [x, weight, bias] : [x]) as Tensor2D;
}

interface Saved {
  x: Tensor;
  /** `[n, 1]`, as is `inverseStd`. */
  mean: Tensor;
  inverseStd: Tensor;
}

function normalise(x: Tensor, { weight, bias }: LayerNormWeights, eps: number): { value: Tensor; mean: Tensor; inverseStd: Tensor } {
  const kernels = ownKernels();
  if (kernels) {
    const [value, mean, inverseStd] = kernels.runOwnKernel('LayerNorm', [x, weight, bias], { epsilon: { f: eps } }) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    return { value, mean, inverseStd };
  }
  const mean = tf.mean(x, -1, true);
  const centred = tf.sub(x, mean);
  const inverseStd = tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), eps));
  return { value: tf.add(tf.mul(tf.mul(centred, inverseStd), weight), bias), mean, inverseStd };
}

/** dx, and where they train dweight and dbias. */
function gradients(g: Tensor, saved: Saved, weight: Tensor1D, isTrainable: boolean): Tensor[] {
  const kernels = ownKernels();
  if (kernels) return kernelGradients(kernels, [g, saved.x, saved.mean, saved.inverseStd, weight], isTrainable);
  const { x, mean, inverseStd } = saved;
  const normal = tf.mul(tf.sub(x, mean), inverseStd);
  const h = tf.mul(g, weight);
  const projected = tf.add(tf.mean(h, -1, true), tf.mul(normal, tf.mean(tf.mul(h, normal), -1, true)));
  const dx = tf.mul(tf.sub(h, projected), inverseStd);
  return isTrainable ? [dx, tf.sum(tf.mul(g, normal), 0), tf.sum(g, 0)] : [dx];
}

function kernelGradients(kernels: OwnKernels, inputs: Tensor[], isTrainable: boolean): Tensor[] {
  if (!isTrainable) return kernels.runOwnKernel('LayerNormInputGrad', inputs);
  const [dx, sums] = kernels.runOwnKernel('LayerNormGrad', inputs) as [Tensor, Tensor]; // sums [2, D]: dweight, dbias
  return [dx, ...tf.unstack(sums)];
}
