/** method.md section 7: TV1, TV2, TV12, the rules near zero, and the sentence that says why. */
import { describe, expect, it } from 'vitest';
import { type ConvergenceSettings, pushSnapshot, testPartialConvergence } from '../../main/core/convergence.ts';
import { percentText } from '../../main/core/convergenceReport.ts';
import { le, lt, percentChange, same } from '../../main/core/equality.ts';
import { layerWeights } from '../../main/core/layerWeights.ts';
import type { ModuleName } from '../../main/core/modules.ts';
import type { SnapshotRecord } from '../../main/protocol/records.ts';
import { snapshot } from './support.ts';

const Q: ModuleName[] = ['blocks.0.attn.q', 'blocks.1.attn.q'];
const V: ModuleName[] = ['blocks.0.attn.v', 'blocks.1.attn.v'];

/** TV1: two blocks, q and v, three snapshots. */
const TV1 = [
  [10, 20, 8, 5, 4.0],
  [10.4, 20.2, 8.2, 5.05, 3.9],
  [10.5, 20.3, 8.24, 5.06, 3.861],
].map(([q0, q1, v0, v1, loss], index) =>
  snapshot(100 * (index + 1), loss as number, {
    'blocks.0.attn.q': q0 as number,
    'blocks.1.attn.q': q1 as number,
    'blocks.0.attn.v': v0 as number,
    'blocks.1.attn.v': v1 as number,
  }),
);

function settings(changes: Partial<ConvergenceSettings> = {}): ConvergenceSettings {
  return { windowSize: 3, tau: 5, zeta: 10, normMetric: 'norm', layerWeighting: 'uniform', tested: { q: Q, v: V }, ...changes };
}

describe('the convergence test', () => {
  it.each([
    [0, [4.0, 1.0, 2.5, 1.0], 2.5, 1.75, 2.5],
    [1, [0.9615384615, 0.495049505, 0.487804878, 0.198019802], 0.7282939832, 0.34291234, 1.0],
  ] as const)('TV1: comparison %i', (index, changes, q, v, loss) => {
    const pair = testPartialConvergence(TV1, settings()).comparisons[index];
    const all = pair?.families.flatMap(({ modules }) => modules.map(({ change }) => change)) ?? [];
    for (const [place, change] of changes.entries()) expect(all[place]).toBeCloseTo(change, 9);
    expect(pair?.families.map(({ family }) => family)).toEqual(['q', 'v']);
    expect(pair?.families[0]?.mean).toBeCloseTo(q, 9);
    expect(pair?.families[1]?.mean).toBeCloseTo(v, 9);
    expect(pair?.lossChange).toBeCloseTo(loss, 9);
  });

  it.each([
    [5, 10, true, true, true],
    [2.6, 2.5, true, true, true],
    [2.5, 2.5, false, true, false],
    [1, 5, false, true, false],
    [2.6, 2.49, true, false, false],
  ])('TV2: τ %f, ζ %f gives weightsOk %s, lossOk %s, passes %s', (tau, zeta, weightsOk, lossOk, passes) => {
    const report = testPartialConvergence(TV1, settings({ tau, zeta }));
    expect(report).toMatchObject({ weightsOk, lossOk, passes });
  });

  it('gives no verdict before the window is full', () => {
    const report = testPartialConvergence(TV1.slice(1), settings());
    expect(report).toMatchObject({ weightsOk: false, lossOk: false, passes: false, everyModuleBelowTau: false, snapshots: 2 });
    expect(report.comparisons).toHaveLength(1);
    expect(report.words).toBe('not yet: the window holds 2 of 3 snapshots');
    expect(testPartialConvergence([], settings()).words).toBe('not yet: the window holds 0 of 3 snapshots');
  });

  it('judges the newest windowSize snapshots', () => {
    expect(testPartialConvergence(TV1, settings({ windowSize: 2, tau: 1, zeta: 5 })).passes).toBe(true);
  });

  it('tells means from single modules', () => {
    const report = testPartialConvergence(TV1, settings({ tau: 3 }));
    expect(report.passes).toBe(true);
    expect(report.everyModuleBelowTau).toBe(false);
    expect(testPartialConvergence(TV1, settings({ tau: 4.1 })).everyModuleBelowTau).toBe(true);
  });

  it('measures distance in percent of the norm before with displacement', () => {
    const moved = TV1.map((record) => ({ ...record, modules: withDisplacement(record, 0.5) }));
    const [pair] = testPartialConvergence(moved, settings({ normMetric: 'displacement' })).comparisons;
    expect(pair?.families[0]?.modules.map(({ change }) => change)).toEqual([5, 2.5]);
  });

  it('does not take a displacement that was not recorded for a small one', () => {
    const unmeasured = TV1.map((record) => ({ ...record, modules: withDisplacement(record, null) }));
    const report = testPartialConvergence(unmeasured, settings({ normMetric: 'displacement', tau: 100 }));
    expect(report.passes).toBe(false);
    expect(report.words).toContain('q changed infinitely (steps 200 → 300), must be below τ 100 %');
  });

  it('weighs the layers of a family in block order', () => {
    const [pair] = testPartialConvergence(TV1, settings({ layerWeighting: 'linear' })).comparisons;
    expect(pair?.families[0]?.mean).toBeCloseTo((1 * 4 + 2 * 1) / 3, 12);
  });

  it('does not pass on numbers that are none', () => {
    const broken = TV1.map((record) => ({ ...record, loss: Number.NaN }));
    expect(testPartialConvergence(broken, settings({ zeta: 100 })).lossOk).toBe(false);
  });
});

