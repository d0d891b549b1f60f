/**
 * Phase and status of a run. Phases go forward only, and once: full → warmup → lora (method.md section 5); undo goes back by
 * loading a checkpoint. Running, paused, finished … are a status, not a phase.
 *
 *   created → running ⇄ paused ──→ finished          finished and failed are terminal; a failed or interrupted run
 *                │ └──→ diverged (paused by a fault)  can be resumed from its last checkpoint
 *                └──→ failed, interrupted
 */
import './jitless.ts';
import { z } from 'zod';

export const Phase = z.enum(['full', 'warmup', 'lora']);
export type Phase = z.output<typeof Phase>;

export const RunStatus = z.enum(['created', 'running', 'paused', 'diverged', 'interrupted', 'failed', 'finished']);
export type RunStatus = z.output<typeof RunStatus>;

/** `isLow` when another two checkpoints of that size do not fit. */
export const DiskRoom = z.object({ freeBytes: z.number(), checkpointBytes: z.number(), isLow: z.boolean() });
export type DiskRoom = z.output<typeof DiskRoom>;

/** What the driver of the GPU tells; null where it does not. `use` is a fraction; memory is the device's, of all programs. */
export const GpuReading = z.object({ use: z.number().nullable(), usedBytes: z.number().nullable(), totalBytes: z.number().nullable() });
export type GpuReading = z.output<typeof GpuReading>;

/** status.json: where a run stands, replaced atomically. */
export const StatusFile = z.looseObject({
  runId: z.string(),
  name: z.string(),
  status: RunStatus,
  phase: Phase,
  step: z.number().int(),
  totalSteps: z.number().int(),
  stepsPerEpoch: z.number().int(),
  epoch: z.number().int(),
  epochs: z.number().int(),
  segment: z.number().int(),
  switchStep: z.number().int().nullable(),
  freezeStep: z.number().int().nullable(),
  trainableParameters: z.number().int(),
  totalParameters: z.number().int(),
  best: z.object({ step: z.number().int(), epoch: z.number().int(), valTop1: z.number() }).nullable(),
  backend: z.looseObject({ name: z.string(), version: z.string(), device: z.string(), why: z.string(), compiled: z.boolean() }),
  message: z.string().nullable(),
  /** Room on the run's disk after its newest checkpoint. */
  disk: DiskRoom.nullable().optional(),
  /** Of the GPU that computes; only there when one does. */
  gpu: GpuReading.nullable().optional(),
  updatedAt: z.string(),
});
export type StatusFile = z.output<typeof StatusFile>;

/** The status of a run of which nothing is known but the `known`: before its first file is written, or where only snapshots are there. */
export function blankStatus(known: Partial<StatusFile>): StatusFile {
  return {
    runId: '',
    name: '',
    status: 'created',
    phase: 'full',
    step: 0,
    totalSteps: 0,
    stepsPerEpoch: 0,
    epoch: 0,
    epochs: 0,
    segment: 0,
    switchStep: null,
    freezeStep: null,
    trainableParameters: 0,
    totalParameters: 0,
    best: null,
    backend: { name: '', version: '', device: '', why: '', compiled: false },
    message: null,
    updatedAt: new Date(0).toISOString(),
    ...known,
  };
}
