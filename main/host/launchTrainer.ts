/**
 * Starts a trainer and gives back its port. In plain Node it gets a process of its own: a crash inside native code leaves the host alive,
 * TensorFlow's memory comes back when it ends, and its environment can hold what native code reads (architecture.md section 4). Inside
 * Electron's utility process, which may not start Node (fuse runAsNode), it is a worker thread.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { nativeEnvironment } from '../engine/environment.ts';
import { findEngine } from '../engine/installed.ts';
import type { RunConfig } from '../protocol/config.ts';
import { usesKernels } from './kernelUse.ts';
import { childPort, type Port, workerPort } from './port.ts';

/** What a trainer's environment is made for. */
export type TrainerNeeds = Pick<RunConfig['engine'], 'threads' | 'xla'>;

export interface LaunchedTrainer {
  port: Port;
  /** Id of the trainer's own process; null when it shares the host's. */
  pid: number | null;
}

export type TrainerLauncher = (needs: TrainerNeeds) => LaunchedTrainer;

/** A trainer in a process of its own. */
export const launchTrainerProcess: TrainerLauncher = (needs) => {
  const child = fork(trainerEntry(), [], {
    serialization: 'advanced',
    // Flags of a debugger or a test runner stay with this process. Standard output belongs to the CLI's JSON.
    execArgv: [],
    env: { ...process.env, ...trainerEnvironment(needs) },
    stdio: ['ignore', process.stderr, process.stderr, 'ipc'],
  });
  return { port: childPort(child), pid: child.pid ?? null };
};

/** A trainer in a worker thread. Native settings are those of this process: whoever started it has put them into its environment. */
export const launchTrainerThread: TrainerLauncher = () => {
  const env = { ...process.env, ...(usesKernels() ? {} : { PRELORA_KERNELS: '0' }) };
  const worker = new Worker(trainerEntry(), { execArgv: [], env });
  return { port: workerPort(worker), pid: null };
};

function trainerEnvironment({ threads, xla }: TrainerNeeds): Record<string, string> {
  return nativeEnvironment({ threads, xla, engine: findEngine() });
}

/** The transpiled entry, also when this file runs from its source (tests). */
function trainerEntry(): string {
  const own = import.meta.url;
  const built = own.endsWith('.ts') ? own.replace(/\/main\/host\/[^/]*$/, '/dist/main/host/') : own;
  return fileURLToPath(new URL('./trainerWorker.js', built));
}
