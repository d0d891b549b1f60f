/**
 * Our own compute kernels (resources/kernels) against tfjs's operations, which do the same work in more passes: values and gradients, at sizes that
 * fill no register and at sizes of a real model; and that an update in place never reaches memory that somebody else holds.
 */
import type { Tensor, Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { assembleGraph } from '../../main/compile/assembleGraph.ts';
import { compileProgram } from '../../main/compile/compileProgram.ts';
import { runEager } from '../../main/compile/eagerProgram.ts';
import type { NativeBinding } from '../../main/compile/nativeSession.ts';
import type { GraphProgram, TensorSpec } from '../../main/compile/program.ts';
import { registerSymbolicBackend } from '../../main/compile/symbolicBackend.ts';
import { randomStream } from '../../main/core/random.ts';
import { tf } from '../../main/engine/tf.ts';
import { adapterBranch, frozenLoraLinear } from '../../main/lora/layer.ts';
import { attention } from '../../main/model/attention.ts';
import { gelu } from '../../main/model/gelu.ts';
import { layerNorm } from '../../main/model/layerNorm.ts';
import { affine, frozenLinear } from '../../main/model/linear.ts';
import { expectClose, REWRITTEN } from '../support/tolerance.ts';
import { kernelsAreBuilt, startNative } from './support/nativeBackend.ts';

let binding: NativeBinding;
beforeAll(async () => {
  if (kernelsAreBuilt) binding = await startNative();
});

type Body = (...inputs: Tensor[]) => Tensor;

/** Values in (−2, 2) without a pattern that a sum would cancel. */
function noise(size: number, seed: number): Float32Array {
  const draw = randomStream(1, 'init', seed);
  return Float32Array.from({ length: size }, () => 4 * draw.uniform() - 2);
}

/** The function's value and the gradient of a weighted sum of it, with respect to the first `differentiated` inputs. */
function programOf(shapes: readonly number[][], body: Body, differentiated: number): GraphProgram {
  const inputs = Object.fromEntries(shapes.map((shape, i): [string, TensorSpec] => [`x${i}`, { shape, dtype: 'float32' }]));
  return {
    variables: {},
    functions: {
      f: {
        inputs,
        body: (_, given) => {
          const tensors = shapes.map((_, i) => given[`x${i}`]!);
          const weighted = (...x: Tensor[]) => {
            const y = body(...x, ...tensors.slice(differentiated));
            return tf.sum(tf.mul(y, tf.reshape(tf.sin(tf.range(0, y.size)), y.shape))) as ReturnType<typeof tf.scalar>;
          };
          const { grads } = tf.valueAndGrads(weighted)(tensors.slice(0, differentiated));
          return { outputs: { y: body(...tensors), ...Object.fromEntries(grads.map((grad, i) => [`d${i}`, grad])) } };
        },
      },
    },
  };
}

/** Compiled with the kernels, which must be in the graph, against tfjs's operations one by one. */
function compare(kernels: readonly string[], shapes: readonly number[][], body: Body, differentiated = shapes.length): void {
  const program = programOf(shapes, body, differentiated);
  const { nodes } = assembleGraph(program, registerSymbolicBackend(binding as unknown as Record<string, number>));
  const ops = new Set(nodes.map(({ op }) => op));
  expect(kernels.filter((kernel) => !ops.has(kernel))).toEqual([]);
  const feeds = Object.fromEntries(
    shapes.map((shape, i) => [
      `x${i}`,
      noise(
        shape.reduce((a, b) => a * b, 1),
        i,
      ),
    ]),
  );
  const [compiled, eager] = [compileProgram(program, binding), runEager(program)];
  const [actual, expected] = [compiled.call('f', feeds), eager.call('f', feeds)];
  for (const [name, values] of Object.entries(expected)) expectClose(actual[name]!, values, REWRITTEN, name);
  compiled.dispose();
}

describe.skipIf(!kernelsAreBuilt)('our own kernels (skipped where they are not built)', () => {
  test.each([
    [1, 1, 1],
    [5, 7, 3],
    [6, 256, 16],
    [65, 48, 33],
    [130, 600, 70],
    [197, 300, 800],
  ])('multiply [%i, %i] by [.., %i], with either factor transposed, and add a bias', (m, k, n) => {
    compare(['PreloraMatMulBias', 'PreloraMatMul'], [[m, k], [k, n], [n]], (x, w, bias) =>
      affine(x as Tensor2D, w as Tensor2D, bias as Tensor1D),
    );
  });

  test.each([
    [3, 5, 2],
    [130, 300, 70],
    [20, 10, 2500],
  ])('a product onto a matrix of its own shape, [%i, %i] by depth %i, also when something else needs that matrix', (m, n, k) => {
    compare(
      ['PreloraMatMulAdd', 'PreloraMatMul'],
      [
        [m, k],
        [k, n],
        [m, n],
      ],
      (x, w, other) => tf.add(tf.matMul(x!, w!), other!),
    );
    compare(
      ['PreloraMatMulAdd'],
      [
        [m, k],
        [k, n],
        [m, n],
      ],
      (x, w, other) => {
        const twice = tf.add(other!, other!);
        return tf.mul(tf.add(twice, tf.matMul(x!, w!)), twice);
      },
    );
    compare(
      ['PreloraMatMulAdd'],
      [
        [k, m],
        [k, n],
      ],
      (x, w) => tf.add(tf.matMul(x!, w!, true), tf.matMul(tf.cos(x!), tf.sin(w!), true)),
    );
  });

  test.each([
    { rows: 3, inputs: 4, outputs: 5, rank: 1 },
    { rows: 65, inputs: 50, outputs: 33, rank: 3 },
    { rows: 130, inputs: 192, outputs: 768, rank: 8 },
    { rows: 1030, inputs: 20, outputs: 64, rank: 20 },
    { rows: 200, inputs: 70, outputs: 40, rank: 64 },
  ])('gradients of an adapter of rank $rank, [$rows, $inputs] to $outputs', ({ rows, inputs, outputs, rank }) => {
    const shapes = [
      [rows, inputs],
      [inputs, rank],
      [rank, outputs],
      [inputs, outputs],
    ];
    compare(
      ['PreloraAdapterGrad', 'PreloraMatMulAdd'],
      shapes,
      (x, loraA, loraB, weight) => {
        const adapter = { loraA: loraA as Tensor2D, loraB: loraB as Tensor2D, scaling: 0.5 };
        return frozenLoraLinear(x as Tensor2D, { weight: weight as Tensor2D, bias: undefined }, adapter);
      },
      3,
    );
  });

  test.each([
    { rows: 3, inputs: 66, outputs: 70, rank: 1 },
    { rows: 130, inputs: 200, outputs: 400, rank: 8 },
    { rows: 1030, inputs: 80, outputs: 192, rank: 20 },
  ])('adapters by rows, rank $rank, [$rows, $inputs] to $outputs: both products of a layer at once', ({ rows, inputs, outputs, rank }) => {
    const adapted = (x: Tensor, [weight, bias, loraA, loraB]: readonly Tensor[]) => {
      const plain = frozenLinear(x as Tensor2D, { weight: weight as Tensor2D, bias: bias as Tensor1D });
      return tf.add(plain, adapterBranch(x as Tensor2D, { loraA: loraA as Tensor2D, loraB: loraB as Tensor2D, scaling: 0.5 }));
    };
    const layer = [[inputs, outputs], [outputs], [inputs, rank], [rank, outputs]];
    compare(['PreloraMatMulPair', 'PreloraMatMulPairBias'], [[rows, inputs], ...layer], (x, ...weights) => adapted(x!, weights), 1);
    compare(
      ['PreloraMatMulPair', 'PreloraMatMulPairBias', 'PreloraMatMulPairAdd'],
      [[rows, inputs], ...layer, ...layer],
      (x, ...weights) => tf.mul(adapted(x!, weights.slice(0, 4)), adapted(x!, weights.slice(4))),
      1,
    );
  });

  test.each([1, 7, 16, 333])('GELU of rows of %i', (width) => {
    compare(['PreloraGelu', 'PreloraGeluGrad'], [[3, width]], (x) => gelu(tf.mul(x!, 4)));
  });

  test.each([
    [1, 3],
    [5, 8],
    [130, 192],
    [70, 50],
  ])('LayerNorm of %i rows of %i, trainable and frozen', (rows, width) => {
    const norm = (isTrainable: boolean): Body => {
      return (x, weight, bias) => layerNorm(x as Tensor2D, { weight: weight as Tensor1D, bias: bias as Tensor1D, isTrainable }, 1e-6);
    };
    compare(['PreloraLayerNorm', 'PreloraLayerNormGrad'], [[rows, width], [width], [width]], norm(true));
    compare(['PreloraLayerNorm', 'PreloraLayerNormInputGrad'], [[rows, width], [width], [width]], norm(false), 1);
  });

  test.each([
    { B: 2, numHeads: 2, N: 5, Dh: 4 },
    { B: 1, numHeads: 3, N: 65, Dh: 64 },
    { B: 3, numHeads: 1, N: 17, Dh: 9 },
    { B: 1, numHeads: 2, N: 400, Dh: 16 },
  ])('attention of $N tokens, $numHeads heads of $Dh, for all rows and for the first alone', ({ B, numHeads, N, Dh }) => {
    const D = numHeads * Dh;
    const plain = (q: Tensor, k: Tensor, v: Tensor): Tensor => {
      const linear = (module: string, x: Tensor2D) =>
        (module.endsWith('k') ? k : module.endsWith('v') ? v : module.endsWith('q') ? q : x) as Tensor2D;
      return attention({ queries: q as Tensor2D, x: k as Tensor2D }, 'b', linear, { B, numHeads });
    };
    for (const M of [N, 1])
      compare(
        ['PreloraAttention', 'PreloraAttentionGrad'],
        [
          [B * M, D],
          [B * N, D],
          [B * N, D],
        ],
        plain,
      );
  });

  test('an update in place changes neither what was written, nor a result, nor another variable', () => {
    const spec: TensorSpec = { shape: [40, 16], dtype: 'float32' };
    const scalar = (value: number) => tf.scalar(value);
    const program: GraphProgram = {
      variables: Object.fromEntries(['w', 'm', 'v', 'other', 'm2', 'v2', 'before'].map((name) => [name, spec])),
      functions: {
        step: {
          inputs: { gradient: spec },
          body: ({ w, other }, { gradient }) => {
            const common = { gradient: gradient!, beta1: scalar(0.9), beta2: scalar(0.99), stepSize: scalar(0.1), epsilon: scalar(1e-8) };
            return {
              outputs: { was: w!, sum: tf.sum(other!) },
              assign: { before: w! },
              updates: [
                { ...common, parameter: 'w', m: 'm', v: 'v', clip: scalar(0.5), decay: scalar(0.01) },
                { ...common, parameter: 'other', m: 'm2', v: 'v2' },
              ],
            };
          },
        },
      },
    };
    const [compiled, eager] = [compileProgram(program, binding), runEager(program)];
    const start = noise(640, 1);
    const kept = start.slice();
    for (const running of [compiled, eager]) {
      running.writeVariables([['w', start], ['other', start], ...['m', 'v', 'm2', 'v2', 'before'].map((name) => [name, 'zeros'] as const)]);
    }
    for (let step = 0; step < 4; step++) {
      const feeds = { gradient: noise(640, step + 2) };
      const [actual, expected] = [compiled.call('step', feeds), eager.call('step', feeds)];
      expectClose(actual.was!, expected.was!, REWRITTEN, `w before update ${step}`);
    }
    expect(start).toEqual(kept);
    const names = ['w', 'm', 'v', 'other', 'm2', 'v2', 'before'];
    const expected = eager.readVariables(names);
    for (const [name, value] of compiled.readVariables(names)) expectClose(value, expected.get(name)!, REWRITTEN, name);
    const read = compiled.readVariables(['w']).get('w')!.slice();
    const held = compiled.readVariables(['w']).get('w')!;
    compiled.call('step', { gradient: noise(640, 9) });
    expect(held).toEqual(read);
    compiled.dispose();
  });
});
