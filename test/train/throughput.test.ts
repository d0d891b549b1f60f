/** How fast a phase runs: what a pause, an hour of sleep or a jump of the clock in one step must not move. */
import { describe, expect, test } from 'vitest';
import { Throughput } from '../../main/train/throughput.ts';

const HOUR_MS = 3_600_000;

/** After two steps that do not count, steps of `ms` with 32 images each. */
function measured(ms: readonly number[]): Throughput {
  const throughput = new Throughput();
  for (const one of [900, 700, ...ms]) throughput.add(one, 32);
  return throughput;
}
const steady = (count: number, ms = 100): number[] => Array.from({ length: count }, () => ms);

describe('throughput', () => {
  test('leaves out the first two steps of a phase, and is unknown before the third', () => {
    expect(measured([])).toMatchObject({ stepMsMedian: null, imagesPerSecond: null, recentStepMs: null });
    expect(measured([100])).toMatchObject({ stepMsMedian: 100, imagesPerSecond: 320 });
  });

  test('says nothing of the time left for 20 steps, then by the last hundred', () => {
    expect(measured(steady(19)).recentStepMs).toBeNull();
    expect(measured(steady(20)).recentStepMs).toBe(100);
    expect(measured([...steady(200, 400), ...steady(100, 100)]).recentStepMs).toBe(100);
  });

  test('is not moved by a step through which the machine slept for an hour, nor by one that a clock measured backwards', () => {
    const slept = measured([...steady(60), HOUR_MS, ...steady(60), -HOUR_MS, ...steady(60)]);
    expect(slept).toMatchObject({ stepMsMedian: 100, imagesPerSecond: 320, recentStepMs: 100 });
  });
});
