/**
 * Gradients against central differences: (f(x + h·d) − f(x − h·d)) / 2h along each direction d. The function value is a fixed weighted sum of
 * the outputs, added up in double precision on the host, so that only the op's own float32 rounding is left.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { type Shape, sizeOf } from '../../main/core/parameterShapes.ts';
import { randomStream } from '../../main/core/random.ts';
import { tf } from '../../main/engine/tf.ts';
import { expectClose, FINITE_DIFFERENCE } from '../support/tolerance.ts';

const H = 1e-2;
/** Tensors up to this size are checked element by element, larger ones along a few random directions. */
const ELEMENTWISE = 20;
const DIRECTIONS = 3;

export type Tensors = Record<string, Tensor>;

/** Values of spread 1, the same for the same name. */
export function testValues(name: string, shape: Shape, scale = 1): Float32Array {
  const draw = randomStream(0, 'test', ...Buffer.from(name));
  return Float32Array.from({ length: sizeOf(shape) }, () => scale * draw.normal());
}

export function testTensor(name: string, shape: Shape, scale = 1): Tensor {
  return tf.tensor(testValues(name, shape, scale), [...shape]);
}

/** Fails unless `op`'s gradient for every one of `inputs` agrees with central differences. */
export function expectGradients(op: (inputs: Tensors) => Tensor, inputs: Tensors): void {
  const names = Object.keys(inputs);
  const tensors = Object.values(inputs);
  const named = (values: Tensor[]): Tensors => Object.fromEntries(names.map((name, i) => [name, values[i] as Tensor]));
  const output = tf.tidy(() => op(inputs));
  const weights = testTensor('output weights', output.shape);
  const gradients = tf.grads((...values: Tensor[]) => tf.sum(tf.mul(op(named(values)), weights)))(tensors);
  const outputWeights = weights.dataSync();
  const valueAt = (name: string, data: Float32Array): number => {
    const moved = tf.tensor(data, inputs[name]!.shape);
    const values = tf.tidy(() => op({ ...inputs, [name]: moved })).dataSync() as Float32Array;
    moved.dispose();
    return values.reduce((sum, value, i) => sum + value * outputWeights[i]!, 0);
  };
  for (const [i, name] of names.entries()) {
    const point = tensors[i]!.dataSync().slice() as Float32Array;
    const gradient = gradients[i]!.dataSync() as Float32Array;
    const slopes = directions(name, point.length).map((direction) => {
      const along = (h: number): Float32Array => point.map((value, j) => value + h * direction[j]!);
      return {
        exact: gradient.reduce((sum, value, j) => sum + value * direction[j]!, 0),
        measured: (valueAt(name, along(H)) - valueAt(name, along(-H))) / (2 * H),
      };
    });
    const column = (key: 'exact' | 'measured') => slopes.map((slope) => slope[key]);
    expectClose(column('exact'), column('measured'), FINITE_DIFFERENCE, `gradient of ${name}`);
  }
}

function directions(name: string, size: number): Float32Array[] {
  if (size > ELEMENTWISE)
    return Array.from({ length: DIRECTIONS }, (_, i) => testValues(`direction ${i} of ${name}`, [size], 1 / Math.sqrt(size)));
  return Array.from({ length: size }, (_, i) => Float32Array.from({ length: size }, (_, j) => Number(i === j)));
}
