/**
 * Every operation the page can ask for, once: argument, result, and a sentence. Static types, the check at the door, and the fake
 * engines of tests derive from these entries; a new operation is this entry, a handler, and a call (style.md section 4).
 * Arguments are parsed where they enter; results, whose shapes are in results.ts, are parsed in tests only.
 */
import './jitless.ts';
import { z } from 'zod';
import { BundleWeights } from './bundle.ts';
import { Comparison } from './comparison.ts';
import { RunConfig } from './config.ts';
import { EngineVariant } from './engine.ts';
import { ExportReport, ExportSettings, StoredExport } from './exports.ts';
import { QueueFallback, QueueState } from './queue.ts';
import { RecordPiece } from './recordPieces.ts';
import {
  AppDescription,
  AugmentPreview,
  CheckpointName,
  CheckpointPlace,
  ComputeEngine,
  DatasetReport,
  Diagnostics,
  Distribution,
  Estimate,
  EvaluationScores,
  FileReplay,
  ImportedRun,
  InstallOutcome,
  MergeReport,
  ModelDifference,
  PhaseCost,
  Prediction,
  ReplayResult,
  RunFacts,
  RunId,
  RunSpace,
  RunState,
  RunSummary,
  SelfTest,
  StartWeightsReport,
  SwitchPreview,
  TrashedRun,
  UnpackedSource,
  WhatIfSettings,
  WrittenBundle,
} from './results.ts';
import { ShellPreferences } from './shellPreferences.ts';
import { StudyMembership } from './study.ts';

export type RequestMap = Record<string, { arg: z.ZodType; result: z.ZodType }>;

const runOnly = z.strictObject({ runId: RunId });
const ConfigInput = z.unknown();
const TrashFolder = z.string().min(1).max(300);
const QueueId = z.string().min(1).max(100);
const QueueOrder = z.strictObject({
  config: ConfigInput,
  fallback: QueueFallback.nullable().default(null),
  study: StudyMembership.nullable().default(null),
});

