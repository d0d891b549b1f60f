/** A run on its way out as one file: how far it is, and what came of it. */
import type { BundleWeights } from '../../main/protocol/bundle.ts';
import type { ProgressEvent } from '../../main/protocol/events.ts';
import type { WrittenBundle } from '../../main/protocol/results.ts';
import { type Api, errorText } from '../api.ts';

export class Bundling {
  #written = $state.raw<WrittenBundle | null>(null);
  #progress = $state.raw<(ProgressEvent & { startedAt: number }) | null>(null);
  #busy = $state(false);
  #problem = $state('');
  readonly runId: string;
  readonly #api: Api;

  constructor(runId: string, api: Api) {
    this.runId = runId;
    this.#api = api;
  }

  get written(): WrittenBundle | null {
    return this.#written;
  }
  /** Null before the first word of it. */
  get progress(): (ProgressEvent & { startedAt: number }) | null {
    return this.#progress;
  }
  get busy(): boolean {
    return this.#busy;
  }
  get problem(): string {
    return this.#problem;
  }

  /** To `file`: a whole path in the desktop app, a name elsewhere. */
  async write(file: string, weights: BundleWeights): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    this.#problem = '';
    this.#written = null;
    const startedAt = Date.now();
    const end = this.#api.on('task:progress', (progress) => {
      if (progress.task === 'bundle:write') this.#progress = { ...progress, startedAt };
    });
    try {
      this.#written = await this.#api.request('bundle:write', { runId: this.runId, file, weights });
    } catch (error) {
      this.#problem = errorText(error);
    } finally {
      end();
      this.#progress = null;
      this.#busy = false;
    }
  }

  /** Nothing is left of what was written. */
  async cancel(): Promise<void> {
    await this.#api.request('bundle:cancel', {});
  }
}
