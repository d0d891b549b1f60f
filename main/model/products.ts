/**
 * Matrix products with one factor transposed. TensorFlow reads a transposed factor in place; the wasm kernel is 10 to 50 times slower
 * that way than transposing first (architecture.md section 4), so there the transpose is made explicitly.
 * All functions run inside the caller's tidy and return new tensors.
 */
import type { Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import { tf } from '../engine/tf.ts';

const transposesFirst = (): boolean => tf.getBackend() === 'wasm';

function swapLast<T extends Tensor>(x: T): T {
  const axes = x.shape.map((_, axis) => axis);
  const last = axes.pop() as number;
  return tf.transpose(x, [...axes.slice(0, -1), last, axes.at(-1) as number]) as T;
}

/** a·b over the last two axes. */
export function times<T extends Tensor>(a: T, b: T): T {
  return tf.matMul(a, b) as T;
}

/** a·bᵀ over the last two axes: [… n, k] · [… m, k]ᵀ → [… n, m]. */
export function timesTransposed<T extends Tensor>(a: T, b: T): T {
  return (transposesFirst() ? tf.matMul(a, swapLast(b)) : tf.matMul(a, b, false, true)) as T;
}

/** aᵀ·b over the last two axes: [… k, n]ᵀ · [… k, m] → [… n, m]. */
export function transposedTimes<T extends Tensor>(a: T, b: T): T {
  return (transposesFirst() ? tf.matMul(swapLast(a), b) : tf.matMul(a, b, true, false)) as T;
}

/** Column sums [n, m] → [m]: the gradient of a bias. */
export function columnSums(x: Tensor2D): Tensor {
  return tf.sum(x, 0);
}