/** Served by the engine host. */
export const engineRequests = {
  /** Facts about this machine and program: backends found, presets, schema. */
  'app:describe': { arg: z.strictObject({}), result: AppDescription },
  /** What to send along with a report of a fault, of the program and of one run; masked, texts only. */
  'app:diagnose': { arg: z.strictObject({ runId: RunId.nullable().default(null) }), result: Diagnostics },
  /** All runs below the data root, newest first. */
  'runs:list': { arg: z.strictObject({}), result: z.array(RunSummary) },
  'runs:rename': { arg: z.strictObject({ runId: RunId, name: z.string().min(1).max(200) }), result: z.void() },
  'runs:annotate': {
    arg: z.strictObject({
      runId: RunId,
      tags: z.array(z.string().max(60)).max(50).optional(),
      note: z.string().max(10_000).optional(),
      archived: z.boolean().optional(),
    }),
    result: z.void(),
  },
  /** Figures side by side, alone and grouped over random seeds, and the settings that differ. */
  'runs:compare': {
    arg: z.strictObject({ runIds: z.array(RunId).min(1).max(1000), atStep: z.number().int().min(0).nullable().default(null) }),
    result: Comparison,
  },
  /** Moves a run to the trash, from where `runs:restore` brings it back. */
  'runs:trash': { arg: runOnly, result: z.void() },
  'runs:restore': { arg: runOnly, result: z.void() },

  /**
   * A run as one zip, without its data, names of users, and paths. `file` ends in .prelora.zip and must not exist; from a browser it is a name
   * alone, and the file lies in the folder `bundles` of the data root. Fails with `bad-arguments`, `checkpoint-damaged`, `disk-full`.
   */
  'bundle:write': {
    arg: z.strictObject({ runId: RunId, file: z.string().min(1).max(4000), weights: BundleWeights.default('best') }),
    result: WrittenBundle,
  },
  /** Puts the run of a bundle among the runs, under a new id where its own is taken. Fails with `not-found` or `unsafe-bundle`. */
  'bundle:import': { arg: z.strictObject({ file: z.string().min(1).max(4000) }), result: ImportedRun },
  /** Ends what is being written or imported; nothing is left of it. */
  'bundle:cancel': { arg: z.strictObject({}), result: z.void() },
  /** Where the data of a run lies that came in a bundle. Notes tell how it differs from what the run was trained on. */
  'run:nameData': {
    arg: z.strictObject({ runId: RunId, source: z.string().min(1).max(4000), valSource: z.string().min(1).max(4000).optional() }),
    result: z.object({ notes: z.array(z.string()) }),
  },

  /** Runs in the trash, newest first. They go for good when their time is over, or when somebody asks for it. */
  'trash:list': { arg: z.strictObject({}), result: z.array(TrashedRun) },
  /** Brings back one of several runs that may have the same id. Fails with `not-found`, or `busy` while some process writes it. */
  'trash:restore': { arg: z.strictObject({ folder: TrashFolder }), result: z.void() },
  /** Deletes these for good, as far as they are still there. Fails with `busy` at the first that some process writes. */
  'trash:delete': { arg: z.strictObject({ folders: z.array(TrashFolder).min(1) }), result: z.object({ bytes: z.number() }) },

  /** Space by run, largest first. Nothing is changed. */
  'storage:preview': { arg: z.strictObject({}), result: z.object({ runs: z.array(RunSpace), freeDiskBytes: z.number() }) },
  /** Deletes these checkpoints for good, as far as they are still removable. Fails with `busy` for a run that is being trained. */
  'storage:clean': {
    arg: z.strictObject({
      runs: z.array(z.strictObject({ runId: RunId, steps: z.array(z.number().int().min(0)).min(1) })).min(1),
    }),
    result: z.object({ bytes: z.number() }),
  },
  /** What is unpacked of compressed shards, by the folder they lie in, largest first. */
  'storage:unpacked': { arg: z.strictObject({}), result: z.array(UnpackedSource) },
  /** Deletes what is unpacked of these folders; it is unpacked again when it is needed. Fails with `busy` while a run reads it. */
  'storage:removeUnpacked': {
    arg: z.strictObject({ sources: z.array(z.string().max(5000)).min(1) }),
    result: z.object({ bytes: z.number() }),
  },

  /** Validates a config the way the CLI does; an empty list means that it can start. */
  'config:check': { arg: z.strictObject({ config: ConfigInput }), result: z.array(z.object({ field: z.string(), message: z.string() })) },
  'config:toYaml': { arg: z.strictObject({ config: ConfigInput }), result: z.object({ yaml: z.string() }) },
  'config:fromText': {
    arg: z.strictObject({ text: z.string().max(1_000_000) }),
    result: z.object({ config: z.unknown(), notes: z.array(z.string()) }),
  },
  /** Keeps a config as a template beside the presets, or keeps it anew under that name. Throws `bad-arguments` for a name that is taken. */
  'presets:save': { arg: z.strictObject({ name: z.string().max(60), config: z.record(z.string(), z.unknown()) }), result: z.void() },
  /** Takes a template away; shipped presets stay. */
  'presets:remove': { arg: z.strictObject({ name: z.string().max(60) }), result: z.void() },
  /** Parameters, memory, time and disk for a config; at most a few ms, nothing is trained. */
  'estimate:compute': { arg: z.strictObject({ config: ConfigInput }), result: Estimate },
  /** Runs 10 real steps of each phase in a fresh process and returns measured figures. */
  'estimate:measure': { arg: z.strictObject({ config: ConfigInput }), result: Estimate },
  /** The sizes of weights to start from: only headers are read. */
  'weights:describe': { arg: z.strictObject({ source: z.string().min(1).max(4000) }), result: StartWeightsReport },
  /** How the values of a module are spread in one checkpoint, or in two over the same bins. */
  'weights:distribution': {
    arg: z.strictObject({ module: z.string().min(1).max(200), of: z.array(CheckpointPlace).min(1).max(2) }),
    result: z.object({
      items: z.array(z.object({ runId: z.string(), step: z.number(), before: z.number().nullable() })),
      figures: z.array(Distribution),
    }),
  },
  /** Two models, tensor by tensor: of two runs, or of one run at two moments. */
  'weights:difference': { arg: z.strictObject({ from: CheckpointPlace, to: CheckpointPlace }), result: ModelDifference },
  'data:inspect': { arg: z.strictObject({ data: ConfigInput }), result: DatasetReport },
  /** What augmentation makes of a training image; an index past the last begins anew. */
  'data:augment': { arg: z.strictObject({ config: ConfigInput, sample: z.number().int().min(0) }), result: AugmentPreview },

  /** Starts a run. Fails with `bad-config` (names the field) or `busy`. */
  'run:start': { arg: z.strictObject({ config: ConfigInput }), result: z.object({ runId: RunId }) },
  /** Starts the shipped sample, in a size that ends within minutes here: the machine is timed for some seconds first. */
  'run:sample': { arg: z.strictObject({}), result: z.object({ runId: RunId }) },
  /** All records of a run and, when it is live, where its frames go on. Also subscribes the caller to its frames. */
  'run:state': { arg: runOnly, result: RunState },
  /** The next of the pieces that the newest `run:state` of this page announced; forgotten with the last one. */
  'run:piece': { arg: z.strictObject({ runId: RunId, piece: z.number().int().min(1) }), result: RecordPiece },
  /** A state without its records: what changes with an epoch and is not in frames. */
  'run:facts': { arg: runOnly, result: RunFacts },
  'run:unsubscribe': { arg: runOnly, result: z.void() },
  /** Confirms that frames up to `sequence` were taken; frames are coalesced while confirmations are late. */
  'frames:ack': { arg: z.strictObject({ runId: RunId, sequence: z.number().int() }), result: z.void() },
  /** Finishes the current step, writes a checkpoint and waits with the model loaded. */
  'run:pause': { arg: runOnly, result: z.void() },
  /** Goes on after a pause, or continues a stopped, crashed or interrupted run from its last checkpoint. */
  'run:resume': { arg: runOnly, result: z.void() },
  /** Trains this many steps, then pauses. */
  'run:advance': { arg: z.strictObject({ runId: RunId, steps: z.number().int().min(1).max(10_000_000) }), result: z.void() },
  /** Finishes the current step, writes a checkpoint, ends the trainer. Safe to repeat. */
  'run:stop': { arg: z.strictObject({ runId: RunId, discard: z.boolean().default(false) }), result: z.void() },
  'run:checkpoint': { arg: runOnly, result: z.object({ step: z.number() }) },
  /** Changes settings at the next step boundary, journaled old → new. Paths as in the config; `train.epochs` takes `extension`. */
  'run:edit': {
    arg: z.strictObject({
      runId: RunId,
      changes: z.record(z.string(), z.unknown()),
      extension: z.enum(['continue', 'recompute', 'hold']).default('continue'),
    }),
    result: z.void(),
  },
  'run:note': { arg: z.strictObject({ runId: RunId, text: z.string().min(1).max(10_000) }), result: z.void() },
  /** A new run that starts from a checkpoint of this one, with changes. */
  'run:fork': {
    arg: z.strictObject({
      runId: RunId,
      step: z.number().int().nullable().default(null),
      changes: z.record(z.string(), z.unknown()).default({}),
    }),
    result: z.object({ runId: RunId }),
  },

  /** Two runs into the queue from one checkpoint of phase full: one switches there, one never does. Random state and history are shared. */
  'run:forkBothWays': {
    arg: z.strictObject({ runId: RunId, step: z.number().int().nullable().default(null) }),
    result: z.object({ runIds: z.array(RunId) }),
  },

  /** The queue: runs that wait for the device, in order. `queue:changed` tells of every change. */
  'queue:state': { arg: z.strictObject({}), result: QueueState },
  /** Freezes configs and puts them at the end, all or none. Manual switching needs a fallback. */
  'queue:add': { arg: z.strictObject({ orders: z.array(QueueOrder).min(1).max(1000) }), result: z.object({ ids: z.array(z.string()) }) },
  'queue:remove': { arg: z.strictObject({ ids: z.array(QueueId).min(1) }), result: z.void() },
  /** Brings back what `queue:remove` took out, at the end, while this program runs. */
  'queue:restore': { arg: z.strictObject({ ids: z.array(QueueId).min(1) }), result: z.void() },
  /** Before another entry, or last. */
  'queue:move': { arg: z.strictObject({ id: QueueId, before: QueueId.nullable() }), result: z.void() },
  /** A paused queue starts nothing new; what runs goes on. */
  'queue:pause': { arg: z.strictObject({ paused: z.boolean() }), result: z.void() },
  /** Nothing is started before this time. */
  'queue:startAt': { arg: z.strictObject({ startAt: z.iso.datetime({ offset: true }).nullable() }), result: z.void() },
  'queue:retry': { arg: z.strictObject({ id: QueueId }), result: z.void() },
  /** The runs of a study: its variants × random seeds over a recipe, each with its config and predicted time. Nothing is started. */
  'study:plan': {
    arg: z.strictObject({
      config: ConfigInput,
      study: z.string().min(1).max(100),
      variants: z.array(z.string().max(200)).min(1).max(50),
      seeds: z.array(z.number().int().min(0).max(2_147_483_647)).min(1).max(100),
    }),
    result: z.object({
      runs: z.array(StudyMembership.extend({ config: RunConfig, secondsEstimate: z.number().nullable() })),
      secondsTotal: z.number().nullable(),
    }),
  },

  /** What a switch now would do: pure, from recorded snapshots. */
  'switch:preview': { arg: z.strictObject({ runId: RunId, settings: WhatIfSettings.default({}) }), result: SwitchPreview },
  /** About 20 steps of the LoRA phase on a copy in a fresh process; the run is bit-identical afterwards. */
  'switch:trial': {
    arg: z.strictObject({ runId: RunId, ranks: z.record(z.string(), z.number().int().min(0)) }),
    result: z.object({ now: PhaseCost, lora: PhaseCost }),
  },
  /** Switches at the next boundary, with exactly these ranks when given. */
  'switch:now': {
    arg: z.strictObject({ runId: RunId, ranks: z.record(z.string(), z.number().int().min(0)).optional() }),
    result: z.void(),
  },
  'switch:defer': {
    arg: z.strictObject({
      runId: RunId,
      until: z.union([
        z.strictObject({ tests: z.number().int().min(1) }),
        z.strictObject({ step: z.number().int().min(1) }),
        z.strictObject({ epoch: z.number().min(0) }),
        z.strictObject({ allModules: z.literal(true) }),
      ]),
    }),
    result: z.void(),
  },
  'switch:veto': { arg: runOnly, result: z.void() },
  'switch:freezeNow': { arg: runOnly, result: z.void() },
  /** Back to the checkpoint taken before the switch; the run pauses with switching manual. */
  'switch:undo': { arg: runOnly, result: z.void() },

  /** The switch rule on recorded snapshots under other thresholds. */
  replay: { arg: z.strictObject({ runId: RunId, settings: WhatIfSettings.default({}) }), result: ReplayResult },
  /** The same for a snapshots file, or a run folder, that lies anywhere. Throws `not-found`, `run-damaged`, or `bad-arguments` for another file. */
  'replay:file': { arg: z.strictObject({ path: z.string().min(1).max(4000), settings: WhatIfSettings.default({}) }), result: FileReplay },
  /** Validation loss and accuracies now, or of a checkpoint; between steps when the run is live. */
  evaluate: {
    arg: z.strictObject({ runId: RunId, checkpoint: CheckpointName.default('last') }),
    result: EvaluationScores,
  },
  /**
   * Merges the adapters of a checkpoint into their weights, on a copy in the run's folder, reads the copy back and compares its logits with
   * those of base and adapters. Throws `bad-arguments` for a checkpoint without adapters.
   */
  'run:merge': {
    arg: z.strictObject({ runId: RunId, checkpoint: CheckpointName.default('last') }),
    result: MergeReport,
  },
  /**
   * Writes a checkpoint as a folder for another program and checks it. `folder` is where, absolute, in the desktop app alone; null is the run's own
   * folder, where an earlier one of that format and step is replaced. A check that fails is told in the report. Throws `bad-arguments` for a place that is
   * taken or a checkpoint that the format cannot hold, `disk-full`, `not-writable`.
   */
  'run:export': {
    arg: z.strictObject({ runId: RunId, folder: z.string().min(1).max(4000).nullable().default(null), settings: ExportSettings }),
    result: ExportReport,
  },
  /** The exports that lie in the run's own folder, newest step first. */
  'run:exports': { arg: runOnly, result: z.array(StoredExport) },
  /** Pictures of validation images, in the order asked for; one that cannot be read is left out. */
  'data:images': {
    arg: z.strictObject({ runId: RunId, indices: z.array(z.number().int().min(0)).min(1).max(60) }),
    result: z.array(z.object({ index: z.number(), image: z.string(), path: z.string() })),
  },
  /** Classifies one image: a validation sample by index, or an encoded file (base64). */
  predict: {
    arg: z.strictObject({ runId: RunId, sample: z.number().int().min(0).optional(), imageBase64: z.string().max(50_000_000).optional() }),
    result: Prediction,
  },
  'engine:install': { arg: z.strictObject({ variant: EngineVariant.default('cpu') }), result: InstallOutcome },
  'engine:cancelInstall': { arg: z.strictObject({}), result: z.void() },
  /** Compares every file with its checksum, and installs anew what is damaged. Fails with `busy` while a run uses it. */
  'engine:repair': { arg: z.strictObject({ variant: EngineVariant }), result: InstallOutcome },
  /** Takes an installed engine away, damaged or not, and tells its bytes. Fails with `busy` while a run uses it or one is being installed. */
  'engine:remove': { arg: z.strictObject({ variant: EngineVariant }), result: z.object({ bytes: z.number() }) },
  /** Times steps of a stated shape in a trainer of its own. Fails with `busy` while a run has the device, `engine-unavailable` with the reason. */
  'engine:selfTest': { arg: z.strictObject({ backend: ComputeEngine.shape.name }), result: SelfTest },
} satisfies RequestMap;

