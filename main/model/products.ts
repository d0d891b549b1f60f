/**
 * Matrix products with one factor transposed, as backward passes need them. Every backend reads a transposed factor in place or does better by
 * itself (engine/wasm.ts transposes it first). All functions run inside the caller's tidy and return new tensors.
 */
import type { Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import { tf } from '../engine/tf.ts';

/** a·b over the last two axes. */
export function times<T extends Tensor>(a: T, b: T): T {
  return tf.matMul(a, b) as T;
}

/** a·bᵀ over the last two axes: [… n, k] · [… m, k]ᵀ → [… n, m]. */
export function timesTransposed<T extends Tensor>(a: T, b: T): T {
  return tf.matMul(a, b, false, true) as T;
}

/** aᵀ·b over the last two axes: [… k, n]ᵀ · [… k, m] → [… n, m]. */
export function transposedTimes<T extends Tensor>(a: T, b: T): T {
  return tf.matMul(a, b, true, false) as T;
}

/** Column sums [n, m] → [m]: the gradient of a bias. */
export function columnSums(x: Tensor2D): Tensor {
  return tf.sum(x, 0);
}
