/** Which ops the rewrites choose; that they compute the same is shown by shapeRules.test.ts. */

import type { Tensor } from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { assembleGraph } from '../../main/compile/assembleGraph.ts';
import { compileProgram } from '../../main/compile/compileProgram.ts';
import { runEager } from '../../main/compile/eagerProgram.ts';
import type { NativeBinding } from '../../main/compile/nativeSession.ts';
import type { GraphProgram } from '../../main/compile/program.ts';
import { registerSymbolicBackend } from '../../main/compile/symbolicBackend.ts';
import { tf } from '../../main/engine/tf.ts';
import { hasNative, kernelsAreBuilt, startNative } from './support/nativeBackend.ts';
import { feedsFor } from './support/opCases.ts';

let binding: NativeBinding;
beforeAll(async () => {
  if (hasNative) binding = await startNative();
});

function programOf(body: (x: Tensor, w: Tensor, bias: Tensor) => Tensor): GraphProgram {
  const inputs = {
    x: { shape: [3, 4], dtype: 'float32' },
    w: { shape: [4, 5], dtype: 'float32' },
    bias: { shape: [5], dtype: 'float32' },
  } as const;
  return { variables: {}, functions: { f: { inputs, body: (_, { x, w, bias }) => ({ outputs: { y: body(x!, w!, bias!) } }) } } };
}

/** The live ops of the function, and that compiled and eager agree. */
function opsOf(program: GraphProgram): string[] {
  const { nodes } = assembleGraph(program, registerSymbolicBackend(binding as unknown as Record<string, number>));
  const feeds = feedsFor(program.functions.f!.inputs);
  const compiled = compileProgram(program, binding);
  const expected = runEager(program).call('f', feeds).y!;
  compiled.call('f', feeds).y!.forEach((value, i) => {
    expect(value).toBeCloseTo(expected[i]!, 5);
  });
  compiled.dispose();
  return nodes.map(({ op }) => op).filter((op) => !['Const', 'Placeholder', 'Identity'].includes(op));
}

describe.skipIf(!hasNative)('rewrites', () => {
  beforeEach(() => vi.stubEnv('PRELORA_KERNELS', '0'));
  afterEach(() => vi.unstubAllEnvs());

  test('a 2-D product and its bias become MatMul and BiasAdd, whichever side the bias is on', () => {
    expect(opsOf(programOf((x, w, bias) => tf.add(tf.matMul(x, w), bias)))).toEqual(['MatMul', 'BiasAdd']);
    expect(opsOf(programOf((x, w, bias) => tf.add(tf.matMul(x, w), tf.slice(bias, 0, 1))))).toEqual(['MatMul', 'Slice', 'AddV2']);
    expect(opsOf(programOf((x, w, bias) => tf.add(bias, tf.matMul(x, w))))).toEqual(['MatMul', 'BiasAdd']);
  });

  test.skipIf(!kernelsAreBuilt)('with our own kernels they become one operation', () => {
    vi.unstubAllEnvs();
    expect(opsOf(programOf((x, w, bias) => tf.add(tf.matMul(x, w), bias)))).toEqual(['PreloraMatMulBias']);
    expect(opsOf(programOf((x, w) => tf.matMul(x, w)))).toEqual(['PreloraMatMul']);
    expect(opsOf(programOf((x, w) => tf.add(tf.matMul(x, w), tf.sum(x))))).toEqual(['PreloraMatMul', 'Sum', 'AddV2']);
    expect(opsOf(programOf((x, w) => tf.add(tf.exp(tf.matMul(x, w)), tf.matMul(x, w))))).toEqual([
      'PreloraMatMul',
      'Exp',
      'PreloraMatMulAdd',
    ]);
  });

  test('column sums become BiasAddGrad; other sums stay', () => {
    expect(opsOf(programOf((_, w) => tf.sum(w, 0)))).toEqual(['BiasAddGrad']);
    expect(opsOf(programOf((_, w) => tf.sum(w, 1)))).toEqual(['Sum']);
    expect(opsOf(programOf((_, w) => tf.sum(w, 0, true)))).toEqual(['Sum']);
  });

  test('a sum of all squares makes no tensor of squares', () => {
    expect(opsOf(programOf((_, w) => tf.sum(tf.sum(tf.square(w), -1))))).toEqual(['L2Loss', 'Mul']);
    expect(opsOf(programOf((_, w) => tf.sum(tf.square(w))))).toEqual(['L2Loss', 'Mul']);
    expect(opsOf(programOf((_, w) => tf.sum(tf.square(w), 1)))).toEqual(['Square', 'Sum']);
  });
});
