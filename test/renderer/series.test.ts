import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { extent, logTicks, lowerBound, nearest, roundRange, Smoother, thin } from '../../renderer/charts/series.ts';

const columns = fc
  .array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 3000 })
  .map((ys) => ({ xs: ys.map((_, i) => i), ys }));

describe('thinning', () => {
  it('keeps the smallest and largest value, and draws two points per column at most', () => {
    fc.assert(
      fc.property(columns, fc.integer({ min: 1, max: 400 }), (data, width) => {
        const points = thin(data, 0, data.xs.length, width);
        const ys = points.map(({ y }) => y);
        expect(Math.max(...ys)).toBe(Math.max(...data.ys));
        expect(Math.min(...ys)).toBe(Math.min(...data.ys));
        expect(points.length).toBeLessThanOrEqual(Math.max(2 * width, 2) + 4);
      }),
    );
  });

  it('keeps the order of x', () => {
    fc.assert(
      fc.property(columns, (data) => {
        const xs = thin(data, 0, data.xs.length, 20).map(({ x }) => x);
        expect(xs).toEqual([...xs].sort((a, b) => a - b));
      }),
    );
  });

  it('draws any number of rows as two points per column', () => {
    const xs = Array.from({ length: 200_000 }, (_, i) => i);
    expect(thin({ xs, ys: xs.map((x) => Math.sin(x)) }, 0, 200_000, 1000).length).toBeLessThanOrEqual(2004);
  });

  it('ends the line at a gap wider than a column', () => {
    const xs = Array.from({ length: 1000 }, (_, i) => i);
    const points = thin({ xs, ys: xs.map((x) => (x >= 400 && x < 600 ? null : 1)) }, 0, 1000, 50);
    expect(points.some(({ x, y }) => x >= 400 && x < 600 && Number.isNaN(y))).toBe(true);
  });
});

describe('smoothing', () => {
  const smooth = (ys: number[], weight: number): number[] => {
    const smoother = new Smoother(weight);
    return ys.map((y) => smoother.next(y));
  };

  it('starts at the first value, because it is debiased', () => {
    expect(smooth([4, 4, 4], 0.9)).toEqual([expect.closeTo(4), expect.closeTo(4), expect.closeTo(4)]);
  });

  it('leaves gaps and changes nothing with weight 0', () => {
    expect(smooth([1, Number.NaN, 3], 0)).toEqual([1, Number.NaN, 3]);
    expect(smooth([1, Number.NaN, 3], 0.5)[1]).toBeNaN();
  });

  // TensorBoard's debiased moving average of 1, 2, 3 with weight 0.5, worked by hand: 1; 1.25/0.75; 2.125/0.875.
  it('equals the debiased average worked by hand', () => {
    expect(smooth([1, 2, 3], 0.5)).toEqual([1, expect.closeTo(5 / 3, 12), expect.closeTo(17 / 7, 12)]);
  });
});

it('finds the nearest x and the first that is not smaller', () => {
  expect(nearest([0, 10, 20], 14)).toBe(1);
  expect(nearest([0, 10, 20], 16)).toBe(2);
  expect(nearest([], 3)).toBe(-1);
  expect(lowerBound([1, 2, 2, 3], 2)).toBe(1);
});

it('tells the extent of what is shown and skips gaps', () => {
  expect(extent({ xs: [0, 1, 2, 3], ys: [9, 1, null, 5] }, 1, 3)).toEqual([1, 5]);
  expect(extent({ xs: [0], ys: [null] }, 0, 1)).toBeNull();
});

it('widens a range to round steps that hold it', () => {
  expect(roundRange(0.43, 2.61)).toEqual([0, 3]);
  fc.assert(
    fc.property(fc.double({ min: -1e3, max: 1e3, noNaN: true }), fc.double({ min: 0.01, max: 1e3, noNaN: true }), (low, size) => {
      const [from, to] = roundRange(low, low + size);
      expect(from).toBeLessThanOrEqual(low + 1e-6);
      expect(to).toBeGreaterThanOrEqual(low + size - 1e-6);
    }),
  );
});

it('labels a logarithmic axis with at least three and at most seven round ticks', () => {
  expect(logTicks(0.9, 18)).toEqual([1, 2, 5, 10]);
  expect(logTicks(0.25, 0.9).length).toBeGreaterThanOrEqual(3);
  expect(logTicks(0, 0)).toEqual([]);
  expect(logTicks(0.001, 1000).length).toBeLessThanOrEqual(7);
});
