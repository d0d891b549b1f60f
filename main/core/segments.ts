/**
 * Which records count in a file of records that comes without its run's journal: an undo or a resume starts a new segment, and what
 * earlier segments wrote at or past its first record is abandoned (method.md section 11). store/lineage.ts knows the exact steps.
 */

/** The records that still count, in file order. */
export function dropAbandoned<T extends { step: number; segment: number }>(records: readonly T[]): T[] {
  const live: T[] = [];
  // From the newest back: a record counts unless a later segment has one at its step or before.
  let firstLaterStep = Number.POSITIVE_INFINITY;
  let segment = Number.POSITIVE_INFINITY;
  for (const record of records.toReversed()) {
    if (record.segment > segment || record.step >= firstLaterStep) continue;
    live.push(record);
    segment = record.segment;
    firstLaterStep = record.step;
  }
  return live.reverse();
}
