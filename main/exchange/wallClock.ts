/**
 * When a run was at a step. Records of metrics, epochs and snapshots hold no time of day, so it is worked out from what has one: the journal,
 * the manifests of checkpoints and the last status. Between two of these moments steps are taken to be equally long; a pause lies between two
 * entries of one step and does not stretch its neighbours.
 */
import { listCheckpoints } from '../store/checkpointFolder.ts';
import { readLineage, readStatus, streamRecords } from '../store/runFolder.ts';

/** Seconds since 1970 at which a step was reached. */
export type WallClock = (step: number) => number;

/** A moment at which a run was at a step. `time` in seconds since 1970. */
export interface Moment {
  step: number;
  time: number;
}

/** The clock of a run folder, by live records alone. Throws `run-damaged` naming file and line. */
export async function readWallClock(runDir: string): Promise<WallClock> {
  const isLive = await readLineage(runDir);
  const moments: Moment[] = [];
  const note = (place: { step: number; segment: number }, time: string): void => {
    const seconds = Date.parse(time) / 1000;
    if (isLive(place) && Number.isFinite(seconds)) moments.push({ step: place.step, time: seconds });
  };
  for await (const event of streamRecords(runDir, 'events')) note(event, event.time);
  for (const checkpoint of (await listCheckpoints(runDir)).checkpoints) note(checkpoint, checkpoint.createdAt);
  const status = await readStatus(runDir);
  if (status) note(status, status.updatedAt);
  return wallClock(moments);
}

/** From moments in any order. Before the first and after the last one time stands still; without any it is 0. */
export function wallClock(moments: readonly Moment[]): WallClock {
  const stays = staysOf(moments);
  return (step) => {
    const next = firstAtOrAfter(stays, step);
    const after = stays[next];
    if (after?.step === step) return after.reached;
    const before = stays[next - 1];
    if (!before) return after?.reached ?? 0;
    if (!after) return before.left;
    return before.left + ((after.reached - before.left) * (step - before.step)) / (after.step - before.step);
  };
}

/** How long a run was at a step, as far as is known. */
interface Stay {
  step: number;
  reached: number;
  left: number;
}

/** In the order of steps, each once. */
function staysOf(moments: readonly Moment[]): Stay[] {
  const stays = new Map<number, Stay>();
  for (const { step, time } of moments) {
    const { reached, left } = stays.get(step) ?? { reached: time, left: time };
    stays.set(step, { step, reached: Math.min(reached, time), left: Math.max(left, time) });
  }
  return [...stays.values()].sort((a, b) => a.step - b.step);
}

/** Index of the first stay at or after `step`, or their number. */
function firstAtOrAfter(stays: readonly Stay[], step: number): number {
  let [low, high] = [0, stays.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((stays[middle] as Stay).step < step) low = middle + 1;
    else high = middle;
  }
  return low;
}
