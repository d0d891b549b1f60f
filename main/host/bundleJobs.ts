/** One bundle at a time is written or imported, whichever page asked for it; any page may end it. */
import type { ProgressEvent } from '../protocol/events.ts';
import { PreloraError } from '../protocol/reply.ts';

/** Between two pieces of news about progress. */
const NEWS_MS = 100;

export interface BundleJob<T> {
  task: 'bundle:write' | 'bundle:import';
  /** What becomes of the bytes: `packed`. */
  word: string;
  run: (given: { signal: AbortSignal; onProgress: (bytes: number, totalBytes: number) => void }) => Promise<T>;
}

export class BundleJobs {
  #running: AbortController | null = null;
  readonly #tell: (progress: ProgressEvent) => void;

  constructor(tell: (progress: ProgressEvent) => void) {
    this.#tell = tell;
  }

  /** Throws `busy` while there is one, or what the job throws. */
  async run<T>({ task, word, run }: BundleJob<T>): Promise<T> {
    if (this.#running) throw new PreloraError('busy', 'another bundle is being written or imported; wait for it, or cancel it');
    this.#running = new AbortController();
    let told = 0;
    const onProgress = (bytes: number, totalBytes: number): void => {
      const now = performance.now();
      if (now - told < NEWS_MS && bytes < totalBytes) return;
      told = now;
      this.#tell({ task, message: `${word} ${mebibytes(bytes)} of ${mebibytes(totalBytes)} MiB`, fraction: bytes / totalBytes });
    };
    try {
      return await run({ signal: this.#running.signal, onProgress });
    } finally {
      this.#running = null;
    }
  }

  /** Safe to repeat; nothing is left of what was begun. */
  cancel(): void {
    this.#running?.abort();
  }
}

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}
