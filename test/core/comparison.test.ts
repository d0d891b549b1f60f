/** Grouping and exact differences of runs side by side, on records made by hand. */
import { expect, test } from 'vitest';
import { compare, comparedRun } from '../../main/core/comparison.ts';
import type { EpochRecord } from '../../main/protocol/records.ts';
import { type TinyConfigInput, tinyConfig } from '../support/tinyConfig.ts';

function epoch(number: number, valTop1: number | null, seconds: number): EpochRecord {
  const blank = { trainLoss: 1, trainTop1: null, valLoss: null, valTop5: null, imagesPerSecond: null, peakMemoryBytes: null, lr: null };
  return { epoch: number, step: 2 * number, phase: 'full', segment: 0, valTop1, seconds, ...blank };
}

/** A run whose evaluations are these, each after `seconds` of training. */
function run(name: string, config: TinyConfigInput, tops: (number | null)[], seconds = 10) {
  const epochs = tops.map((top, index) => epoch(index + 1, top, seconds));
  return comparedRun({ runDir: name, config: { ...tinyConfig(config), name }, status: null, epochs, share: null, variant: null });
}

const full = (seed: number, tops: (number | null)[]) => run(`full ${seed}`, { train: { seed }, prelora: { switching: 'off' } }, tops);
const prelora = (seed: number, tops: (number | null)[]) => run(`prelora ${seed}`, { train: { seed } }, tops, 5);

test('runs that differ in nothing but the random seed are a group, in the order they came', () => {
  const { groups, differences, groupDifferences } = compare([full(0, [0.5]), prelora(0, [0.4]), full(1, [0.7]), prelora(1, [0.65])], null);
  expect(groups.map(({ label, members, seeds }) => [label, members, seeds])).toEqual([
    ['full 0', [0, 2], [0, 1]],
    ['prelora 0', [1, 3], [0, 1]],
  ]);
  expect(groups[0]?.figures.bestValTop1).toMatchObject({ mean: 0.6, n: 2 });
  expect(Object.keys(differences).sort()).toEqual(['prelora.switching', 'train.seed']);
  expect(groupDifferences).toEqual({ 'prelora.switching': ['off', 'auto'] });
});

test('equal seeds are paired, others are compared as independent groups', () => {
  const paired = compare([full(0, [0.5]), full(1, [0.7]), prelora(0, [0.4]), prelora(1, [0.6])], null).groups[1]?.againstFirst;
  expect(paired?.isPaired).toBe(true);
  expect(paired?.figures.bestValTop1?.mean).toBeCloseTo(-0.1, 12);
  expect(paired?.figures.bestValTop1?.isWithinSpread).toBe(false);
  const apart = compare([full(0, [0.5]), full(1, [0.7]), prelora(2, [0.4]), prelora(3, [0.6])], null).groups[1]?.againstFirst;
  expect(apart).toMatchObject({ isPaired: false, figures: { bestValTop1: { isWithinSpread: true } } });
});

test('best, last, at a step, at equal step and at equal time are told apart; a missing evaluation is missing, not 0', () => {
  const { runs } = compare([full(0, [0.5, 0.8, 0.6]), prelora(0, [null, 0.3, 0.4, null])], 4);
  expect(runs[0]?.figures).toMatchObject({
    bestValTop1: 0.8,
    lastValTop1: 0.6,
    valTop1AtStep: 0.8,
    valTop1AtEqualStep: 0.6,
    valTop1AtEqualTime: 0.8,
  });
  expect(runs[1]?.figures).toMatchObject({
    bestValTop1: 0.4,
    lastValTop1: 0.4,
    valTop1AtStep: 0.3,
    valTop1AtEqualStep: 0.4,
    switchStep: null,
  });
  expect(compare([prelora(0, [null])], null).groups[0]?.figures.bestValTop1).toBeNull();
});
