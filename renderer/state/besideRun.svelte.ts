/** Another run's snapshots to lie beside those on screen: the same module of two runs. Read once; frames are not followed. */
import { type Api, errorText } from '../api.ts';
import type { Snapshots } from './snapshots.ts';
import { readWholeRun } from './wholeRun.ts';

export interface Beside {
  runId: string;
  name: string;
  snapshots: Snapshots;
}

export class BesideRun {
  #shown = $state.raw<Beside | null>(null);
  #problem = $state('');
  #wanted: string | null = null;
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  get shown(): Beside | null {
    return this.#shown;
  }
  get problem(): string {
    return this.#problem;
  }

  /** Null takes it away. Only the newest wish counts. */
  async show(runId: string | null): Promise<void> {
    this.#wanted = runId;
    this.#shown = null;
    this.#problem = '';
    if (runId === null) return;
    try {
      const whole = await readWholeRun(this.#api, runId, () => this.#wanted === runId);
      void this.#api.request('run:unsubscribe', { runId }).catch(() => {});
      if (whole === null) return;
      const { state, snapshots } = whole;
      if (this.#wanted === runId) this.#shown = { runId, name: state.summary.status.name, snapshots };
    } catch (error) {
      if (this.#wanted === runId) this.#problem = errorText(error);
    }
  }
}
