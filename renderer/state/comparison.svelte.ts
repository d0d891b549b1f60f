/** Some runs side by side: their records, what their settings differ in, and their results, alone or grouped over random seeds. */
import type { RunConfig } from '../../main/protocol/config.ts';
import { fieldTable } from '../../main/protocol/fieldTable.ts';
import type { RunState } from '../../main/protocol/requests.ts';
import { type Api, errorText } from '../api.ts';
import { valueAt } from './activeRun.svelte.ts';

/** More runs than this are drawn as groups. */
export const DRAWN_RUNS = 12;

export class Comparison {
  #states = $state.raw<ReadonlyMap<string, RunState>>(new Map());
  #problems = $state.raw<ReadonlyMap<string, string>>(new Map());
  #pending = $state(0);
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
    else groups.set(key, { key, label: state.summary.status.name, runs: [state] });
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

/** Is the difference of two groups smaller than their spreads? Null where a group has one run only. */
export function withinSpread(a: readonly number[], b: readonly number[]): boolean | null {
  const [one, two] = [meanSpread(a), meanSpread(b)];
  if (one?.spread == null || two?.spread == null) return null;
  return Math.abs(one.mean - two.mean) <= Math.max(one.spread, two.spread);
}

/** Every number shown and the raw epochs as comma-separated text, dots for decimals. */
export function exportCsv(states: readonly RunState[]): string {
  const lines = ['run,seed,epoch,step,phase,trainLoss,valLoss,valTop1,valTop5,seconds,imagesPerSecond,peakMemoryBytes'];
  for (const { summary, epochs } of states) {
    for (const epoch of epochs) {
      const { step, phase, trainLoss, valLoss, valTop1, valTop5, seconds, imagesPerSecond, peakMemoryBytes } = epoch;
      const cells = [
        summary.runId,
        summary.config.train.seed,
        epoch.epoch,
        step,
        phase,
        trainLoss,
        valLoss,
        valTop1,
        valTop5,
        seconds,
        imagesPerSecond,
        peakMemoryBytes,
      ];
      lines.push(
        cells
          .map((cell) => (typeof cell === 'string' && /[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : String(cell ?? '')))
          .join(','),
      );
    }
  }
  return `${lines.join('\n')}\n`;
}
