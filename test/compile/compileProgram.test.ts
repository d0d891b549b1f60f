/** The compiled program: the same as the eager one from outside, and what is its own. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { assembleGraph } from '../../main/compile/assembleGraph.ts';
import { compileProgram } from '../../main/compile/compileProgram.ts';
import type { NativeBinding } from '../../main/compile/nativeSession.ts';
import type { CompiledProgram, GraphProgram } from '../../main/compile/program.ts';
import { registerSymbolicBackend } from '../../main/compile/symbolicBackend.ts';
import { tf } from '../../main/engine/tf.ts';
import { hasNative, startNative } from './support/nativeBackend.ts';
import { adamW, adamWError, counter } from './support/programs.ts';

let binding: NativeBinding;
beforeAll(async () => {
  if (hasNative) binding = await startNative();
});

function startCounter(): CompiledProgram {
  const program = compileProgram(counter, binding);
  program.writeVariables([['total', Float32Array.of(1, 2)]]);
  return program;
}

describe.skipIf(!hasNative)('a compiled program', () => {
  test('gives outputs from before its assignments, and the next call sees them', () => {
    const program = startCounter();
    expect([...program.call('add', { amount: Float32Array.of(10, 20) }).before!]).toEqual([1, 2]);
    expect([...program.call('read', {}).now!]).toEqual([11, 22]);
    expect([...program.readVariables(['total']).get('total')!]).toEqual([11, 22]);
    program.dispose();
  });

  test('AdamWUpdate is the formula of method.md', () => {
    const program = compileProgram(adamW, binding);
    expect(adamWError(program, 5)).toBeLessThan(1e-5);
    program.dispose();
  });

  test('is traced without memory for its activations, gradients included', () => {
    const side = 16_384; // 1 GiB a tensor
    const huge: GraphProgram = {
      variables: { w: { shape: [side, side], dtype: 'float32' } },
      functions: {
        f: {
          inputs: { x: { shape: [side, side], dtype: 'float32' } },
          body: ({ w }, { x }) => {
            const chain = (weight: Tensor) => {
              let y = x!;
              for (let i = 0; i < 100; i++) y = tf.tanh(tf.matMul(y, weight));
              return y;
            };
            return { outputs: {}, assign: { w: tf.sub(w!, tf.grad(chain)(w!, x!)) } };
          },
        },
      },
    };
    const before = process.memoryUsage.rss();
    const { nodes } = assembleGraph(huge, registerSymbolicBackend(binding as unknown as Record<string, number>));
    expect(nodes.length).toBeGreaterThan(300);
    expect(process.memoryUsage.rss() - before).toBeLessThan(100e6);
    expect(tf.getBackend()).toBe('tensorflow');
  });

  test('tells what it took', () => {
    const program = compileProgram(counter, binding);
    expect(program.isCompiled).toBe(true);
    expect(program.stats.nodes).toBeGreaterThan(5);
    program.dispose();
  });
});
