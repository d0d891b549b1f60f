/** How long the run would take if it switched at the next test: its own pace, times the speeds that the engine predicts for what follows. */
import type { SwitchPreview } from '../../main/protocol/results.ts';
import type { Api } from '../api.ts';

type Pace = NonNullable<SwitchPreview['pace']>;

/** A preview reads the whole history; the prediction hardly changes from one snapshot to the next. */
const ASK_EVERY_MS = 30_000;

export interface RunPlace {
  step: number;
  totalSteps: number;
  /** Time left without a switch. */
  etaSeconds: number;
  nextTest: number;
}

/** Null when the switch would come too late to matter. */
export function secondsIfSwitched({ step, totalSteps, etaSeconds, nextTest }: RunPlace, { jointSteps, warmup, lora }: Pace): number | null {
  const left = totalSteps - step;
  const after = totalSteps - nextTest - jointSteps;
  if (left <= 0 || after <= 0 || nextTest < step) return null;
  return (etaSeconds / left) * (nextTest - step + jointSteps / warmup + after / lora);
}

export class SwitchedEta {
  #pace = $state.raw<Pace | null>(null);
  #askedAt = Number.NEGATIVE_INFINITY;
  readonly runId: string;
  readonly #api: Api;

  constructor(runId: string, api: Api) {
    this.runId = runId;
    this.#api = api;
  }

  /** Null while there is nothing to predict from. */
  get pace(): Pace | null {
    return this.#pace;
  }

  /** Asks again, but not too often. What cannot be predicted is left out, and is no fault of the page. */
  async ask(now = performance.now()): Promise<void> {
    if (now - this.#askedAt < ASK_EVERY_MS) return;
    this.#askedAt = now;
    try {
      this.#pace = (await this.#api.request('switch:preview', { runId: this.runId, settings: {} })).pace;
    } catch {
      this.#pace = null;
    }
  }
}
