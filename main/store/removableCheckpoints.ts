/**
 * Which checkpoints of a run a user may clear away to win space: those that neither the last, the best nor a pin keeps. Pinned is the one
 * before the switch, so that an undo stays possible, and what an undo left.
 */
import { type CheckpointSummary, discardCheckpoint, listCheckpoints } from './checkpointFolder.ts';
import { readBest, readLast, readLineage } from './runFolder.ts';

export interface RemovableCheckpoint {
  step: number;
  bytes: number;
  /** `abandoned`: an undo or a crash left it behind; `older`: the run went on from it. */
  reason: 'abandoned' | 'older';
}

export interface CheckpointSpace {
  removable: RemovableCheckpoint[];
  /** Bytes of all checkpoints, those that stay included. */
  bytes: number;
}

/** Told by manifests alone; broken checkpoints count for nothing and stay, to be looked at. */
export async function checkpointSpace(runDir: string): Promise<CheckpointSpace> {
  const { checkpoints } = await listCheckpoints(runDir);
  const isLive = await readLineage(runDir);
  const kept = new Set([await readLast(runDir), await readBest(runDir), checkpoints.findLast(isLive)?.step ?? null]);
  const isRemovable = ({ step, pinned }: CheckpointSummary): boolean => pinned === null && !kept.has(step);
  return {
    removable: checkpoints.filter(isRemovable).map((one) => ({
      step: one.step,
      bytes: one.bytes,
      reason: isLive(one) ? 'older' : 'abandoned',
    })),
    bytes: checkpoints.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

/** Deletes those of `steps` that are still removable, and returns the bytes won. Only for the holder of the run's lock. */
export async function removeCheckpoints(runDir: string, steps: readonly number[]): Promise<number> {
  const doomed = (await checkpointSpace(runDir)).removable.filter(({ step }) => steps.includes(step));
  for (const { step } of doomed) await discardCheckpoint(runDir, step);
  return doomed.reduce((sum, { bytes }) => sum + bytes, 0);
}
