import { expect, test } from 'vitest';
import { missingNativeEnvironment, nativeEnvironment } from '../../main/engine/environment.ts';

const settings = { threads: 3, xla: false };

test('threads reach TensorFlow and OpenMP', () => {
  expect(nativeEnvironment(settings)).toMatchObject({ TF_NUM_INTRAOP_THREADS: '3', TF_NUM_INTEROP_THREADS: '3', OMP_NUM_THREADS: '3' });
});

test('XLA and the CUDA libraries are set only when asked for', () => {
  expect(Object.keys(nativeEnvironment(settings))).not.toEqual(expect.arrayContaining(['TF_XLA_FLAGS']));
  const gpu = nativeEnvironment({ threads: null, xla: true, cudaLibraries: '/engines/gpu/deps/lib' });
  expect(gpu.TF_XLA_FLAGS).toContain('--tf_xla_auto_jit=2');
  expect(gpu.LD_LIBRARY_PATH?.split(':')[0]).toBe('/engines/gpu/deps/lib');
});

test('a process started with the variables lacks none of them', () => {
  expect(missingNativeEnvironment(settings, {})).toEqual(nativeEnvironment(settings));
  expect(missingNativeEnvironment(settings, nativeEnvironment(settings))).toEqual({});
});

test("the user's own allocator and log level stay, the config's threads win", () => {
  const env = { ...nativeEnvironment(settings), TF_CPP_MIN_LOG_LEVEL: '0', MALLOC_TRIM_THRESHOLD_: '1', TF_NUM_INTRAOP_THREADS: '8' };
  expect(missingNativeEnvironment(settings, env)).toEqual({ TF_NUM_INTRAOP_THREADS: '3' });
});
