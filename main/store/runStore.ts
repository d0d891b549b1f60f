/**
 * The writing end of a run: a folder, locked by one process, with typed appends for its records, atomic replacement for everything
 * else, and checkpoints on top (architecture.md section 7). Reading is in runFolder.ts and needs no lock.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import type { ResolvedConfig } from '../protocol/config.ts';
import type { EpochRecord, EventRecord, MetricsRecord, RanksFile, SnapshotRecord } from '../protocol/records.ts';
import { PreloraError } from '../protocol/reply.ts';
import type { StatusFile } from '../protocol/run.ts';
import type { CheckpointManifest } from '../protocol/runFiles.ts';
import { syncFolder, writeFileAtomically, writeJsonAtomically } from './atomicFile.ts';
import { type CheckpointContent, type LoadedCheckpoint, saveCheckpoint } from './checkpoint.ts';
import {
  cleanCheckpointFolder,
  isLeftOver,
  loadCheckpointOrOffer,
  newestGoodCheckpoint,
  pinCheckpoint,
  pruneCheckpoints,
} from './checkpointFolder.ts';
import { diskFault, systemCode } from './diskFault.ts';
import { JsonLinesWriter, type TornTail } from './jsonLines.ts';
import { newestSegment } from './lineage.ts';
import { acquireLock, LOCK_FILE, type RunLock } from './lock.ts';
import {
  BEST_FILE,
  CONFIG_FILE,
  CREATED_EVENT,
  DATA_REPORT_FILE,
  LAST_FILE,
  RANKS_FILE,
  RECORD_FILES,
  type RecordKind,
  readConfig,
  readLineage,
  readRecords,
  readSegmentStarts,
  recordFile,
  SEGMENT_EVENT,
  STATUS_FILE,
  SUMMARY_FILE,
  streamRecords,
} from './runFolder.ts';
import { formatSummary } from './summaryCsv.ts';

export interface NewRun {
  /** The folder to create; it must not exist or be empty. */
  dir: string;
  config: ResolvedConfig;
  /** Names the run for good, also when its folder is moved; a random one by default. */
  runId?: string;
}

/** Creates a run folder and opens it. Throws `bad-arguments` when there is something in it, `disk-full` or `not-writable`. */
export async function createRun({ dir, config, runId = randomUUID() }: NewRun): Promise<RunStore> {
  try {
    await mkdir(dir, { recursive: true });
  } catch (error) {
    if (systemCode(error) === 'EEXIST') throw new PreloraError('bad-arguments', `${dir} is a file; a run needs a folder`);
    throw diskFault(error, dir);
  }
  // What a kill before the config was complete leaves behind is nothing anyone needs.
  const inside = (await readdir(dir)).filter((name) => name !== LOCK_FILE && !isLeftOver(name));
  if (inside.length > 0) throw new PreloraError('bad-arguments', `${dir} is not empty; give a new folder, or resume that run`);
  const lock = acquireLock(dir);
  try {
    await writeJsonAtomically(path.join(dir, CONFIG_FILE), config);
    const store = new RunStore(dir, runId, config, lock);
    store.journalCreation();
    await syncFolder(dir);
    return store;
  } catch (error) {
    lock.release();
    throw error;
  }
}

/**
 * Opens a run for writing: locks it, cuts off torn lines (see `RunStore.torn`) and clears away what a kill left half written.
 * Throws `not-found`, `busy`, `run-damaged`, `disk-full` or `not-writable`.
 */
export async function openRun(dir: string): Promise<RunStore> {
  const config = await readConfig(dir);
  const lock = acquireLock(dir);
  try {
    await cleanCheckpointFolder(dir);
    for (const name of (await readdir(dir)).filter(isLeftOver)) await rm(path.join(dir, name), { force: true });
    const known = await readRunId(dir);
    const store = new RunStore(dir, known ?? randomUUID(), config, lock);
    // Killed between its config and its first journal record: nothing can have referred to an id yet.
    if (known === null) store.journalCreation();
    return store;
  } catch (error) {
    lock.release();
    throw diskFault(error, dir);
  }
}

async function readRunId(dir: string): Promise<string | null> {
  for await (const { kind, detail } of streamRecords(dir, 'events')) {
    if (kind === CREATED_EVENT && typeof detail.runId === 'string') return detail.runId;
  }
  return null;
}

function journalEntry(kind: string, step: number, segment: number, detail: Record<string, unknown>): EventRecord {
  return { kind, step, segment, time: new Date().toISOString(), by: 'program', detail };
}

/** An open run. Appends are synchronous and keep their order; close it when done. */
export class RunStore {
  /** Torn last lines that opening cut off, to be reported. */
  readonly torn: TornTail[];
  #files: Record<RecordKind, JsonLinesWriter>;

