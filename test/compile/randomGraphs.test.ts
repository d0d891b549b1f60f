/** Random small expressions with their gradients, compiled against eager: the rewrites and rules together, on what nobody wrote by hand. */
import type { Tensor } from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { compileProgram } from '../../main/compile/compileProgram.ts';
import { runEager } from '../../main/compile/eagerProgram.ts';
import type { NativeBinding } from '../../main/compile/nativeSession.ts';
import type { GraphFunction, GraphProgram } from '../../main/compile/program.ts';
import { tf } from '../../main/engine/tf.ts';
import { hasNative, startNative } from './support/nativeBackend.ts';
import { feedsFor } from './support/opCases.ts';

let binding: NativeBinding;
beforeAll(async () => {
  if (hasNative) binding = await startNative();
});

/** All take and give [4, 4], stay bounded, and have a gradient. */
const OPS: readonly ((a: Tensor, b: Tensor) => Tensor)[] = [
  (a, b) => tf.tanh(tf.add(a, b)),
  (a, b) => tf.mul(tf.sigmoid(a), tf.sub(b, tf.mean(b, -1, true))),
  (a, b) => tf.tanh(tf.matMul(a, b)),
  (a, b) => tf.matMul(tf.softmax(a), b, false, true),
  (a, b) => tf.tanh(tf.add(tf.matMul(a, b, true), tf.mean(b, 0))),
  (a, b) => tf.maximum(tf.transpose(a), tf.reshape(b, [4, 4])),
  (a, b) => tf.slice(tf.concat([a, b], 1), [0, 2], [4, 4]),
  (a) => tf.div(a, tf.sqrt(tf.add(tf.sum(tf.square(a), -1, true), 1))),
  (a, b) => tf.add(tf.split(tf.concat([a, b], 0), 2, 0)[1]!, tf.sum(tf.square(a))).mul(0.1),
  (a, b) => tf.unstack(tf.stack([tf.erf(a), b], 1), 1)[0]!,
  (a, b) => tf.tanh(tf.add(tf.sum(a, 0), tf.tile(tf.mean(b, 1, true), [1, 4]))),
];

/** A chain of steps: which op, and which two of the tensors so far. */
const expression = fc.array(fc.tuple(fc.nat(OPS.length - 1), fc.nat(20), fc.nat(20)), { minLength: 1, maxLength: 10 });

function evaluate(steps: readonly (readonly [number, number, number])[], inputs: Tensor[]): Tensor {
  const pool = [...inputs];
  for (const [op, first, second] of steps) pool.push(OPS[op]!(pool[first % pool.length]!, pool[second % pool.length]!));
  return pool.at(-1) as Tensor;
}

function functionOf(steps: readonly (readonly [number, number, number])[]): GraphFunction {
  const inputs = { x: { shape: [4, 4], dtype: 'float32' }, y: { shape: [4, 4], dtype: 'float32' } } as const;
  return {
    inputs,
    body: ({ w }, { x, y }) => {
      // Every input takes part, so that each has a gradient.
      const lossOf = (...tensors: Tensor[]) => tf.sum(tf.add(tf.mul(evaluate(steps, tensors), 0.5), tf.tanh(tf.addN(tensors)))) as never;
      const { value, grads } = tf.valueAndGrads(lossOf)([w!, x!, y!]);
      return { outputs: { value, gradW: grads[0]!, gradX: grads[1]!, gradY: grads[2]! }, assign: { w: tf.tanh(tf.sub(w!, grads[0]!)) } };
    },
  };
}

describe.skipIf(!hasNative)('random expressions', () => {
  test('give the same values, gradients and next variables, compiled and eager', () => {
    fc.assert(
      fc.property(fc.array(expression, { minLength: 12, maxLength: 12 }), (expressions) => {
        const program: GraphProgram = {
          variables: { w: { shape: [4, 4], dtype: 'float32' } },
          functions: Object.fromEntries(expressions.map((steps, i) => [`f${i}`, functionOf(steps)])),
        };
        expectSameRuns(program);
      }),
      { numRuns: 4 },
    );
  });
});

function expectSameRuns(program: GraphProgram): void {
  const [compiled, eager] = [compileProgram(program, binding), runEager(program)];
  const start = [['w', feedsFor({ w: { shape: [4, 4], dtype: 'float32' } }).w!]] as const;
  for (const side of [compiled, eager]) side.writeVariables(start);
  for (const [i, [name, { inputs }]] of Object.entries(program.functions).entries()) {
    const feeds = feedsFor(inputs, i);
    const [actual, expected] = [compiled.call(name, feeds), eager.call(name, feeds)];
    for (const [output, values] of Object.entries(expected)) {
      values.forEach((value, at) => {
        expect(Math.abs(actual[output]![at]! - value), `${name}.${output}[${at}]`).toBeLessThan(1e-4 * Math.max(1, Math.abs(value)));
      });
    }
  }
  compiled.dispose();
  eager.dispose();
}
