/**
 * LayerNorm over the last axis (arXiv 1607.06450) with its own gradient. The backward pass recomputes x̂ from x, the mean and
 * 1/σ, so that only two numbers per row are kept beside the input (benchmarks.md section 3).
 * With x̂ = (x − μ)/σ and h = g·weight:  dx = (h − mean(h) − x̂·mean(h·x̂)) / σ,  dweight = Σ g·x̂,  dbias = Σ g.
 */
import type { Tensor, Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import { tf } from '../engine/tf.ts';
import { customOp } from './linear.ts';

export interface LayerNormWeights {
  weight: Tensor1D;
  bias: Tensor1D;
  /** False once frozen: no gradient for weight and bias. */
  isTrainable: boolean;
}

/** Normalises each row of x `[n, D]`; returns a new `[n, D]` inside the caller's tidy. */
export function layerNorm(x: Tensor2D, { weight, bias, isTrainable }: LayerNormWeights, eps: number): Tensor2D {
  const forward = (x: Tensor, ...rest: unknown[]) => {
    const save = rest.at(-1) as (tensors: Tensor[]) => void;
    const mean = tf.mean(x, -1, true);
    const centred = tf.sub(x, mean);
    const inverseStd = tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), eps)); // [n, 1]
    save([x, mean, inverseStd]);
    const value = tf.add(tf.mul(tf.mul(centred, inverseStd), weight), bias);
    const gradFunc = (g: Tensor, [x, mean, inverseStd]: Tensor[]) => {
      const normal = tf.mul(tf.sub(x as Tensor, mean as Tensor), inverseStd as Tensor);
      const h = tf.mul(g, weight);
      const projected = tf.add(tf.mean(h, -1, true), tf.mul(normal, tf.mean(tf.mul(h, normal), -1, true)));
      const dx = tf.mul(tf.sub(h, projected), inverseStd as Tensor);
      return isTrainable ? [dx, tf.sum(tf.mul(g, normal), 0), tf.sum(g, 0)] : [dx];
    };
    return { value, gradFunc };
  };
  return customOp(forward, isTrainable ? [x, weight, bias] : [x]) as Tensor2D;
}
