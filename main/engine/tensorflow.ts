/**
 * The native backend: tfjs-node's JavaScript over an addon at a path of our own. Does what @tensorflow/tfjs-node-gpu 4.22's index.js does and
 * learning needs – kernels, backend – and leaves out what it does besides: looking for the addon with node-pre-gyp, `file://` handlers, a
 * progress logger. tfjs-core sets its Node platform by itself.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { KernelBackend } from '@tensorflow/tfjs-core';
import type { TFJSBinding } from '@tensorflow/tfjs-node-gpu/dist/tfjs_binding.js';
import type { InstalledEngine } from './installed.ts';
import { loadKernels } from './kernels.ts';
import { tf } from './tf.ts';

const require = createRequire(import.meta.url);
const PACKAGE = '@tensorflow/tfjs-node-gpu';

export type { TFJSBinding };
/** tfjs-node's backend: a KernelBackend that holds the native binding. */
export type NativeBackend = KernelBackend & { binding: TFJSBinding };

export interface NativeStart {
  backend: NativeBackend;
  binding: TFJSBinding;
  version: string;
  /** True when TensorFlow has a CUDA device and computes on it. */
  onGpu: boolean;
  /** Id of our own kernels, null when the step does without. */
  kernels: string | null;
}

/**
 * Loads the engine's addon, registers the backend `tensorflow` and makes it tfjs's current one. Throws what the dynamic linker says when the
 * library does not load. One engine per process: TensorFlow cannot be unloaded.
 */
export async function startTensorflow(engine: InstalledEngine): Promise<NativeStart> {
  const binding = require(engine.addon) as TFJSBinding;
  const { NodeJSKernelBackend } = require(
    `${PACKAGE}/dist/nodejs_kernel_backend`,
  ) as typeof import('@tensorflow/tfjs-node-gpu/dist/nodejs_kernel_backend.js');
  require(`${PACKAGE}/dist/register_all_kernels`);
  if (!tf.findBackendFactory('tensorflow')) {
    tf.registerBackend('tensorflow', () => new NodeJSKernelBackend(binding, PACKAGE) as unknown as KernelBackend, 3);
  }
  if (!(await tf.setBackend('tensorflow'))) throw new Error('tfjs refused the backend');
  await tf.ready();
  const onGpu = binding.isUsingGpuDevice();
  return {
    backend: tf.backend() as NativeBackend,
    binding,
    version: binding.TF_Version,
    onGpu,
    kernels: onGpu ? null : loadKernels(engine),
  };
}

const DRIVER = '/proc/driver/nvidia';

/** Names of the NVIDIA devices the kernel driver shows, without loading CUDA; empty where there is none, and on systems without /proc. */
export function nvidiaDevices(driver: string = DRIVER): string[] {
  try {
    return readdirSync(path.join(driver, 'gpus')).map((bus) => {
      const text = readFileSync(path.join(driver, 'gpus', bus, 'information'), 'utf8');
      return /^Model:\s*(.+)$/m.exec(text)?.[1]?.trim() ?? bus;
    });
  } catch {
    return [];
  }
}

/** Why a GPU build computes on the CPU, in words: TensorFlow itself says nothing when a CUDA library is missing. */
export function whyNoGpu(devices: string[] = nvidiaDevices()): string {
  if (devices.length === 0) return 'no NVIDIA driver or device was found';
  return `TensorFlow could not use ${devices.join(', ')}: a CUDA or cuDNN library did not load (TF_CPP_MIN_LOG_LEVEL=0 names it)`;
}
