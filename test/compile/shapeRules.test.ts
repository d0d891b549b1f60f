/** Every shape rule against what TensorFlow itself makes of the op, and every op family compiled against eager. */
import { beforeAll, describe, expect, test } from 'vitest';
import { assembleGraph } from '../../main/compile/assembleGraph.ts';
import { compileProgram } from '../../main/compile/compileProgram.ts';
import { runEager } from '../../main/compile/eagerProgram.ts';
import type { NativeBinding } from '../../main/compile/nativeSession.ts';
import { type CompiledProgram, UncompilableError } from '../../main/compile/program.ts';
import { inferOutputs, knownOps } from '../../main/compile/shapeRules.ts';
import { registerSymbolicBackend } from '../../main/compile/symbolicBackend.ts';
import { hasNative, startNative } from './support/nativeBackend.ts';
import { feedsFor, opCases } from './support/opCases.ts';

describe.skipIf(!hasNative)('shape rules', () => {
  let binding: NativeBinding;
  let compiled: CompiledProgram;
  let eager: CompiledProgram;
  beforeAll(async () => {
    binding = await startNative();
    compiled = compileProgram(opCases, binding);
    eager = runEager(opCases);
  });

  test.each(Object.keys(opCases.functions))('%s: compiled is eager, value by value', (name) => {
    const feeds = feedsFor(opCases.functions[name]!.inputs);
    const expected = eager.call(name, feeds);
    const actual = compiled.call(name, feeds);
    expect(Object.keys(actual)).toEqual(Object.keys(expected));
    for (const [output, values] of Object.entries(expected)) {
      expect(actual[output]?.constructor, output).toBe(values.constructor);
      expect(actual[output]?.length, output).toBe(values.length);
      values.forEach((value, i) => {
        expect(actual[output]![i], `${output}[${i}]`).toBeCloseTo(value, 5);
      });
    }
  });

  test('every rule is exercised by a case', () => {
    const graph = assembleGraph(opCases, registerSymbolicBackend(binding as unknown as Record<string, number>));
    const traced = new Set(graph.nodes.map(({ op }) => op));
    // simplify.ts replaces every Add; our own kernels have kernels.test.ts.
    expect(knownOps().filter((op) => !traced.has(op) && op !== 'Add' && !op.startsWith('Prelora'))).toEqual([]);
  });
});

describe('a shape rule', () => {
  test('names an op it does not know', () => {
    expect(() => inferOutputs({ op: 'NoSuchOp', inputs: [], attrs: {} })).toThrow(UncompilableError);
    expect(() => inferOutputs({ op: 'NoSuchOp', inputs: [], attrs: {} })).toThrow('NoSuchOp');
  });

  test('wants sizes to be constants', () => {
    const x = { shape: [6], dtype: 'float32' } as const;
    expect(() => inferOutputs({ op: 'Reshape', inputs: [x, { shape: [2], dtype: 'int32' }], attrs: {} })).toThrow('input 1 of Reshape');
  });
});
