/**
 * Which records count in a file of records that comes without its run's journal: an undo or a resume starts a new segment, and what
 * earlier segments wrote at or past its first record is abandoned (method.md section 11). store/lineage.ts knows the exact steps.
 */

/** The records that still count, in file order. */
export function dropAbandoned<T extends { step: number; segment: number }>(records: readonly T[]): T[] {
  const live: T[] = [];
  let segment = Number.POSITIVE_INFINITY;
  let firstStep = Number.POSITIVE_INFINITY;
  let limit = Number.POSITIVE_INFINITY;
  // From the newest back, `limit` being where the segments after this record's begin.
  for (const record of records.toReversed()) {
    if (record.segment < segment) {
      limit = firstStep;
      segment = record.segment;
    }
    if (record.segment > segment || record.step >= limit) continue;
    live.push(record);
    firstStep = record.step;
  }
  return live.reverse();
}
