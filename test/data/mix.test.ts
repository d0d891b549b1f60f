/** Mixup, CutMix and soft targets: sums, partners, shares and distributions. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../main/core/random.ts';
import { type MixInput, mixBatch, softTargets } from '../../main/data/mix.ts';
import { dataSettings } from './dataConfig.ts';

const layout = { imageSize: 8, patchSize: 4, channels: 2 };
const SIZE = 8 * 8 * 2;

/** Image i is filled with i, label i mod 3. */
function batchOf(count: number): MixInput {
  return {
    patches: Float32Array.from({ length: count * SIZE }, (_, i) => Math.floor(i / SIZE)),
    labels: Int32Array.from({ length: count }, (_, i) => i % 3),
    layout,
    classes: 3,
  };
}

const rowSums = (targets: Float32Array): number[] =>
  Array.from({ length: targets.length / 3 }, (_, i) => targets.subarray(i * 3, i * 3 + 3).reduce((a, b) => a + b, 0));

describe('soft targets', () => {
  it('spread the smoothing over all classes as timm does', () => {
    const targets = softTargets(Int32Array.from([1]), { classes: 4, smoothing: 0.2, own: 1 });
    expect([...targets].map((value) => +value.toFixed(6))).toEqual([0.05, 0.85, 0.05, 0.05]);
  });

  it('share between partners, and give the whole when both have one label', () => {
    const targets = softTargets(Int32Array.from([0, 2, 0]), { classes: 3, smoothing: 0, own: 0.75 });
    expect([...targets]).toEqual([1, 0, 0, 0, 0, 1, 1, 0, 0]);
    expect([...softTargets(Int32Array.from([0, 1]), { classes: 2, smoothing: 0, own: 0.75 })]).toEqual([0.75, 0.25, 0.25, 0.75]);
  });
});

describe('mixing a batch', () => {
  it('keeps every target row at sum 1 and every value between its partners', () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.integer({ min: 1, max: 7 }),
        fc.constantFrom(0, 0.2, 1),
        fc.constantFrom(0, 0.8),
        (seed, count, mixup, cutmix) => {
          const batch = batchOf(count);
          const settings = dataSettings({ mixupAlpha: mixup, cutmixAlpha: cutmix, labelSmoothing: 0.1 });
          for (const sum of rowSums(mixBatch(batch, settings, randomStream(seed, 'mix')))) expect(sum).toBeCloseTo(1, 5);
          const between = batch.patches.every((value, i) => {
            const own = Math.floor(i / SIZE);
            const partner = count - 1 - own;
            return value >= Math.min(own, partner) && value <= Math.max(own, partner);
          });
          expect(between).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('changes nothing when both are off', () => {
    const batch = batchOf(5);
    mixBatch(batch, dataSettings(), randomStream(1, 'mix'));
    expect(batch.patches).toEqual(batchOf(5).patches);
  });

  it('by mixup uses one λ for the batch, and the same in pixels and targets', () => {
    const batch = batchOf(4);
    const targets = mixBatch(batch, dataSettings({ mixupAlpha: 1, labelSmoothing: 0 }), randomStream(3, 'mix'));
    const lambda = 1 - (batch.patches[0] as number) / 3; // image 0 is 0, its partner 3
    expect(batch.patches[SIZE]).toBeCloseTo(lambda * 1 + (1 - lambda) * 2, 5);
    expect(targets[1 * 3 + 1]).toBeCloseTo(lambda, 5); // sample 1 has label 1, its partner label 2
    expect(targets[1 * 3 + 2]).toBeCloseTo(1 - lambda, 5);
  });

  it('by CutMix exchanges one box, whose area is the share of the targets', () => {
    for (let seed = 0; seed < 50; seed++) {
      const batch = batchOf(4);
      const targets = mixBatch(batch, dataSettings({ cutmixAlpha: 1, labelSmoothing: 0 }), randomStream(seed, 'mix'));
      const foreign = batch.patches.subarray(SIZE, 2 * SIZE).filter((value) => value === 2).length / SIZE;
      expect(targets[1 * 3 + 1]).toBeCloseTo(1 - foreign, 6);
      expect(targets[1 * 3 + 2]).toBeCloseTo(foreign, 6);
    }
  });

  it('takes mixup and CutMix equally often when both are on, and λ has the mean ½ of its distribution', () => {
    let cut = 0;
    let sum = 0;
    const runs = 2000;
    for (let seed = 0; seed < runs; seed++) {
      const batch = {
        ...batchOf(2),
        layout: { imageSize: 2, patchSize: 1, channels: 1 },
        patches: Float32Array.from([0, 0, 0, 0, 1, 1, 1, 1]),
      };
      const random = randomStream(seed, 'mix');
      const [own = 0] = mixBatch(batch, dataSettings({ mixupAlpha: 1, cutmixAlpha: 1, labelSmoothing: 0 }), random);
      const isCut = batch.patches.every((value) => value === 0 || value === 1);
      if (isCut) cut++;
      else sum += own;
    }
    // Standard deviations: √(¼/2000) = 0.011 and √(1/12/1000) = 0.009; five of them.
    expect(Math.abs(cut / runs - 0.5)).toBeLessThan(0.056);
    expect(Math.abs(sum / (runs - cut) - 0.5)).toBeLessThan(0.046);
  });
});
