/** One pre-norm transformer block (arXiv 2010.11929, figure 1): two residual branches, attention and feed-forward. */
import type { Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import { tf } from '../engine/tf.ts';
import { type AttentionShape, attention } from './attention.ts';
import { classRows, matchRows } from './classToken.ts';
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
  const normal = context.norm(`${name}.norm1`, x);
  return branches(x, attend(normal, normal, name, context), name, context);
}

/** The last block, for the class tokens alone: x `[B·N, D]` → `[B, D]`. Keys and values still come from all tokens. */
export function lastBlock(x: Tensor2D, name: string, context: BlockContext): Tensor2D {
  const { B } = context.shape;
  const normal = context.norm(`${name}.norm1`, x);
  return branches(classRows(x, B), attend(classRows(normal, B), normal, name, context), name, context);
}

function attend(queries: Tensor2D, x: Tensor2D, name: string, { linear, mask, shape }: BlockContext): Tensor2D {
  return attention({ queries, x }, name, linear, shape, mask(`${name}.attnDropout`));
}

/** Both residual branches, given what attention made of the rows of x. */
function branches(x: Tensor2D, attended: Tensor2D, name: string, context: BlockContext): Tensor2D {
  const { linear, norm } = context;
  const mid = residual(x, attended, `${name}.attn`, context);
  const hidden = gelu(linear(`${name}.mlp.fc1`, norm(`${name}.norm2`, mid)));
  return residual(mid, linear(`${name}.mlp.fc2`, hidden), `${name}.mlp`, context);
}

/** x + branch, after dropout of values and of whole samples (stochastic depth, arXiv 1603.09382). */
function residual(x: Tensor2D, branch: Tensor2D, name: string, { mask, shape }: BlockContext): Tensor2D {
  const dropout = mask(`${name}.dropout`) as Tensor2D | undefined; // [B·N, D]
  const dropPath = mask(`${name}.dropPath`); // [B, 1, 1]
  let kept: Tensor = dropout ? tf.mul(branch, matchRows(dropout, branch)) : branch;
  if (dropPath) kept = tf.reshape(tf.mul(tf.reshape(kept, [shape.B, -1, branch.shape[1]]), dropPath), branch.shape);
  return tf.add(x, kept) as Tensor2D;
}
