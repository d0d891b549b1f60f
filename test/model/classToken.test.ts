/** The last block computes the class token's row alone: the same row as the whole block's, with every kind of mask. */
import type { Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import { tf } from '../../main/engine/tf.ts';
import { type BlockContext, block, lastBlock } from '../../main/model/block.ts';
import { classRows, matchRows } from '../../main/model/classToken.ts';
import { startBackend } from '../train/backendUnderTest.ts';
import { testTensor, testValues } from './finiteDifferences.ts';

beforeAll(() => startBackend('cpu'));

const [B, N, D, numHeads] = [2, 3, 4, 2];

/** Linear layers and norms that only mix columns; masks of two values. */
function context(masks: Record<string, Tensor>): BlockContext {
  return {
    linear: (module, x) => tf.matMul(x, testTensor(module, [x.shape[1], module.endsWith('fc1') ? 8 : D])),
    norm: (module, x) => tf.mul(x, testTensor(module, [D])) as Tensor2D,
    mask: (name) => masks[name],
    shape: { B, numHeads },
  };
}

const factors = (name: string, shape: number[]) =>
  tf.tensor(
    testValues(name, shape).map((value) => (value < 0 ? 0 : 2)),
    shape,
  );

test.each([
  ['without masks', {}],
  ['with every mask', maskSpecs()],
])('%s it is the first row of every sample of the whole block', (_, specs) => {
  const masks = Object.fromEntries(Object.entries(specs).map(([name, shape]) => [name, factors(name, shape)]));
  const x = testTensor('tokens', [B * N, D]) as Tensor2D;
  const whole = classRows(block(x, 'b', context(masks)), B).dataSync();
  const alone = lastBlock(x, 'b', context(masks));
  expect(alone.shape).toEqual([B, D]);
  alone.dataSync().forEach((value, i) => {
    expect(value).toBeCloseTo(whole[i]!, 5);
  });
});

function maskSpecs(): Record<string, number[]> {
  const residual = (name: string) => ({ [`b.${name}.dropout`]: [B * N, D], [`b.${name}.dropPath`]: [B, 1, 1] });
  return { 'b.attnDropout': [B, numHeads, N, N], ...residual('attn'), ...residual('mlp') };
}

test('a mask is cut to the rows it meets', () => {
  const mask = tf.tensor2d([1, 2, 3, 4, 5, 6], [6, 1]);
  expect(matchRows(mask, tf.zeros([6, 9]))).toBe(mask);
  expect([...matchRows(mask, tf.zeros([2, 9])).dataSync()]).toEqual([1, 4]);
});