/** Served by the shell: dialogs and the desktop. Browser mode answers them with `bad-arguments`, and the page hides them. */
export const shellRequests = {
  'shell:chooseFolder': { arg: z.strictObject({ title: z.string().max(200) }), result: z.object({ path: z.string().nullable() }) },
  /** One file with one of these endings (without dot). */
  'shell:chooseFile': {
    arg: z.strictObject({ title: z.string().max(200), endings: z.array(z.string().regex(/^\w{1,10}$/)).max(10) }),
    result: z.object({ path: z.string().nullable() }),
  },
  'shell:showFolder': { arg: runOnly, result: z.void() },
  /** A folder that holds an export. */
  'shell:showExport': { arg: z.strictObject({ folder: z.string().min(1).max(4000) }), result: z.void() },
  /** The shell's own preferences, and whether this system shows notifications at all. */
  'shell:preferences': { arg: z.strictObject({}), result: z.object({ preferences: ShellPreferences, canNotify: z.boolean() }) },
  /** Keeps all of them. */
  'shell:setPreferences': { arg: z.strictObject({ preferences: ShellPreferences }), result: z.void() },
  /** What the machine runs on; `power:changed` tells of every change while a run trains. */
  'shell:power': { arg: z.strictObject({}), result: z.object({ onBattery: z.boolean() }) },
  'shell:openExternal': { arg: z.strictObject({ url: z.string().max(2000) }), result: z.void() },
} satisfies RequestMap;

export type Requests = typeof engineRequests & typeof shellRequests;
export type RequestName = keyof Requests;
export type ArgOf<K extends RequestName> = z.input<Requests[K]['arg']>;
export type ResultOf<K extends RequestName> = z.output<Requests[K]['result']>;
export type HandlersOf<R extends RequestMap> = { [K in keyof R]: (arg: z.output<R[K]['arg']>) => Promise<z.output<R[K]['result']>> };
