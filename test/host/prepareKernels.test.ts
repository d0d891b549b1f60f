/** What a start of the program does about the compute kernels, and what it tells the pages meanwhile. Compilers and engines are made up. */
import { existsSync } from 'node:fs';
import { afterEach, expect, test, vi } from 'vitest';
import type { Installed, installWithKernels } from '../../main/engine/ensure.ts';
import type { InstalledEngine } from '../../main/engine/installed.ts';
import { areKernelsBuilt, ensureKernels, whyNoKernels } from '../../main/engine/kernels.ts';
import { EngineInstaller } from '../../main/host/engineInstaller.ts';
import { enginesRoot, kernelEngine, kernelIds, onlyCompiler, outOfDateKernels } from '../support/kernelEngine.ts';

const QUIET = { onProgress: () => {}, signal: new AbortController().signal };
const COMPILING = 'compiling the compute kernels with g++ (about 10 s)';

afterEach(() => vi.unstubAllEnvs());

/** Starts the program once; gives the installs that were begun and the messages that pages saw. */
async function start(engine: InstalledEngine | null): Promise<{ installs: number; messages: string[] }> {
  const messages: string[] = [];
  let installs = 0;
  const install: typeof installWithKernels = async ({ onProgress = () => {}, signal = QUIET.signal }) => {
    installs++;
    if (!engine) throw new Error('an install without an engine');
    const withoutKernels = await ensureKernels(engine, { onProgress, signal }, { again: true });
    return { engine, isNew: false, withoutKernels };
  };
  await new EngineInstaller(({ message }) => messages.push(message), install).prepareKernels();
  return { installs, messages };
}

const NOTHING = { installs: 0, messages: [] };

test('without an engine nothing is done', async () => {
  onlyCompiler(true);
  enginesRoot();
  expect(await start(null)).toEqual(NOTHING);
});

test('without a compiler nothing is done, and the reason names what is missing', async () => {
  onlyCompiler(null);
  const engine = kernelEngine();
  expect(await start(engine)).toEqual(NOTHING);
  expect(await whyNoKernels(engine)).toBe('no C++ compiler (g++ or clang++) was found');
});

test('kernels that are missing are compiled, shown as an install', async () => {
  onlyCompiler(true);
  const engine = kernelEngine();
  expect(await start(engine)).toEqual({ installs: 1, messages: [COMPILING] });
  expect(areKernelsBuilt(engine)).toBe(true);
});

test('kernels that are there are left alone', async () => {
  onlyCompiler(true);
  const engine = kernelEngine();
  await ensureKernels(engine, QUIET);
  expect(await start(engine)).toEqual(NOTHING);
});

test('out-of-date kernels get new ones beside them, which other programs may still use', async () => {
  onlyCompiler(true);
  const engine = kernelEngine();
  const old = outOfDateKernels(engine);
  expect(await whyNoKernels(engine)).toBe('they are not compiled yet');
  expect(await start(engine)).toEqual({ installs: 1, messages: [COMPILING] });
  expect(areKernelsBuilt(engine)).toBe(true);
  expect([kernelIds(engine).length, existsSync(old)]).toEqual([2, true]);
});

test('a compiler that fails is told of once, remembered as the reason, and not asked at the next start', async () => {
  onlyCompiler(false);
  const engine = kernelEngine();
  expect(await start(engine)).toEqual({ installs: 1, messages: [COMPILING] });
  expect(await whyNoKernels(engine)).toMatch(/^g\+\+ failed: /);
  expect(await start(engine)).toEqual(NOTHING);
});

test('kernels that are switched off are not compiled', async () => {
  onlyCompiler(true);
  vi.stubEnv('PRELORA_KERNELS', '0');
  const engine = kernelEngine();
  expect(await start(engine)).toEqual(NOTHING);
  expect(await whyNoKernels(engine)).toBe('PRELORA_KERNELS=0 is set');
});

test('an install that a page has begun is not begun again', async () => {
  onlyCompiler(true);
  const engine = kernelEngine();
  const ends: ((installed: Installed) => void)[] = [];
  const installer = new EngineInstaller(
    () => {},
    () => new Promise((resolve) => ends.push(resolve)),
  );
  const installing = installer.install('cpu');
  await installer.prepareKernels();
  expect(ends).toHaveLength(1);
  ends[0]?.({ engine, isNew: false, withoutKernels: null });
  expect(await installing).toMatchObject({ version: '1.0' });
});
