/** The rule against the costs it stands for, written out; and where it puts the cases people train. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { adaptsRows } from '../../main/core/adapterForm.ts';

/** Multiply-adds of the adapter beside the plain linear (lora/layer.ts), forward and backward. */
function work(rows: number, [inputs, outputs]: [number, number], rank: number) {
  const skinny = rank * rows * (inputs + outputs);
  const onWeight = rank * inputs * outputs;
  return {
    frozen: { rows: 3 * skinny, merged: onWeight + 2 * skinny },
    joint: { rows: 3 * skinny, merged: 3 * onWeight },
  };
}

test('rows are adapted exactly where that is less work, in both phases and at any rank', () => {
  const side = fc.integer({ min: 1, max: 4096 });
  fc.assert(
    fc.property(side, side, side, fc.integer({ min: 1, max: 64 }), (rows, inputs, outputs, rank) => {
      for (const { rows: byRows, merged } of Object.values(work(rows, [inputs, outputs], rank))) {
        expect(adaptsRows(rows, [inputs, outputs])).toBe(byRows < merged);
      }
    }),
  );
});

test.each([
  ['ViT-L, one image', 197, [1024, 1024], true],
  ['ViT-B fc1, two images', 394, [768, 3072], true],
  ['ViT-B q, two images', 394, [768, 768], false],
  ['ViT-Ti, 32 images of 65 tokens', 2080, [192, 768], false],
] as const)('%s', (_, rows, shape, expected) => expect(adaptsRows(rows, shape)).toBe(expected));
