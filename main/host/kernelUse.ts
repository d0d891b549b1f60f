/** Kernels or none for all trainers of a process: what the first one found holds until the next start. */
import { nativeEnvironment } from '../engine/environment.ts';
import { findEngine, type InstalledEngine } from '../engine/installed.ts';
import { areKernelsBuilt } from '../engine/kernels.ts';

/** Decided with the first trainer of this process. */
let kernelsAreUsed: boolean | null = null;

/**
 * Whether trainers that share this process may load the compute kernels; decided once, as soon as there is an engine. TensorFlow reads once
 * per process whether oneDNN is on, and a run's numbers depend on it: kernels that are compiled while something is trained wait for the next
 * start, so that a run with kernels always has oneDNN off.
 */
export function usesKernels(): boolean {
  if (kernelsAreUsed !== null) return kernelsAreUsed;
  const engine = findEngine();
  // Without an engine nothing native is loaded: the next trainer may find one.
  if (!engine) return true;
  kernelsAreUsed = areKernelsBuilt(engine);
  if (kernelsAreUsed) tellTensorFlow(engine);
  return kernelsAreUsed;
}

/** The process may have been started before the kernels were built. Here, outside any worker, native code sees what is set. */
function tellTensorFlow(engine: InstalledEngine): void {
  const { TF_NUM_INTEROP_THREADS, TF_ENABLE_ONEDNN_OPTS } = nativeEnvironment({ threads: null, xla: false, engine });
  process.env.TF_NUM_INTEROP_THREADS = TF_NUM_INTEROP_THREADS;
  process.env.TF_ENABLE_ONEDNN_OPTS ??= TF_ENABLE_ONEDNN_OPTS;
}
