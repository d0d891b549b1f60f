/** The backends and ways of running a program that the step's tests are written over. One backend per test file: tfjs's is global. */
import { compileProgram } from '../../main/compile/compileProgram.ts';
import { runEager } from '../../main/compile/eagerProgram.ts';
import type { NativeBinding } from '../../main/compile/nativeSession.ts';
import type { CompiledProgram, GraphProgram } from '../../main/compile/program.ts';
import { type BackendName, type ChosenBackend, chooseBackend } from '../../main/engine/choose.ts';
import { findEngine } from '../../main/engine/installed.ts';

export type StartProgram = (program: GraphProgram) => CompiledProgram;
export type Way = 'eager' | 'compiled';

/** True where the backend cannot run on this machine; its tests are then skipped aloud. */
export function isMissing(backend: BackendName): boolean {
  const missing = backend === 'tensorflow' && findEngine() === null;
  if (missing) console.warn('skipped: no native engine is installed (prelora engine install)');
  return missing;
}

/** How programs can be run on a backend. */
export function waysOf(backend: BackendName): Way[] {
  return backend === 'tensorflow' ? ['eager', 'compiled'] : ['eager'];
}

/** Starts a backend and makes it tfjs's. */
export function startBackend(backend: BackendName): Promise<ChosenBackend> {
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
  return chooseBackend({ backend });
}

/** Starts programs in one of the ways of the backend. */
export function starter(way: Way, { binding }: ChosenBackend): StartProgram {
  return way === 'eager' ? runEager : (program) => compileProgram(program, binding as unknown as NativeBinding);
}
