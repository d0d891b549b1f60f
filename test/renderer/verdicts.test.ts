// @vitest-environment ../support/pageEnvironment.ts
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { ReplayResult } from '../../main/protocol/results.ts';
import type { RunRecords } from '../../renderer/state/records.ts';
import { Verdicts } from '../../renderer/state/verdicts.svelte.ts';
import { type FakeApi, fakeApi } from './fakeApi.ts';

const ANSWER: ReplayResult = { switchStep: null, windows: [], ranks: {}, reasons: [] };
const ANSWER_MS = 100;

let api: FakeApi;
let steps: { step: number }[];
let verdicts: Verdicts;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  api = fakeApi({ replay: () => new Promise((resolve) => setTimeout(() => resolve(ANSWER), ANSWER_MS)) });
  steps = [{ step: 10 }, { step: 20 }];
  verdicts = new Verdicts('r', { snapshots: steps } as unknown as RunRecords, api);
});
afterEach(() => vi.useRealTimers());

async function answered(): Promise<void> {
  const asking = verdicts.ask();
  await vi.advanceTimersByTimeAsync(ANSWER_MS);
  await asking;
}

it('needs two snapshots', async () => {
  steps.pop();
  await verdicts.ask();
  expect(api.asked).toHaveLength(0);
});

it('asks one question at a time', async () => {
  void verdicts.ask();
  await answered();
  expect([api.asked.length, verdicts.replay]).toEqual([1, ANSWER]);
});

it('rests four times as long as an answer took', async () => {
  await answered();
  steps.push({ step: 30 });
  verdicts.askSoon();
  await vi.advanceTimersByTimeAsync(4 * ANSWER_MS - 1);
  expect(api.asked).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(api.asked).toHaveLength(2);
});

it('asks again for a snapshot that came while the engine read', async () => {
  void verdicts.ask();
  steps.push({ step: 30 });
  await vi.advanceTimersByTimeAsync(5 * ANSWER_MS);
  expect(api.asked).toHaveLength(2);
});

it('does not ask again without a new snapshot, nor after it was stopped', async () => {
  await answered();
  verdicts.askSoon();
  await vi.advanceTimersByTimeAsync(10 * ANSWER_MS);
  steps.push({ step: 30 });
  verdicts.askSoon();
  verdicts.stop();
  await vi.advanceTimersByTimeAsync(10 * ANSWER_MS);
  expect(api.asked).toHaveLength(1);
});

it('knows nothing where the engine cannot tell', async () => {
  await answered();
  api.answers.replay = () => {
    throw new Error('busy');
  };
  await answered();
  expect(verdicts.replay).toBeNull();
});
