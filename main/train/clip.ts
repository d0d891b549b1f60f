/** Global-norm clipping (method.md section 3) over all tensors trainable now. Runs inside the caller's tidy. */
import type { Scalar, Tensor, Tensor1D } from '@tensorflow/tfjs-core';
import { tf } from '../engine/tf.ts';

/** Longest run of values that is added up one by one. */
const LONGEST_RUN = 64;

/** Σx², run by run and then over the runs' sums, because a backend that adds one by one (wasm) loses digits over a long run. */
export function sumOfSquares(x: Tensor): Scalar {
  let sums: Tensor = tf.square(x);
  for (let run = runLength(x.size); run > 1; run = runLength(sums.size)) sums = tf.sum(tf.reshape(sums, [-1, run]), -1);
  return tf.sum(sums) as Scalar;
}

/** The longest run that divides `size` evenly; 1 where there is none to be cut. */
function runLength(size: number): number {
  if (size <= LONGEST_RUN) return 1;
  let run = LONGEST_RUN;
  while (size % run !== 0) run--;
  return run;
}

/** Squared Frobenius norm of each gradient, `[n]` in the order given. */
export function squaredNorms(gradients: readonly Tensor[]): Tensor1D {
  return tf.stack(gradients.map(sumOfSquares)) as Tensor1D;
}

/** min(1, gradClip / (‖g‖ + 1e-6)) from the squared norms; `gradClip` is a scalar, infinite when clipping is off. */
export function clipFactor(squares: Tensor1D, gradClip: Tensor): Scalar {
  return tf.minimum(tf.div(gradClip, tf.add(tf.sqrt(tf.sum(squares)), 1e-6)), 1) as Scalar;
}
