/**
 * The small JSON files of a run folder beside its records: a checkpoint's manifest, the pins, the lock, and where the best and the
 * last checkpoint are. formats.md section 12.
 */
import './jitless.ts';
import { z } from 'zod';
import { Phase } from './run.ts';

const count = z.number().int().min(0);
/** Lower-case hex. */
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

export const CHECKPOINT_VERSION = 1 as const;

/** manifest.json of a checkpoint, written last: with it the checkpoint is complete. */
export const CheckpointManifest = z.looseObject({
  format: z.literal('prelora-checkpoint'),
  version: z.literal(CHECKPOINT_VERSION),
  runId: z.string(),
  step: count,
  phase: Phase,
  /** The run's segment when it was written (method.md section 11). */
  segment: count,
  createdAt: z.string(),
  files: z.array(z.object({ name: z.string(), bytes: count, sha256 })),
  /** Tensors in all files together. */
  tensors: count,
  /** Bytes of each append-only file that belong to this state. */
  appendLengths: z.record(z.string(), count),
  /** Of the manifest itself without this key, as indented JSON: the one file that no other file vouches for. */
  sha256,
});
export type CheckpointManifest = z.output<typeof CheckpointManifest>;

/** checkpoints/pinned.json: checkpoints that pruning leaves alone, and why ("before-switch", "before-undo"). */
export const PinsFile = z.object({ pins: z.array(z.object({ step: count, segment: count, reason: z.string() })) });
export type PinsFile = z.output<typeof PinsFile>;

/** best.json and last.json: the step of a checkpoint. */
export const CheckpointPointer = z.looseObject({ step: count });
export type CheckpointPointer = z.output<typeof CheckpointPointer>;

/** run.lock: the one process that may write the run. */
export const LockFile = z.object({
  pid: z.number().int().min(1),
  host: z.string(),
  startedAt: z.string(),
  /** The kernel's start time of the process where it tells it, so that a reused pid is not taken for the owner. */
  processStart: z.string().nullable(),
  /** Tells one lock from the next. */
  token: z.string(),
});
export type LockFile = z.output<typeof LockFile>;
