/** The native engine, for tests that need it; they are skipped aloud where none is installed. */

import type { NativeBinding } from '../../../main/compile/nativeSession.ts';
import { chooseBackend } from '../../../main/engine/choose.ts';
import { findEngine, type InstalledEngine } from '../../../main/engine/installed.ts';
import { ensureKernels } from '../../../main/engine/kernels.ts';

const QUIET = { onProgress: () => {}, signal: new AbortController().signal };

/** Says whether tests with the native engine can run here, and why not. */
export const hasNative = findEngine() !== null;
if (!hasNative) console.warn('skipped: no native engine is installed (prelora engine install)');

/** Says whether tests of our own kernels can run here. */
export const kernelsAreBuilt = hasNative && (await ensureKernels(findEngine() as InstalledEngine, QUIET)) === null;
if (hasNative && !kernelsAreBuilt) console.warn('skipped: our own kernels are not built (no C++ compiler?)');

/** Starts it and makes it tfjs's backend. */
export async function startNative(): Promise<NativeBinding> {
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
  const { binding } = await chooseBackend({ backend: 'tensorflow' });
  return binding as NativeBinding;
}
