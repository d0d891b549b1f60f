/**
 * Exact GELU, ½x(1 + erf(x/√2)) (arXiv 1606.08415, method.md section 2; the tanh form is another function). Only x is kept for the
 * backward pass; Φ is recomputed there.  d/dx = Φ(x) + x·φ(x).
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { ownKernels } from '../engine/ownKernels.ts';
import { tf } from '../engine/tf.ts';
import { customOp } from './linear.ts';

/** Φ(x): the standard normal distribution function. */
function normalCdf(x: Tensor): Tensor {
  return tf.mul(tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1), 0.5);
}

/** φ(x): the standard normal density. */
function normalDensity(x: Tensor): Tensor {
  return tf.mul(tf.exp(tf.mul(tf.square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
}

/** Elementwise; returns a new tensor inside the caller's tidy. */
export function gelu<T extends Tensor>(x: T): T {
  const forward = (x: Tensor, save: (tensors: Tensor[]) => void) => {
    save([x]);
    return { value: value(x), gradFunc: (g: Tensor, [x]: Tensor[]) => [gradient(g, x as Tensor)] };
  };
  return customOp(forward, [x]) as T;
}

function value(x: Tensor): Tensor {
  const kernels = ownKernels();
  return kernels ? (kernels.runOwnKernel('Gelu', [x])[0] as Tensor) : tf.mul(x, normalCdf(x));
}

function gradient(g: Tensor, x: Tensor): Tensor {
  const kernels = ownKernels();
  if (kernels) return kernels.runOwnKernel('GeluGrad', [g, x])[0] as Tensor;
  return tf.mul(g, tf.add(normalCdf(x), tf.mul(x, normalDensity(x))));
}
