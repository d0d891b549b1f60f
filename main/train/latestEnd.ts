/**
 * The latest end of a run (product.md section 2.2): it is over when another epoch like the last would not fit, or, within one that takes longer,
 * when time is up. The end is a time on the wall; what an epoch takes is evaluations too, but not pauses and not time asleep.
 */

/** Milliseconds of the wall, and of a clock that only goes forward. */
export interface WallAndSteady {
  wall(): number;
  steady(): number;
}

const SYSTEM: WallAndSteady = { wall: () => Date.now(), steady: () => performance.now() };

export class LatestEnd {
  #epochBegan: number;

  constructor(readonly clocks: WallAndSteady = SYSTEM) {
    this.#epochBegan = clocks.steady();
  }

  /** Time in which nothing was trained. */
  leaveOut(ms: number): void {
    this.#epochBegan += ms;
  }

  /** Asked at every step boundary, also while there is no latest end: each end of an epoch begins the next, and one may be set later. */
  isReached(latestEnd: string | null, isEpochEnd: boolean): boolean {
    const { wall, steady } = this.clocks;
    const needed = isEpochEnd ? steady() - this.#epochBegan : 0;
    if (isEpochEnd) this.#epochBegan = steady();
    return latestEnd !== null && wall() + needed >= Date.parse(latestEnd);
  }
}
