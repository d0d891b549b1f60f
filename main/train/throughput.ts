/**
 * How fast a phase runs: step times in, medians out. The first steps of a phase (and after a resume) compile, allocate and warm caches;
 * they do not belong in throughput (method.md section 17).
 */
import { median } from '../core/statistics.ts';

const WARM_UP_STEPS = 2;
/** Steps in the moving median behind live figures and the ETA. */
const RECENT_STEPS = 100;

export class Throughput {
  #stepMs: number[] = [];
  #images = 0;
  #seen = 0;

  /** Counts one update of `images` images that took `ms` milliseconds, waiting for data included. */
  add(ms: number, images: number): void {
    this.#seen++;
    if (this.#seen <= WARM_UP_STEPS) return;
    this.#stepMs.push(ms);
    this.#images = images;
  }

  /** Median step time of the phase so far, in milliseconds; null before there is one. */
  get stepMsMedian(): number | null {
    return this.#stepMs.length > 0 ? median(this.#stepMs) : null;
  }

  /** Images per second at the median step time. */
  get imagesPerSecond(): number | null {
    const ms = this.stepMsMedian;
    return ms === null ? null : (1000 * this.#images) / ms;
  }

  /** Median of the last steps, for the time left; null for the first 20 steps of a phase. */
  get recentStepMs(): number | null {
    return this.#stepMs.length < 20 ? null : median(this.#stepMs.slice(-RECENT_STEPS));
  }
}
