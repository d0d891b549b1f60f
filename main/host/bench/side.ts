/**
 * One side of a comparison: a child process that answers a line per request (protocol.ts). Ours is worker.ts in the environment that
 * training gets, the peer is build/bench/peer.py under the interpreter that was named.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { nativeEnvironment } from '../../engine/environment.ts';
import { findEngine } from '../../engine/installed.ts';
import { PreloraError } from '../../protocol/reply.ts';
import { resourcesFolder } from '../../store/paths.ts';
import type { Answer, BenchRequests, RequestName } from './protocol.ts';

export class Side {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;

  constructor(command: string, args: readonly string[], env: Record<string, string>) {
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, ...env } });
    this.#reader = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream });
    this.#lines = this.#reader[Symbol.asyncIterator]();
    // Reported by the request that waits for an answer: its line never comes.
    this.#child.on('error', () => this.#reader.close());
    this.#child.stdin?.on('error', () => {});
  }

  /** Asks and waits. One request at a time. Throws `engine-failed` with what the child says, or when it is gone. */
  async ask<K extends RequestName>(name: K, ask: BenchRequests[K]['ask']): Promise<Answer<K>> {
    this.#child.stdin?.write(`${JSON.stringify({ do: name, ...ask })}\n`);
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done) throw new PreloraError('engine-failed', `${this.#child.spawnfile} ended while it was asked for ${name}`);
      if (!value.startsWith('{')) continue; // a library's own words
      const answer = JSON.parse(value) as Answer<K> | { error: string };
      if ('error' in answer) throw new PreloraError('engine-failed', `${name}: ${answer.error}`);
      return answer;
    }
  }

  /** Ends the child and waits until it is gone, so that its memory is free for the next. */
  async close(): Promise<void> {
    const { exitCode, signalCode, pid } = this.#child;
    if (exitCode !== null || signalCode !== null || pid === undefined) return;
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.stdin?.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5000);
    await gone;
    clearTimeout(timer);
  }
}

/** A fresh process of ours. */
export function ownSide(threads: number): Side {
  return new Side(process.execPath, [workerEntry()], nativeEnvironment({ threads, xla: false, engine: findEngine() }));
}

/** A fresh peer under this Python. */
export function peerSide(python: string, threads: number): Side {
  const script = path.join(path.dirname(resourcesFolder()), 'build', 'bench', 'peer.py');
  const count = String(threads);
  return new Side(python, [script], { OMP_NUM_THREADS: count, MKL_NUM_THREADS: count, HF_HUB_OFFLINE: '1' });
}

/** The transpiled entry, also when this file runs from its source (tests). */
function workerEntry(): string {
  const own = import.meta.url;
  const built = own.endsWith('.ts') ? own.replace(/\/main\/host\/bench\/[^/]*$/, '/dist/main/host/bench/') : own;
  return fileURLToPath(new URL('./worker.js', built));
}
