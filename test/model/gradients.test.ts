/** Every operation of the model with a gradient of its own, against finite differences; and what a frozen one leaves alone. */
import type { Tensor, Tensor1D, Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { parameterShapes, patchDim, tokenCount } from '../../main/core/parameterShapes.ts';
import { tf } from '../../main/engine/tf.ts';
import { attention } from '../../main/model/attention.ts';
import { classRows } from '../../main/model/classToken.ts';
import { gelu } from '../../main/model/gelu.ts';
import { layerNorm } from '../../main/model/layerNorm.ts';
import { frozenLinear, inputLinear, type LinearWeights, trainableLinear } from '../../main/model/linear.ts';
import { vit } from '../../main/model/vit.ts';
import { softTargetCrossEntropy } from '../../main/train/loss.ts';
import { tinyConfig } from '../support/tinyConfig.ts';
import { startBackend } from '../train/backendUnderTest.ts';
import { expectGradients, type Tensors, testTensor, testValues } from './finiteDifferences.ts';

beforeAll(() => startBackend('cpu'));

const x = () => testTensor('x', [5, 4]);
const weights = () => ({ weight: testTensor('weight', [4, 3]), bias: testTensor('bias', [3]) });
const layer = ({ weight, bias }: Tensors) => ({ weight, bias }) as LinearWeights;

describe('the linear layer', () => {
  test('in training gives x, W and b their gradients', () => {
    expectGradients((t) => trainableLinear(t.x as Tensor2D, layer(t)), { x: x(), ...weights() });
  });

  test('without bias gives x and W their gradients', () => {
    expectGradients((t) => trainableLinear(t.x as Tensor2D, { weight: t.weight as Tensor2D, bias: undefined }), {
      x: x(),
      weight: weights().weight,
    });
  });

  test('when frozen gives x its gradient and W and b none', () => {
    const frozen = weights();
    expectGradients((t) => frozenLinear(t.x as Tensor2D, layer(frozen)), { x: x() });
    expectNoGradient((weight) => frozenLinear(x() as Tensor2D, layer({ ...frozen, weight })), frozen.weight);
    expectNoGradient((bias) => frozenLinear(x() as Tensor2D, layer({ ...frozen, bias })), frozen.bias);
  });

  test('over data gives W and b their gradients and x none', () => {
    const data = x();
    expectGradients((t) => inputLinear(data as Tensor2D, layer(t)), weights());
    expectNoGradient((x) => inputLinear(x as Tensor2D, layer(weights())), data);
  });
});

describe('LayerNorm', () => {
  const affine = () => ({ weight: testTensor('scale', [4]), bias: testTensor('shift', [4]) });
  const normed = (t: Tensors, isTrainable: boolean) =>
    layerNorm(t.x as Tensor2D, { weight: t.weight as Tensor1D, bias: t.bias as Tensor1D, isTrainable }, 1e-6);

  test('in training gives x, weight and bias their gradients', () => {
    expectGradients((t) => normed(t, true), { x: x(), ...affine() });
  });

  test('when frozen gives x its gradient and weight and bias none', () => {
    const frozen = affine();
    expectGradients((t) => normed({ ...t, ...frozen }, false), { x: x() });
    expectNoGradient((weight) => normed({ x: x(), ...frozen, weight }, false), frozen.weight);
  });

  test('of rows that are all equal is the bias, and its gradient is finite', () => {
    const flat = tf.fill([2, 4], 3) as Tensor2D;
    const { bias, weight } = affine();
    const value = normed({ x: flat, weight, bias }, true).dataSync();
    expect([...value.slice(0, 4)]).toEqual([...bias.dataSync()]);
    const gradient = tf.grad((x: Tensor) => tf.sum(normed({ x, weight, bias }, true)))(flat);
    expect([...gradient.dataSync()].every(Number.isFinite)).toBe(true);
  });
});

describe('GELU', () => {
  test('has the gradient Φ(x) + x·φ(x)', () => {
    const points = Float32Array.from({ length: 19 }, (_, i) => (i - 9) / 2);
    expectGradients((t) => gelu(t.x as Tensor), { x: tf.tensor1d(points) });
  });

  test('is the exact form, not the one with tanh', () => {
    // ½(1 + erf(1/√2)) and 2Φ(2) to 7 digits (Abramowitz & Stegun, table 26.1); the tanh form gives 0.8411920 and 1.9545977.
    expect([...gelu(tf.tensor1d([1, 2])).dataSync()].map((value) => value.toFixed(6))).toEqual(['0.841345', '1.954500']);
  });
});

describe('attention', () => {
  const shape = { B: 2, numHeads: 2 };
  const inputs = (): Tensors => ({
    x: testTensor('tokens', [6, 4]),
    ...Object.fromEntries(['q', 'k', 'v', 'proj'].map((name) => [name, testTensor(name, [4, 4], 0.7)])),
  });
  const linear = (t: Tensors) => (module: string, x: Tensor2D) => tf.matMul(x, t[module.split('.').at(-1)!] as Tensor2D) as Tensor2D;
  const apply = (t: Tensors, mask?: Tensor) => {
    const x = t.x as Tensor2D;
    return attention({ queries: x, x }, 'blocks.0', linear(t), shape, mask);
  };
  const applyToClassTokens = (t: Tensors, mask?: Tensor) => {
    const x = t.x as Tensor2D;
    return attention({ queries: classRows(x, shape.B), x }, 'blocks.0', linear(t), shape, mask);
  };
  const dropMask = () => {
    const factors = testValues('attention mask', [2, 2, 3, 3]).map((value) => (value < 0 ? 0 : 2));
    return tf.tensor(factors, [2, 2, 3, 3]);
  };

  test('gives its input and all four projections their gradients', () => {
    expectGradients((t) => apply(t), inputs());
  });

  test('does so with dropout factors on the weights', () => {
    const mask = dropMask();
    expectGradients((t) => apply(t, mask), inputs());
  });

  test('for the class tokens alone is its first row of every sample, gradients too', () => {
    const mask = dropMask();
    for (const factors of [undefined, mask]) {
      const all = classRows(apply(inputs(), factors), shape.B).dataSync();
      const alone = applyToClassTokens(inputs(), factors).dataSync();
      expect([...alone].map((value) => value.toFixed(6))).toEqual([...all].map((value) => value.toFixed(6)));
      expectGradients((t) => applyToClassTokens(t, factors), inputs());
    }
  });
});

describe('soft-target cross-entropy', () => {
  let loss: (logits: Tensor) => Tensor;
  beforeAll(() => {
    const targets = tf.softmax(testTensor('targets', [4, 3])) as Tensor2D;
    const sampleWeights = tf.tensor1d([0.25, 0.25, 0.5, 0]);
    loss = (logits) => softTargetCrossEntropy(logits as Tensor2D, targets, sampleWeights);
  });

  test('gives the logits their gradient, and a sample of weight 0 none', () => {
    const logits = testTensor('logits', [4, 3], 2);
    expectGradients((t) => loss(t.logits as Tensor), { logits });
    const gradient = tf
      .grad((z: Tensor) => loss(z))(logits)
      .dataSync();
    expect([...gradient.slice(9)].map(Math.abs)).toEqual([0, 0, 0]);
  });

  test('stays finite for logits far beyond the range of exp', () => {
    const far = tf.tensor2d([1e4, 0, -1e4, 0, 1e4, 0, 500, 499, 498, 0, 0, 0], [4, 3]);
    expect(Number.isFinite(loss(far).dataSync()[0])).toBe(true);
    expect(
      [
        ...tf
          .grad((z: Tensor) => loss(z))(far)
          .dataSync(),
      ].every(Number.isFinite),
    ).toBe(true);
  });
});

test('the whole model gives every parameter its gradient', () => {
  const { model } = tinyConfig({ model: { depth: 1 } });
  const patches = testTensor('patches', [2, tokenCount(model) - 1, patchDim(model)]) as Tensor3D;
  const entries = [...parameterShapes(model)].map(([path, shape]) => {
    const values = testValues(path, shape, 0.4);
    return [path, tf.tensor(/norm\d?\.weight/.test(path) ? values.map((value) => 1 + value) : values, [...shape])] as const;
  });
  // The gradient of k's bias is zero but for rounding: nothing to measure against.
  const measured = Object.fromEntries(entries.filter(([path]) => !path.endsWith('attn.k.bias')));
  const all = Object.fromEntries(entries);
  expectGradients((t) => vit(patches, { model, parameters: { ...all, ...t }, isTrainable: () => true }), measured);
});

function expectNoGradient(op: (x: Tensor) => Tensor, x: Tensor): void {
  expect(() => tf.grad((value: Tensor) => tf.sum(op(value)))(x)).toThrow('Cannot compute gradient');
}
