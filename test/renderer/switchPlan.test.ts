// @vitest-environment ../support/pageEnvironment.ts
import { beforeEach, expect, it, vi } from 'vitest';
import { Notices } from '../../renderer/state/notices.svelte.ts';
import { SwitchPlan } from '../../renderer/state/switchPlan.svelte.ts';
import { type FakeApi, fakeApi } from './fakeApi.ts';

const COMPUTED: Record<string, number> = { 'blocks.0.attn.q': 8, 'blocks.0.attn.k': 4 };

/** The engine's answer: computed ranks with the overrides on top. */
function preview({ settings }: { settings: { rankOverrides?: Record<string, number> } }) {
  const modules = Object.entries({ ...COMPUTED, ...settings.rankOverrides }).map(([module, rank]) => ({ module, rank }));
  return { step: 100, passes: false, words: '', problem: null, ranks: { modules }, now: {}, warmup: null, lora: null };
}

let api: FakeApi;
let plan: SwitchPlan;

beforeEach(async () => {
  api = fakeApi({ 'switch:preview': preview, 'switch:trial': () => ({ now: { totalBytes: 1 }, lora: { totalBytes: 2 } }) });
  plan = new SwitchPlan('r', api, new Notices());
  plan.start({}, null);
  await vi.waitFor(() => expect(plan.preview).not.toBeNull());
});

it('switches with exactly the ranks on the table', async () => {
  plan.setRank(['blocks.0.attn.q'], 32);
  await vi.waitFor(() => expect(plan.ranks['blocks.0.attn.q']).toBe(32));
  await plan.confirm();
  expect(api.asked.find(({ name }) => name === 'switch:now')?.arg).toEqual({ runId: 'r', ranks: { ...COMPUTED, 'blocks.0.attn.q': 32 } });
});

it('takes a rank back to computed, and 0 as no adapter', async () => {
  plan.setRank(['blocks.0.attn.q'], 0);
  await vi.waitFor(() => expect(plan.ranks['blocks.0.attn.q']).toBe(0));
  plan.setRank(['blocks.0.attn.q'], null);
  await vi.waitFor(() => expect(plan.ranks).toEqual(COMPUTED));
  expect(plan.overrides).toEqual({});
});

it('undoes overrides and budget one by one', async () => {
  plan.setRank(['blocks.0.attn.q'], 32);
  plan.setBudget(10);
  plan.undo();
  expect(plan.budget).toBeNull();
  expect(plan.overrides).toEqual({ 'blocks.0.attn.q': 32 });
  plan.undo();
  expect(plan.overrides).toEqual({});
});

it('drops a trial that was of other ranks', async () => {
  await plan.measure();
  expect(plan.trialState).toBe('done');
  plan.setRank(['blocks.0.attn.k'], 16);
  expect(plan.trial).toBeNull();
});

it('keeps the estimate when a trial fails, and says why', async () => {
  api.answers['switch:trial'] = () => {
    throw new Error('the device has no memory for a copy');
  };
  await plan.measure();
  expect(plan.trialState).toBe('failed');
  expect(plan.trialProblem).toContain('no memory');
  expect(plan.preview).not.toBeNull();
});
