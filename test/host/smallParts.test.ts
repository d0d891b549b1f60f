/** Thinning, edits read back from the journal, and when to stop trying. */
import { describe, expect, it } from 'vitest';
import { CrashPolicy } from '../../main/host/crashPolicy.ts';
import { thinMetrics } from '../../main/host/thinMetrics.ts';
import type { EventRecord, MetricsRecord } from '../../main/protocol/records.ts';
import { currentConfig } from '../../main/store/currentConfig.ts';
import { tinyConfig } from '../support/tinyConfig.ts';

const metrics = (losses: (number | null)[]): MetricsRecord[] => losses.map((loss, step) => ({ step, loss }) as MetricsRecord);

describe('thinned metrics', () => {
  it('are left alone when they are few', () => {
    const few = metrics([3, 2, 1]);
    expect(thinMetrics(few, 3)).toEqual(few);
  });

  it('keep every peak and every missing value, in order', () => {
    const losses: (number | null)[] = Array.from({ length: 1000 }, (_, i) => 1 + (i % 7) / 10);
    losses[333] = 50;
    losses[700] = null;
    losses[701] = Number.NaN;
    const thinned = thinMetrics(metrics(losses), 100);
    expect(thinned.length).toBeLessThanOrEqual(102);
    expect(thinned.map(({ step }) => step)).toEqual(expect.arrayContaining([333, 700, 701]));
    expect(thinned).toEqual([...thinned].sort((a, b) => a.step - b.step));
  });
});

describe('the config a run trains with now', () => {
  const event = (kind: string, detail: Record<string, unknown>): EventRecord => ({
    kind,
    step: 1,
    segment: 0,
    time: '',
    by: 'user',
    detail,
  });

  it('is the created one with the edits of the journal in order', () => {
    const created = tinyConfig();
    const edits = [
      event('edited', { field: 'prelora.tau', from: 1, to: 0.5 }),
      event('edited', { field: 'prelora.tau', from: 0.5, to: 0.8 }),
      event('edited', { field: 'name', from: '', to: 'new' }),
      event('undone', {}),
    ];
    const now = currentConfig(created, edits);
    expect(now).toEqual({ ...created, name: 'new', prelora: { ...created.prelora, tau: 0.8, switching: 'manual' } });
    expect(created.prelora.tau).toBe(1);
  });

  it('takes nothing from a journal that names no field', () => {
    const created = tinyConfig();
    const odd = ['__proto__.polluted', 'constructor', 'prelora.nothing'].map((field) => event('edited', { field, to: 1 }));
    expect(currentConfig(created, odd)).toEqual(created);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
});

describe('crashes', () => {
  it('stop the tries at the third within five minutes', () => {
    const policy = new CrashPolicy();
    expect([0, 60_000, 299_999].map((time) => policy.record(time))).toEqual([true, true, false]);
  });

  it('further apart do not', () => {
    const policy = new CrashPolicy();
    expect([0, 200_000, 300_000, 500_000].map((time) => policy.record(time))).toEqual([true, true, true, true]);
  });
});
