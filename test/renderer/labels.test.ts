/** Labels and marks of a chart that would lie on curves or on each other. */
import { describe, expect, it } from 'vitest';
import { freePlace } from '../../renderer/charts/labelPlace.ts';
import { verdictMarks } from '../../renderer/charts/verdictMarks.ts';

describe('a label', () => {
  const area = { left: 0, right: 200, top: 0, bottom: 100 };
  const below = { left: 10, right: 60, top: 40, bottom: 54 };
  const above = { left: 10, right: 60, top: 10, bottom: 24 };
  const line = (...pixels: [number, number][]) => pixels.map(([x, y]) => ({ x, y }));

  it('takes the first place that no curve crosses, also between two far points of one', () => {
    expect(freePlace([below, above], [], area)).toBe(below);
    expect(freePlace([below, above], [line([0, 90], [30, 47])], area)).toBe(above);
    expect(freePlace([below, above], [line([0, 30], [200, 100])], area)).toBe(above);
    expect(freePlace([below, above], [line([0, 20], [200, 20])], area)).toBe(below);
    expect(freePlace([below, above], [line([35, 0], [35, 30])], area)).toBe(below);
  });

  it('takes the least crossed one when none is free, and none outside the plot', () => {
    const upright = line([35, 0], [35, 100]);
    expect(freePlace([below, above], [upright, line([0, 47], [200, 47])], area)).toBe(above);
    expect(freePlace([{ ...below, right: 201 }, above], [upright], area)).toBe(above);
    expect(freePlace([{ ...below, bottom: 101 }], [], area)).toBeNull();
  });

  it('is not held off by a gap in a curve', () => {
    expect(freePlace([below, above], [line([0, 47], [Number.NaN, Number.NaN], [200, 47])], area)).toBe(below);
  });
});

describe('marks of verdicts', () => {
  const marks = (verdicts: string, pixels: number, gap = 11): string =>
    verdictMarks(
      [0, verdicts.length],
      (i) => verdicts[i] === 'y',
      (i) => i * pixels,
      gap,
    )
      .map((i) => `${verdicts[i]}${i}`)
      .join(' ');

  it('are all there where there is room, and thinned where there is none', () => {
    expect(marks('nnny', 12)).toBe('n0 n1 n2 y3');
    expect(marks('nnnnnnn', 4)).toBe('n0 n3 n6');
  });

  it('never leave out the one that passed, however crowded', () => {
    expect(marks('nnnnnnny', 8)).toBe('n0 n2 n4 y7');
    expect(marks('nnnny', 2)).toBe('y4');
    expect(marks('nnynnnnnn', 12)).toBe('n0 n1 y2 n3 n4 n5 n6 n7 n8');
  });

  it('of nothing are none', () => expect(marks('', 10)).toBe(''));
});
