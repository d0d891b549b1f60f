/**
 * The files of a run folder and how they are read: config and status, and the record files with what an undo or a crash abandoned
 * told apart (architecture.md section 7). Reading needs no lock and may happen while another process writes.
 */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { parseConfig } from '../core/resolveConfig.ts';
import type { ResolvedConfig, RunConfig } from '../protocol/config.ts';
import { EpochRecord, EventRecord, MetricsRecord, RanksFile, SnapshotRecord } from '../protocol/records.ts';
import { PreloraError } from '../protocol/reply.ts';
import { StatusFile } from '../protocol/run.ts';
import { CheckpointPointer } from '../protocol/runFiles.ts';
import { systemCode } from './diskFault.ts';
import { firstIssue, type Schema } from './json.ts';
import { readJsonLines, type TornTail } from './jsonLines.ts';
import { type IsLive, liveRecords, type SegmentStart } from './lineage.ts';
import { withNamedData } from './namedData.ts';

/** The record files, append-only: name on disk and schema of a line. */
export const RECORD_FILES = {
  metrics: { name: 'metrics.jsonl', schema: MetricsRecord as Schema<MetricsRecord> },
  epochs: { name: 'epochs.jsonl', schema: EpochRecord as Schema<EpochRecord> },
  snapshots: { name: 'snapshots.jsonl', schema: SnapshotRecord as Schema<SnapshotRecord> },
  events: { name: 'events.jsonl', schema: EventRecord as Schema<EventRecord> },
};
export type RecordKind = keyof typeof RECORD_FILES;
export interface Records {
  metrics: MetricsRecord;
  epochs: EpochRecord;
  snapshots: SnapshotRecord;
  events: EventRecord;
}

export const CONFIG_FILE = 'config.json';
export const STATUS_FILE = 'status.json';
export const RANKS_FILE = 'ranks.json';
export const BEST_FILE = 'best.json';
export const LAST_FILE = 'last.json';
export const SUMMARY_FILE = 'summary.csv';
export const DATA_REPORT_FILE = 'data-report.json';
/** What a user noted beside the run: name, tags, note. */
export const ANNOTATIONS_FILE = 'annotations.json';

/** Kind of the journal record that announces a segment; `detail.fromSegment` is where its checkpoint came from. */
export const SEGMENT_EVENT = 'segment';
/** Kind of the journal's first record; `detail.runId` names the run. */
export const CREATED_EVENT = 'created';

/** The file of a kind of record; it need not exist yet. */
export function recordFile(runDir: string, kind: RecordKind): string {
  return path.join(runDir, RECORD_FILES[kind].name);
}

/** All records of a kind, in the order they were written, abandoned ones too. Throws `run-damaged` naming file and line. */
export function streamRecords<K extends RecordKind>(
  runDir: string,
  kind: K,
  onTorn?: (tail: TornTail) => void,
): AsyncGenerator<Records[K], void, undefined> {
  return readJsonLines(recordFile(runDir, kind), RECORD_FILES[kind].schema as Schema<Records[K]>, onTorn);
}

export interface SplitRecords<T> {
  live: T[];
  /** What undos and crashes left behind, for those who want to see it. */
  abandoned: T[];
  torn: TornTail | null;
}

/** Records of a kind, the abandoned ones apart. Throws `run-damaged` naming file and line. */
export async function readSplitRecords<K extends RecordKind>(runDir: string, kind: K): Promise<SplitRecords<Records[K]>> {
  const isLive = await readLineage(runDir);
  const split: SplitRecords<Records[K]> = { live: [], abandoned: [], torn: null };
  const onTorn = (tail: TornTail): void => {
    split.torn = tail;
  };
  for await (const record of streamRecords(runDir, kind, onTorn)) split[isLive(record) ? 'live' : 'abandoned'].push(record);
  return split;
}

/** The live records of a kind, in step order. Throws `run-damaged` naming file and line. */
export async function readRecords<K extends RecordKind>(runDir: string, kind: K): Promise<Records[K][]> {
  return (await readSplitRecords(runDir, kind)).live;
}

/** Where the run's segments start, from its journal. */
export async function readSegmentStarts(runDir: string): Promise<SegmentStart[]> {
  const starts: SegmentStart[] = [];
  for await (const { kind, segment, step, detail } of streamRecords(runDir, 'events')) {
    if (kind !== SEGMENT_EVENT) continue;
    const { fromSegment } = detail;
    starts.push({ segment, step, fromSegment: typeof fromSegment === 'number' ? fromSegment : segment - 1 });
  }
  return starts;
}

