/** When to stop trying: three crashes within five minutes are no accident (product.md section 3, reliability.md R14). */

const CRASHES = 3;
const WITHIN_MS = 5 * 60_000;

export class CrashPolicy {
  #times: number[] = [];

  /** Counts a crash at `now` (any clock in ms that only goes forward). True while another try is reasonable. */
  record(now: number): boolean {
    this.#times = [...this.#times.filter((time) => now - time < WITHIN_MS), now];
    return this.#times.length < CRASHES;
  }
}
