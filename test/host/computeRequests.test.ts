/** Compute engines as the page sees and handles them: damaged ones told, removal and repair refused under a run, a self-test with measured steps. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { MANIFEST } from '../../main/engine/installed.ts';
import type { EngineHost } from '../../main/host/engineHost.ts';
import { selfTest } from '../../main/host/selfTest.ts';
import type { ResolvedConfig } from '../../main/protocol/config.ts';
import { engineRequests } from '../../main/protocol/requests.ts';
import { folderBytes } from '../../main/store/folderBytes.ts';
import { acquireLock } from '../../main/store/lock.ts';
import { connectPage, startHost } from '../support/engineHost.ts';
import { enginesRoot, kernelEngine } from '../support/kernelEngine.ts';
import { ScriptedTrainer } from '../support/scriptedTrainer.ts';
import { addOldRun } from './oldRun.ts';

afterEach(() => vi.unstubAllEnvs());

/** A run that this process writes, on a backend. */
function lockedRun(host: EngineHost, backend: string) {
  const dir = addOldRun(host.catalog.root, backend);
  const counts = { step: 1, totalSteps: 2, stepsPerEpoch: 1, epoch: 0, epochs: 1, segment: 0, trainableParameters: 1, totalParameters: 1 };
  const status = {
    ...counts,
    runId: backend,
    name: `on ${backend}`,
    status: 'running',
    phase: 'full',
    switchStep: null,
    freezeStep: null,
    best: null,
    backend: { name: backend, version: '', device: 'CPU', why: '', compiled: false },
    message: null,
    updatedAt: '2026-11-29T12:00:00.000Z',
  };
  writeFileSync(path.join(dir, 'status.json'), JSON.stringify(status));
  return acquireLock(dir);
}

describe('the list of engines', () => {
  it('has what is always there, and says what is not installed', async () => {
    enginesRoot();
    const about = await connectPage(startHost()).request('app:describe', {});
    expect(engineRequests['app:describe'].result.safeParse(about).success).toBe(true);
    expect(about.engines.map(({ name, available, installed }) => [name, available, installed])).toEqual([
      ['tensorflow', false, null],
      ['wasm', true, null],
      ['cpu', true, null],
    ]);
  });

  it('tells an installed one with its bytes, and a damaged one apart, which is repaired and not installed', async () => {
    const engine = kernelEngine();
    const page = connectPage(startHost());
    const bytes = await folderBytes(engine.folder);
    const [whole] = (await page.request('app:describe', {})).engines;
    expect(whole).toMatchObject({
      name: 'tensorflow',
      available: true,
      version: '1.0',
      installed: { variant: 'cpu', bytes, isWhole: true },
    });
    const manifest = path.join(engine.folder, MANIFEST);
    writeFileSync(
      manifest,
      readFileSync(manifest, 'utf8').replace('"files":{}', `"files":{"lost":{"bytes":1,"sha256":"${'0'.repeat(64)}"}}`),
    );
    const { engines, installableEngines } = await page.request('app:describe', {});
    expect(engines[0]).toMatchObject({
      name: 'tensorflow',
      available: false,
      version: '1.0',
      installed: { variant: 'cpu', isWhole: false },
    });
    expect(engines[0]?.why).toContain('missing or cut');
    expect(installableEngines).not.toContain('cpu');
  });

  it('puts a GPU engine before a CPU one, which says why it is not used', async () => {
    const root = enginesRoot();
    const { folder } = kernelEngine(root);
    const gpu = kernelEngine(root, 'gpu');
    const { engines } = await connectPage(startHost()).request('app:describe', {});
    expect(engines.map(({ name, installed }) => installed?.variant ?? name)).toEqual(['gpu', 'cpu', 'wasm', 'cpu']);
    expect(engines[1]?.why).toContain('not used while the GPU engine is there');
    expect(existsSync(folder) && existsSync(gpu.folder)).toBe(true);
  });
});

