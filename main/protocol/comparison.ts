/** Runs side by side, alone and as groups of those that differ in nothing but the random seed; the same for page and command line. */
import './jitless.ts';
import { z } from 'zod';
import { Phase } from './run.ts';

/** Mean ± sample standard deviation over n runs; a single run has no spread. */
export const Spread = z.object({ mean: z.number(), std: z.number().nullable(), n: z.number().int() });
export type Spread = z.output<typeof Spread>;

export const Difference = Spread.extend({
  /** No larger than the spread it is measured with; null where a single value leaves that open. */
  isWithinSpread: z.boolean().nullable(),
});
export type Difference = z.output<typeof Difference>;

/** What is compared between groups. Accuracies are fractions, the share is in percent; equal step and time are those of the shortest run. */
export const COMPARED_FIGURES = [
  'bestValTop1',
  'lastValTop1',
  'valTop1AtStep',
  'valTop1AtEqualStep',
  'valTop1AtEqualTime',
  'seconds',
  'trainableShare',
  'switchStep',
  'fullImagesPerSecond',
  'loraImagesPerSecond',
  'fullPeakMemoryBytes',
  'loraPeakMemoryBytes',
] as const;
export const ComparedFigure = z.enum(COMPARED_FIGURES);
export type ComparedFigure = z.output<typeof ComparedFigure>;

const nullable = z.number().nullable();
export const PhaseFigures = z.object({
  imagesPerSecond: nullable,
  stepMsMedian: nullable,
  peakMemoryBytes: nullable,
  trainableParameters: z.number(),
});
export type PhaseFigures = z.output<typeof PhaseFigures>;

export const ComparedRun = z.object({
  runDir: z.string(),
  name: z.string(),
  status: z.string(),
  steps: z.number(),
  switchStep: nullable,
  freezeStep: nullable,
  final: z.object({ trainLoss: nullable, valLoss: nullable, valTop1: nullable }),
  best: z.object({ epoch: z.number(), valTop1: z.number() }).nullable(),
  /** Training time alone, evaluation left out. */
  seconds: z.number(),
  /** Percent of the model's parameters that train at the end: 100 without a freeze. */
  trainableShare: z.number(),
  phases: z.partialRecord(Phase, PhaseFigures),
  backend: z.string(),
  seed: z.number(),
  figures: z.record(ComparedFigure, nullable),
});
export type ComparedRun = z.output<typeof ComparedRun>;

export const ComparedGroup = z.object({
  label: z.string(),
  /** Places in `runs`. */
  members: z.array(z.number().int()),
  seeds: z.array(z.number()),
  figures: z.record(ComparedFigure, Spread.nullable()),
  /** This group minus the first; by seed where both have the same seeds. Null for the first. */
  againstFirst: z.object({ isPaired: z.boolean(), figures: z.record(ComparedFigure, Difference.nullable()) }).nullable(),
});
export type ComparedGroup = z.output<typeof ComparedGroup>;

export const Comparison = z.object({
  runs: z.array(ComparedRun),
  groups: z.array(ComparedGroup),
  /** Config path → one value per run, only where they differ. */
  differences: z.record(z.string(), z.array(z.unknown())),
  /** The same per group; the random seed is none of them. */
  groupDifferences: z.record(z.string(), z.array(z.unknown())),
});
export type Comparison = z.output<typeof Comparison>;
