/** Moves thresholds over recorded snapshots, of a run or of a file: the engine's replay under other settings, beside what was recorded. */

import type { RunConfig } from '../../main/protocol/config.ts';
import type { ReplayResult, WhatIfSettings } from '../../main/protocol/results.ts';
import { errorText } from '../api.ts';

/** Where the switch falls for a τ and a ζ. */
export interface SensitivityPoint {
  tau: number;
  switchStep: number | null;
}

export interface SensitivityLine {
  zeta: number;
  points: SensitivityPoint[];
}

const DEBOUNCE_MS = 40;
const TAU_STEPS = 13;
/** Percent, as in the schema of tau and zeta. */
const LARGEST = 100;

export class WhatIf<R extends ReplayResult = ReplayResult> {
  #recorded = $state.raw<R | null>(null);
  #result = $state.raw<R | null>(null);
  #settings = $state.raw<WhatIfSettings>({});
  #problem = $state('');
  #sensitivity = $state.raw<readonly SensitivityLine[]>([]);
  #asked = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;
  readonly #ask: (settings: WhatIfSettings) => Promise<R>;

  /** `ask` replays under these settings, with the recorded values where they say nothing. */
  constructor(ask: (settings: WhatIfSettings) => Promise<R>) {
    this.#ask = ask;
  }

  get recorded(): R | null {
    return this.#recorded;
  }
  get result(): R | null {
    return this.#result;
  }
  get settings(): WhatIfSettings {
    return this.#settings;
  }
  get problem(): string {
    return this.#problem;
  }
  get sensitivity(): readonly SensitivityLine[] {
    return this.#sensitivity;
  }
  readonly isChanged = $derived(Object.keys(this.#settings).length > 0);

  /** Replays with the recorded values, then with those on the table. */
  async load(): Promise<void> {
    try {
      this.#recorded = await this.#ask({});
      await this.#replay();
    } catch (error) {
      this.#problem = errorText(error);
    }
  }

  /** Sets one setting; the recorded value takes it off the table. */
  set<K extends keyof WhatIfSettings>(key: K, value: WhatIfSettings[K], recorded: unknown): void {
    const { [key]: _before, ...rest } = this.#settings;
    this.#settings = value === recorded ? rest : { ...rest, [key]: value };
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#replay(), DEBOUNCE_MS);
  }

  /** Back to the recorded values. */
  reset(): void {
    this.#settings = {};
    void this.#replay();
  }

  async #replay(): Promise<void> {
    const asked = ++this.#asked;
    try {
      const result = await this.#ask(this.#settings);
      if (asked !== this.#asked) return;
      this.#result = result;
      this.#problem = '';
    } catch (error) {
      if (asked === this.#asked) this.#problem = errorText(error);
    }
  }

  /** Switch step against τ for half, the same and twice the ζ; one replay after the other, so that the engine stays free. */
  async sweep(prelora: Pick<RunConfig['prelora'], 'tau' | 'zeta'>): Promise<void> {
    const lines: SensitivityLine[] = [];
    const taus = allowed(Array.from({ length: TAU_STEPS }, (_, i) => threeDigits(prelora.tau * 4 ** ((2 * i) / (TAU_STEPS - 1) - 1))));
    for (const zeta of allowed([prelora.zeta / 2, prelora.zeta, prelora.zeta * 2])) {
      const points: SensitivityPoint[] = [];
      for (const tau of taus) {
        const { switchStep } = await this.#ask({ tau, zeta });
        points.push({ tau, switchStep });
      }
      lines.push({ zeta, points });
      this.#sensitivity = [...lines];
    }
  }
}

/** At most the largest threshold there is, each value once. */
function allowed(thresholds: readonly number[]): number[] {
  return [...new Set(thresholds.map((value) => Math.min(LARGEST, value)))];
}

function threeDigits(value: number): number {
  return Number(value.toPrecision(3));
}
