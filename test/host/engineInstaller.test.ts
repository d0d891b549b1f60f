/** Installing an engine for the page (F6): progress to all pages, cancel, go on, and the old engine untouched by a failure. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Installed, installWithKernels } from '../../main/engine/ensure.ts';
import type { InstallOptions } from '../../main/engine/install.ts';
import type { InstalledEngine } from '../../main/engine/installed.ts';
import { findEngine } from '../../main/engine/installed.ts';
import { EngineInstaller } from '../../main/host/engineInstaller.ts';
import type { ProgressEvent } from '../../main/protocol/events.ts';
import { PreloraError } from '../../main/protocol/reply.ts';
import { LIBRARY, startFakeIndex } from '../engine/support/fakeIndex.ts';
import { fakeToolchain } from '../engine/support/fakeToolchain.mjs';
import { temporaryFolder } from '../support/temporaryFolder.ts';

const DONE = { version: '2.21.0', isNew: true, withoutKernels: null };

/** An install that goes on until it is told how to end, or is cancelled. */
function heldInstall() {
  const calls: InstallOptions[] = [];
  let end: { resolve(installed: Installed): void; reject(error: Error): void } | null = null;
  const install: typeof installWithKernels = (options) => {
    calls.push(options);
    return new Promise((resolve, reject) => {
      end = { resolve, reject };
      options.signal?.addEventListener('abort', () => reject(new PreloraError('interrupted', 'the engine install was stopped')));
    });
  };
  const succeed = (version: string): void =>
    end?.resolve({ engine: { folder: '', addon: '', manifest: { version } } as InstalledEngine, isNew: true, withoutKernels: null });
  return { calls, install, succeed, fail: (message: string): void => end?.reject(new PreloraError('engine-install', message)) };
}

describe('an install', () => {
  it('tells its progress, as a fraction where the stage has a length', async () => {
    const told: ProgressEvent[] = [];
    const { calls, install, succeed } = heldInstall();
    const installing = new EngineInstaller((progress) => told.push(progress), install).install('cpu');
    calls[0]?.onProgress?.({ stage: 'download', message: 'downloading', done: 50, total: 200 });
    calls[0]?.onProgress?.({ stage: 'compile', message: 'compiling' });
    succeed('2.21.0');
    expect(await installing).toEqual(DONE);
    expect(told.map(({ task, message, fraction }) => [task, message, fraction])).toEqual([
      ['engine:install', 'downloading', 0.25],
      ['engine:install', 'compiling', null],
    ]);
  });

  it('is joined by a second page, and busy for another variant', async () => {
    const { calls, install, succeed } = heldInstall();
    const installer = new EngineInstaller(() => {}, install);
    const both = [installer.install('cpu'), installer.install('cpu')];
    expect(installer.running).toBe('cpu');
    expect(() => installer.install('gpu')).toThrow(/cpu engine is being installed/);
    succeed('2.21.0');
    expect(await Promise.all(both)).toEqual([DONE, DONE]);
    expect(calls).toHaveLength(1);
    expect(installer.running).toBeNull();
  });

  it('that is cancelled says so, and can be begun again', async () => {
    const { calls, install, succeed } = heldInstall();
    const installer = new EngineInstaller(() => {}, install);
    const cancelled = installer.install('cpu');
    installer.cancel();
    await expect(cancelled).rejects.toMatchObject({ code: 'interrupted' });
    installer.cancel();
    const again = installer.install('cpu');
    succeed('2.21.0');
    expect(await again).toEqual(DONE);
    expect(calls).toHaveLength(2);
  });

  it('that repairs is asked for as one, is joined, and shows as an install', async () => {
    const { calls, install, succeed } = heldInstall();
    const installer = new EngineInstaller(() => {}, install);
    const both = [installer.repair('cpu'), installer.repair('cpu')];
    expect(installer.running).toBe('cpu');
    succeed('2.21.0');
    expect(await Promise.all(both)).toEqual([DONE, DONE]);
    const installing = installer.install('cpu');
    succeed('2.21.0');
    await installing;
    expect(calls.map(({ repair }) => repair)).toEqual([true, false]);
  });

  it('that fails gives its reason, and the next one is free to start', async () => {
    const { install, fail } = heldInstall();
    const installer = new EngineInstaller(() => {}, install);
    const failing = installer.install('gpu');
    fail('no gpu engine could be had');
    await expect(failing).rejects.toThrow('no gpu engine could be had');
    expect(installer.running).toBeNull();
  });
});

describe('the engine in use', () => {
  it('is the same after an install of another variant has failed, and another after a repair that was needed', async () => {
    const root = temporaryFolder();
    const index = await startFakeIndex();
    const { wheels } = index.sources;
    const sources = { ...index.sources, wheels: [...wheels, ...wheels.map((wheel) => ({ ...wheel, variant: 'gpu' as const }))] };
    // A prebuilt addon gets no kernels: nothing is compiled here.
    const own = { root, python: null, ...fakeToolchain(), makeAddon: async () => 'prebuilt' as const };
    const installer = new EngineInstaller(
      () => {},
      (options) => installWithKernels({ ...options, ...own, sources }),
    );
    expect(await installer.install('cpu')).toMatchObject({ isNew: true });
    expect(await installer.install('cpu')).toMatchObject({ isNew: false });
    const before = findEngine(undefined, root);
    expect(before?.manifest.variant).toBe('cpu');
    expect(await installer.repair('cpu')).toMatchObject({ isNew: false });
    const { folder = '' } = before ?? {};
    writeFileSync(path.join(folder, 'deps', 'lib', 'libtensorflow_cc.so.2'), Buffer.alloc(LIBRARY.length));
    expect(await installer.repair('cpu')).toMatchObject({ isNew: true });
    const repaired = findEngine(undefined, root);
    await index.close();
    await expect(installer.install('gpu')).rejects.toMatchObject({ code: 'engine-install' });
    expect(findEngine(undefined, root)).toEqual(repaired);
  });
});
