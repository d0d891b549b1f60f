/** Variables of a compiled program: shared by functions, read before they are assigned, written and read in parts, freed. */
import { beforeAll, describe, expect, test } from 'vitest';
import { compileProgram } from '../../main/compile/compileProgram.ts';
import { runEager } from '../../main/compile/eagerProgram.ts';
import type { NativeBinding } from '../../main/compile/nativeSession.ts';
import { tf } from '../../main/engine/tf.ts';
import { hasNative, startNative } from './support/nativeBackend.ts';
import { counter, rotating, SIDE } from './support/programs.ts';
import { residentMegabytes } from './support/residentMemory.ts';

let binding: NativeBinding;
beforeAll(async () => {
  if (hasNative) binding = await startNative();
});

describe.skipIf(!hasNative)('variables of a compiled program', () => {
  test('are read as they were before the call, also where they are updated in place', () => {
    const [compiled, eager] = [compileProgram(rotating, binding), runEager(rotating)];
    const values = (seed: number) => Float32Array.from({ length: SIDE * SIDE }, (_, i) => Math.sin(i * seed));
    const start = ['a', 'b', 'c', 'w'].map((name, i) => [name, values(i + 1)] as const);
    for (const program of [compiled, eager]) program.writeVariables([...start, ['m', 'zeros'], ['v', 'zeros']]);
    for (let step = 0; step < 60; step++) {
      const feeds = { scale: Float32Array.of(Math.cos(step)) };
      const [actual, expected] = [compiled.call('turn', feeds), eager.call('turn', feeds)];
      expectClose(actual.sums!, expected.sums!, 1e-3);
      expectClose(actual.copy!, expected.copy!, 1e-5);
    }
    for (const [name, value] of compiled.readVariables(['a', 'b', 'c', 'w', 'm', 'v'])) {
      expectClose(value, eager.readVariables([name]).get(name)!, 1e-5);
    }
    compiled.dispose();
    eager.dispose();
  });

  test('belong to one program: two programs of the same names do not meet', () => {
    const [first, second] = [compileProgram(counter, binding), compileProgram(counter, binding)];
    first.writeVariables([['total', Float32Array.of(1, 1)]]);
    second.writeVariables([['total', Float32Array.of(5, 5)]]);
    first.call('add', { amount: Float32Array.of(1, 1) });
    expect([...second.call('read', {}).now!]).toEqual([5, 5]);
    expect([...first.call('read', {}).now!]).toEqual([2, 2]);
    first.dispose();
    expect([...second.call('read', {}).now!]).toEqual([5, 5]);
    second.dispose();
  });

  test('come back bit by bit in the order asked for, when they fill several parts', () => {
    const names = Array.from({ length: 5 }, (_, i) => `large/${i}`);
    const program = compileProgram(
      { variables: Object.fromEntries(names.map((name) => [name, { shape: [3 << 20], dtype: 'float32' }])), functions: {} },
      binding,
    );
    const values = new Map(names.map((name, i) => [name, new Float32Array(3 << 20).fill(i + 0.5)]));
    values.get('large/2')![7] = Number.NaN;
    program.writeVariables([...values].map(([name, value]) => (name === 'large/4' ? [name, 'zeros'] : [name, value])));
    const read = program.readVariables(['large/3', 'large/2', 'large/4']);
    expect([...read.keys()]).toEqual(['large/3', 'large/2', 'large/4']);
    expect(Buffer.compare(Buffer.from(read.get('large/2')!.buffer), Buffer.from(values.get('large/2')!.buffer))).toBe(0);
    expect(read.get('large/3')![100]).toBe(3.5);
    expect(read.get('large/4')!.every((value) => value === 0)).toBe(true);
    program.dispose();
  });

  test('are written as they are drawn, so that a generator need not hold them all', () => {
    const spec = { shape: [5 << 20], dtype: 'float32' } as const; // 20 MB: four fill a part
    const names = Array.from({ length: 5 }, (_, i) => `large/${i}`);
    const program = compileProgram({ variables: Object.fromEntries(names.map((name) => [name, spec])), functions: {} }, binding);
    function* values() {
      for (const name of names) {
        if (name === 'large/4') throw new Error('no more');
        yield [name, new Float32Array(5 << 20).fill(2)] as const;
      }
    }
    expect(() => program.writeVariables(values())).toThrow('no more');
    expect(program.readVariables(['large/3']).get('large/3')?.[7]).toBe(2);
    expect(() => program.readVariables(['large/4'])).toThrow('no value yet');
    program.dispose();
  });

  test('300 calls with changing feeds leave no native tensor and no growing memory', () => {
    const program = compileProgram(rotating, binding);
    program.writeVariables(Object.keys(rotating.variables).map((name) => [name, 'zeros']));
    const call = (i: number) => program.call('turn', { scale: Float32Array.of(Math.cos(i)) });
    for (let i = 0; i < 50; i++) call(i);
    const [tensors, memory, jsTensors] = [binding.getNumOfTensors(), residentMegabytes(), tf.memory().numTensors];
    for (let i = 0; i < 300; i++) call(i);
    expect(binding.getNumOfTensors()).toBe(tensors);
    expect(tf.memory().numTensors).toBe(jsTensors);
    expect(residentMegabytes() - memory).toBeLessThan(40);
    program.dispose();
  });
});

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  let worst = 0;
  for (let i = 0; i < expected.length; i++)
    worst = Math.max(worst, Math.abs(actual[i]! - expected[i]!) / Math.max(1, Math.abs(expected[i]!)));
  expect(worst).toBeLessThan(tolerance);
}
