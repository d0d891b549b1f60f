/**
 * LoRA on one linear layer: y = x·W + b + γ·(x·A)·B with γ = α/r (Hu et al. 2021, arXiv 2106.09685, section 4.1). core/adapterForm.ts says
 * where which of two forms costs less:
 *   by rows   as written: the plain linear plus `adapterBranch`. Nothing of the weight's size comes into being; dropout needs this form
 *   merged    x·(W + γ·A·B) + b (method.md section 9), where the sum is kept for dx. Its gradients by cases:
 *     joint phase    G = xᵀ·g is needed for W anyway:  dW = G,  dA = γ·G·Bᵀ,  dB = γ·Aᵀ·G
 *     after freeze   G is never formed:  dA = γ·xᵀ·(g·Bᵀ),  dB = γ·(x·A)ᵀ·g,  dx = g·(W + γ·A·B)ᵀ
 * γ always goes onto a skinny factor. While B is zero both forms give the plain linear's output to the last bit.
 * Shapes are tfjs's: A `[in, r]`, B `[r, out]`; PEFT's lora_A and lora_B are the transposes. Runs inside the caller's tidy.
 */
import type { Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import { ownKernels } from '../engine/ownKernels.ts';
import { tf } from '../engine/tf.ts';
import { affine, customOp, type LinearWeights } from '../model/linear.ts';
import { columnSums, times, timesTransposed, transposedTimes } from '../model/products.ts';

export interface Adapter {
  loraA: Tensor2D;
  loraB: Tensor2D;
  /** γ = α/r. */
  scaling: number;
}

/** γ·A·B, `[in, out]`: what the adapter adds to the weight. */
export function deltaWeight({ loraA, loraB, scaling }: Adapter): Tensor2D {
  return times(tf.mul(loraA, scaling), loraB);
}

/** W + γ·A·B. */
export function effectiveWeight(weight: Tensor2D, adapter: Adapter): Tensor2D {
  return tf.add(weight, deltaWeight(adapter));
}

type Save = (tensors: Tensor[]) => void;

/** Merged; base and adapter train together (phase warmup). Gradients reach x, W, b, A and B. */
export function jointLoraLinear(x: Tensor2D, { weight, bias }: LinearWeights, { loraA, loraB, scaling }: Adapter): Tensor2D {
  const forward = (x: Tensor, weight: Tensor, loraA: Tensor, loraB: Tensor, ...rest: unknown[]) => {
    const effective = effectiveWeight(weight as Tensor2D, { loraA: loraA as Tensor2D, loraB: loraB as Tensor2D, scaling });
    (rest.at(-1) as Save)([x, effective, loraA, loraB]);
    const gradFunc = (g: Tensor, saved: Tensor[]) => {
      const [x, effective, loraA, loraB] = saved as [Tensor, Tensor, Tensor, Tensor];
      const dWeight = transposedTimes(x, g);
      const dLoraA = timesTransposed(dWeight, tf.mul(loraB, scaling));
      const dLoraB = transposedTimes(tf.mul(loraA, scaling), dWeight);
      const gradients = [timesTransposed(g, effective), dWeight, dLoraA, dLoraB];
      return bias ? [...gradients, columnSums(g as Tensor2D)] : gradients;
    };
    return { value: affine(x as Tensor2D, effective, bias), gradFunc };
  };
  const inputs = [x, weight, loraA, loraB];
  return customOp(forward, bias ? [...inputs, bias] : inputs) as Tensor2D;
}

/** Merged; the base is frozen (phase lora). Gradients reach x, A and B. */
export function frozenLoraLinear(x: Tensor2D, { weight, bias }: LinearWeights, { loraA, loraB, scaling }: Adapter): Tensor2D {
  const forward = (x: Tensor, loraA: Tensor, loraB: Tensor, save: Save) => {
    const effective = effectiveWeight(weight, { loraA: loraA as Tensor2D, loraB: loraB as Tensor2D, scaling });
    save([x, effective, loraA, loraB]);
    const gradFunc = (g: Tensor, saved: Tensor[]) => {
      const [x, effective, loraA, loraB] = saved as [Tensor, Tensor, Tensor, Tensor];
      return [timesTransposed(g, effective), ...adapterGradients(x, g, [loraA, loraB], scaling)];
    };
    return { value: affine(x as Tensor2D, effective, bias), gradFunc };
  };
  return customOp(forward, [x, loraA, loraB]) as Tensor2D;
}

/** dA and dB without xᵀ·g; with our own kernels x and g are read once. */
function adapterGradients(x: Tensor, g: Tensor, [loraA, loraB]: [Tensor, Tensor], scaling: number): Tensor[] {
  const kernels = ownKernels();
  if (kernels) return kernels.runOwnKernel('AdapterGrad', [x, g, loraA, loraB], { scaling: { f: scaling } });
  const throughB = tf.mul(timesTransposed(g, loraB), scaling); // [n, r]
  const throughA = tf.mul(times(x, loraA), scaling); // [n, r]
  return [transposedTimes(x, throughB), transposedTimes(throughA, g)];
}

/** γ·(x·A)·B, added to the plain linear; x may have been through dropout. Gradients reach x, A and B by tfjs's own rules. */
export function adapterBranch(x: Tensor2D, { loraA, loraB, scaling }: Adapter): Tensor2D {
  return trainableProduct(tf.mul(trainableProduct(x, loraA), scaling), loraB);
}

function trainableProduct(x: Tensor2D, weight: Tensor2D): Tensor2D {
  const forward = (x: Tensor, weight: Tensor, save: Save) => {
    save([x, weight]);
    const gradFunc = (g: Tensor, [x, weight]: Tensor[]) => [timesTransposed(g, weight as Tensor), transposedTimes(x as Tensor, g)];
    return { value: times(x, weight), gradFunc };
  };
  return customOp(forward, [x, weight]) as Tensor2D;
}
