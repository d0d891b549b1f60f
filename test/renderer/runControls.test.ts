// @vitest-environment ../support/pageEnvironment.ts
import { beforeEach, expect, it, vi } from 'vitest';
import type { RunConfig } from '../../main/protocol/config.ts';
import { Notices } from '../../renderer/state/notices.svelte.ts';
import { RunControls, type SteeredRun } from '../../renderer/state/runControls.svelte.ts';
import { type FakeApi, fakeApi } from './fakeApi.ts';

let api: FakeApi;
let notices: Notices;
let run: SteeredRun & { live: boolean };
let controls: RunControls;

beforeEach(() => {
  api = fakeApi();
  notices = new Notices();
  const config = { train: { lr: 0.001 }, prelora: { tau: 1 } } as RunConfig;
  run = { runId: 'r', live: true, summary: { config }, proposal: null, catchUp: vi.fn(async () => {}), closeProposal: vi.fn() };
  controls = new RunControls(run, api, notices);
});

const edits = (): unknown[] => api.asked.filter(({ name }) => name === 'run:edit').map(({ arg }) => arg);

it('offers the inverse of an edit', async () => {
  await controls.edit({ 'train.lr': 0.0005, 'prelora.tau': 2 });
  expect(notices.undoNewest()).toBe(true);
  expect(edits()[1]).toEqual({ runId: 'r', changes: { 'train.lr': 0.001, 'prelora.tau': 1 } });
});

it('says why the inverse was refused', async () => {
  await controls.edit({ 'train.lr': 0.0005 });
  api.answers['run:edit'] = () => {
    throw new Error('the run has ended');
  };
  notices.undoNewest();
  await vi.waitFor(() => expect(notices.errors.map(({ text }) => text)).toEqual(['the run has ended']));
});

it('an edit that was refused confirms nothing', async () => {
  api.answers['run:edit'] = () => {
    throw new Error('train.lr must be above 0');
  };
  expect(await controls.edit({ 'train.lr': 0 })).toBe(false);
  expect([notices.toasts.length, notices.errors.length]).toEqual([0, 1]);
});

it('waits for a live run to say what became of a request', async () => {
  await controls.pause();
  expect(controls.pending).toBe('Pausing after this step');
  expect(run.catchUp).not.toHaveBeenCalled();
  controls.settle();
  expect(controls.pending).toBeNull();
});

it('asks a run at rest for its records, because no frame will tell', async () => {
  run.live = false;
  await controls.resume();
  expect(controls.pending).toBeNull();
  expect(run.catchUp).toHaveBeenCalledOnce();
});

it('stops waiting when a request is refused', async () => {
  api.answers['run:stop'] = () => {
    throw new Error('the trainer is gone');
  };
  expect(await controls.stop()).toBe(false);
  expect(controls.pending).toBeNull();
});

it('a veto that was refused leaves the proposal', async () => {
  Object.assign(run, { proposal: { step: 5, dueStep: null } });
  api.answers['switch:veto'] = () => {
    throw new Error('too late');
  };
  await controls.veto();
  expect(run.closeProposal).not.toHaveBeenCalled();
});

it('brings a discarded run back from the trash', async () => {
  await controls.discard();
  notices.undoNewest();
  expect(api.asked.at(-1)).toEqual({ name: 'runs:restore', arg: { runId: 'r' } });
});
