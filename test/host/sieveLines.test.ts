/** Lines of metrics thinned before they are parsed: what thinning after parsing would keep, and every line that must be looked at. */
import { describe, expect, it } from 'vitest';
import { sieveLines, stretchFor } from '../../main/host/sieveLines.ts';
import { thinMetrics } from '../../main/host/thinMetrics.ts';
import type { MetricsRecord } from '../../main/protocol/records.ts';

const record = (step: number, loss: unknown, segment = 0): MetricsRecord =>
  ({ step, epoch: 0.5, phase: 'full', segment, loss, lr: 0.1, gradNorm: 1 }) as MetricsRecord;
const textOf = (records: readonly MetricsRecord[]): string => records.map((one) => `${JSON.stringify(one)}\n`).join('');
const linesOf = (text: string): string[] => text.split('\n').filter(Boolean);
const stepsOf = (text: string): number[] => linesOf(text).map((line) => (JSON.parse(line) as MetricsRecord).step);

describe('a sieve of lines', () => {
  it('lets all pass when they are few', () => {
    const text = textOf([record(1, 3), record(2, 2), record(3, 1)]);
    expect(sieveLines(text, stretchFor(3))).toBe(text);
  });

  it('keeps what thinning keeps', () => {
    const records = Array.from({ length: 1000 }, (_, i) => record(i, Math.sin(i * 12.9898)));
    const kept = sieveLines(textOf(records), stretchFor(1000, 100));
    expect(stepsOf(kept)).toEqual(thinMetrics(records, 100).map(({ step }) => step));
    expect(stepsOf(kept)).toHaveLength(100);
  });

  it('keeps losses that are no finite numbers', () => {
    const odd: Record<number, unknown> = { 50: null, 51: 'NaN', 52: 'Infinity' };
    const records = Array.from({ length: 100 }, (_, i) => record(i, i in odd ? odd[i] : 1 + (i % 7)));
    expect(stepsOf(sieveLines(textOf(records), 20))).toEqual(expect.arrayContaining([50, 51, 52]));
  });

  it('keeps lines that are cut off or no records, for whoever parses them to say so', () => {
    const good = textOf(Array.from({ length: 40 }, (_, i) => record(i, i)));
    const bad = ['rubbish', '{"step":9,"loss":1,"segment":0,"epo', '{"loss":3,"segment":0}'];
    expect(linesOf(sieveLines(`${good}${bad.join('\n')}\n${good}`, 20))).toEqual(expect.arrayContaining(bad));
  });

  it('mixes no two segments: lines that were abandoned hide none that count', () => {
    const records = [5, 4, 1, 9, 2, 3].map((loss, i) => record(i, loss, i < 3 ? 0 : 1));
    expect(stepsOf(sieveLines(textOf(records), 6))).toEqual([0, 2, 3, 4]);
  });
});
