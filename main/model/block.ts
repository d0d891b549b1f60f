/** One pre-norm transformer block (arXiv 2010.11929, figure 1): two residual branches, attention and feed-forward. */
import type { Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import { tf } from '../engine/tf.ts';
import { type AttentionShape, attention } from './attention.ts';
import { gelu } from './gelu.ts';
import type { LinearLayer } from './linear.ts';

/** What a block needs beside its input. Masks are ready factors (0 or 1/(1−rate)); a missing mask means that the rate is 0. */
export interface BlockContext {
  linear: LinearLayer;
  norm: (module: string, x: Tensor2D) => Tensor2D;
  mask: (name: string) => Tensor | undefined;
  shape: AttentionShape;
}

/** x `[B·N, D]` → `[B·N, D]`. Runs inside the caller's tidy. */
export function block(x: Tensor2D, name: string, context: BlockContext): Tensor2D {
  const { linear, norm, mask, shape } = context;
  const attended = attention(norm(`${name}.norm1`, x), name, linear, shape, mask(`${name}.attnDropout`));
  const mid = residual(x, attended, `${name}.attn`, context);
  const hidden = gelu(linear(`${name}.mlp.fc1`, norm(`${name}.norm2`, mid)));
  return residual(mid, linear(`${name}.mlp.fc2`, hidden), `${name}.mlp`, context);
}

/** x + branch, after dropout of values and of whole samples (stochastic depth, arXiv 1603.09382). */
function residual(x: Tensor2D, branch: Tensor2D, name: string, { mask, shape }: BlockContext): Tensor2D {
  const { B, N } = shape;
  const dropout = mask(`${name}.dropout`); // [B·N, D]
  const dropPath = mask(`${name}.dropPath`); // [B, 1, 1]
  let kept = dropout ? tf.mul(branch, dropout) : branch;
  if (dropPath) kept = tf.reshape(tf.mul(tf.reshape(kept, [B, N, -1]), dropPath), kept.shape);
  return tf.add(x, kept);
}
