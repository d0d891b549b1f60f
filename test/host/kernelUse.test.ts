/** Kernels or none for the trainers of one process; each test is a process of its own as far as the decision goes. */
import os from 'node:os';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ensureKernels } from '../../main/engine/kernels.ts';
import { enginesRoot, kernelEngine, onlyCompiler, outOfDateKernels } from '../support/kernelEngine.ts';

const QUIET = { onProgress: () => {}, signal: new AbortController().signal };

let usesKernels: () => boolean;

beforeEach(async () => {
  onlyCompiler(true);
  vi.stubEnv('TF_ENABLE_ONEDNN_OPTS', undefined);
  vi.stubEnv('TF_NUM_INTEROP_THREADS', 'as it was started');
  vi.resetModules();
  ({ usesKernels } = await import('../../main/host/kernelUse.ts'));
});
afterEach(() => vi.unstubAllEnvs());

test('kernels that are there are used, with oneDNN off and half as many operations at once', async () => {
  await ensureKernels(kernelEngine(), QUIET);
  expect(usesKernels()).toBe(true);
  expect(process.env.TF_ENABLE_ONEDNN_OPTS).toBe('0');
  expect(process.env.TF_NUM_INTEROP_THREADS).toBe(String(Math.max(1, Math.floor(os.availableParallelism() / 2))));
});

test('what the user says of oneDNN holds', async () => {
  vi.stubEnv('TF_ENABLE_ONEDNN_OPTS', '1');
  await ensureKernels(kernelEngine(), QUIET);
  expect(usesKernels()).toBe(true);
  expect(process.env.TF_ENABLE_ONEDNN_OPTS).toBe('1');
});

test('kernels that are compiled while something is trained wait for the next start', async () => {
  const engine = kernelEngine();
  expect(usesKernels()).toBe(false);
  await ensureKernels(engine, QUIET);
  expect(usesKernels()).toBe(false);
  expect(process.env.TF_ENABLE_ONEDNN_OPTS).toBeUndefined();
  expect(process.env.TF_NUM_INTEROP_THREADS).toBe('as it was started');
});

test('kernels of another program or processor are not used', () => {
  outOfDateKernels(kernelEngine());
  expect(usesKernels()).toBe(false);
});

test('kernels that failed to compile are not used', async () => {
  onlyCompiler(false);
  const engine = kernelEngine();
  expect(await ensureKernels(engine, QUIET)).toMatch(/^g\+\+ failed: /);
  expect(usesKernels()).toBe(false);
});

test('kernels that are switched off are not used, and oneDNN stays as it is', async () => {
  await ensureKernels(kernelEngine(), QUIET);
  vi.stubEnv('PRELORA_KERNELS', '0');
  expect(usesKernels()).toBe(false);
  expect(process.env.TF_ENABLE_ONEDNN_OPTS).toBeUndefined();
});

test('without an engine nothing is decided: the next trainer may find one', async () => {
  const root = enginesRoot();
  expect(usesKernels()).toBe(true);
  const engine = kernelEngine(root);
  expect(usesKernels()).toBe(false);
  await ensureKernels(engine, QUIET);
  expect(usesKernels()).toBe(false);
});
