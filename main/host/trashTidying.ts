/** When the trash is tidied: some time after the program's start, which must not wait for it, and now and again while the program stays open. */
import type { RunTrash } from './runTrash.ts';

const FIRST_AFTER_MS = 60_000;
const AGAIN_AFTER_MS = 6 * 3600 * 1000;

interface TidyingOptions {
  /** Runs that went for good. */
  gone: (runIds: string[]) => void;
  say: (message: string) => void;
  firstAfterMs?: number;
  againAfterMs?: number;
}

export class TrashTidying {
  readonly #trash: RunTrash;
  readonly #options: TidyingOptions;
  #timer: NodeJS.Timeout | null = null;

  constructor(trash: RunTrash, options: TidyingOptions) {
    this.#trash = trash;
    this.#options = options;
  }

  start(): void {
    this.#wait(this.#options.firstAfterMs ?? FIRST_AFTER_MS);
  }

  /** Safe to repeat. What is being deleted when the program ends is deleted at the next time. */
  stop(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #wait(ms: number): void {
    this.#timer = setTimeout(() => void this.#tidy(), ms);
    // No program stays for this alone.
    this.#timer.unref();
  }

  async #tidy(): Promise<void> {
    const { gone, say, againAfterMs = AGAIN_AFTER_MS } = this.#options;
    try {
      const runIds = await this.#trash.tidy(say);
      if (runIds.length > 0) gone(runIds);
    } catch (error) {
      say(`the trash cannot be tidied: ${(error as Error).message}`);
    }
    if (this.#timer) this.#wait(againAfterMs);
  }
}
