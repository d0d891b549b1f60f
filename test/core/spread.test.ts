import { expect, test } from 'vitest';
import { differenceOf, pairedDifference, spreadOf } from '../../main/core/spread.ts';

test('the spread is the sample standard deviation over the values that are there', () => {
  expect(spreadOf([1, 3, null, Number.NaN])).toEqual({ mean: 2, std: Math.SQRT2, n: 2 });
  expect(spreadOf([5])).toEqual({ mean: 5, std: null, n: 1 });
  expect(spreadOf([null])).toBeNull();
});

test('a difference of groups is within the spread when √(σa² + σb²) is at least as large', () => {
  const at = (mean: number, std: number | null) => ({ mean, std, n: 3 });
  expect(differenceOf(at(10, 3), at(15, 4))).toEqual({ mean: 5, std: 5, n: 3, isWithinSpread: true });
  expect(differenceOf(at(10, 3), at(15.1, 4))?.isWithinSpread).toBe(false);
  expect(differenceOf(at(10, null), at(15, 4))).toMatchObject({ std: null, isWithinSpread: null });
  expect(differenceOf(at(10, 3), null)).toBeNull();
});

test('pairing by seed takes out what both variants owe to the seed', () => {
  const full = new Map([
    [0, 0.8],
    [1, 0.9],
    [2, 0.7],
    [7, 0.5],
  ]);
  const prelora = new Map([
    [0, 0.79],
    [1, 0.88],
    [2, 0.69],
    [9, 0.99],
  ]);
  const difference = pairedDifference(full, prelora);
  expect(difference).toMatchObject({ n: 3, isWithinSpread: false });
  expect(difference?.mean).toBeCloseTo(-0.04 / 3, 12);
  expect(Object.keys(difference?.bySeed ?? {})).toEqual(['0', '1', '2']);
  expect(pairedDifference(full, new Map([[9, 1]]))).toBeNull();
});
