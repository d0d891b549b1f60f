/** What cannot be part of a graph, each with its message (issue 3, shown by 6). */

import type { Tensor, Tensor4D } from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { compileProgram } from '../../main/compile/compileProgram.ts';
import type { NativeBinding } from '../../main/compile/nativeSession.ts';
import {
  type FunctionResult,
  type GraphFunction,
  type GraphProgram,
  NonFiniteError,
  UncompilableError,
} from '../../main/compile/program.ts';
import { tf } from '../../main/engine/tf.ts';
import { hasNative, startNative } from './support/nativeBackend.ts';
import { counter } from './support/programs.ts';

let binding: NativeBinding;
beforeAll(async () => {
  if (hasNative) binding = await startNative();
});
afterEach(() => expect(tf.getBackend()).toBe(hasNative ? 'tensorflow' : tf.getBackend()));

/** A program with one function of x [2, 3] that returns what `body` makes of it. */
function programOf(body: (x: Tensor) => Tensor): GraphProgram {
  const fn: GraphFunction = { inputs: { x: { shape: [2, 3], dtype: 'float32' } }, body: (_, { x }) => ({ outputs: { y: body(x!) } }) };
  return { variables: {}, functions: { f: fn } };
}

function errorOf(body: (x: Tensor) => Tensor): Error {
  try {
    compileProgram(programOf(body), binding).dispose();
  } catch (error) {
    return error as Error;
  }
  throw new Error('it compiled');
}

describe.skipIf(!hasNative)('compiling refuses', () => {
  test.each([
    ['randomUniform', () => tf.randomUniform([2, 3])],
    ['randomNormal', () => tf.randomNormal([2, 3])],
    ['truncatedNormal', () => tf.truncatedNormal([2, 3])],
    ['randomGamma', () => tf.randomGamma([2, 3], 1)],
    ['dropout', (x: Tensor) => tf.dropout(x, 0.5)],
    ['Multinomial', (x: Tensor) => tf.cast(tf.multinomial(x as never, 2), 'float32')],
  ] as [string, (x: Tensor) => Tensor][])('baked randomness: %s', (name, random) => {
    const error = errorOf((x) => tf.add(x, random(x)));
    expect(error).toBeInstanceOf(UncompilableError);
    expect(error.message).toContain(`"f" cannot be compiled: baked randomness: ${name}`);
  });

  test('reading values while tracing', () => {
    const error = errorOf((x) => tf.mul(x, tf.sum(x).dataSync()[0] as number));
    expect(error).toBeInstanceOf(UncompilableError);
    expect(error.message).toContain('reads the values of a tensor');
  });

  test('an op without a shape rule, by its name', () => {
    const error = errorOf((x) => tf.localResponseNormalization(tf.reshape(x, [1, 1, 2, 3]) as Tensor4D));
    expect(error).toBeInstanceOf(UncompilableError);
    expect(error.message).toContain('LRN has no shape rule');
  });

  test('a kernel that tfjs-node does not have, by its name', () => {
    const error = errorOf((x) => tf.engine().runKernel('NoSuchKernel', { x }) as Tensor);
    expect(error).toBeInstanceOf(UncompilableError);
    expect(error.message).toContain('the kernel NoSuchKernel does not exist in tfjs-node');
  });

  test('a tensor from outside, and leaves it as it was', () => {
    const outside = tf.ones([2, 3]);
    const error = errorOf((x) => tf.add(x, outside));
    expect(error).toBeInstanceOf(UncompilableError);
    expect(error.message).toContain('a tensor float32[2,3] from outside');
    expect([...outside.dataSync()]).toEqual([1, 1, 1, 1, 1, 1]);
    outside.dispose();
  });

  test('a large constant, but not one of equal values', () => {
    const large = Float32Array.from({ length: 300_000 }, (_, i) => i);
    expect(errorOf((x) => tf.add(tf.sum(x), tf.sum(tf.tensor1d(large)))).message).toContain('make it an input or a variable');
    const program = compileProgram(
      programOf((x) => tf.add(tf.sum(x), tf.sum(tf.ones([300_000])))),
      binding,
    );
    expect(program.call('f', { x: new Float32Array(6) }).y![0]).toBe(300_000);
    program.dispose();
  });

  test('a tensor that is already disposed is an error of the function, not a reason to run eagerly', () => {
    const error = errorOf((x) => {
      const gone = tf.square(x);
      gone.dispose();
      return tf.add(x, gone);
    });
    expect(error).not.toBeInstanceOf(UncompilableError);
    expect(error.message).toMatch(/disposed/);
  });

  test('assigning another shape, an unknown variable, or one variable twice', () => {
    const assigning = (assign: (x: Tensor) => Pick<FunctionResult, 'assign' | 'updates'>): GraphProgram => ({
      variables: { v: { shape: [2], dtype: 'float32' } },
      functions: { f: { inputs: { x: { shape: [3], dtype: 'float32' } }, body: (_, { x }) => ({ outputs: {}, ...assign(x!) }) } },
    });
    expect(() =>
      compileProgram(
        assigning((x) => ({ assign: { v: x } })),
        binding,
      ),
    ).toThrow('"f" assigns float32[3] to variable "v", which is float32[2]');
    expect(() =>
      compileProgram(
        assigning((x) => ({ assign: { w: x } })),
        binding,
      ),
    ).toThrow('no variable "w"');
    const twice = (x: Tensor) => {
      const value = tf.slice(x, 0, 2);
      const one = tf.scalar(1);
      const update = { parameter: 'v', m: 'v', v: 'v', gradient: value, beta1: one, beta2: one, stepSize: one, epsilon: one };
      return { assign: { v: value }, updates: [update] };
    };
    expect(() => compileProgram(assigning(twice), binding)).toThrow('"f" assigns variable "v" twice');
  });
});

describe.skipIf(!hasNative)('a call is refused', () => {
  test('with a batch of another shape than was traced: input, expected shape and what came', () => {
    const program = compileProgram(counter, binding);
    program.writeVariables([['total', 'zeros']]);
    expect(() => program.call('add', { amount: new Float32Array(3) })).toThrow(
      'call of "add": input "amount" is float32[2], 2 values, but got 3',
    );
    expect([...program.call('read', {}).now!]).toEqual([0, 0]);
    program.dispose();
  });

  test('before its variables have values, and after dispose', () => {
    const program = compileProgram(counter, binding);
    expect(() => program.call('read', {})).toThrow('variable "total" has no value yet');
    expect(() => program.readVariables(['total'])).toThrow('variable "total" has no value yet');
    program.writeVariables([['total', 'zeros']]);
    program.dispose();
    expect(() => program.call('read', {})).toThrow('disposed');
  });

  test('when its guard is not finite: nothing is assigned', () => {
    const guarded: GraphProgram = {
      variables: { total: { shape: [2], dtype: 'float32' } },
      functions: {
        add: {
          inputs: { amount: { shape: [2], dtype: 'float32' } },
          body: ({ total }, { amount }) => ({ outputs: {}, assign: { total: tf.add(total!, amount!) }, guard: tf.sum(amount!) }),
        },
      },
    };
    const program = compileProgram(guarded, binding);
    program.writeVariables([['total', Float32Array.of(1, 2)]]);
    program.call('add', { amount: Float32Array.of(1, 1) });
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => program.call('add', { amount: Float32Array.of(1, bad) })).toThrow(NonFiniteError);
    }
    expect([...program.readVariables(['total']).get('total')!]).toEqual([2, 3]);
    program.dispose();
  });
});