/** Tells the live records and checkpoints of a run from abandoned ones. */
export async function readLineage(runDir: string): Promise<IsLive> {
  return liveRecords(await readSegmentStarts(runDir));
}

/** The run's resolved config. Throws `not-found` when `runDir` is no run, `bad-config` or `run-damaged` with field and rule. */
export async function readConfig(runDir: string): Promise<ResolvedConfig> {
  const file = path.join(runDir, CONFIG_FILE);
  const value = await readRawConfig(runDir);
  try {
    return requireResolved(parseConfig(await withNamedData(runDir, value)), file);
  } catch (error) {
    if (error instanceof PreloraError && error.code === 'bad-config')
      throw new PreloraError(error.code, `${file}: ${error.message}`, error.field);
    throw error;
  }
}

/** What config.json says, unchecked: of a run that came in a bundle, references where paths stood. Throws `not-found` or `run-damaged`. */
export async function readRawConfig(runDir: string): Promise<unknown> {
  const value = await readJson(path.join(runDir, CONFIG_FILE));
  if (value === null) throw new PreloraError('not-found', `${runDir} is not a run: it has no ${CONFIG_FILE}`);
  return value;
}

/** A stored config has nothing left open that training needs; one edited by hand might. */
function requireResolved(config: RunConfig, file: string): ResolvedConfig {
  const { model, data, train, prelora } = config;
  const needed = {
    'model.patchSize': model.patchSize,
    'model.inChannels': model.inChannels,
    'model.numClasses': model.numClasses,
    'model.embedDim': model.embedDim,
    'model.depth': model.depth,
    'model.numHeads': model.numHeads,
    'data.mean': data.mean,
    'data.std': data.std,
    'train.microBatch': train.microBatch,
    'train.lrWarmupSteps': train.lrWarmupSteps,
    'prelora.minStep': prelora.minStep,
  };
  const open = Object.entries(needed).find(([, value]) => value === null);
  if (open) throw new PreloraError('run-damaged', `${file}: ${open[0]} is null, a run's config gives it a value`, open[0]);
  return config as ResolvedConfig;
}

/** The run's status, or null before there is one. */
export function readStatus(runDir: string): Promise<StatusFile | null> {
  return readParsed(path.join(runDir, STATUS_FILE), StatusFile as Schema<StatusFile>);
}

/** Ranks and the numbers that led to them, or null before the switch. */
export function readRanks(runDir: string): Promise<RanksFile | null> {
  return readParsed(path.join(runDir, RANKS_FILE), RanksFile as Schema<RanksFile>);
}

/** Step of the best checkpoint, or null. */
export async function readBest(runDir: string): Promise<number | null> {
  return (await readParsed(path.join(runDir, BEST_FILE), CheckpointPointer as Schema<CheckpointPointer>))?.step ?? null;
}

/** Step of the last checkpoint, or null. */
export async function readLast(runDir: string): Promise<number | null> {
  return (await readParsed(path.join(runDir, LAST_FILE), CheckpointPointer as Schema<CheckpointPointer>))?.step ?? null;
}

async function readParsed<T>(file: string, schema: Schema<T>): Promise<T | null> {
  const value = await readJson(file);
  return value === null ? null : parseWith(schema, value, file);
}

function parseWith<T>(schema: Schema<T>, value: unknown, file: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new PreloraError('run-damaged', `${file}: ${firstIssue(parsed.error.issues)}`);
}

/** The JSON of a file, or null when it is not there. */
async function readJson(file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return null;
    throw error;
  });
  if (text === null) return null;
  try {
    return JSON.parse(text);
  } catch {
    throw new PreloraError('run-damaged', `${file}: is not JSON`);
  }
}

/** The run folders directly below `root`, sorted by name; none when it is not there. A folder that goes away meanwhile is none. */
export async function listRunFolders(root: string): Promise<string[]> {
  const entries = await readdir(root, { withFileTypes: true }).catch(noneIfGone);
  const folders = entries.filter((entry) => entry.isDirectory()).map((entry) => path.join(root, entry.name));
  const isRun = await Promise.all(folders.map(isRunFolder));
  return folders.filter((_, index) => isRun[index]).sort();
}

/** False for a folder that is not there: between two looks a run may have been discarded. */
export async function isRunFolder(folder: string): Promise<boolean> {
  const names: string[] = await readdir(folder).catch(noneIfGone);
  return names.includes(CONFIG_FILE);
}

function noneIfGone(error: unknown): [] {
  if (systemCode(error) === 'ENOENT') return [];
  throw error;
}
