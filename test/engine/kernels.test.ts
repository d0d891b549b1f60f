/** Whether the compute kernels can be had, and the sentence that says why not; compiling and computing with them is test/compile/kernels.test.ts. */
import { afterEach, expect, test, vi } from 'vitest';
import type { InstalledEngine } from '../../main/engine/installed.ts';
import { canCompileKernels, ensureKernels, whyNoKernels } from '../../main/engine/kernels.ts';
import { onlyCompiler } from '../support/kernelEngine.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

const QUIET = { onProgress: () => {}, signal: new AbortController().signal };

afterEach(() => vi.unstubAllEnvs());

function engine(addon: 'compiled' | 'prebuilt' = 'compiled'): InstalledEngine {
  return { folder: temporaryFolder(), addon: '', manifest: { variant: 'cpu', addon } } as InstalledEngine;
}

test('without a compiler there are none, and the reason says so', async () => {
  onlyCompiler(null);
  const none = engine();
  expect(await whyNoKernels(none)).toBe('no C++ compiler (g++ or clang++) was found');
  expect(await canCompileKernels(none)).toBe(false);
  expect(await ensureKernels(none, QUIET)).toBe('no C++ compiler (g++ or clang++) was found');
});

test('they are compiled beside an engine that was made here, not beside a prebuilt one', async () => {
  onlyCompiler(true);
  expect(await canCompileKernels(engine())).toBe(true);
  expect(await canCompileKernels(engine('prebuilt'))).toBe(false);
  expect(await whyNoKernels(engine('prebuilt'))).toBe('the kernels are for CPU engines compiled here');
});

test('a failure is remembered as the reason, and not repeated at every start', async () => {
  onlyCompiler(false);
  const failing = engine();
  expect(await ensureKernels(failing, QUIET)).toMatch(/^g\+\+ failed/);
  expect(await canCompileKernels(failing)).toBe(false);
  expect(await whyNoKernels(failing)).toMatch(/^g\+\+ failed/);
});

test('that they are switched off is a reason too', async () => {
  onlyCompiler(true);
  vi.stubEnv('PRELORA_KERNELS', '0');
  expect(await whyNoKernels(engine())).toBe('PRELORA_KERNELS=0 is set');
});
