/**
 * The linear layer y = x·W + b with its own gradients, on rows: x `[n, in]`, W `[in, out]`, b `[out]`. A frozen layer has no gradient
 * for W and b and never forms xᵀ·g (method.md section 10). LoRA wraps this layer (lora/layer.ts).
 * Returns new tensors inside the caller's tidy.
 */
import type { Tensor, Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import { tf } from '../engine/tf.ts';
import { columnSums, times, timesTransposed, transposedTimes } from './products.ts';

/** A linear layer found by its module name; the model calls it, LoRA replaces it. */
export type LinearLayer = (module: string, x: Tensor2D) => Tensor2D;

/** Weight and bias of one layer; `bias` is missing where qkvBias is off. */
export interface LinearWeights {
  weight: Tensor2D;
  bias: Tensor1D | undefined;
}

/** x·W + b. tfjs-node runs this as MatMul and BiasAdd, which TensorFlow fuses. */
export function affine(x: Tensor2D, weight: Tensor2D, bias: Tensor1D | undefined): Tensor2D {
  const product = times(x, weight);
  return bias ? tf.add(product, bias) : product;
}

/** Gradients reach x, W and b. */
export function trainableLinear(x: Tensor2D, { weight, bias }: LinearWeights): Tensor2D {
  const forward = (x: Tensor, weight: Tensor, ...rest: unknown[]) => {
    const save = rest.at(-1) as (tensors: Tensor[]) => void;
    save([x, weight]);
    const gradFunc = (g: Tensor, [x, weight]: Tensor[]) => {
      const rows = g as Tensor2D;
      const gradients = [timesTransposed(rows, weight as Tensor2D), transposedTimes(x as Tensor2D, rows)];
      return bias ? [...gradients, columnSums(rows)] : gradients;
    };
    return { value: affine(x as Tensor2D, weight as Tensor2D, bias), gradFunc };
  };
  const inputs = bias ? [x, weight, bias] : [x, weight];
  return customOp(forward, inputs) as Tensor2D;
}

/** Gradients reach x only. */
export function frozenLinear(x: Tensor2D, { weight, bias }: LinearWeights): Tensor2D {
  const forward = (x: Tensor) => ({
    value: affine(x as Tensor2D, weight, bias),
    gradFunc: (g: Tensor) => [timesTransposed(g as Tensor2D, weight)],
  });
  return customOp(forward, [x]) as Tensor2D;
}

/** Gradients reach W and b only: the first layer, whose input is data. */
export function inputLinear(x: Tensor2D, { weight, bias }: LinearWeights): Tensor2D {
  const forward = (weight: Tensor, ...rest: unknown[]) => {
    (rest.at(-1) as (tensors: Tensor[]) => void)([x]);
    const gradFunc = (g: Tensor, [x]: Tensor[]) => {
      const rows = g as Tensor2D;
      const dWeight = transposedTimes(x as Tensor2D, rows);
      return bias ? [dWeight, columnSums(rows)] : [dWeight];
    };
    return { value: affine(x, weight as Tensor2D, bias), gradFunc };
  };
  return customOp(forward, bias ? [weight, bias] : [weight]) as Tensor2D;
}

type CustomForward = (...inputs: never[]) => { value: Tensor; gradFunc: (g: Tensor, saved: Tensor[]) => Tensor[] };

/**
 * tf.customGrad with honest types: its own demand `gradFunc` to be written for one fixed number of inputs. What `gradFunc` needs beside
 * parameters and other inputs of the step must be saved, whoever made it: the forward pass's own tensors are gone by then.
 */
export function customOp(forward: CustomForward, inputs: Tensor[]): Tensor {
  return tf.customGrad(forward as unknown as Parameters<typeof tf.customGrad>[0])(...inputs);
}
