import { describe, expect, test } from 'vitest';
import { figureOf } from '../../../main/host/bench/goals.ts';
import { fittedExponent, ratioSpread, speedRatio, takeTurns, WARM_UP_TURNS } from '../../../main/host/bench/turns.ts';

describe('turns', () => {
  test('sides step one after the other, and the first turns are not counted', async () => {
    const order: string[] = [];
    const side = (name: string) => {
      let steps = 0;
      return {
        name,
        step: async () => {
          order.push(name);
          return ++steps;
        },
      };
    };
    const taken = await takeTurns([side('a'), side('b')], 3);
    expect(order.join('')).toBe('ab'.repeat(WARM_UP_TURNS + 3));
    expect(taken).toEqual({ a: [3, 4, 5], b: [3, 4, 5] });
  });

  test('a ratio is the median over the turns: a slow stretch that meets both sides changes nothing', () => {
    const own = [100, 100, 900, 100, 100];
    const other = own.map((ms) => 1.5 * ms);
    expect(speedRatio(own, other)).toBe(1.5);
    expect(ratioSpread(own, other)).toEqual([1.5, 1.5]);
  });

  test('sides with different numbers of samples cannot be compared', () => {
    expect(() => speedRatio([1, 2], [1])).toThrow('2 and 1 samples');
  });

  test('the exponent of a power is found', () => {
    const points = [1, 2, 4].map((x) => [x, 5 * x ** 1.75] as const);
    expect(fittedExponent(points)).toBeCloseTo(1.75, 12);
  });
});

describe('goals', () => {
  test.each([
    ['P1', 1.6, 'aim'],
    ['P1', 1.2, 'must'],
    ['P1', 1.1, 'missed'],
    ['P7', 0.004, 'aim'],
    ['P7', 0.01, 'must'],
    ['P7', 0.03, 'missed'],
  ] as const)('%s of %d is %s', (key, value, reached) => {
    expect(figureOf(key, 'ti65', value).reached).toBe(reached);
  });

  test('a case that a goal does not speak of is reported without a verdict', () => {
    expect(figureOf('P4', 'ti65', 0.99, { isBound: false })).toMatchObject({ value: 0.99, must: null, reached: null });
  });

  test('P13 has an aim only: short of it is no failure', () => {
    expect(figureOf('P13', 'ti65', 0.1).reached).toBeNull();
    expect(figureOf('P13', 'ti65', 0.6).reached).toBe('aim');
  });
});
