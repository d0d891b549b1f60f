/** Starts a phase's program on the chosen backend: compiled where the backend and the config allow it, else operation by operation. */
import { compileProgram } from '../compile/compileProgram.ts';
import { runEager } from '../compile/eagerProgram.ts';
import { type CompiledProgram, type GraphProgram, UncompilableError } from '../compile/program.ts';
import type { ChosenBackend } from '../engine/choose.ts';

export interface StartOptions {
  backend: ChosenBackend;
  /** engine.compiled of the config. */
  compiled: boolean;
  /** Told once when a step that should be compiled runs eagerly, with the operation that stood in the way. */
  warn: (message: string) => void;
}

/** The way programs are started in one run. */
export function programStarter({ backend, compiled, warn }: StartOptions): (program: GraphProgram) => CompiledProgram {
  let hasWarned = false;
  return (program) => {
    if (!compiled || !backend.capabilities.compiled || !backend.binding) return runEager(program);
    try {
      return compileProgram(program, backend.binding);
    } catch (error) {
      if (!(error instanceof UncompilableError)) throw error;
      if (!hasWarned) warn(`the step runs operation by operation: ${error.message}`);
      hasWarned = true;
      return runEager(program);
    }
  };
}
