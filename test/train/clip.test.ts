/** The clip factor min(1, gradClip / (‖g‖ + 1e-6)) and the sums of squares it is made from. */
import type { Tensor1D } from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { tf } from '../../main/engine/tf.ts';
import { adamWFeeds } from '../../main/train/adamw.ts';
import { clipFactor, squaredNorms, sumOfSquares } from '../../main/train/clip.ts';
import { expectClose, NORM } from '../support/tolerance.ts';
import { startBackend } from './backendUnderTest.ts';

beforeAll(() => startBackend('cpu'));

/** The factor for gradients 3 and 4, whose norm is 5. */
function factorOfFive(gradClip: number): number {
  const scalars = adamWFeeds({ lr: 1e-3, weightDecay: 0, gradClip, counts: [1], beta1: 0.9, beta2: 0.999, adamEps: 1e-8 });
  const squares = squaredNorms([tf.tensor([3]), tf.tensor([[0, 4]])]);
  expect([...squares.dataSync()]).toEqual([9, 16]);
  return clipFactor(squares as Tensor1D, tf.scalar(scalars.gradClip![0]!)).dataSync()[0]!;
}

describe('the clip factor', () => {
  test('brings a larger norm down to gradClip', () => {
    expectClose([factorOfFive(1)], [1 / (5 + 1e-6)], 1e-7);
    expectClose([factorOfFive(4.9)], [4.9 / (5 + 1e-6)], 1e-7);
  });

  test('leaves a smaller norm as it is', () => expect(factorOfFive(5.1)).toBe(1));

  test('is off at gradClip 0', () => expect(factorOfFive(0)).toBe(1));
});

test('a sum of squares takes any shape, lengths that are prime or long included', () => {
  const sides = fc.array(fc.oneof(fc.integer({ min: 1, max: 70 }), fc.constantFrom(97, 128, 192, 257)), { minLength: 0, maxLength: 2 });
  fc.assert(
    fc.property(sides, (shape) => {
      const x = tf.mul(tf.add(tf.ones(shape), tf.randomUniform(shape, 0, 1, 'float32', 7)), 0.3);
      const exact = (x.dataSync() as Float32Array).reduce((sum, value) => sum + value * value, 0);
      expectClose([sumOfSquares(x).dataSync()[0]!], [exact], NORM);
    }),
    { numRuns: 50 },
  );
});
