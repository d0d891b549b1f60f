/**
 * The one place that chooses a compute backend: order of preference, what was chosen, and why, in a sentence that every run records.
 * architecture.md section 4. One choice per process: the native library cannot be unloaded.
 */
import os from 'node:os';
import type { KernelBackend } from '@tensorflow/tfjs-core';
import { PreloraError } from '../protocol/reply.ts';
import { startCpu } from './cpu.ts';
import { findEngine, type InstalledEngine } from './installed.ts';
import { nvidiaDevices, startTensorflow, type TFJSBinding, whyNoGpu } from './tensorflow.ts';
import { startWasm } from './wasm.ts';

export type BackendName = 'tensorflow' | 'wasm' | 'cpu';

export interface BackendRequest {
  /** `auto`: the native engine where one is installed and loads, else wasm. A name: that one, or `engine-unavailable`. */
  backend: 'auto' | BackendName;
  /** Threads inside an operation, null for all cores. Recorded only: native code takes it from its environment (environment.ts). */
  threads?: number | null;
  /** Let TensorFlow cluster operations with XLA. Recorded only, for the same reason. */
  xla?: boolean;
}

export interface ChosenBackend {
  name: BackendName;
  /** Version of the library that computes: TensorFlow's, with the id of our own kernels where they are used, or the npm package's. */
  version: string;
  /** `CPU`, or `GPU` and the device's name. */
  device: string;
  /** All devices TensorFlow computes on. */
  devices: string[];
  threads: number;
  /** One sentence: why this backend, and what stood against a better one. */
  why: string;
  capabilities: {
    /** The backend can run a step as one native graph (main/compile). */
    compiled: boolean;
    /** XLA was asked for and can be had. */
    xla: boolean;
  };
  /** The native binding, for `tensorflow` alone. */
  binding?: TFJSBinding;
  backend: KernelBackend;
}

/**
 * Starts a backend, makes it tfjs's current one and waits until it is ready.
 * @throws `engine-unavailable` when a backend asked for by name cannot start; `auto` always ends with one.
 */
export async function chooseBackend(request: BackendRequest): Promise<ChosenBackend> {
  const threads = request.threads ?? os.availableParallelism();
  if (request.backend === 'cpu') return chooseCpu('asked for by name');
  if (request.backend === 'wasm') return chooseWasm('asked for by name');
  const engine = findEngine();
  if (request.backend === 'tensorflow')
    return chooseNative(requireEngine(engine), { threads, xla: request.xla ?? false }, 'asked for by name');
  if (!engine) return chooseWasm('no native engine is installed (`prelora engine install` gets one)');
  try {
    return await chooseNative(engine, { threads, xla: request.xla ?? false }, 'the native engine is installed');
  } catch (error) {
    return chooseWasm(error instanceof Error ? error.message : String(error));
  }
}

function requireEngine(engine: InstalledEngine | null): InstalledEngine {
  if (engine) return engine;
  throw new PreloraError(
    'engine-unavailable',
    'engine.backend tensorflow: no native engine is installed; run `prelora engine install`',
    'engine.backend',
  );
}

async function chooseNative(engine: InstalledEngine, settings: { threads: number; xla: boolean }, reason: string): Promise<ChosenBackend> {
  const started = await startTensorflow(engine).catch((error: Error) => {
    throw new PreloraError(
      'engine-unavailable',
      `the native engine in ${engine.folder} does not load: ${firstLine(error.message)}`,
      'engine.backend',
    );
  });
  const devices = started.onGpu ? nvidiaDevices() : [];
  const missingGpu = engine.manifest.variant === 'gpu' && !started.onGpu ? `; it is a GPU build but runs on the CPU: ${whyNoGpu()}` : '';
  return {
    name: 'tensorflow',
    version: started.kernels ? `${started.version}+kernels.${started.kernels}` : started.version,
    device: started.onGpu ? `GPU ${devices[0] ?? 'CUDA device'}` : 'CPU',
    devices: started.onGpu ? devices : ['CPU'],
    threads: settings.threads,
    why: `${reason}${missingGpu}`,
    capabilities: { compiled: true, xla: settings.xla },
    binding: started.binding,
    backend: started.backend,
  };
}

async function chooseWasm(reason: string): Promise<ChosenBackend> {
  try {
    const { backend, version, simd } = await startWasm();
    return {
      ...embedded('wasm', version, backend),
      why: simd ? reason : `${reason}; this processor or Node has no WebAssembly SIMD, so it is slow`,
    };
  } catch (error) {
    throw new PreloraError('engine-unavailable', `engine.backend wasm: ${firstLine((error as Error).message)}`, 'engine.backend');
  }
}

async function chooseCpu(reason: string): Promise<ChosenBackend> {
  const { backend, version } = await startCpu();
  return { ...embedded('cpu', version, backend), why: reason };
}

/** What wasm and cpu have in common: one thread, no compiled step. */
function embedded(name: BackendName, version: string, backend: KernelBackend): Omit<ChosenBackend, 'why'> {
  return { name, version, device: 'CPU', devices: ['CPU'], threads: 1, capabilities: { compiled: false, xla: false }, backend };
}

function firstLine(message: string): string {
  return message.split('\n')[0] ?? message;
}
