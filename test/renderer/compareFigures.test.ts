// @vitest-environment ../support/pageEnvironment.ts
import { beforeAll, expect, it } from 'vitest';
import type { ComparedGroup, Comparison } from '../../main/protocol/comparison.ts';
import { setLocale } from '../../renderer/format.ts';
import { FIGURE_ROWS, type FigureCell, figureCell } from '../../renderer/views/compare/figures.ts';
import { spaced } from './spaced.ts';

beforeAll(() => setLocale('en-US'));

const readable = ({ text, note }: FigureCell): FigureCell => ({ text: spaced(text), note: spaced(note) });

it('a difference of shares is said in points, not in percent of a percent', () => {
  const row = FIGURE_ROWS.find(({ figure }) => figure === 'trainableShare');
  const group = {
    figures: { trainableShare: { mean: 100, std: null, n: 1 } },
    againstFirst: { figures: { trainableShare: { mean: 90.2, std: null, n: 1, isWithinSpread: null } } },
  };
  const comparison = { groups: [group] } as unknown as Comparison;
  expect(row && readable(figureCell(comparison, { grouped: true, place: 0 }, row))).toEqual({
    text: '100.0 % (n = 1)',
    note: '+90.2 points, no spread known',
  });
});

const speed = FIGURE_ROWS.find(({ figure }) => figure === 'fullImagesPerSecond')!;

function cells(...groups: Pick<ComparedGroup, 'figures' | 'againstFirst'>[]) {
  const comparison = { groups } as unknown as Comparison;
  return groups.map((_, place) => readable(figureCell(comparison, { grouped: true, place }, speed)));
}

const group = (mean: number, std: number | null, difference: { mean: number; isWithinSpread: boolean | null } | null) =>
  ({
    figures: { fullImagesPerSecond: { mean, std, n: std === null ? 1 : 2 } },
    againstFirst: difference && { isPaired: false, figures: { fullImagesPerSecond: { ...difference, std: null, n: 1 } } },
  }) as unknown as ComparedGroup;

it('says of a single seed that no spread is known: in the first group, beside a difference, and where both are equal', () => {
  expect(cells(group(1240, null, null), group(1260, null, { mean: 20, isWithinSpread: null }))).toEqual([
    { text: '1,240 img/s (n = 1)', note: 'no spread known' },
    { text: '1,260 img/s (n = 1)', note: '+20 img/s, no spread known' },
  ]);
  expect(cells(group(1240, 2, null), group(1240, null, { mean: 0, isWithinSpread: null }))[1]?.note).toBe('equal, no spread known');
});

it('weighs a difference against the spread where there is one', () => {
  const [first, near, far] = cells(
    group(1240, 3, null),
    group(1241, 3, { mean: 1, isWithinSpread: true }),
    group(1300, 3, { mean: 60, isWithinSpread: false }),
  );
  expect([first?.text, first?.note]).toEqual(['1,240 ± 3 img/s (n = 2)', '']);
  expect([near?.note, far?.note]).toEqual(['+1 img/s, within the spread', '+60 img/s, more than the spread']);
});