function withDisplacement(record: SnapshotRecord, displacement: number | null): SnapshotRecord['modules'] {
  return Object.fromEntries(Object.entries(record.modules).map(([module, norms]) => [module, { ...norms, displacement }]));
}

describe('the window', () => {
  const limits = { windowSize: 3, minStep: 200 };

  it('holds the newest snapshots of phase full at or after minStep', () => {
    const later = { ...snapshot(400, 1), phase: 'warmup' as const };
    let window: SnapshotRecord[] = [];
    for (const record of [...TV1, later, snapshot(500, 1), snapshot(600, 1)]) window = pushSnapshot(window, record, limits);
    expect(window.map(({ step }) => step)).toEqual([300, 500, 600]);
  });

  it('waits to fill when windowSize grows, and shrinks at once', () => {
    const window = [200, 300, 400].map((step) => snapshot(step, 1));
    expect(pushSnapshot(window, snapshot(500, 1), { ...limits, windowSize: 5 })).toHaveLength(4);
    expect(pushSnapshot(window, snapshot(500, 1), { ...limits, windowSize: 2 }).map(({ step }) => step)).toEqual([400, 500]);
  });
});

describe('layer weights', () => {
  it.each([
    ['uniform', [0.25, 0.25, 0.25, 0.25]],
    ['linear', [0.1, 0.2, 0.3, 0.4]],
    ['exponential', [0.1734417344, 0.216802168, 0.27100271, 0.3387533875]],
    ['power', [0.0000091554, 0.009375104, 0.5406157406, 0.45]],
  ] as const)('TV12: %s over four layers', (weighting, expected) => {
    for (const [index, weight] of layerWeights(weighting, 4).entries()) expect(weight).toBeCloseTo(expected[index] as number, 9);
  });

  it.each([
    [12, 0.215],
    [24, 0.201],
  ])('gives the last of %i layers %f under exponential', (n, last) => {
    expect(layerWeights('exponential', n).at(-1)).toBeCloseTo(last, 3);
  });

  it.each(['uniform', 'linear', 'exponential', 'power'] as const)('sums to 1 under %s, one layer weighing 1', (weighting) => {
    expect(layerWeights(weighting, 1)).toEqual([1]);
    for (const n of [2, 3, 64]) expect(layerWeights(weighting, n).reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 12);
  });
});

describe('comparisons', () => {
  it('do not let rounding decide an equality', () => {
    const change = percentChange(4, 3.9);
    expect(change).toBeGreaterThan(2.5);
    expect(le(change, 2.5)).toBe(true);
    expect(lt(2.5 - 1e-12, 2.5)).toBe(false);
    expect(lt(2.4999, 2.5)).toBe(true);
    expect(same(1e12 + 1, 1e12)).toBe(true);
    expect(same(1e-3, 1.1e-3)).toBe(false);
  });

  it('keep to the rules near zero and at infinity', () => {
    expect(percentChange(0, 0)).toBe(0);
    expect(percentChange(1e-13, 5e-13)).toBe(0);
    expect(percentChange(0, 1)).toBe(Number.POSITIVE_INFINITY);
    expect(percentChange(1, 0)).toBe(100);
    expect(percentChange(-4, -5)).toBe(25);
    expect(percentChange(Number.NaN, 1)).toBe(Number.POSITIVE_INFINITY);
    expect(percentChange(1, Number.NaN)).toBe(Number.POSITIVE_INFINITY);
    expect(lt(Number.POSITIVE_INFINITY, 100)).toBe(false);
    expect(le(Number.NaN, 100)).toBe(false);
    expect(same(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY)).toBe(true);
  });
});

describe('the verdict in words', () => {
  it('says what passed', () => {
    expect(testPartialConvergence(TV1, settings()).words).toBe(
      'passed: all 2 families are below τ 5 % in 2 of 2 comparisons; loss change at most 2.5 % ≤ ζ 10 %',
    );
  });

  it('names each family and the loss that stand in the way, with their worst comparison', () => {
    expect(testPartialConvergence(TV1, settings({ tau: 1, zeta: 2 })).words).toBe(
      'not yet: q changed 2.5 % (steps 100 → 200), must be below τ 1 %; v changed 1.75 % (steps 100 → 200), must be below τ 1 %; ' +
        'loss changed 2.5 % (steps 100 → 200), must be at most ζ 2 %',
    );
  });

  it('never rounds a value across its threshold', () => {
    expect(percentText(0.99996, 1)).toBe('0.99996 %');
    expect(percentText(1.00004, 1)).toBe('1.00004 %');
    expect(percentText(0.87654, 1)).toBe('0.877 %');
    expect(percentText(1 + 1e-12, 1)).toBe('1 %');
  });
});
