/** Kernels or none for all trainers of a process: what the first one found holds until the next start. */
import { nativeEnvironment } from '../engine/environment.ts';
import { findEngine } from '../engine/installed.ts';
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
  // The process may have been started before they were built. Here, outside any worker, native code sees it.
  if (kernelsAreUsed) process.env.TF_ENABLE_ONEDNN_OPTS ??= nativeEnvironment({ threads: null, xla: false, engine }).TF_ENABLE_ONEDNN_OPTS;
  return kernelsAreUsed;
}
