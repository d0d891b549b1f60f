/** method.md sections 1 and 3: durations, TV8, and the edits of a running schedule. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { durationSteps, stepsPerEpoch } from '../../main/core/duration.ts';
import { type LrSchedule, lrMultiplier } from '../../main/core/schedule.ts';

describe('durations', () => {
  it('counts whole batches with dropLast and all batches without', () => {
    expect(stepsPerEpoch(1000, 128, true)).toBe(7);
    expect(stepsPerEpoch(1000, 128, false)).toBe(8);
    expect(stepsPerEpoch(1024, 128, false)).toBe(8);
    expect(stepsPerEpoch(1_281_167, 4096, true)).toBe(312);
    expect(stepsPerEpoch(100, 128, true)).toBe(0);
  });

  it.each([
    [140, 140],
    [0, 0],
    ['0ep', 0],
    ['2ep', 14],
    ['0.5ep', 4],
    ['0.01ep', 1],
    ['1e-1ep', 1],
  ] as const)('%s at 7 steps per epoch is %i steps', (duration, steps) => {
    expect(durationSteps(duration, 7)).toBe(steps);
  });
});

const TV8: LrSchedule = { lrWarmupSteps: 10, totalSteps: 110, lrFloor: 0, lrRampSteps: 10, freezeStep: null };

describe('the learning-rate schedule', () => {
  it.each([
    [0, 0],
    [5, 0.5],
    [10, 1],
    [11, 0.999753280183],
    [35, 0.853553390593],
    [60, 0.5],
    [85, 0.146446609407],
    [110, 0],
  ])('TV8: step %i has multiplier %f', (step, expected) => {
    expect(Math.abs(lrMultiplier(step, TV8) - expected)).toBeLessThan(1e-11);
  });

  it.each([
    [60, 0],
    [61, 0.048429462046],
    [65, 0.21089138374],
    [70, 0.345491502813],
    [71, 0.330631039877],
    [85, 0.146446609407],
  ])('TV8: after a freeze at 60, step %i has multiplier %f', (step, expected) => {
    expect(Math.abs(lrMultiplier(step, { ...TV8, freezeStep: 60 }) - expected)).toBeLessThan(1e-11);
  });

  it('has no factor after the freeze when the ramp is off', () => {
    expect(lrMultiplier(61, { ...TV8, freezeStep: 60, lrRampSteps: 0 })).toBe(lrMultiplier(61, TV8));
  });

  it('begins with lr/W at the first update and at full lr without a warm-up', () => {
    expect(lrMultiplier(1, TV8)).toBe(0.1);
    expect(lrMultiplier(0, { ...TV8, lrWarmupSteps: 0 })).toBe(1);
  });

  it('ends at the floor', () => {
    expect(lrMultiplier(110, { ...TV8, lrFloor: 0.1 })).toBeCloseTo(0.1, 12);
  });

  it('continues the cosine from where it is when epochs are added', () => {
    const edited: LrSchedule = { ...TV8, extensions: [{ atStep: 60, totalSteps: 260, mode: 'continue' }] };
    expect(lrMultiplier(60, edited)).toBe(lrMultiplier(60, TV8));
    // 0.5 · ½(1 + cos(π · 100 / 200))
    expect(lrMultiplier(160, edited)).toBeCloseTo(0.25, 12);
    expect(lrMultiplier(260, edited)).toBeCloseTo(0, 12);
  });

  it('recomputes the formula with the new end, or holds the rate', () => {
    const recomputed: LrSchedule = { ...TV8, extensions: [{ atStep: 60, totalSteps: 210, mode: 'recompute' }] };
    expect(lrMultiplier(110, recomputed)).toBeCloseTo(0.5, 12);
    const held: LrSchedule = { ...TV8, extensions: [{ atStep: 85, totalSteps: 210, mode: 'hold' }] };
    expect(lrMultiplier(86, held)).toBe(lrMultiplier(85, TV8));
    expect(lrMultiplier(210, held)).toBe(lrMultiplier(85, TV8));
  });

  it('goes on rising when epochs are added during the ramp', () => {
    const edited: LrSchedule = { ...TV8, extensions: [{ atStep: 0, totalSteps: 210, mode: 'continue' }] };
    expect(lrMultiplier(5, edited)).toBe(0.5);
    expect(lrMultiplier(110, edited)).toBeCloseTo(0.5, 12);
  });

  it('lets a second edit start from the first', () => {
    const first = { atStep: 60, totalSteps: 260, mode: 'continue' } as const;
    const twice: LrSchedule = { ...TV8, extensions: [first, { atStep: 160, totalSteps: 360, mode: 'continue' }] };
    expect(lrMultiplier(100, twice)).toBe(lrMultiplier(100, { ...TV8, extensions: [first] }));
    expect(lrMultiplier(260, twice)).toBeCloseTo(0.125, 12);
  });

  it('is continuous across an edit that continues or holds, and stays in [0, 1]', () => {
    const edits = fc.record({
      warmup: fc.integer({ min: 0, max: 99 }),
      floor: fc.double({ min: 0, max: 1, noNaN: true }),
      after: fc.integer({ min: 0, max: 300 }),
      longer: fc.integer({ min: 10, max: 400 }),
      mode: fc.constantFrom('continue' as const, 'hold' as const),
    });
    fc.assert(
      fc.property(edits, ({ warmup, floor, after, longer, mode }) => {
        const atStep = warmup + after;
        const plain: LrSchedule = { lrWarmupSteps: warmup, totalSteps: 400, lrFloor: floor, lrRampSteps: 0, freezeStep: null };
        const edited: LrSchedule = { ...plain, extensions: [{ atStep, totalSteps: atStep + longer, mode }] };
        expect(lrMultiplier(atStep, edited)).toBe(lrMultiplier(atStep, plain));
        // The steepest a cosine over `longer` steps can be.
        const steepest = Math.PI / 2 / longer;
        for (const step of [1, 2, longer - 1, longer].map((offset) => atStep + offset)) {
          const value = lrMultiplier(step, edited);
          expect(value).toBeGreaterThanOrEqual(-1e-12);
          expect(value).toBeLessThanOrEqual(1 + 1e-12);
          expect(Math.abs(value - lrMultiplier(step - 1, edited))).toBeLessThanOrEqual(steepest + 1e-9);
        }
      }),
    );
  });
});
