/**
 * Installing a native engine for the page: one install at a time, whoever asks; its progress goes to all pages; a cancelled one keeps what it
 * had fetched and the next goes on from there (main/engine/install.ts). What was installed before stays in use until the new one is whole.
 */
import { installWithKernels } from '../engine/ensure.ts';
import { findEngine } from '../engine/installed.ts';
import { canCompileKernels } from '../engine/kernels.ts';
import type { EngineVariant } from '../protocol/engine.ts';
import type { ProgressEvent } from '../protocol/events.ts';
import { PreloraError } from '../protocol/reply.ts';
import type { InstallOutcome } from '../protocol/results.ts';

interface Running {
  variant: EngineVariant;
  abort: AbortController;
  done: Promise<InstallOutcome>;
}

export class EngineInstaller {
  #running: Running | null = null;
  readonly #tell: (progress: ProgressEvent) => void;
  readonly #install: typeof installWithKernels;

  constructor(tell: (progress: ProgressEvent) => void, install = installWithKernels) {
    this.#tell = tell;
    this.#install = install;
  }

  get running(): EngineVariant | null {
    return this.#running?.variant ?? null;
  }

  /** Joins an install of the same variant that is going on. Throws `busy` during one of another, else what `installEngine` throws. */
  install(variant: EngineVariant): Promise<InstallOutcome> {
    return this.#join(variant, { repair: false });
  }

  /** Installs anew what is damaged, as `install` does; the outcome is not new where every file was what was installed. */
  repair(variant: EngineVariant): Promise<InstallOutcome> {
    return this.#join(variant, { repair: true });
  }

  #join(variant: EngineVariant, { repair }: { repair: boolean }): Promise<InstallOutcome> {
    if (this.#running && this.#running.variant !== variant) {
      throw new PreloraError('busy', `the ${this.#running.variant} engine is being installed; cancel that first`, 'variant');
    }
    this.#running ??= this.#start(variant, { repair });
    return this.#running.done;
  }

  /**
   * For a start of the program: an engine that is there already, from an older program or a disk moved to another processor, gets the compute
   * kernels that fit. It shows as an install. Nothing happens where there is no engine, no compiler, or nothing to do.
   */
  async prepareKernels(): Promise<void> {
    const engine = findEngine('cpu');
    if (!engine || !(await canCompileKernels(engine)) || this.#running) return;
    this.#running = this.#start('cpu', { repair: false });
    await this.#running.done;
  }

  /** Safe to repeat. */
  cancel(): void {
    this.#running?.abort.abort();
  }

  #start(variant: EngineVariant, { repair }: { repair: boolean }): Running {
    const abort = new AbortController();
    const installing = this.#install({
      variant,
      repair,
      signal: abort.signal,
      onProgress: ({ message, done, total }) =>
        this.#tell({ task: 'engine:install', message, fraction: done !== undefined && total ? done / total : null }),
    });
    const done = installing
      .then(({ engine, isNew, withoutKernels }) => ({ version: engine.manifest.version, isNew, withoutKernels }))
      .finally(() => {
        this.#running = null;
      });
    return { variant, abort, done };
  }
}
