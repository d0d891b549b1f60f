/**
 * One schema per kind of line in a run folder (architecture.md section 7). Readers keep unknown keys; a missing metric is null.
 * `segment` counts undos and crash-resumes: records of earlier segments past a segment's start are abandoned (method.md section 11).
 */
import './jitless.ts';
import { z } from 'zod';
import { Phase } from './run.ts';

const step = z.number().int().min(0);
/** A number that may be non-finite: JSON has no word for those, so files hold "NaN", "Infinity" or "-Infinity" (formats.md). */
export const AnyNumber = z.union([z.number(), z.nan(), z.enum(['NaN', 'Infinity', '-Infinity']).transform(Number)]);
const metric = AnyNumber.nullable();

/** metrics.jsonl, one line per `logging.metricsEvery` updates. */
export const MetricsRecord = z.looseObject({
  step,
  epoch: z.number(),
  phase: Phase,
  segment: z.number().int(),
  loss: metric,
  lr: z.number(),
  imagesPerSecond: metric,
  stepMs: metric,
  /** Share of stepMs spent waiting for data, in ms. */
  dataWaitMs: metric,
  memoryBytes: metric,
  gradNorm: metric,
  /** Of the GPU that computes, as its driver tells; only there when one does. `gpuUse` is a fraction. */
  gpuUse: metric.optional(),
  gpuMemoryBytes: metric.optional(),
});
export type MetricsRecord = z.output<typeof MetricsRecord>;

/** epochs.jsonl, one line per finished epoch. `epoch` counts from 1 here: epochs completed. Accuracies are fractions. */
export const EpochRecord = z.looseObject({
  epoch: z.number().int(),
  step,
  phase: Phase,
  segment: z.number().int(),
  trainLoss: metric,
  trainTop1: metric,
  valLoss: metric,
  valTop1: metric,
  valTop5: metric,
  seconds: metric,
  imagesPerSecond: metric,
  peakMemoryBytes: metric,
  lr: metric,
});
export type EpochRecord = z.output<typeof EpochRecord>;

export const ModuleNorms = z.object({ weightNorm: AnyNumber, gradNorm: metric, displacement: metric });
export type ModuleNorms = z.output<typeof ModuleNorms>;

/** snapshots.jsonl: norms of all 6·L modules after update `step` (method.md section 6). */
export const SnapshotRecord = z.looseObject({
  step,
  epoch: z.number(),
  phase: Phase,
  segment: z.number().int(),
  /** Mean training loss over all samples since the previous snapshot. */
  loss: AnyNumber,
  modules: z.record(z.string(), ModuleNorms),
});
export type SnapshotRecord = z.output<typeof SnapshotRecord>;

/** events.jsonl: the journal. `by` says who; `detail` holds what the kind needs. */
export const EventRecord = z.looseObject({
  kind: z.string(),
  step,
  segment: z.number().int(),
  time: z.string(),
  by: z.enum(['user', 'rule', 'program']),
  detail: z.record(z.string(), z.unknown()).default({}),
});
export type EventRecord = z.output<typeof EventRecord>;

/** Why a run ended for want of memory, and the largest micro-batch that fits: `memory` in the detail of a crash or failure. */
export const MemoryShortage = z.object({
  microBatch: z.number().int(),
  /** Predicted for that micro-batch. */
  neededBytes: z.number(),
  /** What a process could have had; null where nobody knows. */
  availableBytes: z.number().nullable(),
  /** The largest smaller micro-batch that fits; null when none does. */
  fits: z.number().int().nullable(),
  fitsBytes: z.number().nullable(),
});
export type MemoryShortage = z.output<typeof MemoryShortage>;

/** One module's line of ranks.json: its rank and every number that led to it (method.md section 8). "inf" stands for infinity. */
export const RankReason = z.object({
  module: z.string(),
  rank: z.number().int().min(0),
  alpha: z.number(),
  /** Change between the last two snapshots, percent. */
  change: z.union([z.number(), z.literal('inf')]).nullable(),
  from: metric,
  to: metric,
  poolMin: metric,
  poolMax: metric,
  /** Position in the pool, 0…1. */
  position: metric,
  /** Rank of the bin, before clamp, override and budget. */
  binRank: z.number().int().nullable(),
  cap: z.number().int(),
  reason: z.string(),
});
export type RankReason = z.output<typeof RankReason>;

export const RanksFile = z.looseObject({
  step,
  reason: z.enum(['rule', 'user', 'fixed']),
  modules: z.array(RankReason),
  adapterParameters: z.number().int(),
  trainableAfterFreeze: z.number().int(),
  /** Percent of the parameters of the model without adapters. */
  share: z.number(),
});
export type RanksFile = z.output<typeof RanksFile>;
