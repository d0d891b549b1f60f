import fc from 'fast-check';
import { expect, test } from 'vitest';
import { liveRecords, newestSegment, type SegmentStart } from '../../main/store/lineage.ts';

test('a run that was never interrupted has no abandoned records', () => {
  expect(liveRecords([])({ segment: 0, step: 1e9 })).toBe(true);
  expect(newestSegment([])).toBe(0);
});

test('without undone undos the rule is that of method.md: earlier segments past a start are abandoned', () => {
  // Each segment starts at a step some live checkpoint has; that checkpoint was written by the newest live segment that reached it.
  const history = fc.array(fc.nat({ max: 30 }), { maxLength: 6 });
  fc.assert(
    fc.property(history, fc.nat({ max: 6 }), fc.nat({ max: 60 }), (steps, segment, step) => {
      const starts: SegmentStart[] = [];
      for (const [index, start] of steps.entries()) {
        const isLive = liveRecords(starts);
        const from = [...Array(index + 1).keys()].reverse().find((candidate) => {
          const begin = starts.find((known) => known.segment === candidate)?.step ?? -1;
          return start > begin && isLive({ segment: candidate, step: start });
        });
        starts.push({ segment: index + 1, step: start, fromSegment: from ?? 0 });
      }
      fc.pre(segment <= steps.length);
      const begin = starts.find((known) => known.segment === segment)?.step ?? -1;
      fc.pre(step > begin);
      const abandoned = starts.some((later) => later.segment > segment && step > later.step);
      expect(liveRecords(starts)({ segment, step })).toBe(!abandoned);
    }),
  );
});

test('a journal that names a segment as its own ancestor does not hang', () => {
  const isLive = liveRecords([{ segment: 1, step: 5, fromSegment: 1 }]);
  expect(isLive({ segment: 1, step: 6 })).toBe(true);
});
