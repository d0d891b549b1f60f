// @vitest-environment ../support/pageEnvironment.ts
import { beforeAll, expect, it } from 'vitest';
import type { Comparison } from '../../main/protocol/comparison.ts';
import { setLocale } from '../../renderer/format.ts';
import { FIGURE_ROWS, figureCell } from '../../renderer/views/compare/figures.ts';

beforeAll(() => setLocale('en-US'));

it('a difference of shares is said in points, not in percent of a percent', () => {
  const row = FIGURE_ROWS.find(({ figure }) => figure === 'trainableShare');
  const group = {
    figures: { trainableShare: { mean: 100, std: null, n: 1 } },
    againstFirst: { figures: { trainableShare: { mean: 90.2, std: null, n: 1, isWithinSpread: null } } },
  };
  const comparison = { groups: [group] } as unknown as Comparison;
  expect(row && figureCell(comparison, { grouped: true, place: 0 }, row)).toEqual({
    text: '100.0 % (n = 1)',
    note: '+90.2 points, no spread known',
  });
});
