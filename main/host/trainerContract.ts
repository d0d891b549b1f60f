/**
 * What the engine host asks of a trainer, and what the trainer tells: the small contract between the two, over any port. Records do not
 * travel here; the host reads them from the run's files, where the trainer has just written them.
 */
import { z } from 'zod';
import { type ResolvedConfig, RunConfig } from '../protocol/config.ts';
import { ExportReport, ExportSettings } from '../protocol/exports.ts';
import { CheckpointName, EvaluationScores, MergeReport } from '../protocol/results.ts';
import { Phase, type StatusFile } from '../protocol/run.ts';
import type { RunCommand } from '../train/commands.ts';

/** Both ends are ours and of one version: the host has parsed what came from outside. */
const Command = z.custom<RunCommand>((value) => typeof value === 'object' && value !== null && 'kind' in value);
const Started = z.object({ runId: z.string(), dir: z.string() });
/** An unattended run ends where an attended one would wait for an answer, so that others get their turn. */
const Attendance = z.object({ isAttended: z.boolean() });
const Place = z.object({ dir: z.string(), checkpoint: CheckpointName });

export const trainerRequests = {
  /** Opens the data, creates the folder (null: a new one below the runs root) and begins to train. */
  start: { arg: Attendance.extend({ config: RunConfig, dir: z.string().nullable() }), result: Started },
  /** Continues from the newest good checkpoint; obeys `first` before the first update. */
  resume: { arg: Attendance.extend({ dir: z.string(), first: z.array(Command) }), result: Started },
  /** Settles when the command was obeyed at a step boundary, or refused. */
  command: { arg: z.object({ command: Command }), result: z.unknown() },
  /** Scores a checkpoint of a run that is not being trained. */
  evaluateCheckpoint: { arg: Place, result: EvaluationScores },
  /** Class probabilities of one preprocessed image, by a checkpoint of a run that is not being trained. */
  predictCheckpoint: {
    arg: Place.extend({ patches: z.custom<Float32Array>((value) => value instanceof Float32Array) }),
    result: z.object({ probabilities: z.array(z.number()), step: z.number() }),
  },
  /** Merges a checkpoint's adapters into `folder` and compares the outputs. */
  mergeCheckpoint: { arg: Place.extend({ folder: z.string() }), result: MergeReport },
  /** Writes a checkpoint as another program's folder at `out`, or in the run's own where that is null, and checks it. */
  exportCheckpoint: { arg: Place.extend({ out: z.string().nullable(), settings: ExportSettings }), result: ExportReport },
  /** Trains `steps` updates of a phase on noise in memory only, and times them. */
  measurePhase: {
    arg: z.object({
      config: z.custom<ResolvedConfig>(),
      phase: Phase,
      ranks: z.record(z.string(), z.number()),
      steps: z.number().int().min(1),
    }),
    result: z.object({
      imagesPerSecond: z.number(),
      stepMs: z.number(),
      peakMemoryBytes: z.number(),
      backend: z.object({ name: z.string(), version: z.string(), device: z.string() }),
    }),
  },
};

export type TrainerEnd = 'finished' | 'interrupted' | 'diverged' | 'failed';

export interface TrainerEvents {
  /** Something was written or changed. `status` is null before the first one. */
  progress: { status: StatusFile | null; activity: string };
  /** The test passed under manual switching, or grace time runs until `dueStep`. */
  proposed: { step: number; dueStep: number | null };
  /** Remarks in words, before and while training: torn lines, inexact resume. */
  said: { message: string };
  /** The run is over and its folder is free. */
  ended: { end: TrainerEnd; message: string | null };
}
