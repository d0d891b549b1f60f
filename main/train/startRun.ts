/**
 * From a config to a run that can train, and from a run folder back to one: data, backend, folder, checkpoint, in that order, so that what
 * is wrong with the data or the config is said before anything is written.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { runEager } from '../compile/eagerProgram.ts';
import { stepsPerEpoch } from '../core/duration.ts';
import { resolveWithData } from '../core/resolveConfig.ts';
import { type Dataset, openDataset } from '../data/dataset.ts';
import { factsOf } from '../data/facts.ts';
import { noteUse } from '../data/unpackedShards.ts';
import { type ChosenBackend, chooseBackend } from '../engine/choose.ts';
import type { HostTensor } from '../model/init.ts';
import type { ModelShape, ResolvedConfig, RunConfig } from '../protocol/config.ts';
import { PreloraError } from '../protocol/reply.ts';
import { newestSegment } from '../store/lineage.ts';
import { runsRoot } from '../store/paths.ts';
import { type RecordKind, readRecords, readSegmentStarts } from '../store/runFolder.ts';
import { defaultRunName, runFolderName } from '../store/runName.ts';
import { createRun, openRun, type RunStore } from '../store/runStore.ts';
import { CommandQueue } from './commands.ts';
import { TrainingRun } from './loop.ts';
import type { RunListener } from './recorder.ts';
import { programStarter } from './runProgram.ts';
import { initialRunState, type RunState, restoreCheckpoint } from './runState.ts';
import type { SleepClocks } from './sleep.ts';
import { initialState } from './switchPhase.ts';
import type { TensorState } from './tensorState.ts';

export interface StartRunOptions {
  listener?: RunListener;
  commands?: CommandQueue;
  isAttended?: boolean;
  /** Progress and warnings in words, before training begins. */
  say?: (message: string) => void;
  signal?: AbortSignal;
  /** Clocks that tell of sleep; handed in by tests. */
  sleepClocks?: SleepClocks;
  /** Reads what `model.startFrom` names; only needed where a config names something. */
  readStartWeights?: (source: string, model: ModelShape) => Promise<StartWeights>;
}

/** Weights to begin with, by path; what is not there starts from random values. `notes` are for the user. */
export interface StartWeights {
  tensors: ReadonlyMap<string, HostTensor>;
  notes: readonly string[];
}

/** Starts a new run of `config` in `dir`, or in a new folder below the runs root. */
export async function startRun(config: RunConfig, dir: string | null, options: StartRunOptions = {}): Promise<TrainingRun> {
  const dataset = await openDataset(config.data, {
    channels: config.model.inChannels,
    ...(options.signal ? { signal: options.signal } : {}),
  });
  const resolved = resolveWithData(config, factsOf(dataset));
  const backend = await chooseBackend(resolved.engine);
  const named = { ...resolved, name: resolved.name || defaultRunName(resolved, new Date()) };
  const { tensors, notes } = await firstTensors(named, options);
  const store = await createRun({ dir: dir ?? newRunDir(named.name), config: named });
  await noteUse(store.dir, [dataset.train, dataset.val]);
  const engine = { backend: backend.name, version: backend.version, threads: backend.threads, compiled: false };
  const state = initialRunState(named, stepsPerEpoch(dataset.train.count, named.train.batchSize, named.train.dropLast), engine);
  await store.writeDataReport({ ...dataset.report, fingerprint: dataset.fingerprint });
  const run = open(store, { dataset, backend, state, tensors }, options);
  journalStart(run, notes);
  return run;
}

/** Random weights, and over them those that the config starts from. */
async function firstTensors(config: ResolvedConfig, options: StartRunOptions): Promise<{ tensors: TensorState; notes: readonly string[] }> {
  const { startFrom } = config.model;
  const fresh = initialState(config);
  if (startFrom === null) return { tensors: fresh, notes: [] };
  if (!options.readStartWeights) throw new PreloraError('internal', `model.startFrom ${startFrom}: nothing here reads start weights`);
  const { tensors, notes } = await options.readStartWeights(startFrom, config.model);
  for (const note of notes) options.say?.(note);
  return { tensors: { ...fresh, parameters: new Map([...fresh.parameters, ...tensors]) }, notes };
}

function journalStart(run: TrainingRun, notes: readonly string[]): void {
  const { startFrom } = run.state.config.model;
  if (startFrom !== null) run.journal('start-weights', 'program', { from: startFrom, notes: [...notes] });
}

