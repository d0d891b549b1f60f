/** Merging the adapters of a checkpoint into their weights, and what the check said. */
import type { MergeReport } from '../../main/protocol/results.ts';
import { type Api, errorText } from '../api.ts';
import type { CheckpointChoice } from './evaluation.svelte.ts';

export class Merging {
  #report = $state.raw<MergeReport | null>(null);
  #busy = $state(false);
  #problem = $state('');
  readonly runId: string;
  readonly #api: Api;

  constructor(runId: string, api: Api) {
    this.runId = runId;
    this.#api = api;
  }

  get report(): MergeReport | null {
    return this.#report;
  }
  get busy(): boolean {
    return this.#busy;
  }
  get problem(): string {
    return this.#problem;
  }

  async merge(checkpoint: CheckpointChoice): Promise<void> {
    this.#busy = true;
    this.#problem = '';
    this.#report = null;
    try {
      this.#report = await this.#api.request('run:merge', { runId: this.runId, checkpoint });
    } catch (error) {
      this.#problem = errorText(error);
    }
    this.#busy = false;
  }
}
