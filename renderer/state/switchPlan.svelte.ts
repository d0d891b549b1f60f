/**
 * The switch on the table: previewed by the engine from recorded snapshots, with ranks set by hand and a budget, measured by a trial,
 * then confirmed, deferred or turned down. Overrides can be undone; the run itself changes only by `confirm`.
 */
import type { RankReason } from '../../main/protocol/records.ts';
import type { PhaseCost, SwitchPreview } from '../../main/protocol/results.ts';
import { type Api, errorText } from '../api.ts';
import type { Notices } from './notices.svelte.ts';

type Overrides = Readonly<Record<string, number>>;
export type DeferUntil = { tests: number } | { step: number } | { epoch: number } | { allModules: true };

export class SwitchPlan {
  #preview = $state.raw<SwitchPreview | null>(null);
  #loading = $state(false);
  #problem = $state('');
  #overrides = $state.raw<Overrides>({});
  #budget = $state<number | null>(null);
  #trial = $state.raw<{ now: PhaseCost; lora: PhaseCost } | null>(null);
  #trialState = $state<'none' | 'busy' | 'done' | 'failed'>('none');
  #trialProblem = $state('');
  selected = $state.raw<ReadonlySet<string>>(new Set());
  #undo: { overrides: Overrides; budget: number | null }[] = [];
  #asked = 0;
  readonly runId: string;
  readonly #api: Api;
  readonly #notices: Notices;

  constructor(runId: string, api: Api, notices: Notices) {
    this.runId = runId;
    this.#api = api;
    this.#notices = notices;
  }

  get preview(): SwitchPreview | null {
    return this.#preview;
  }
  get loading(): boolean {
    return this.#loading;
  }
  get problem(): string {
    return this.#problem;
  }
  get overrides(): Overrides {
    return this.#overrides;
  }
  get budget(): number | null {
    return this.#budget;
  }
  get trial(): { now: PhaseCost; lora: PhaseCost } | null {
    return this.#trial;
  }
  get trialState(): 'none' | 'busy' | 'done' | 'failed' {
    return this.#trialState;
  }
  get trialProblem(): string {
    return this.#trialProblem;
  }

  readonly reasons = $derived(new Map<string, RankReason>((this.#preview?.ranks?.modules ?? []).map((reason) => [reason.module, reason])));

  /** Takes the run's own overrides and budget, then asks for the preview. */
  start(overrides: Overrides, budget: number | null): void {
    this.#overrides = { ...overrides };
    this.#budget = budget;
    this.#undo = [];
    void this.load();
  }

  /** Only the newest answer counts. */
  async load(): Promise<void> {
    const asked = ++this.#asked;
    this.#loading = true;
    try {
      const settings = { rankOverrides: { ...this.#overrides }, rankBudget: this.#budget };
      const preview = await this.#api.request('switch:preview', { runId: this.runId, settings });
      if (asked !== this.#asked) return;
      this.#preview = preview;
      this.#problem = '';
    } catch (error) {
      if (asked === this.#asked) this.#problem = errorText(error);
    }
    if (asked === this.#asked) this.#loading = false;
  }

  /** Sets a rank on modules: 0 is "no adapter", null back to computed. */
  setRank(modules: Iterable<string>, rank: number | null): void {
    const next: Record<string, number> = { ...this.#overrides };
    for (const module of modules) {
      if (rank === null) delete next[module];
      else next[module] = rank;
    }
    this.#change({ overrides: next, budget: this.#budget });
  }

  setBudget(budget: number | null): void {
    this.#change({ overrides: this.#overrides, budget });
  }

  get canUndo(): boolean {
    return this.#undo.length > 0 && this.#overrides !== undefined;
  }

  undo(): void {
    const last = this.#undo.pop();
    if (!last) return;
    this.#overrides = last.overrides;
    this.#budget = last.budget;
    void this.load();
  }

  #change(next: { overrides: Overrides; budget: number | null }): void {
    this.#undo.push({ overrides: this.#overrides, budget: this.#budget });
    this.#overrides = next.overrides;
    this.#budget = next.budget;
    this.#trial = null;
    this.#trialState = 'none';
    void this.load();
  }

  /** Rank of every module of the preview. */
  get ranks(): Record<string, number> {
    return Object.fromEntries([...this.reasons].map(([module, { rank }]) => [module, rank]));
  }

  async measure(): Promise<void> {
    this.#trialState = 'busy';
    try {
      this.#trial = await this.#api.request('switch:trial', { runId: this.runId, ranks: this.ranks });
      this.#trialState = 'done';
    } catch (error) {
      this.#trialProblem = errorText(error);
      this.#trialState = 'failed';
    }
  }

  /** Switches with exactly the ranks on the table. */
  async confirm(): Promise<boolean> {
    const done = await this.#notices.attempt(() => this.#api.request('switch:now', { runId: this.runId, ranks: this.ranks }));
    if (done) this.#notices.confirm('The switch happens at the next step boundary, after a checkpoint.', () => this.undoSwitch());
    return done;
  }

  async defer(until: DeferUntil): Promise<void> {
    if (await this.#notices.attempt(() => this.#api.request('switch:defer', { runId: this.runId, until })))
      this.#notices.confirm('Deferred.');
  }

  async veto(): Promise<void> {
    if (await this.#notices.attempt(() => this.#api.request('switch:veto', { runId: this.runId }))) {
      this.#notices.confirm('Turned down; the window starts anew.');
    }
  }

  async undoSwitch(): Promise<void> {
    if (await this.#notices.attempt(() => this.#api.request('switch:undo', { runId: this.runId }))) {
      this.#notices.confirm('Back at the checkpoint before the switch; paused, switching manual.');
    }
  }

  async freezeNow(): Promise<void> {
    if (await this.#notices.attempt(() => this.#api.request('switch:freezeNow', { runId: this.runId })))
      this.#notices.confirm('Freezes at the next step.');
  }
}
