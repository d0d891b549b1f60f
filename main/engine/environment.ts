/**
 * Environment variables that TensorFlow and glibc read natively. They must stand before the native library is loaded, and glibc's before the
 * process starts; a Worker's `process.env` is a copy that native code never sees (architecture.md section 4). So whoever starts the process
 * that will hold the engine passes them: the CLI starts itself again (`missingNativeEnvironment`), the shell puts them into the utility
 * process's `env`.
 */
import os from 'node:os';
import path from 'node:path';
import { type InstalledEngine, LIBRARIES } from './installed.ts';
import { areKernelsBuilt } from './kernels.ts';

export interface NativeSettings {
  /** Threads inside an operation; null takes all cores. */
  threads: number | null;
  /** Lets TensorFlow compile clusters of operations with XLA. */
  xla: boolean;
  /** The engine that the process will load; null when there is none or it is not ours. */
  engine: InstalledEngine | null;
}

/** 256 MiB: activations of a ViT-B batch are below it, so that they are reused from the heap and not mapped and unmapped every step. */
const MALLOC_THRESHOLD_BYTES = 256 * 1024 * 1024;

/** The variables for a process that will run the native engine with these settings. */
export function nativeEnvironment({ threads, xla, engine }: NativeSettings): Record<string, string> {
  const count = threads ?? os.availableParallelism();
  return {
    TF_CPP_MIN_LOG_LEVEL: '2',
    TF_FORCE_GPU_ALLOW_GROWTH: 'true',
    TF_NUM_INTRAOP_THREADS: String(count),
    OMP_NUM_THREADS: String(count),
    // Operations beside one another: q, k and v, and a gradient's two products, do not wait for each other.
    TF_NUM_INTEROP_THREADS: String(count),
    ...(process.platform === 'linux' ? allocatorVariables() : {}),
    ...(xla ? { TF_XLA_FLAGS: '--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit' } : {}),
    ...(engine && areKernelsBuilt(engine) ? variablesForKernels(count) : {}),
    // Devices by their place on the bus, as nvidia-smi counts them (gpuMeter.ts).
    ...(engine?.manifest.variant === 'gpu' ? { LD_LIBRARY_PATH: withCudaLibraries(engine), CUDA_DEVICE_ORDER: 'PCI_BUS_ID' } : {}),
  };
}

/**
 * Our kernels share each product among all threads, and two at once get into each other's way: on two cores one at a time is 3 to 6 % faster.
 * oneDNN's kernels would have nothing to do but to keep packed copies of weights, 150 MB at ViT-B; without ours they are faster.
 */
function variablesForKernels(threads: number): Record<string, string> {
  return { TF_ENABLE_ONEDNN_OPTS: '0', TF_NUM_INTEROP_THREADS: String(Math.max(1, Math.floor(threads / 2))) };
}

/** TensorFlow's dlopen finds the CUDA libraries that came with a GPU engine. */
function withCudaLibraries({ folder }: InstalledEngine): string {
  const libraries = path.join(folder, LIBRARIES);
  const others = (process.env.LD_LIBRARY_PATH ?? '').split(':').filter((entry) => entry && entry !== libraries);
  return [libraries, ...others].join(':');
}

/** 15 to 30 % of a CPU step: freed buffers stay with the process. One arena: what one thread freed the others use again, 4 % less memory. */
function allocatorVariables(): Record<string, string> {
  return {
    MALLOC_MMAP_THRESHOLD_: String(MALLOC_THRESHOLD_BYTES),
    MALLOC_TRIM_THRESHOLD_: String(4 * MALLOC_THRESHOLD_BYTES),
    MALLOC_TOP_PAD_: String(64 * 1024 * 1024),
    MALLOC_ARENA_MAX: '1',
  };
}

/**
 * The variables this process lacks or has with another value; empty when it may load the engine as it is. A caller that finds some starts
 * itself again with `{ ...process.env, ...missing }`. Variables the user set to values of their own are respected, threads apart.
 */
export function missingNativeEnvironment(settings: NativeSettings, env: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const decidedByConfig = new Set([
    'TF_NUM_INTRAOP_THREADS',
    'TF_NUM_INTEROP_THREADS',
    'OMP_NUM_THREADS',
    'TF_XLA_FLAGS',
    'LD_LIBRARY_PATH',
  ]);
  const wanted = Object.entries(nativeEnvironment(settings));
  return Object.fromEntries(wanted.filter(([name, value]) => (decidedByConfig.has(name) ? env[name] !== value : env[name] === undefined)));
}
