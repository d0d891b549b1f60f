/** Kernels or none for the trainers of one process; each test is a process of its own as far as the decision goes. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ensureKernels } from '../../main/engine/kernels.ts';
import { enginesRoot, kernelEngine, onlyCompiler, outOfDateKernels } from '../support/kernelEngine.ts';

const QUIET = { onProgress: () => {}, signal: new AbortController().signal };

let usesKernels: () => boolean;

beforeEach(async () => {
  onlyCompiler(true);
  vi.stubEnv('TF_ENABLE_ONEDNN_OPTS', undefined);
  vi.resetModules();
  ({ usesKernels } = await import('../../main/host/kernelUse.ts'));
});
afterEach(() => vi.unstubAllEnvs());

test('kernels that are there are used, with oneDNN off', async () => {
  await ensureKernels(kernelEngine(), QUIET);
  expect(usesKernels()).toBe(true);
  expect(process.env.TF_ENABLE_ONEDNN_OPTS).toBe('0');
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
