// @vitest-environment ../support/pageEnvironment.ts
import { beforeEach, expect, it, vi } from 'vitest';
import type { UnpackedSource } from '../../main/protocol/results.ts';
import { Notices } from '../../renderer/state/notices.svelte.ts';
import { Unpacked } from '../../renderer/state/unpacked.svelte.ts';
import { type FakeApi, fakeApi } from './fakeApi.ts';

const source = (name: string): UnpackedSource => ({
  source: name,
  shards: 1,
  bytes: 2 ** 20,
  usedAt: '2026-11-01T00:00:00Z',
  blocked: null,
});

let api: FakeApi;
let notices: Notices;
let unpacked: Unpacked;

beforeEach(async () => {
  api = fakeApi({ 'storage:unpacked': () => [source('/a'), source('/b')], 'storage:removeUnpacked': () => ({ bytes: 3 * 2 ** 20 }) });
  notices = new Notices();
  unpacked = new Unpacked(api, notices);
});

it('is read at the start and whenever runs change, until it is stopped', async () => {
  const stop = unpacked.start();
  await vi.waitFor(() => expect(unpacked.sources).toHaveLength(2));
  expect(unpacked.bytes).toBe(2 ** 21);
  api.answers['storage:unpacked'] = () => [];
  api.push('runs:changed', { runIds: ['alpha'] });
  await vi.waitFor(() => expect(unpacked.sources).toEqual([]));
  stop();
  expect(api.listeners).toBe(0);
});

it('removes one folder, tells what the engine says was won, and reads again', async () => {
  const removing = unpacked.remove(source('/a'));
  expect(unpacked.busy).toBe(true);
  await removing;
  expect(api.asked).toEqual([
    { name: 'storage:removeUnpacked', arg: { sources: ['/a'] } },
    { name: 'storage:unpacked', arg: {} },
  ]);
  expect([unpacked.busy, notices.toasts[0]?.text.replaceAll('\u00a0', ' ')]).toEqual([
    false,
    'Removed 3 MiB of unpacked images. They are unpacked again when a run needs them.',
  ]);
});

it('that is refused says why and confirms nothing; that cannot be read says why', async () => {
  const fail = (words: string) => () => {
    throw new Error(words);
  };
  api.answers['storage:removeUnpacked'] = fail('a run reads it');
  api.answers['storage:unpacked'] = fail('no such disk');
  await unpacked.remove(source('/a'));
  expect([unpacked.busy, notices.toasts, notices.errors[0]?.text, unpacked.problem]).toEqual([false, [], 'a run reads it', 'no such disk']);
});