  /** Use `createRun` or `openRun`. */
  constructor(
    readonly dir: string,
    readonly runId: string,
    readonly config: ResolvedConfig,
    readonly lock: RunLock,
  ) {
    const open = (kind: RecordKind): JsonLinesWriter => new JsonLinesWriter(recordFile(dir, kind));
    this.#files = { metrics: open('metrics'), epochs: open('epochs'), snapshots: open('snapshots'), events: open('events') };
    this.torn = Object.values(this.#files).flatMap(({ torn }) => (torn ? [torn] : []));
  }

  appendMetrics(record: MetricsRecord): void {
    this.#files.metrics.append(record);
  }

  /** Call `writeSummary` afterwards to bring summary.csv up to date. */
  appendEpoch(record: EpochRecord): void {
    this.#files.epochs.append(record);
  }

  appendSnapshot(record: SnapshotRecord): void {
    this.#files.snapshots.append(record);
  }

  appendEvent(record: EventRecord): void {
    this.#files.events.append(record);
  }

  /** The journal's first record, which names the run. For `createRun` and `openRun`. */
  journalCreation(): void {
    this.appendEvent(journalEntry(CREATED_EVENT, 0, 0, { runId: this.runId }));
    this.sync();
  }

  /** Returns once every record so far is on the disk. */
  sync(): void {
    for (const file of Object.values(this.#files)) file.sync();
  }

  writeStatus(status: StatusFile): Promise<void> {
    return writeJsonAtomically(this.#path(STATUS_FILE), status);
  }

  writeRanks(ranks: RanksFile): Promise<void> {
    return writeJsonAtomically(this.#path(RANKS_FILE), ranks);
  }

  /** After an undo: the plan no longer holds, but nothing is deleted; it stays as `ranks.segment-N.json`. */
  async setRanksAside(segment: number): Promise<void> {
    await rename(this.#path(RANKS_FILE), this.#path(`ranks.segment-${segment}.json`)).catch((error: unknown) => {
      if (systemCode(error) !== 'ENOENT') throw diskFault(error, this.dir);
    });
  }

  writeBest(best: { step: number; epoch: number; valTop1: number }): Promise<void> {
    return writeJsonAtomically(this.#path(BEST_FILE), best);
  }

  writeDataReport(report: object): Promise<void> {
    return writeJsonAtomically(this.#path(DATA_REPORT_FILE), report);
  }

  /** Replaces summary.csv by one row per live epoch. */
  async writeSummary(): Promise<void> {
    await writeFileAtomically(this.#path(SUMMARY_FILE), formatSummary(await readRecords(this.dir, 'epochs')));
  }

  #path(name: string): string {
    return path.join(this.dir, name);
  }

  /**
   * Starts a new segment at a checkpoint that was loaded (undo, or a resume past which records had been written), and returns its
   * number: from now on, what other segments wrote past `step` is abandoned. On the disk when this returns.
   */
  async startSegment(from: { step: number; segment: number }, reason: string): Promise<number> {
    const segment = newestSegment(await readSegmentStarts(this.dir)) + 1;
    this.appendEvent(journalEntry(SEGMENT_EVENT, from.step, segment, { fromSegment: from.segment, reason }));
    this.#files.events.sync();
    return segment;
  }

  /** Saves a checkpoint that covers every record so far, and points last.json at it. Throws `disk-full` or `not-writable`. */
  async saveCheckpoint(content: CheckpointContent): Promise<CheckpointManifest> {
    this.sync();
    const appendLengths = Object.fromEntries(
      Object.entries(this.#files).map(([kind, file]) => [RECORD_FILES[kind as RecordKind].name, file.bytes]),
    );
    const manifest = await saveCheckpoint(this.dir, content, { runId: this.runId, appendLengths });
    await writeJsonAtomically(this.#path(LAST_FILE), { step: content.step });
    return manifest;
  }

  /** Keeps a checkpoint whatever pruning says, for example `before-switch`. */
  pinCheckpoint(pin: { step: number; segment: number; reason: string }): Promise<void> {
    return pinCheckpoint(this.dir, pin);
  }

  /** Deletes the checkpoints that neither the last, the best, the newest n nor a pin keeps. Returns their steps. */
  async pruneCheckpoints(keep: { newest: number; best: number | null }): Promise<number[]> {
    return pruneCheckpoints(this.dir, { ...keep, isLive: await readLineage(this.dir) });
  }

  /** Verifies and reads a checkpoint. Throws `not-found`, or `checkpoint-damaged` saying which good one there is. */
  async loadCheckpoint(step: number): Promise<LoadedCheckpoint> {
    return loadCheckpointOrOffer(this.dir, step, this.config.model, await readLineage(this.dir));
  }

  /** The checkpoint to resume from, or null, and what was wrong with newer ones. */
  async newestGoodCheckpoint(): Promise<{ step: number | null; damaged: string[] }> {
    return newestGoodCheckpoint(this.dir, this.config.model, await readLineage(this.dir));
  }

  /** Closes the files and gives the run free. Safe to repeat. */
  close(): void {
    for (const file of Object.values(this.#files)) file.close();
    this.lock.release();
  }
}
