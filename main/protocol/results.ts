/**
 * What operations answer with: runs, estimates, previews and reports as the page gets them, and the few settings that several operations take.
 * Which operation gives which is in requests.ts; records that stand in files are in records.ts.
 */
import './jitless.ts';
import { z } from 'zod';
import { RunConfig } from './config.ts';
import { EngineVariant } from './engine.ts';
import { PackedSnapshots } from './packedSnapshots.ts';
import { EpochRecord, EventRecord, MetricsRecord, RankReason, RanksFile } from './records.ts';
import { StatusFile } from './run.ts';
import { StudyMembership } from './study.ts';

export const RunId = z.string().min(1).max(200);

/** One row of the runs table: config, status and best value of a run folder. */
export const RunSummary = z.object({
  runId: z.string(),
  dir: z.string(),
  config: RunConfig,
  status: StatusFile,
  startedAt: z.string(),
  sizeBytes: z.number(),
  seconds: z.number().nullable(),
  imagesPerSecond: z.number().nullable(),
  peakMemoryBytes: z.number().nullable(),
  tags: z.array(z.string()),
  note: z.string(),
  archived: z.boolean(),
  /** The study it belongs to. */
  study: StudyMembership.nullable(),
  /** Set when the folder cannot be read fully, in words. */
  problem: z.string().nullable(),
});
export type RunSummary = z.output<typeof RunSummary>;

/** Throughput and memory of one phase, measured. */
export const PhaseSummary = z.object({
  phase: z.enum(['full', 'warmup', 'lora']),
  startStep: z.number(),
  endStep: z.number().nullable(),
  imagesPerSecond: z.number().nullable(),
  stepMsMedian: z.number().nullable(),
  peakMemoryBytes: z.number().nullable(),
  /** Of the GPU that computes, all programs on it; only there when one does. */
  peakGpuMemoryBytes: z.number().nullable().optional(),
  trainableParameters: z.number(),
});
export type PhaseSummary = z.output<typeof PhaseSummary>;

/** What is known of a run beside its records, and not in frames. */
export const RunFacts = z.object({
  summary: RunSummary,
  ranks: RanksFile.nullable(),
  phases: z.array(PhaseSummary),
  checkpoints: z.array(z.object({ step: z.number(), phase: z.string(), pinned: z.boolean(), bytes: z.number() })),
  classNames: z.array(z.string()),
});
export type RunFacts = z.output<typeof RunFacts>;

/** All a page needs to draw a run: the live records so far; frames continue from `sequence`. */
export const RunState = z.object({
  ...RunFacts.shape,
  metrics: z.array(MetricsRecord),
  epochs: z.array(EpochRecord),
  snapshots: PackedSnapshots,
  events: z.array(EventRecord),
  /** Records of abandoned segments (after an undo or a crash), drawn dotted. */
  abandoned: z.object({ metrics: z.array(MetricsRecord), epochs: z.array(EpochRecord) }),
  /** Metrics and norms of which only the first piece is here; `run:piece` 1 … `morePieces` have the rest. */
  morePieces: z.number(),
  live: z.boolean(),
  sequence: z.number(),
});
export type RunState = z.output<typeof RunState>;

/** Thresholds and rank settings a what-if or a preview may change; missing ones are the run's own. */
export const WhatIfSettings = z.strictObject({
  tau: z.number().gt(0).max(100).optional(),
  zeta: z.number().gt(0).max(100).optional(),
  windowSize: z.number().int().min(2).max(10).optional(),
  normMetric: z.enum(['norm', 'displacement']).optional(),
  layerWeighting: z.enum(['uniform', 'power', 'linear', 'exponential']).optional(),
  rMin: z.number().int().min(1).max(1024).optional(),
  rMax: z.number().int().min(1).max(1024).optional(),
  rankPool: z.enum(['family', 'overall']).optional(),
  rankMetric: z.enum(['weight', 'grad']).optional(),
  rankBudget: z.number().gt(0).max(100).nullable().optional(),
  rankOverrides: z.record(z.string(), z.number().int().min(0)).optional(),
});
export type WhatIfSettings = z.output<typeof WhatIfSettings>;

export const ReplayResult = z.object({
  switchStep: z.number().nullable(),
  windows: z.array(
    z.object({
      step: z.number(),
      families: z.record(z.string(), z.number()),
      lossChange: z.number(),
      weightsOk: z.boolean(),
      lossOk: z.boolean(),
    }),
  ),
  ranks: z.record(z.string(), z.number()),
  reasons: z.array(RankReason),
});
export type ReplayResult = z.output<typeof ReplayResult>;

