/** Histograms: every finite value is counted once, the figures are those of the values. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { binEdges, commonRange, histogramOf } from '../../main/core/histogram.ts';

test('counts by hand', () => {
  const values = [-1, -0.5, 0, 0.25, 1, Number.NaN, Number.POSITIVE_INFINITY];
  const edges = binEdges(commonRange([values]), 4);
  expect(edges).toEqual([-1, -0.5, 0, 0.5, 1]);
  expect(histogramOf(values, edges)).toMatchObject({ counts: [1, 1, 2, 1], min: -1, max: 1, count: 5, mean: -0.05 });
});

test('equal values and none at all get a range with room', () => {
  expect(commonRange([[2, 2]])).toEqual([2 - 2e-3, 2 + 2e-3]);
  expect(commonRange([[0]])).toEqual([-1e-6, 1e-6]);
  expect(commonRange([[]])).toEqual([-1, 1]);
});

test('no value is lost or counted twice, whatever the values', () => {
  fc.assert(
    fc.property(
      fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: 1 }),
      fc.integer({ min: 1, max: 80 }),
      (values, bins) => {
        const { counts, count } = histogramOf(values, binEdges(commonRange([values]), bins));
        expect(counts.reduce((sum, one) => sum + one, 0)).toBe(values.length);
        expect(count).toBe(values.length);
      },
    ),
  );
});
