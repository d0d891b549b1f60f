/**
 * Some runs side by side: their records for the curves, and the engine's figures for them, alone and grouped over random seeds, so that page
 * and command line say the same.
 */
import type { Comparison as Figures } from '../../main/protocol/comparison.ts';
import type { RunConfig } from '../../main/protocol/config.ts';
import { fieldTable } from '../../main/protocol/fieldTable.ts';
import type { RunState } from '../../main/protocol/results.ts';
import { type Api, errorText } from '../api.ts';
import { valueAt } from './tree.ts';

export class Comparison {
  #states = $state.raw<ReadonlyMap<string, RunState>>(new Map());
  #problems = $state.raw<ReadonlyMap<string, string>>(new Map());
  #pending = $state(0);
  #figures = $state.raw<Figures | null>(null);
  #asked = 0;
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  get states(): ReadonlyMap<string, RunState> {
    return this.#states;
  }
  get problems(): ReadonlyMap<string, string> {
    return this.#problems;
  }
  get pending(): number {
    return this.#pending;
  }

  /** The engine's figures of the runs that could be read, in their order; null until they are there. */
  get figures(): Figures | null {
    return this.#figures;
  }

  /** Figures of exactly these runs; only the newest answer counts. `atStep` adds the accuracy at that step. */
  async compare(runIds: readonly string[], atStep: number | null): Promise<void> {
    const asked = ++this.#asked;
    if (runIds.length === 0) {
      this.#figures = null;
      return;
    }
    try {
      const value = await this.#api.request('runs:compare', { runIds: [...runIds], atStep });
      if (asked === this.#asked) this.#figures = value;
    } catch (error) {
      if (asked === this.#asked) this.#problems = new Map([...this.#problems, ['', errorText(error)]]);
    }
  }

  /** Loads the runs that are not there yet, and lets go of the others. */
  async show(runIds: readonly string[]): Promise<void> {
    this.#states = new Map([...this.#states].filter(([runId]) => runIds.includes(runId)));
    const missing = runIds.filter((runId) => !this.#states.has(runId));
    this.#pending += missing.length;
    for (const runId of missing) {
      try {
        const state = await this.#api.request('run:state', { runId });
        // A comparison is of what is recorded now; frames are not followed.
        void this.#api.request('run:unsubscribe', { runId }).catch(() => {});
        this.#states = new Map([...this.#states, [runId, state]]);
      } catch (error) {
        this.#problems = new Map([...this.#problems, [runId, errorText(error)]]);
      }
      this.#pending--;
    }
  }
}

export interface Group {
  key: string;
  label: string;
  runs: RunState[];
}

const NOT_COMPARED = new Set(['name', 'preset']);

/** Runs whose settings are equal but for the random seed. */
export function groupBySeed(states: readonly RunState[]): Group[] {
  const groups = new Map<string, Group>();
  for (const state of states) {
    const { name: _name, preset: _preset, ...config } = state.summary.config;
    const key = JSON.stringify({ ...config, train: { ...config.train, seed: 0 } });
    const group = groups.get(key);
    if (group) group.runs.push(state);
    else groups.set(key, { key, label: state.summary.study?.variant ?? state.summary.status.name, runs: [state] });
  }
  return [...groups.values()];
}

export interface SettingRow {
  path: string;
  title: string;
  values: string[];
  differs: boolean;
}

/** Every setting with its value per run. */
export function settingRows(configs: readonly RunConfig[]): SettingRow[] {
  return fieldTable()
    .filter(({ path }) => !NOT_COMPARED.has(path))
    .map(({ path, title }) => {
      const values = configs.map((config) => showValue(valueAt(config, path)));
      return { path, title, values, differs: new Set(values).size > 1 };
    });
}

function showValue(value: unknown): string {
  if (value === null || value === undefined) return '–';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** Mean and sample standard deviation; the deviation of one value is null. */
export function meanSpread(values: readonly number[]): { mean: number; spread: number | null; n: number } | null {
  if (values.length === 0) return null;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  if (values.length === 1) return { mean, spread: null, n: 1 };
  return { mean, spread: Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1)), n: values.length };
}