/** A replay of snapshots that lie anywhere, with what it was replayed under. */
export const FileReplay = ReplayResult.extend({
  /** Settings that hold where nothing else is asked for: the run's own, or the defaults for a file without its run. */
  config: RunConfig,
  isOwnConfig: z.boolean(),
  snapshots: z.number(),
  lastStep: z.number(),
});
export type FileReplay = z.output<typeof FileReplay>;

/** Parameters, cost and memory of one phase; estimates unless `measured`. */
export const PhaseCost = z.object({
  trainableParameters: z.number(),
  /** Multiply-adds per image, forward and backward. */
  multiplyAdds: z.number(),
  weightBytes: z.number(),
  gradientBytes: z.number(),
  optimizerBytes: z.number(),
  activationBytes: z.number(),
  /** The rest of totalBytes: the process, copies of weights, temporary tensors. */
  workspaceBytes: z.number(),
  totalBytes: z.number(),
  imagesPerSecond: z.number().nullable(),
  measured: z.boolean(),
});
export type PhaseCost = z.output<typeof PhaseCost>;

export const SwitchPreview = z.object({
  step: z.number(),
  /** Does the test pass now; the sentence says why or why not. */
  passes: z.boolean(),
  words: z.string(),
  ranks: RanksFile.nullable(),
  /** Why there are no ranks, when there are none. */
  problem: z.string().nullable(),
  now: PhaseCost,
  warmup: PhaseCost.nullable(),
  lora: PhaseCost.nullable(),
  /** Predicted speeds of what follows, as multiples of the full phase's predicted one, and the steps of the joint phase. */
  pace: z.object({ jointSteps: z.number(), warmup: z.number(), lora: z.number() }).nullable(),
});
export type SwitchPreview = z.output<typeof SwitchPreview>;

/** Merged weights and how they were checked: as good as base and adapters when `isEqual`. */
export const MergeReport = z.object({
  step: z.number(),
  adapters: z.number(),
  folder: z.string(),
  bytes: z.number(),
  /** Validation images whose logits were compared. */
  images: z.number(),
  largestDifference: z.number(),
  /** What the difference may be at most. */
  limit: z.number(),
  /** Images whose first class changed although its lead was larger than rounding can take away. */
  changedClasses: z.number(),
  isEqual: z.boolean(),
});
export type MergeReport = z.output<typeof MergeReport>;

export const Estimate = z.object({
  problems: z.array(z.object({ field: z.string(), message: z.string() })),
  parameters: z.number().nullable(),
  full: PhaseCost.nullable(),
  warmup: PhaseCost.nullable(),
  lora: PhaseCost.nullable(),
  stepsPerEpoch: z.number().nullable(),
  totalSteps: z.number().nullable(),
  firstTestStep: z.number().nullable(),
  secondsEstimate: z.number().nullable(),
  checkpointBytes: z.number().nullable(),
  freeMemoryBytes: z.number(),
  /** The largest micro-batch that fits the free memory, where the config's does not; null when it fits, or when none does. */
  fittingMicroBatch: z.number().nullable(),
  freeDiskBytes: z.number(),
});
export type Estimate = z.output<typeof Estimate>;

export const DatasetReport = z.object({
  source: z.string(),
  kind: z.string(),
  classNames: z.array(z.string()),
  channels: z.number(),
  trainCount: z.number(),
  valCount: z.number(),
  valOrigin: z.string(),
  classCounts: z.array(z.object({ name: z.string(), train: z.number(), val: z.number() })),
  mean: z.array(z.number()),
  std: z.array(z.number()),
  skipped: z.array(z.object({ path: z.string(), reason: z.string() })),
  /** What is worth knowing about the source, a sentence each. */
  notes: z.array(z.string()),
  /** Validation images that are, byte by byte, training images too; null when there were too many to look at. */
  duplicates: z.object({ count: z.number().nullable(), examples: z.array(z.object({ train: z.string(), val: z.string() })) }),
  /** Sample pictures as PNG data URLs. */
  thumbnails: z.array(z.object({ label: z.string(), image: z.string() })),
});
export type DatasetReport = z.output<typeof DatasetReport>;

/** One training image as it is stored, and as the first updates would see it. Pictures are PNG data URLs. */
export const AugmentPreview = z.object({
  sample: z.number(),
  label: z.string(),
  image: z.string(),
  /** Training images there are. */
  count: z.number(),
  draws: z.array(z.object({ image: z.string(), labels: z.array(z.object({ name: z.string(), share: z.number() })) })),
});
export type AugmentPreview = z.output<typeof AugmentPreview>;

