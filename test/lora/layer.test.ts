/** One adapted linear layer in all its forms: method.md's vector TV9 to the last bit, and gradients against finite differences. */
import type { Tensor, Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { tf } from '../../main/engine/tf.ts';
import { type Adapter, adapterBranch, effectiveWeight, frozenLoraLinear, jointLoraLinear } from '../../main/lora/layer.ts';
import { frozenLinear, type LinearWeights, trainableLinear } from '../../main/model/linear.ts';
import { expectGradients, type Tensors, testTensor } from '../model/finiteDifferences.ts';
import { startBackend } from '../train/backendUnderTest.ts';

beforeAll(() => startBackend('cpu'));

type Layer = (x: Tensor2D, weights: LinearWeights, adapter: Adapter) => Tensor2D;

/** The ways an adapted layer is computed: merged, and by rows. */
const WAYS: Record<string, { layer: Layer; trainsBase: boolean }> = {
  'merged, base in training': { layer: jointLoraLinear, trainsBase: true },
  'merged, base frozen': { layer: frozenLoraLinear, trainsBase: false },
  'by rows, base in training': { layer: (x, w, a) => tf.add(trainableLinear(x, w), adapterBranch(x, a)), trainsBase: true },
  'by rows, base frozen': { layer: (x, w, a) => tf.add(frozenLinear(x, w), adapterBranch(x, a)), trainsBase: false },
};

const tv9 = () => ({
  x: tf.tensor2d([[1, 2, 0.5]]),
  weight: tf.tensor2d([
    [1, 0],
    [2, -1],
    [3, 1],
  ]),
  bias: tf.tensor1d([0.5, -0.5]),
  loraA: tf.tensor2d([[1], [0], [-1]]),
  loraB: tf.tensor2d([[2, 1]]),
});
const SCALING = 2;

const apply = (layer: Layer, t: Tensors): Tensor2D =>
  layer(
    t.x as Tensor2D,
    { weight: t.weight as Tensor2D, bias: t.bias as Tensor1D | undefined },
    { loraA: t.loraA as Tensor2D, loraB: t.loraB as Tensor2D, scaling: SCALING },
  );

/** Gradients for dL/dy, by name, as nested arrays; −0 counts as 0. */
function gradients(layer: Layer, names: string[], slope: number[]): Record<string, unknown> {
  const all: Tensors = tv9();
  const loss = (...values: Tensor[]) => {
    const given = Object.fromEntries(names.map((name, i) => [name, values[i] as Tensor]));
    return tf.sum(tf.mul(apply(layer, { ...all, ...given }), tf.tensor2d([slope])));
  };
  const found = tf.grads(loss)(names.map((name) => all[name] as Tensor));
  return Object.fromEntries(names.map((name, i) => [name, tf.add(found[i] as Tensor, 0).arraySync()]));
}

describe.each(Object.entries(WAYS))('an adapted layer %s', (_, { layer, trainsBase }) => {
  test('has the output of TV9, which is that of the merged weight', () => {
    const t = tv9();
    expect(apply(layer, t).arraySync()).toEqual([[9, -1]]);
    const merged = effectiveWeight(t.weight, { ...t, scaling: SCALING });
    expect(merged.arraySync()).toEqual([
      [5, 2],
      [2, -1],
      [-1, -1],
    ]);
    expect(tf.add(tf.matMul(t.x, merged), t.bias).arraySync()).toEqual([[9, -1]]);
  });

  test('has the gradients of TV9', () => {
    const names = ['x', 'loraA', 'loraB', ...(trainsBase ? ['weight', 'bias'] : [])];
    const base = (weight: number[][], bias: number[]) => (trainsBase ? { weight, bias } : {});
    expect(gradients(layer, names, [1, -2])).toEqual({
      x: [[1, 4, 1]],
      loraA: [[0], [0], [0]],
      loraB: [[1, -2]],
      ...base(
        [
          [1, -2],
          [2, -4],
          [0.5, -1],
        ],
        [1, -2],
      ),
    });
    expect(gradients(layer, names, [1, 0])).toEqual({
      x: [[5, 2, -1]],
      loraA: [[4], [8], [2]],
      loraB: [[1, 0]],
      ...base(
        [
          [1, 0],
          [2, 0],
          [0.5, 0],
        ],
        [1, 0],
      ),
    });
  });

  test('has gradients that agree with finite differences, with bias and without', () => {
    const inputs = (): Tensors => ({
      x: testTensor('x', [5, 4]),
      loraA: testTensor('A', [4, 2]),
      loraB: testTensor('B', [2, 3]),
    });
    const base: Tensors = { weight: testTensor('weight', [4, 3]), bias: testTensor('bias', [3]) };
    expectGradients((t) => apply(layer, { ...base, ...t }), { ...inputs(), ...(trainsBase ? base : {}) });
    const { weight } = base as { weight: Tensor };
    expectGradients((t) => apply(layer, { weight, ...t }), { ...inputs(), ...(trainsBase ? { weight } : {}) });
  });
});

test.each(Object.entries(WAYS).filter(([, { trainsBase }]) => !trainsBase))('%s, weight and bias get no gradient', (_, { layer }) => {
  for (const name of ['weight', 'bias']) expect(() => gradients(layer, [name], [1, 1])).toThrow('Cannot compute gradient');
});
