/** What-if on snapshots that lie anywhere: the page's answer is that of `prelora replay` for the same file or folder. */
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { engineRequests } from '../../main/protocol/requests.ts';
import { connectPage, startHost } from '../support/engineHost.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { addOldRun } from './oldRun.ts';

const CLI = path.resolve(import.meta.dirname, '../../build/prelora.mjs');
const MODULES = [0, 1].flatMap((layer) =>
  ['attn.q', 'attn.k', 'attn.v', 'attn.proj', 'mlp.fc1', 'mlp.fc2'].map((name) => `blocks.${layer}.${name}`),
);

/** Norms that settle, each module a little differently. */
function snapshot(step: number): string {
  const norms = MODULES.map((module, i) => {
    const weightNorm = 10 + i - 4 / step;
    return [module, { weightNorm, gradNorm: 1 / step, displacement: 4 / step }];
  });
  return `${JSON.stringify({ step, epoch: step / 8, phase: 'full', segment: 0, loss: 2 + 1 / step, modules: Object.fromEntries(norms) })}\n`;
}

const status = {
  ...{
    runId: 'r',
    name: 'elsewhere',
    status: 'finished',
    phase: 'full',
    step: 40,
    totalSteps: 400,
    stepsPerEpoch: 8,
    epoch: 5,
    epochs: 50,
  },
  ...{ segment: 0, switchStep: null, freezeStep: null, trainableParameters: 1, totalParameters: 1, best: null, message: null },
  backend: { name: 'cpu', version: '', device: '', why: '', compiled: false },
  updatedAt: '2026-11-29T12:00:00.000Z',
};

let dir = '';
beforeEach(() => {
  dir = addOldRun(temporaryFolder(), 'elsewhere');
  writeFileSync(path.join(dir, 'snapshots.jsonl'), [1, 2, 4, 8, 16, 32].map(snapshot).join(''));
  writeFileSync(path.join(dir, 'status.json'), JSON.stringify(status));
});

it.each([
  ['a run folder, with its own settings', '', true],
  ['a snapshots file, with the default ones', 'snapshots.jsonl', false],
])('%s', async (_, name, isOwnConfig) => {
  const page = connectPage(startHost());
  const source = path.join(dir, name);
  const settings = { tau: 1, zeta: 50, windowSize: 2 };
  const replayed = await page.request('replay:file', { path: source, settings });
  expect(engineRequests['replay:file'].result.safeParse(replayed).success).toBe(true);
  expect(replayed).toMatchObject({ isOwnConfig, snapshots: 6, lastStep: 32 });
  expect(replayed.windows.map(({ step }) => step)).toEqual([2, 4, 8, 16, 32]);
  const options = ['--tau', '1', '--zeta', '50', '--window', '2', '--json'];
  const cli = spawnSync(process.execPath, [CLI, 'replay', source, ...options], { encoding: 'utf8' });
  const { switchStep, windows, ranks } = replayed;
  expect([cli.status, JSON.parse(cli.stdout)]).toEqual([0, { switchStep, windows, ranks }]);
  expect(Object.keys(ranks).length > 0).toBe(switchStep !== null);
});

it('what cannot be replayed is refused in words: nothing there, a file of something else, no snapshots, a torn line between others', async () => {
  const page = connectPage(startHost());
  const refusal = (name: string) => page.request('replay:file', { path: path.join(dir, name), settings: {} });
  await expect(refusal('none.jsonl')).rejects.toMatchObject({
    code: 'not-found',
    message: expect.stringContaining('none.jsonl: not found'),
  });
  await expect(refusal('config.json')).rejects.toMatchObject({ code: 'run-damaged', message: expect.stringContaining('config.json') });
  await expect(refusal('metrics.jsonl')).rejects.toMatchObject({ code: 'bad-arguments' });
  writeFileSync(path.join(dir, 'snapshots.jsonl'), `${snapshot(1)}{"step":\n${snapshot(2)}`);
  await expect(refusal('snapshots.jsonl')).rejects.toMatchObject({ code: 'run-damaged' });
  rmSync(path.join(dir, 'status.json'));
  await expect(refusal('')).rejects.toMatchObject({ code: 'run-damaged' });
});

it('settings out of range are refused by name', async () => {
  const page = connectPage(startHost());
  await expect(page.request('replay:file', { path: dir, settings: { rMin: 16, rMax: 4 } })).rejects.toMatchObject({ code: 'bad-config' });
  await expect(page.request('replay:file', { path: '', settings: {} })).rejects.toMatchObject({ code: 'bad-arguments' });
});