describe('an engine', () => {
  it('is removed with its bytes, whole or damaged', async () => {
    const { folder } = kernelEngine();
    const page = connectPage(startHost());
    const bytes = await folderBytes(folder);
    expect(await page.request('engine:remove', { variant: 'gpu' })).toEqual({ bytes: 0 });
    expect(await page.request('engine:remove', { variant: 'cpu' })).toEqual({ bytes });
    expect(existsSync(folder)).toBe(false);
    rmSync(path.join(kernelEngine(path.dirname(folder)).folder, MANIFEST));
    await page.request('engine:remove', { variant: 'cpu' });
    expect(existsSync(folder)).toBe(false);
  });

  it('is neither removed nor repaired while a run uses it, of this process or another; a run on wasm is no reason', async () => {
    const { folder } = kernelEngine();
    const host = startHost();
    const page = connectPage(host);
    lockedRun(host, 'wasm');
    const lock = lockedRun(host, 'tensorflow');
    const words = 'TensorFlow stays as it is while run on tensorflow uses it; stop the run first';
    for (const name of ['engine:remove', 'engine:repair'] as const) {
      await expect(page.request(name, { variant: 'cpu' })).rejects.toMatchObject({ code: 'busy', message: words });
    }
    expect(existsSync(folder)).toBe(true);
    lock.release();
    await page.request('engine:remove', { variant: 'cpu' });
    expect(existsSync(folder)).toBe(false);
  });

  it('stays while a run is being started or measured', async () => {
    const { folder } = kernelEngine();
    const host = startHost(() => new ScriptedTrainer().launched);
    const page = connectPage(host);
    let end = (): void => {};
    const job = host.runJob({ threads: null, xla: false }, () => new Promise<void>((resolve) => (end = resolve)));
    await expect(page.request('engine:remove', { variant: 'cpu' })).rejects.toMatchObject({ code: 'busy' });
    end();
    await job;
    await page.request('engine:remove', { variant: 'cpu' });
    expect(existsSync(folder)).toBe(false);
  });
});

describe('a self-test', () => {
  it('times real steps in a trainer of its own, and says what computed them', { timeout: 120_000 }, async () => {
    const page = connectPage(startHost());
    const test = await page.request('engine:selfTest', { backend: 'wasm' });
    expect(engineRequests['engine:selfTest'].result.safeParse(test).success).toBe(true);
    expect(test).toMatchObject({ backend: { name: 'wasm', device: 'CPU' }, steps: 10 });
    expect(test.stepMs).toBeGreaterThan(0.1);
    expect(test.shape).toEqual({ imageSize: 32, patchSize: 8, embedDim: 192, depth: 2, batchSize: 8 });
  });

  it('has as many steps timed as it tells of, of that model and batch', async () => {
    const asked: { steps: number; config: ResolvedConfig }[] = [];
    const client = {
      async request(_: string, arg: (typeof asked)[number]) {
        asked.push(arg);
        return { stepMs: 7, backend: { name: 'tensorflow', version: '2', device: 'CPU' } };
      },
    };
    const runJob = (_: unknown, job: (trainer: never) => Promise<unknown>) => job(client as never);
    const { steps, shape, stepMs } = await selfTest({ runJob } as unknown as EngineHost, 'tensorflow');
    const [{ config } = {} as (typeof asked)[number]] = asked;
    const { imageSize, patchSize, embedDim, depth } = config.model;
    expect([asked[0]?.steps, stepMs]).toEqual([steps, 7]);
    expect({ imageSize, patchSize, embedDim, depth, batchSize: config.train.batchSize }).toEqual(shape);
  });

  it('of an engine that does not load says why', async () => {
    kernelEngine();
    const failing = connectPage(startHost()).request('engine:selfTest', { backend: 'tensorflow' });
    await expect(failing).rejects.toMatchObject({ code: 'engine-unavailable', message: expect.stringContaining('does not load') });
  });
});
