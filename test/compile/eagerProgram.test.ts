/** The eager program: what a call returns, keeps, refuses and leaves behind. */
import { beforeAll, describe, expect, test } from 'vitest';
import { runEager } from '../../main/compile/eagerProgram.ts';
import type { CompiledProgram } from '../../main/compile/program.ts';
import { tf } from '../../main/engine/tf.ts';
import { useCpuBackend } from './support/cpuBackend.ts';
import { adamW, adamWError, counter } from './support/programs.ts';

beforeAll(useCpuBackend);

function startCounter(): CompiledProgram {
  const program = runEager(counter);
  program.writeVariables([['total', Float32Array.of(1, 2)]]);
  return program;
}

describe('a program run eagerly', () => {
  test('gives outputs from before its assignments, and the next call sees them', () => {
    const program = startCounter();
    expect([...program.call('add', { amount: Float32Array.of(10, 20) }).before!]).toEqual([1, 2]);
    expect([...program.call('read', {}).now!]).toEqual([11, 22]);
    program.dispose();
  });

  test('keeps its variables apart from the arrays it was given and gave', () => {
    const program = runEager(counter);
    const start = Float32Array.of(1, 2);
    program.writeVariables([['total', start]]);
    start.fill(9);
    program.readVariables(['total']).get('total')!.fill(7);
    expect([...program.readVariables(['total']).get('total')!]).toEqual([1, 2]);
    program.dispose();
  });

  test('leaves no tensor behind, after a call or after dispose', () => {
    const before = tf.memory().numTensors;
    const program = startCounter();
    const running = tf.memory().numTensors;
    for (let i = 0; i < 3; i++) program.call('add', { amount: Float32Array.of(1, 1) });
    expect(tf.memory().numTensors).toBe(running);
    program.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  test('a refused call changes nothing and leaks nothing', () => {
    const program = startCounter();
    const running = tf.memory().numTensors;
    expect(() => program.call('add', { amount: Float32Array.of(1) })).toThrow('"amount" is float32[2], 2 values, but got 1');
    expect(() => program.call('add', {})).toThrow('input "amount" is missing');
    expect(() => program.call('add', { amount: Float32Array.of(1, 2), other: Float32Array.of(1) })).toThrow('no input "other"');
    expect(() => program.call('add', { amount: Int32Array.of(1, 2) })).toThrow('takes a Float32Array, not a Int32Array');
    expect(() => program.call('multiply', {})).toThrow('no function "multiply"; it has add, read');
    expect(() => program.writeVariables([['sum', Float32Array.of(1)]])).toThrow('no variable "sum"');
    expect([...program.call('read', {}).now!]).toEqual([1, 2]);
    expect(tf.memory().numTensors).toBe(running);
    program.dispose();
  });

  test('a variable that was never written is named', () => {
    const program = runEager(counter);
    expect(() => program.call('read', {})).toThrow('variable "total" has no value yet');
    program.writeVariables([['total', 'zeros']]);
    expect([...program.call('read', {}).now!]).toEqual([0, 0]);
    program.dispose();
    expect(() => program.call('read', {})).toThrow('disposed');
  });

  test('AdamWUpdate is the formula of method.md', () => {
    const program = runEager(adamW);
    expect(adamWError(program, 5)).toBeLessThan(1e-5);
    program.dispose();
  });
});
