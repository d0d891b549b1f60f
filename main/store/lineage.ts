/**
 * Which records of a run still count. An undo or a resume after a crash starts a new segment at the step e of the checkpoint it
 * loaded; what earlier segments wrote past e is abandoned, but stays in the files (method.md section 11). Each start names the
 * segment its checkpoint came from, so that an undo can itself be undone: live is what lies on the way back from the newest
 * segment to the first.
 */

export interface SegmentStart {
  segment: number;
  /** Step of the checkpoint it goes on from. */
  step: number;
  /** Segment in which that checkpoint was written. */
  fromSegment: number;
}

/** Tells live records from abandoned ones. */
export type IsLive = (record: { segment: number; step: number }) => boolean;

/** The rule for a run with these starts, in any order; segment 0 has none. */
export function liveRecords(starts: readonly SegmentStart[]): IsLive {
  const lastLiveStep = new Map<number, number>();
  let segment = newestSegment(starts);
  let limit = Number.POSITIVE_INFINITY;
  // A damaged journal could name a segment as its own ancestor: each is visited once.
  while (!lastLiveStep.has(segment)) {
    lastLiveStep.set(segment, limit);
    const start = starts.find((candidate) => candidate.segment === segment);
    if (!start) break;
    segment = start.fromSegment;
    limit = start.step;
  }
  return (record) => record.step <= (lastLiveStep.get(record.segment) ?? -1);
}

/** The segment that is being written; 0 for a run that was never undone or resumed from an older checkpoint. */
export function newestSegment(starts: readonly SegmentStart[]): number {
  return Math.max(0, ...starts.map(({ segment }) => segment));
}
