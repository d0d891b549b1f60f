/**
 * A run as TensorBoard shows it, derived from its records: what is live after undos and resumes, and nothing else (formats.md section 10). Read and
 * written in pieces, so that a run of a million steps needs no more memory than a short one.
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { PreloraError } from '../protocol/reply.ts';
import { renameWithRetries, syncFolder, temporaryName } from '../store/atomicFile.ts';
import { listCheckpoints } from '../store/checkpointFolder.ts';
import { currentConfig } from '../store/currentConfig.ts';
import { diskFault, systemCode } from '../store/diskFault.ts';
import { type RecordKind, type Records, readConfig, readLineage, readRanks, readRecords, streamRecords } from '../store/runFolder.ts';
import { EventFile, eventFileNames, nextEventFileName } from './eventFile.ts';
import type { BoardEvent, SummaryValue } from './eventRecords.ts';
import { epochValues, metricsValues, RunningValues, rankValues } from './summaryValues.ts';
import { readWallClock, type WallClock } from './wallClock.ts';
import { weightHistograms } from './weightHistograms.ts';

export interface WrittenLog {
  /** Full paths. */
  files: string[];
  /** Events in them, the one that opens each file included. */
  events: number;
  /** Checkpoints without histograms, because they cannot be read; in words. */
  skipped: string[];
}

/**
 * Writes one event file into `folder`, which may be new; it appears there when it is complete. Throws `not-found` when `runDir` is no run,
 * `bad-config` or `run-damaged` naming file and line, `disk-full` or `not-writable`.
 */
export async function writeTensorBoard(runDir: string, folder: string): Promise<WrittenLog> {
  const config = currentConfig(await readConfig(runDir), await readRecords(runDir, 'events'));
  const values = new RunningValues(() => config);
  const clock = await readWallClock(runDir);
  const skipped: string[] = [];
  // No "tfevents" in it: TensorBoard would read the file before it is complete.
  const beside = temporaryName(path.join(folder, 'events'));
  try {
    await mkdir(folder, { recursive: true });
    const file = new EventFile(beside, clock(0));
    try {
      for await (const event of runEvents(runDir, { values, clock, onSkipped: (words) => skipped.push(words) })) file.append(event);
      file.flush();
    } finally {
      file.close();
    }
    const target = path.join(folder, nextEventFileName(eventFileNames(await readdir(folder)), Date.now() / 1000));
    await renameWithRetries(beside, target);
    await syncFolder(folder);
    return { files: [target], events: file.events, skipped };
  } catch (error) {
    await rm(beside, { force: true }).catch(() => {});
    throw diskFault(error, folder);
  }
}

export interface RunEventsOptions {
  /** Follows the run from its start, so that it knows what later records are compared with. */
  values: RunningValues;
  clock: WallClock;
  /** Events of earlier steps are left out. */
  from?: number;
  onSkipped?: (words: string) => void;
}

/** What is live in a run, one kind of record after the other, each kind in the order of its steps: readers go by tag. */
export async function* runEvents(runDir: string, options: RunEventsOptions): AsyncGenerator<BoardEvent, void, undefined> {
  const { from = 0 } = options;
  for await (const event of allRunEvents(runDir, options)) if (event.step >= from) yield event;
}

async function* allRunEvents(runDir: string, options: RunEventsOptions): AsyncGenerator<BoardEvent, void, undefined> {
  const { values, clock } = options;
  yield* valuesOf(runDir, 'metrics', clock, metricsValues);
  yield* valuesOf(runDir, 'epochs', clock, epochValues);
  yield* valuesOf(runDir, 'snapshots', clock, (record) => values.snapshot(record));
  const ranks = await readRanks(runDir);
  if (ranks) yield { wallTime: clock(ranks.step), step: ranks.step, values: rankValues(ranks) };
  yield* histograms(runDir, options);
  yield* journal(runDir, values);
}

async function* valuesOf<K extends RecordKind>(
  runDir: string,
  kind: K,
  clock: WallClock,
  valuesOfRecord: (record: Records[K]) => SummaryValue[],
): AsyncGenerator<BoardEvent, void, undefined> {
  for await (const record of liveRecords(runDir, kind)) {
    yield { wallTime: clock(record.step), step: record.step, values: valuesOfRecord(record) };
  }
}

async function* liveRecords<K extends RecordKind>(runDir: string, kind: K): AsyncGenerator<Records[K], void, undefined> {
  const isLive = await readLineage(runDir);
  for await (const record of streamRecords(runDir, kind)) if (isLive(record)) yield record;
}

/** The entries of a step are one text, which is known when the next step begins. */
async function* journal(runDir: string, values: RunningValues): AsyncGenerator<BoardEvent, void, undefined> {
  let text: BoardEvent | null = null;
  for await (const entry of liveRecords(runDir, 'events')) {
    if (text && text.step !== entry.step) yield text;
    text = journalEvent(entry, values);
  }
  if (text) yield text;
}

/** What the journal says at the entry's step so far, at the entry's own time. */
export function journalEvent(entry: Records['events'], values: RunningValues): BoardEvent {
  return { wallTime: Date.parse(entry.time) / 1000, step: entry.step, values: values.journal(entry) };
}

/** Of the checkpoints that are there. One may go while it is read: a run that trains prunes them. */
async function* histograms(runDir: string, { clock, from = 0, onSkipped }: RunEventsOptions): AsyncGenerator<BoardEvent, void, undefined> {
  const isLive = await readLineage(runDir);
  const { checkpoints, broken } = await listCheckpoints(runDir);
  for (const { problem } of broken) onSkipped?.(problem);
  for (const { step } of checkpoints.filter((checkpoint) => isLive(checkpoint) && checkpoint.step >= from)) {
    try {
      yield await histogramEvent(runDir, step, clock(step));
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      onSkipped?.(error.message);
    }
  }
}

/** Throws `checkpoint-damaged` or `unsafe-tensors`. */
export async function histogramEvent(runDir: string, step: number, wallTime: number): Promise<BoardEvent> {
  const values: SummaryValue[] = [];
  for await (const value of weightHistograms(runDir, step)) values.push(value);
  return { wallTime, step, values };
}

function isUnreadable(error: unknown): error is Error {
  if (error instanceof PreloraError) return error.code === 'checkpoint-damaged' || error.code === 'unsafe-tensors';
  return systemCode(error) === 'ENOENT';
}
