/**
 * The run that is being set up: a config as the user means it, checked and estimated by the engine after every change. The last draft
 * comes back; every change can be undone; fields that differ from the preset are known one by one.
 */
import { RunConfig } from '../../main/protocol/config.ts';
import { PreloraError } from '../../main/protocol/reply.ts';
import type { AppDescription, DatasetReport, Estimate } from '../../main/protocol/results.ts';
import { type Api, errorText } from '../api.ts';
import type { KeyValueStore } from './preferences.svelte.ts';
import { merge, type Tree, valueAt, withValue } from './tree.ts';

const KEY = 'prelora.draft';
const ESTIMATE_AFTER_MS = 120;
const UNDO_STEPS = 100;

export class Draft {
  #config = $state.raw<Tree>(defaults());
  #base = $state.raw<Tree>(defaults());
  #estimate = $state.raw<Estimate | null>(null);
  #lastValid = $state.raw<Estimate | null>(null);
  #measured = $state.raw<Estimate | null>(null);
  #measuring = $state(false);
  #report = $state.raw<DatasetReport | null>(null);
  #inspecting = $state(false);
  #dataProblem = $state('');
  #problem = $state('');
  #startProblem = $state.raw<{ field: string; message: string } | null>(null);
  #starting = $state(false);
  #undo = $state.raw<readonly Tree[]>([]);
  #timer: ReturnType<typeof setTimeout> | null = null;
  #asked = 0;
  readonly #api: Api;
  readonly #store: KeyValueStore;

  constructor(api: Api, store: KeyValueStore) {
    this.#api = api;
    this.#store = store;
    const saved = parse(store.getItem(KEY));
    if (saved) {
      this.#config = merge(defaults(), saved.config);
      this.#base = merge(defaults(), saved.base);
    }
    this.#later();
  }

  get config(): Tree {
    return this.#config;
  }
  get estimate(): Estimate | null {
    return this.#estimate;
  }
  /** The newest estimate without problems, shown while there are some. */
  get lastValid(): Estimate | null {
    return this.#lastValid;
  }
  /** Measured figures for exactly this draft. */
  get measured(): Estimate | null {
    return this.#measured;
  }
  get measuring(): boolean {
    return this.#measuring;
  }
  get report(): DatasetReport | null {
    return this.#report;
  }
  get inspecting(): boolean {
    return this.#inspecting;
  }
  get dataProblem(): string {
    return this.#dataProblem;
  }
  get problem(): string {
    return this.#problem;
  }
  get starting(): boolean {
    return this.#starting;
  }
  get canUndo(): boolean {
    return this.#undo.length > 0;
  }

  readonly problems = $derived([...(this.#estimate?.problems ?? []), ...(this.#startProblem ? [this.#startProblem] : [])]);

  value(path: string): unknown {
    return valueAt(this.#config, path);
  }

  isChanged(path: string): boolean {
    return JSON.stringify(valueAt(this.#config, path)) !== JSON.stringify(valueAt(this.#base, path));
  }

  messageOf(path: string): string {
    return this.problems.find(({ field }) => field === path || field.startsWith(`${path}.`))?.message ?? '';
  }

  set(path: string, value: unknown): void {
    this.#replace(withValue(this.#config, path, value));
  }

  /** Several values as one change. */
  setAll(values: Record<string, unknown>): void {
    this.#replace(Object.entries(values).reduce((config, [path, value]) => withValue(config, path, value), this.#config));
  }

  reset(path: string): void {
    this.set(path, valueAt(this.#base, path));
  }

  undo(): void {
    const last = this.#undo.at(-1);
    if (!last) return;
    this.#undo = this.#undo.slice(0, -1);
    this.#config = last;
    this.#changed();
  }

  /** Starts anew from a preset; what was set before can be undone. */
  choosePreset(preset: AppDescription['presets'][number]): void {
    const config = preset.config !== null && typeof preset.config === 'object' ? (preset.config as Tree) : {};
    this.#base = { ...merge(defaults(), config), preset: preset.name };
    this.#replace(this.#base);
  }

  /** Takes a whole config: another run's, or parsed text. */
  take(config: Tree): void {
    const whole = merge(defaults(), config);
    this.#base = whole;
    this.#replace(whole);
  }

  /** Only replaces values; the preset to compare with stays. */
  replaceText(config: Tree): void {
    this.#replace(merge(defaults(), config));
  }

  #replace(next: Tree): void {
    this.#undo = [...this.#undo.slice(-UNDO_STEPS), this.#config];
    this.#config = next;
    this.#changed();
  }

  #changed(): void {
    this.#measured = null;
    this.#startProblem = null;
    this.#store.setItem(KEY, JSON.stringify({ config: this.#config, base: this.#base }));
    this.#later();
  }

  #later(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.compute(), ESTIMATE_AFTER_MS);
  }

  /** Asks for problems and the estimate; only the newest answer counts. */
  async compute(): Promise<void> {
    const asked = ++this.#asked;
    try {
      const estimate = await this.#api.request('estimate:compute', { config: this.#config });
      if (asked !== this.#asked) return;
      this.#estimate = estimate;
      this.#problem = '';
      if (estimate.problems.length === 0) this.#lastValid = estimate;
    } catch (error) {
      if (asked === this.#asked) this.#problem = errorText(error);
    }
  }

  async measure(): Promise<void> {
    this.#measuring = true;
    try {
      this.#measured = await this.#api.request('estimate:measure', { config: this.#config });
    } catch (error) {
      this.#problem = errorText(error);
    }
    this.#measuring = false;
  }

  async inspect(): Promise<void> {
    this.#inspecting = true;
    this.#dataProblem = '';
    try {
      this.#report = await this.#api.request('data:inspect', { data: this.#config.data });
    } catch (error) {
      this.#report = null;
      this.#dataProblem = errorText(error);
    }
    this.#inspecting = false;
    // The number of images is known now, and with it steps and time.
    await this.compute();
  }

  /** Starts the run and gives its id; null when a field stands in the way, whose message is then shown there. */
  async start(): Promise<string | null> {
    this.#starting = true;
    try {
      const { runId } = await this.#api.request('run:start', { config: this.#config });
      return runId;
    } catch (error) {
      const field = error instanceof PreloraError ? (error.field ?? '') : '';
      this.#startProblem = { field, message: errorText(error) };
      return null;
    } finally {
      this.#starting = false;
    }
  }
}

function defaults(): Tree {
  return RunConfig.parse({}) as unknown as Tree;
}

function parse(text: string | null): { config: Tree; base: Tree } | null {
  try {
    return text === null ? null : (JSON.parse(text) as { config: Tree; base: Tree });
  } catch {
    return null;
  }
}
