/**
 * Multi-head self-attention (arXiv 1706.03762) over rows that lie batch by batch: softmax(q·kᵀ/√Dh)·v with its own gradient, which
 * reuses the probabilities. Dropout on the attention weights comes in as a ready mask (0 or 1/(1−rate)), so that nothing random
 * happens inside a step.
 */
import type { Tensor, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import { type OwnKernels, ownKernels } from '../engine/ownKernels.ts';
import { tf } from '../engine/tf.ts';
import { customOp, type LinearLayer } from './linear.ts';
import { times, timesTransposed, transposedTimes } from './products.ts';

export interface AttentionShape {
  B: number;
  numHeads: number;
}

/** Who attends to whom: M ≤ N rows per sample ask, the first M of the sample's N; all N answer. */
export interface AttentionRows {
  /** `[B·M, D]` */
  queries: Tensor2D;
  /** `[B·N, D]` */
  x: Tensor2D;
}

/** Self-attention of one block; the result is `[B·M, D]`. `mask` is `[B, H, N, N]` or missing. */
export function attention(rows: AttentionRows, block: string, linear: LinearLayer, shape: AttentionShape, mask?: Tensor): Tensor2D {
  const project = (name: 'q' | 'k' | 'v', x: Tensor2D) => linear(`${block}.attn.${name}`, x);
  const projected: Projections = [project('q', rows.queries), project('k', rows.x), project('v', rows.x)];
  const kernels = mask ? null : ownKernels();
  return linear(`${block}.attn.proj`, kernels ? kernelAttention(kernels, projected, shape) : headwiseAttention(projected, shape, mask));
}

/** Queries `[B·M, D]`, keys and values `[B·N, D]`. */
type Projections = [q: Tensor2D, k: Tensor2D, v: Tensor2D];

/** One kernel for all heads on the rows as they lie; it keeps a number per row of scores where the probabilities would be kept. */
function kernelAttention(kernels: OwnKernels, projected: Projections, { B, numHeads }: AttentionShape): Tensor2D {
  const attributes = { batch: { i: B }, heads: { i: numHeads } };
  const forward = (q: Tensor, k: Tensor, v: Tensor, save: (tensors: Tensor[]) => void) => {
    const [value, logSums] = kernels.runOwnKernel('Attention', [q, k, v], attributes) as [Tensor, Tensor];
    save([q, k, v, logSums]);
    return { value, gradFunc: (g: Tensor, saved: Tensor[]) => kernels.runOwnKernel('AttentionGrad', [g, ...saved], attributes) };
  };
  return customOp(forward, projected) as Tensor2D;
}

function headwiseAttention(projected: Projections, shape: AttentionShape, mask?: Tensor): Tensor2D {
  const [q, k, v] = projected.map((rows) => splitHeads(rows, shape)) as [Tensor4D, Tensor4D, Tensor4D];
  return joinHeads(scaledDotProduct(q, k, v, mask && maskFor(q, mask)));
}

/** The mask's part for the rows that ask: `[B, H, N, N]` → `[B, H, M, N]`. */
function maskFor(q: Tensor4D, mask: Tensor): Tensor {
  const [B, H, M] = q.shape;
  const N = mask.shape[3] as number;
  return M === N ? mask : tf.slice(mask as Tensor4D, [0, 0, 0, 0], [B, H, M, N]);
}

/** [B·N, D] → [B, H, N, Dh] */
function splitHeads(x: Tensor2D, { B, numHeads }: AttentionShape): Tensor4D {
  const [rows, D] = x.shape;
  return tf.transpose(tf.reshape(x, [B, rows / B, numHeads, D / numHeads]), [0, 2, 1, 3]);
}

/** [B, H, N, Dh] → [B·N, D] */
function joinHeads(x: Tensor4D): Tensor2D {
  const [B, H, N, Dh] = x.shape;
  return tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [B * N, H * Dh]);
}

/** softmax(q·kᵀ/√Dh)·v for q `[B, H, M, Dh]`, k and v `[B, H, N, Dh]`. The scale goes onto q, which is N/Dh times smaller than the scores. */
function scaledDotProduct(q: Tensor4D, k: Tensor4D, v: Tensor4D, mask?: Tensor): Tensor4D {
  const scale = 1 / Math.sqrt(q.shape[3]);
  const forward = (q: Tensor, k: Tensor, v: Tensor, save: (tensors: Tensor[]) => void) => {
    const scaled = tf.mul(q, scale);
    const weights = tf.softmax(timesTransposed(scaled, k)); // [B, H, M, N]
    save(mask ? [scaled, k, v, weights, mask] : [scaled, k, v, weights]);
    const gradFunc = (g: Tensor, [scaled, k, v, weights, mask]: Tensor[]) =>
      attentionGradient(g, { scaled, k, v, weights, mask, scale } as Saved);
    return { value: times(mask ? tf.mul(weights, mask) : weights, v), gradFunc };
  };
  return customOp(forward, [q, k, v]) as Tensor4D;
}

interface Saved {
  scaled: Tensor;
  k: Tensor;
  v: Tensor;
  weights: Tensor;
  mask: Tensor | undefined;
  scale: number;
}

/** With P = softmax(S):  dV = Pᵀ·g,  dP = g·Vᵀ,  dS = P·(dP − Σ dP·P),  dq = s·dS·k,  dk = dSᵀ·(s·q). */
function attentionGradient(g: Tensor, { scaled, k, v, weights, mask, scale }: Saved): Tensor[] {
  const dv = transposedTimes(mask ? tf.mul(weights, mask) : weights, g);
  const dDropped = timesTransposed(g, v);
  const dWeights = mask ? tf.mul(dDropped, mask) : dDropped;
  const dScores = tf.mul(weights, tf.sub(dWeights, tf.sum(tf.mul(dWeights, weights), -1, true)));
  return [tf.mul(times(dScores, k), scale), transposedTimes(dScores, scaled), dv];
}
