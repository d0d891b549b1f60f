/** Real runs that take a second: a very small ViT on a few images of the shipped sample, on the plain JavaScript backend. */
import path from 'node:path';
import { resolveConfig } from '../../main/core/resolveConfig.ts';
import type { EpochRecord, EventRecord, MetricsRecord, RanksFile, SnapshotRecord } from '../../main/protocol/records.ts';
import { readRanks, readRecords } from '../../main/store/runFolder.ts';
import { CommandQueue, type RunCommand } from '../../main/train/commands.ts';
import type { RunEnd, TrainingRun } from '../../main/train/loop.ts';
import type { SleepClocks } from '../../main/train/sleep.ts';
import { resumeRun, startRun } from '../../main/train/startRun.ts';

/** 6 updates per epoch, 5 epochs: switch at the second snapshot (12), freeze at 18, end at 30. */
const TINY = {
  model: { size: 'custom', imageSize: 28, patchSize: 14, embedDim: 8, depth: 2, numHeads: 2 },
  data: { maxTrain: 48, maxVal: 20, crop: 'pad', cropPadding: 2, workers: 0 },
  train: { epochs: 5, batchSize: 8, lrWarmupSteps: 2, lr: 0.01 },
  prelora: { windowSize: 2, minStep: 0, tau: 100, zeta: 100, rMin: 1, rMax: 4, jointSteps: '1ep', lrRampSteps: 3 },
  engine: { backend: 'cpu' },
};

export type Overrides = Record<string, Record<string, unknown>>;

export interface TinyOptions {
  /** Given at the boundary after that update, in order; their answers are in the result. */
  commands?: Record<number, RunCommand[]>;
  /** Given once when an undo has paused the run. */
  afterUndo?: RunCommand;
  isAttended?: boolean;
  sleepClocks?: SleepClocks;
  /** Before its first update. */
  prepare?: (run: TrainingRun) => void;
}

export interface TinyResult {
  dir: string;
  end: RunEnd;
  answers: unknown[];
  run: TrainingRun;
}

export function tinyConfig(overrides: Overrides = {}) {
  const merged = Object.fromEntries(
    [...new Set([...Object.keys(TINY), ...Object.keys(overrides)])].map((section) => [
      section,
      { ...(TINY as Overrides)[section], ...overrides[section] },
    ]),
  );
  return resolveConfig({ file: merged });
}

export async function trainTiny(dir: string, overrides: Overrides = {}, options: TinyOptions = {}): Promise<TinyResult> {
  return drive(dir, (given) => startRun(tinyConfig(overrides), dir, given), options);
}

export async function resumeTiny(dir: string, options: TinyOptions = {}): Promise<TinyResult> {
  return drive(dir, (given) => resumeRun(dir, given), options);
}

type Given = NonNullable<Parameters<typeof startRun>[2]>;

async function drive(dir: string, open: (given: Given) => Promise<TrainingRun>, options: TinyOptions): Promise<TinyResult> {
  const commands = new CommandQueue();
  const waiting: Promise<unknown>[] = [];
  const give = ({ step }: MetricsRecord): void => {
    for (const command of options.commands?.[step] ?? []) waiting.push(commands.push(command).catch((error: unknown) => error));
  };
  const event = ({ kind }: EventRecord): void => {
    // The undo discards what waits in the queue once it is done, so the next command has to come after that.
    if (kind === 'undone' && options.afterUndo) setImmediate(() => void commands.push(options.afterUndo as RunCommand));
  };
  const { isAttended = false, sleepClocks } = options;
  const run = await open({ commands, listener: { metrics: give, event }, isAttended, ...(sleepClocks && { sleepClocks }) });
  options.prepare?.(run);
  try {
    const end = await run.run();
    return { dir, end, answers: await Promise.all(waiting), run };
  } finally {
    commands.close();
    run.options.store.close();
  }
}

/** What a run is, apart from when and in which segment it was made: records, ranks, and the bytes of the last weights. */
export interface RunContent {
  metrics: Partial<MetricsRecord>[];
  epochs: Partial<EpochRecord>[];
  snapshots: Partial<SnapshotRecord>[];
  ranks: RanksFile | null;
  tensors: Record<string, string>;
}

const MEASURED = ['segment', 'imagesPerSecond', 'stepMs', 'dataWaitMs', 'memoryBytes', 'seconds', 'peakMemoryBytes'];

export async function contentOf({ dir, run }: Pick<TinyResult, 'dir' | 'run'>): Promise<RunContent> {
  const data = async (kind: 'metrics' | 'epochs' | 'snapshots') =>
    (await readRecords(dir, kind)).map((record) => Object.fromEntries(Object.entries(record).filter(([key]) => !MEASURED.includes(key))));
  const { tensors } = await run.options.store.loadCheckpoint(run.state.step);
  const parts = { ...Object.fromEntries(tensors.model), ...Object.fromEntries(tensors.optimizer) };
  const bytes = Object.entries(parts).map(([name, { data }]) => [
    name,
    Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64'),
  ]);
  return {
    metrics: await data('metrics'),
    epochs: await data('epochs'),
    snapshots: await data('snapshots'),
    ranks: await readRanks(dir),
    tensors: Object.fromEntries(bytes),
  };
}

export async function eventKinds(dir: string): Promise<string[]> {
  return (await readRecords(dir, 'events')).map(({ kind }) => kind);
}

export async function eventsOf(dir: string, kind: string): Promise<EventRecord[]> {
  return (await readRecords(dir, 'events')).filter((event) => event.kind === kind);
}

/** A folder name below `root` for each run of a test. */
export function folders(root: string): (name: string) => string {
  return (name) => path.join(root, name);
}
