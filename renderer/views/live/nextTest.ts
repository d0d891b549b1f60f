import type { RunConfig } from '../../../main/protocol/config.ts';
import { formatCount, formatEvery, unbroken } from '../../format.ts';
import type { ActiveRun } from '../../state/activeRun.svelte.ts';

/** Step of the next snapshot, when the interval of the last two holds; null when there is none to expect. */
export function nextTestStep({ status, records: { snapshots } }: Pick<ActiveRun, 'status' | 'records'>): number | null {
  const last = snapshots.at(-1)?.step;
  if (status?.phase !== 'full' || last === undefined) return null;
  return last + (last - (snapshots.at(-2)?.step ?? 0));
}

/** What stands in place of a picture of changes before there are two snapshots, and when it will be there. */
export function snapshotsWanted(run: Pick<ActiveRun, 'status' | 'records'>, { prelora }: Pick<RunConfig, 'prelora'>): string {
  const next = nextTestStep(run);
  const has = run.records.snapshots.length === 0 ? 'None is there yet' : 'One is there';
  return unbroken(
    `A change needs 2 snapshots. ${has}; ${next === null ? `one comes ${formatEvery(prelora.snapshotEvery)}` : `the next comes at step ${formatCount(next)}`}.`,
  );
}