/** How an install of an engine ended. */
export const InstallOutcome = z.object({
  version: z.string(),
  /** False when the engine stood there before, so that at most its compute kernels were compiled. */
  isNew: z.boolean(),
  /** Why there are no compute kernels; null when there are. */
  withoutKernels: z.string().nullable(),
});
export type InstallOutcome = z.output<typeof InstallOutcome>;

/** A compute engine as the page shows it. */
export const ComputeEngine = z.object({
  name: z.enum(['tensorflow', 'wasm', 'cpu']),
  available: z.boolean(),
  version: z.string(),
  device: z.string(),
  /** Where it comes from, or what stands against it. */
  why: z.string(),
  /** Null for what is part of the program, and for what is not there. */
  installed: z
    .object({
      variant: EngineVariant,
      bytes: z.number(),
      /** False when a file is missing or cut, so that it is passed over. */
      isWhole: z.boolean(),
    })
    .nullable(),
});
export type ComputeEngine = z.output<typeof ComputeEngine>;

/** Measured steps of the full phase on made-up images, with what they were steps of. */
export const SelfTest = z.object({
  backend: z.object({ name: z.string(), version: z.string(), device: z.string() }),
  /** Median. */
  stepMs: z.number(),
  /** How many were timed, after those that compile and warm up. */
  steps: z.number(),
  shape: z.object({
    imageSize: z.number(),
    patchSize: z.number(),
    embedDim: z.number(),
    depth: z.number(),
    batchSize: z.number(),
  }),
});
export type SelfTest = z.output<typeof SelfTest>;

export const AppDescription = z.object({
  version: z.string(),
  platform: z.string(),
  host: z.enum(['desktop', 'browser']),
  cores: z.number(),
  memoryBytes: z.number(),
  dataRoot: z.string(),
  /** Shipped ones first; `isOwn` are templates of the user's. */
  presets: z.array(z.object({ name: z.string(), title: z.string(), summary: z.string(), isOwn: z.boolean(), config: z.unknown() })),
  /** What `auto` takes the first available of; damaged ones and those that are not installed are told too. */
  engines: z.array(ComputeEngine),
  /** Native engines that could be fetched. */
  installableEngines: z.array(EngineVariant),
  /** What is being installed now; asking for it again joins. */
  installing: EngineVariant.nullable(),
  /** JSON Schema of RunConfig with title, unit, help and basic on every field: the form is made from it. */
  configSchema: z.unknown(),
});
export type AppDescription = z.output<typeof AppDescription>;

/** One text of a report of a fault, already masked. */
export const DiagnosticsFile = z.object({ name: z.string(), text: z.string() });
export type DiagnosticsFile = z.output<typeof DiagnosticsFile>;

export const Diagnostics = z.object({
  /** What to call the zip. */
  fileName: z.string(),
  files: z.array(DiagnosticsFile),
  /** The same files, packed. */
  zipBase64: z.string(),
});
export type Diagnostics = z.output<typeof Diagnostics>;

export const Prediction = z.object({
  classes: z.array(z.object({ name: z.string(), probability: z.number() })),
  truth: z.string().nullable(),
  /** PNG data URL of what the model saw. */
  image: z.string(),
  step: z.number(),
});
export type Prediction = z.output<typeof Prediction>;

/** One image's answer in an evaluation: its place in the validation split, its class, what was predicted, its loss. */
export const AnsweredImage = z.object({ index: z.number(), truth: z.number(), predicted: z.number(), loss: z.number() });
export type AnsweredImage = z.output<typeof AnsweredImage>;

/** Scores over the whole validation split, accuracies as fractions. */
export const EvaluationScores = z.object({
  step: z.number(),
  valLoss: z.number(),
  valTop1: z.number(),
  valTop5: z.number(),
  count: z.number(),
  /** Rows: true class; columns: predicted class. */
  confusion: z.array(z.array(z.number())),
  /** All mistakes (up to 5,000) and the 12 least certain right answers of each class; highest loss first. */
  images: z.array(AnsweredImage),
});
export type EvaluationScores = z.output<typeof EvaluationScores>;

/** A bundle that was written. */
export const WrittenBundle = z.object({
  file: z.string(),
  bytes: z.number(),
  /** Steps of the checkpoints inside. */
  steps: z.array(z.number()),
  /** What is not as one might expect, a sentence each. */
  notes: z.array(z.string()),
});
export type WrittenBundle = z.output<typeof WrittenBundle>;

