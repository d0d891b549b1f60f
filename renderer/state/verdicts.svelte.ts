/**
 * The engine's verdicts over a run's recorded snapshots, asked for again as new ones come. One question at a time, and no more than a
 * fifth of the time is spent on them: the engine reads all snapshots for an answer, which has a line for each.
 */
import type { ReplayResult } from '../../main/protocol/results.ts';
import type { Api } from '../api.ts';
import type { RunRecords } from './records.ts';

/** Rest after an answer, in times of what it took. */
const REST = 4;

export class Verdicts {
  #replay = $state.raw<ReplayResult | null>(null);
  /** Step of the newest snapshot that was asked about. */
  #judgedStep = -1;
  #isAsking = false;
  #askAgainAt = Number.NEGATIVE_INFINITY;
  #timer: ReturnType<typeof setTimeout> | null = null;
  readonly #runId: string;
  readonly #records: RunRecords;
  readonly #api: Api;

  constructor(runId: string, records: RunRecords, api: Api) {
    this.#runId = runId;
    this.#records = records;
    this.#api = api;
  }

  /** Null until there are two snapshots, and when the engine cannot tell. */
  get replay(): ReplayResult | null {
    return this.#replay;
  }

  /** Asks now, unless an answer is on its way. */
  async ask(): Promise<void> {
    const { snapshots } = this.#records;
    if (this.#isAsking || snapshots.length < 2) return;
    const newest = this.#newestStep();
    this.#isAsking = true;
    this.#judgedStep = newest;
    const started = performance.now();
    this.#replay = await this.#api.request('replay', { runId: this.#runId, settings: {} }).catch(() => null);
    this.#askAgainAt = performance.now() + REST * (performance.now() - started);
    this.#isAsking = false;
    if (this.#newestStep() !== newest) this.askSoon();
  }

  /** Asks after the rest, if there is a new snapshot then. */
  askSoon(): void {
    const wait = Math.max(0, this.#askAgainAt - performance.now());
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      if (this.#newestStep() !== this.#judgedStep) void this.ask();
    }, wait);
  }

  stop(): void {
    clearTimeout(this.#timer ?? undefined);
  }

  #newestStep(): number {
    return this.#records.snapshots.at(-1)?.step ?? -1;
  }
}
