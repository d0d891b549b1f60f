import type { ActiveRun } from '../../state/activeRun.svelte.ts';

/** Step of the next snapshot, when the interval of the last two holds; null when there is none to expect. */
export function nextTestStep({ status, records: { snapshots } }: Pick<ActiveRun, 'status' | 'records'>): number | null {
  const last = snapshots.at(-1)?.step;
  if (status?.phase !== 'full' || last === undefined) return null;
  return last + (last - (snapshots.at(-2)?.step ?? 0));
}
