/** The long form of test/compile/variables.test.ts: 5,000 calls of a compiled program with fresh feeds hold no more memory than 500. */
import { expect, test } from 'vitest';
import { compileProgram } from '../../main/compile/compileProgram.ts';
import { hasNative, startNative } from '../compile/support/nativeBackend.ts';
import { rotating } from '../compile/support/programs.ts';
import { residentMegabytes } from '../compile/support/residentMemory.ts';

test.skipIf(!hasNative)('5,000 calls with changing feeds keep resident memory flat', async () => {
  const binding = await startNative();
  const program = compileProgram(rotating, binding);
  program.writeVariables(Object.keys(rotating.variables).map((name) => [name, 'zeros']));
  const callUntil = (from: number, to: number) => {
    for (let i = from; i < to; i++) program.call('turn', { scale: Float32Array.of(Math.cos(i)) });
    return { tensors: binding.getNumOfTensors(), megabytes: residentMegabytes() };
  };
  const early = callUntil(0, 500);
  const late = callUntil(500, 5000);
  console.log(`resident memory after 500 calls ${early.megabytes.toFixed(0)} MB, after 5,000 ${late.megabytes.toFixed(0)} MB`);
  expect(late.tensors).toBe(early.tensors);
  // V8 frees the copies of outputs in waves of about 35 MB; 4,500 calls hand out 75 MB of them.
  expect(late.megabytes - early.megabytes).toBeLessThan(50);
  program.dispose();
});
