/** The compiled program: the same as the eager one from outside, and what is its own. */
import { beforeAll, describe, expect, test } from 'vitest';
import { compileProgram } from '../../main/compile/compileProgram.ts';
import type { NativeBinding } from '../../main/compile/nativeSession.ts';
import type { CompiledProgram } from '../../main/compile/program.ts';
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
});
