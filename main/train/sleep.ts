/**
 * Time that the machine slept while a run was open: told in its journal, and in none of its rates.
 *
 * Steps are timed by performance.now(), libuv's uv_hrtime. Under suspend it stands still on Linux alone (CLOCK_MONOTONIC; nodejs/node#47724), so
 * there rates are free of sleep by themselves, and the sleep shows in the clock since boot, which goes on (CLOCK_BOOTTIME, os.uptime()); the clock
 * on the wall would do as well, but somebody may set it. On macOS (mach_continuous_time since libuv#2894) and on Windows (the performance counter)
 * it goes on: two clocks tell nothing there. The desktop shell does, which hears of suspend and resume; in browser mode and on the command line
 * of those systems a sleep is not noticed, and one line of metrics and one epoch look slow.
 */
import os from 'node:os';
import type { TrainingRun } from './loop.ts';

/** Milliseconds of two clocks, of which the first goes on in sleep and the second does not. */
export interface SleepClocks {
  sinceBoot(): number;
  awake(): number;
}

/** Null where no clock stands still: their drift would pass for sleep in a run of weeks. */
export const SYSTEM_CLOCKS: SleepClocks | null =
  process.platform === 'linux' ? { sinceBoot: () => os.uptime() * 1000, awake: () => performance.now() } : null;

/** os.uptime() may count whole seconds, and less is not worth telling. */
const SHORTEST_MS = 10_000;

export class Sleep {
  readonly #run: TrainingRun;
  readonly #clocks: SleepClocks | null;
  #before: number;
  /** Of this epoch, milliseconds. */
  #longestStep = 0;

  constructor(run: TrainingRun, clocks: SleepClocks | null) {
    this.#run = run;
    this.#clocks = clocks;
    this.#before = this.#difference;
  }

  /** At a step boundary: a sleep since the last one is journalled. */
  look(): void {
    const ms = this.#difference - this.#before;
    if (ms < SHORTEST_MS) return;
    this.#before += ms;
    this.#journal(ms);
  }

  /** How long an update took, by the clock of the steps. */
  sawStep(ms: number, isFirstOfEpoch: boolean): void {
    this.#longestStep = isFirstOfEpoch ? ms : Math.max(this.#longestStep, ms);
  }

  /** The shell heard of a sleep that the clock of the steps counted: it is taken out of what that clock has summed up. */
  told(ms: number): void {
    if (ms < SHORTEST_MS) return;
    this.#journal(ms);
    const { state, status, latestEnd } = this.#run;
    // A pause is left out as a whole. And it slept within a step when there was one as long as that.
    if (status === 'running') latestEnd.leaveOut(ms);
    if (this.#longestStep < ms) return;
    state.epoch.seconds -= ms / 1000;
    this.#longestStep = 0;
  }

  get #difference(): number {
    return this.#clocks === null ? 0 : this.#clocks.sinceBoot() - this.#clocks.awake();
  }

  #journal(ms: number): void {
    this.#run.journal('slept', 'program', { seconds: Math.round(ms / 1000) });
  }
}