/** A run that came in a bundle. */
export const ImportedRun = z.object({
  /** Its own, unless a run of that id was here already. */
  runId: z.string(),
  name: z.string(),
  folder: z.string(),
  notes: z.array(z.string()),
});
export type ImportedRun = z.output<typeof ImportedRun>;

/** Which checkpoint of a run: the newest that can be read, the best one, or that of a step. */
export const CheckpointName = z.union([z.enum(['last', 'best']), z.number().int()]);
export type CheckpointName = z.output<typeof CheckpointName>;

/** What a file or folder of weights holds: its sizes, null where only the user knows. */
export const StartWeightsReport = z.object({
  /** Whose they are, in words. */
  kind: z.string(),
  /** As fields of `model`. */
  model: z.object({
    size: z.literal('custom'),
    imageSize: z.number(),
    patchSize: z.number(),
    inChannels: z.number(),
    embedDim: z.number(),
    depth: z.number(),
    numHeads: z.number().nullable(),
    mlpRatio: z.number(),
    qkvBias: z.boolean(),
    layerNormEps: z.number().nullable(),
    numClasses: z.number().nullable(),
  }),
  notes: z.array(z.string()),
});
export type StartWeightsReport = z.output<typeof StartWeightsReport>;

/** What a run takes on the disk, and which of its checkpoints could go. */
export const RunSpace = z.object({
  runId: z.string(),
  name: z.string(),
  bytes: z.number(),
  checkpointBytes: z.number(),
  /** Neither the last, the best nor a pinned one, such as the one before the switch. */
  removable: z.array(z.object({ step: z.number(), bytes: z.number(), reason: z.enum(['abandoned', 'older']) })),
  /** Why nothing of it can be removed now, in words. */
  blocked: z.string().nullable(),
});
export type RunSpace = z.output<typeof RunSpace>;

/** Images that were unpacked out of compressed shards of one folder. */
export const UnpackedSource = z.object({
  /** The folder; empty where it is not known. */
  source: z.string(),
  shards: z.number(),
  bytes: z.number(),
  usedAt: z.string(),
  /** Why they must stay now, in words. */
  blocked: z.string().nullable(),
});
export type UnpackedSource = z.output<typeof UnpackedSource>;

/** A run in the trash. */
export const TrashedRun = z.object({
  /** Its name within the trash, which no other has. */
  folder: z.string(),
  runId: z.string(),
  name: z.string(),
  bytes: z.number(),
  trashedAt: z.string(),
  /** From when on the program deletes it by itself. */
  goesAt: z.string(),
  /** Why it can neither come back nor go now, in words. */
  blocked: z.string().nullable(),
});
export type TrashedRun = z.output<typeof TrashedRun>;

/** A checkpoint of a run; step null is the last. */
export const CheckpointPlace = z.strictObject({ runId: RunId, step: z.number().int().min(0).nullable().default(null) });
export type CheckpointPlace = z.output<typeof CheckpointPlace>;

/** Values of one module in up to two checkpoints, over the same bins. */
export const Distribution = z.object({
  /** The effective weight; what it moved since the checkpoint before; Adam's running mean of its gradients. */
  kind: z.enum(['weight', 'update', 'gradient']),
  edges: z.array(z.number()),
  /** One of each checkpoint asked for; null where it has no such values. */
  series: z.array(
    z
      .object({
        counts: z.array(z.number()),
        mean: z.number(),
        std: z.number(),
        min: z.number(),
        max: z.number(),
        count: z.number(),
      })
      .nullable(),
  ),
});
export type Distribution = z.output<typeof Distribution>;

/** What differs between the tensors of two checkpoints. */
export const ModelDifference = z.object({
  fromStep: z.number(),
  toStep: z.number(),
  added: z.array(z.object({ name: z.string(), shape: z.array(z.number()) })),
  removed: z.array(z.object({ name: z.string(), shape: z.array(z.number()) })),
  reshaped: z.array(z.object({ name: z.string(), from: z.array(z.number()), to: z.array(z.number()) })),
  /** Tensors in both, by the norm of their difference over the first one's norm, largest first; adapters are merged into their weights. */
  moved: z.array(z.object({ name: z.string(), relative: z.number() })),
  /** Tensors that are equal in every bit. */
  identical: z.number(),
});
export type ModelDifference = z.output<typeof ModelDifference>;
