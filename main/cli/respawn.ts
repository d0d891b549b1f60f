/** Starts commands as processes: the same one again with environment variables that native code reads only at the start, or parts of a longer one. */
import { type SpawnOptions, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { CommandIo } from './io.ts';

/** Runs `prelora …argv` as a child on this terminal and gives back its exit status. An abort reaches the child as SIGINT. */
export function runAgainWith(variables: Record<string, string>, argv: string[], io: CommandIo): Promise<number> {
  return runChild(argv, { stdio: 'inherit', env: { ...process.env, ...variables } }, io);
}

/** A command as one part of a longer one: its results are the caller's to read, so its stdout goes where messages go. */
export function runPart(argv: string[], io: CommandIo): Promise<number> {
  return runChild(argv, { stdio: ['ignore', 2, 'inherit'] }, io);
}

async function runChild(argv: string[], options: SpawnOptions, { signal }: CommandIo): Promise<number> {
  const entry = fileURLToPath(new URL('./main.js', import.meta.url));
  const child = spawn(process.execPath, [...process.execArgv, entry, ...argv], options);
  // On a terminal the whole group got the signal already, and the run ignores a second one within its checkpoint.
  const forward = (): void => void child.kill('SIGINT');
  signal.addEventListener('abort', forward);
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, name) => resolve(code ?? 128 + (name ? constants.signals[name] : 0)));
    });
  } finally {
    signal.removeEventListener('abort', forward);
  }
}
