import { expect, test } from 'vitest';
import { missingNativeEnvironment, nativeEnvironment } from '../../main/engine/environment.ts';
import { findEngine, hostPlatform, type InstalledEngine } from '../../main/engine/installed.ts';
import { areKernelsBuilt } from '../../main/engine/kernels.ts';
import type { EngineVariant } from '../../main/protocol/engine.ts';

const settings = { threads: 3, xla: false, engine: null };

function engineOf(variant: EngineVariant): InstalledEngine {
  const manifest = {
    format: 1,
    variant,
    version: '2.21.0',
    platform: hostPlatform,
    source: '',
    addon: 'compiled',
    files: {},
    installedAt: '',
  } as const;
  return { folder: `/engines/${variant}`, addon: `/engines/${variant}/lib/napi-v8/tfjs_binding.node`, manifest };
}

test('threads reach TensorFlow and OpenMP', () => {
  expect(nativeEnvironment(settings)).toMatchObject({ TF_NUM_INTRAOP_THREADS: '3', TF_NUM_INTEROP_THREADS: '3', OMP_NUM_THREADS: '3' });
});

test('XLA and the CUDA libraries are set only when asked for', () => {
  expect(Object.keys(nativeEnvironment(settings))).not.toEqual(expect.arrayContaining(['TF_XLA_FLAGS']));
  const gpu = nativeEnvironment({ threads: null, xla: true, engine: engineOf('gpu') });
  expect(gpu.TF_XLA_FLAGS).toContain('--tf_xla_auto_jit=2');
  expect(gpu.LD_LIBRARY_PATH?.split(':')[0]).toBe('/engines/gpu/deps/lib');
  expect(gpu.CUDA_DEVICE_ORDER).toBe('PCI_BUS_ID');
});

test('a CPU engine needs no library path, and keeps oneDNN while it has no kernels of ours', () => {
  const variables = Object.keys(nativeEnvironment({ ...settings, engine: engineOf('cpu') }));
  expect(variables).not.toContain('LD_LIBRARY_PATH');
  expect(variables).not.toContain('TF_ENABLE_ONEDNN_OPTS');
});

const installed = findEngine('cpu');
test.skipIf(!installed || !areKernelsBuilt(installed))(
  'kernels of ours: no oneDNN, half as many operations at once (skipped where none are built)',
  () => {
    const withThreads = (threads: number) => nativeEnvironment({ ...settings, threads, engine: installed });
    expect(withThreads(1)).toMatchObject({ TF_ENABLE_ONEDNN_OPTS: '0', TF_NUM_INTEROP_THREADS: '1' });
    expect(withThreads(5)).toMatchObject({ TF_NUM_INTRAOP_THREADS: '5', TF_NUM_INTEROP_THREADS: '2' });
  },
);

test('a process started with the variables lacks none of them', () => {
  expect(missingNativeEnvironment(settings, {})).toEqual(nativeEnvironment(settings));
  expect(missingNativeEnvironment(settings, nativeEnvironment(settings))).toEqual({});
});

test("the user's own allocator and log level stay, the config's threads win", () => {
  const env = { ...nativeEnvironment(settings), TF_CPP_MIN_LOG_LEVEL: '0', MALLOC_TRIM_THRESHOLD_: '1', TF_NUM_INTRAOP_THREADS: '8' };
  expect(missingNativeEnvironment(settings, env)).toEqual({ TF_NUM_INTRAOP_THREADS: '3' });
});
