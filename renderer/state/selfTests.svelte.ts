/** Self-tests of compute engines: one at a time, each with its times or why it failed. Kept while Settings are open. */
import type { ComputeEngine, SelfTest } from '../../main/protocol/results.ts';
import { type Api, errorText } from '../api.ts';

type Outcome = { passed: SelfTest; problem: null } | { passed: null; problem: string };

export class SelfTests {
  #running = $state<ComputeEngine['name'] | null>(null);
  #outcomes = $state.raw<Partial<Record<ComputeEngine['name'], Outcome>>>({});
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  get running(): ComputeEngine['name'] | null {
    return this.#running;
  }

  outcomeOf(backend: ComputeEngine['name']): Outcome | null {
    return this.#outcomes[backend] ?? null;
  }

  async run(backend: ComputeEngine['name']): Promise<void> {
    if (this.#running) return;
    this.#running = backend;
    this.#set(backend, undefined);
    try {
      this.#set(backend, { passed: await this.#api.request('engine:selfTest', { backend }), problem: null });
    } catch (error) {
      this.#set(backend, { passed: null, problem: errorText(error) });
    }
    this.#running = null;
  }

  /** Times of an engine that has changed since say nothing of it. */
  forget(backend: ComputeEngine['name']): void {
    this.#set(backend, undefined);
  }

  #set(backend: ComputeEngine['name'], outcome: Outcome | undefined): void {
    const { [backend]: _before, ...others } = this.#outcomes;
    this.#outcomes = outcome ? { ...others, [backend]: outcome } : others;
  }
}
