/** Other thresholds tried on a run's recorded snapshots while it trains; nothing changes until they are applied. */
import type { RunConfig } from '../../main/protocol/config.ts';
import type { ReplayResult } from '../../main/protocol/results.ts';
import type { Api } from '../api.ts';

/** Percent; null where the run's own setting holds. */
export type Thresholds = { tau: number | null; zeta: number | null };

/** The run whose thresholds are tried. */
export interface TriedRun {
  readonly runId: string;
  readonly summary: { config: RunConfig } | null;
  readonly controls: { edit(changes: Record<string, unknown>): Promise<boolean> };
}

const NONE: Thresholds = { tau: null, zeta: null };

export class ThresholdDraft {
  #draft = $state.raw<Thresholds>(NONE);
  #replay = $state.raw<ReplayResult | null>(null);
  readonly #run: TriedRun;
  readonly #api: Api;

  constructor(run: TriedRun, api: Api) {
    this.#run = run;
    this.#api = api;
  }

  get draft(): Thresholds {
    return this.#draft;
  }

  /** The verdicts under the draft; null while nothing is tried. */
  get replay(): ReplayResult | null {
    return this.#replay;
  }

  /** Tries another value; one that equals the run's setting, or null, takes the draft back. */
  set(change: Partial<Thresholds>): void {
    const config = this.#run.summary?.config.prelora;
    const next = { ...this.#draft, ...change };
    if (next.tau === config?.tau) next.tau = null;
    if (next.zeta === config?.zeta) next.zeta = null;
    this.#draft = next;
    void this.#judge(next);
  }

  clear(): void {
    this.set(NONE);
  }

  async apply(): Promise<void> {
    const { tau, zeta } = this.#draft;
    const changes: Record<string, unknown> = {};
    if (tau !== null) changes['prelora.tau'] = tau;
    if (zeta !== null) changes['prelora.zeta'] = zeta;
    if (await this.#run.controls.edit(changes)) this.clear();
  }

  async #judge(draft: Thresholds): Promise<void> {
    if (draft.tau === null && draft.zeta === null) {
      this.#replay = null;
      return;
    }
    const settings = { ...(draft.tau !== null && { tau: draft.tau }), ...(draft.zeta !== null && { zeta: draft.zeta }) };
    const result = await this.#api.request('replay', { runId: this.#run.runId, settings }).catch(() => null);
    if (this.#draft === draft) this.#replay = result;
  }
}