/** Continues a run from its newest good checkpoint, exactly. Throws `not-found`, `busy`, `checkpoint-damaged` or what the data throws. */
export async function resumeRun(dir: string, options: StartRunOptions = {}): Promise<TrainingRun> {
  const store = await openRun(dir);
  try {
    for (const { file, bytes } of store.torn) options.say?.(`${file}: a torn last line of ${bytes} bytes was cut off`);
    const { step, damaged } = await store.newestGoodCheckpoint();
    for (const message of damaged) options.say?.(message);
    if (step === null) return await restart(store, options);
    const { state, tensors } = restoreCheckpoint(await store.loadCheckpoint(step));
    const { dataset, backend } = await openFor(dir, state.config, options);
    requireSameData(dataset, state);
    warnIfInexact(state, backend, options);
    if (await needsNewSegment(dir, state)) state.segment = await store.startSegment(state, 'resume after an unclean end');
    const run = open(store, { dataset, backend, state, tensors }, options);
    run.journal('resumed', 'program', { backend: backend.name, version: backend.version, threads: backend.threads });
    return run;
  } catch (error) {
    store.close();
    throw error;
  }
}

/** A run that was killed before its first checkpoint begins again in a new segment. */
async function restart(store: RunStore, options: StartRunOptions): Promise<TrainingRun> {
  const { dataset, backend } = await openFor(store.dir, store.config, options);
  const engine = { backend: backend.name, version: backend.version, threads: backend.threads, compiled: false };
  const { train } = store.config;
  const state = initialRunState(store.config, stepsPerEpoch(dataset.train.count, train.batchSize, train.dropLast), engine);
  state.segment = await store.startSegment({ step: 0, segment: 0 }, 'no checkpoint yet');
  const { tensors, notes } = await firstTensors(store.config, options);
  const run = open(store, { dataset, backend, state, tensors }, options);
  journalStart(run, notes);
  return run;
}

/** The data and the backend of a run whose folder is there, and locked. */
async function openFor(
  dir: string,
  config: ResolvedConfig,
  { signal }: StartRunOptions,
): Promise<{ dataset: Dataset; backend: ChosenBackend }> {
  const dataset = await openDataset(config.data, { channels: config.model.inChannels, ...(signal ? { signal } : {}) });
  await noteUse(dir, [dataset.train, dataset.val]);
  return { dataset, backend: await chooseBackend(config.engine) };
}

type Start = Pick<TrainingRun['options'], 'dataset' | 'backend'> & { state: RunState; tensors: TensorState };

function open(store: RunStore, { dataset, backend, state, tensors }: Start, options: StartRunOptions): TrainingRun {
  const warn = (message: string): void => options.say?.(message);
  return new TrainingRun(
    {
      store,
      dataset,
      backend,
      start: programStarter({ backend, compiled: state.config.engine.compiled, warn }),
      startEager: runEager,
      commands: options.commands ?? new CommandQueue(),
      listener: options.listener ?? {},
      isAttended: options.isAttended ?? false,
      ...(options.sleepClocks && { sleepClocks: options.sleepClocks }),
    },
    state,
    tensors,
  );
}

/**
 * Whether going on in the checkpoint's own segment would be misread: a killed process wrote records past the checkpoint, which are about to be
 * made again, or it had started a segment of its own, which readers take for the newest.
 */
async function needsNewSegment(dir: string, { step, segment }: RunState): Promise<boolean> {
  if (newestSegment(await readSegmentStarts(dir)) !== segment) return true;
  for (const kind of ['metrics', 'epochs', 'snapshots', 'events'] satisfies RecordKind[]) {
    if ((await readRecords(dir, kind)).some((record) => record.step > step)) return true;
  }
  return false;
}

function requireSameData(dataset: Dataset, { config, stepsPerEpoch: expected }: RunState): void {
  const { batchSize, dropLast } = config.train;
  const now = stepsPerEpoch(dataset.train.count, batchSize, dropLast);
  if (now === expected && dataset.classNames.length <= config.model.numClasses) return;
  const message = `${dataset.root}: gives ${now} steps per epoch, the run was started with ${expected}; put the original data back`;
  throw new PreloraError('inexact-resume', message, 'data.source');
}

function warnIfInexact({ engine }: RunState, backend: ChosenBackend, { say }: StartRunOptions): void {
  const same = engine.backend === backend.name && engine.version === backend.version && engine.threads === backend.threads;
  if (same) return;
  const before = `${engine.backend} ${engine.version}, ${engine.threads} threads`;
  say?.(`the run was on ${before} and goes on with ${backend.name} ${backend.version}, ${backend.threads} threads: not bit-identical`);
}

/** A folder of that name below the runs root, numbered when there is one already. */
function newRunDir(name: string): string {
  const base = path.join(runsRoot(), runFolderName(name));
  for (let n = 1; ; n++) {
    const dir = n === 1 ? base : `${base}-${n}`;
    if (!existsSync(dir)) return dir;
  }
}
