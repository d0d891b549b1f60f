/**
 * Soft-target cross-entropy (method.md section 3): −Σ_c t·log softmax(z), weighted per sample, with its own gradient w·(softmax(z) − t),
 * which holds because every target sums to 1. Weights are 1/(samples of the update), so that micro-batches add up to the mean, and 0
 * for samples that only pad a short batch. Runs inside the caller's tidy.
 */
import type { Scalar, Tensor, Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import { tf } from '../engine/tf.ts';
import { customOp } from '../model/linear.ts';

/** Weighted sum over the batch: `logits` and `targets` `[B, C]`, `weights` `[B]` → scalar. The gradient reaches the logits. */
export function softTargetCrossEntropy(logits: Tensor2D, targets: Tensor2D, weights: Tensor1D): Scalar {
  // Made anew in the backward pass: only saved tensors and the caller's own outlive the forward pass.
  const column = () => tf.reshape(weights, [-1, 1]);
  const forward = (logits: Tensor, save: (tensors: Tensor[]) => void) => {
    const shifted = tf.sub(logits, tf.max(logits, -1, true));
    const logSum = tf.log(tf.sum(tf.exp(shifted), -1, true)); // [B, 1]
    const logProbabilities = tf.sub(shifted, logSum); // [B, C]
    save([logProbabilities]);
    const value = tf.neg(tf.sum(tf.mul(tf.mul(targets, logProbabilities), column())));
    const gradFunc = (g: Tensor, [logProbabilities]: Tensor[]) => {
      const slope = tf.mul(tf.sub(tf.exp(logProbabilities as Tensor), targets), column());
      return [tf.mul(slope, g)];
    };
    return { value, gradFunc };
  };
  return customOp(forward, [logits]) as Scalar;
}
