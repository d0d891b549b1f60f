// @vitest-environment ../support/pageEnvironment.ts
import { beforeEach, expect, it, vi } from 'vitest';
import type { TrashedRun } from '../../main/protocol/results.ts';
import { Notices } from '../../renderer/state/notices.svelte.ts';
import { Trash } from '../../renderer/state/trash.svelte.ts';
import { type FakeApi, fakeApi } from './fakeApi.ts';

function run(name: string, more: Partial<TrashedRun> = {}): TrashedRun {
  const dates = { trashedAt: '2026-11-01T00:00:00Z', goesAt: '2026-12-01T00:00:00Z' };
  return { folder: `${name}-folder`, runId: name, name, bytes: 2 ** 20, ...dates, blocked: null, ...more };
}

let api: FakeApi;
let notices: Notices;
let trash: Trash;

beforeEach(async () => {
  api = fakeApi({ 'trash:list': () => [run('alpha'), run('beta', { blocked: 'in use' })] });
  notices = new Notices();
  trash = new Trash(api, notices);
});

it('is read when it is looked at and whenever runs change, until it is stopped', async () => {
  expect(trash.runs).toBeNull();
  const stop = trash.start();
  await vi.waitFor(() => expect(trash.runs).toHaveLength(2));
  expect(trash.bytes).toBe(2 ** 21);
  expect(trash.removable.map(({ name }) => name)).toEqual(['alpha']);
  api.answers['trash:list'] = () => [];
  api.push('runs:changed', { runIds: ['alpha'] });
  await vi.waitFor(() => expect(trash.runs).toEqual([]));
  stop();
  expect(api.listeners).toBe(0);
});

it('names what it restores and deletes by folder, and reads again', async () => {
  await trash.restore(run('alpha'));
  await trash.remove([run('alpha'), run('beta')]);
  await trash.remove([]);
  const asked = api.asked.filter(({ name }) => name !== 'trash:list');
  expect(asked).toEqual([
    { name: 'trash:restore', arg: { folder: 'alpha-folder' } },
    { name: 'trash:delete', arg: { folders: ['alpha-folder', 'beta-folder'] } },
  ]);
  expect(api.asked.filter(({ name }) => name === 'trash:list')).toHaveLength(2);
  expect(notices.toasts.map(({ text }) => text.replaceAll('\u00a0', ' '))).toEqual(['Restored alpha.', 'Deleted 2 runs for good, 2 MiB.']);
});

it('that fails says so, is not busy any more, and confirms nothing', async () => {
  api.answers['trash:delete'] = () => {
    throw new Error('permission denied');
  };
  const removing = trash.remove([run('alpha')]);
  expect(trash.busy).toBe(true);
  await removing;
  expect([trash.busy, notices.toasts, notices.errors.map(({ text }) => text)]).toEqual([false, [], ['permission denied']]);
});

it('that cannot be read says why, until it can', async () => {
  const answer = api.answers['trash:list'];
  api.answers['trash:list'] = () => {
    throw new Error('no such disk');
  };
  await trash.load();
  expect([trash.problem, trash.runs]).toEqual(['no such disk', null]);
  if (answer) api.answers['trash:list'] = answer;
  await trash.load();
  expect([trash.problem, trash.runs?.length]).toEqual(['', 2]);
});
