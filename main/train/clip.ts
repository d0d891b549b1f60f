/** Global-norm clipping (method.md section 3) over all tensors trainable now. Runs inside the caller's tidy. */
import type { Scalar, Tensor, Tensor1D } from '@tensorflow/tfjs-core';
import { tf } from '../engine/tf.ts';

/** Σx². Summed in two stages, because a backend that adds one by one (wasm) would lose digits over a whole matrix. */
export function sumOfSquares(x: Tensor): Scalar {
  const squares = tf.square(x);
  return tf.sum(x.rank > 1 ? tf.sum(squares, -1) : squares) as Scalar;
}

/** Squared Frobenius norm of each gradient, `[n]` in the order given. */
export function squaredNorms(gradients: readonly Tensor[]): Tensor1D {
  return tf.stack(gradients.map(sumOfSquares)) as Tensor1D;
}

/** min(1, gradClip / (‖g‖ + 1e-6)) from the squared norms; `gradClip` is a scalar, infinite when clipping is off. */
export function clipFactor(squares: Tensor1D, gradClip: Tensor): Scalar {
  return tf.minimum(tf.div(gradClip, tf.add(tf.sqrt(tf.sum(squares)), 1e-6)), 1) as Scalar;
}
