/**
 * What the page shows of a run, read from its folder: a row of the runs table, and everything for the run's own screens. Works for runs of
 * any process, running or not; a folder that cannot be read fully keeps its row, with the reason.
 */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { type ResolvedConfig, RunConfig } from '../protocol/config.ts';
import { RecordPieces } from '../protocol/recordPieces.ts';
import type { EpochRecord, EventRecord } from '../protocol/records.ts';
import { PhaseSummary, type RunFacts, type RunState, type RunSummary } from '../protocol/results.ts';
import { blankStatus, type StatusFile } from '../protocol/run.ts';
import { listCheckpoints } from '../store/checkpointFolder.ts';
import { currentConfig } from '../store/currentConfig.ts';
import { readDataReport } from '../store/dataReport.ts';
import { folderBytes } from '../store/folderBytes.ts';
import type { IsLive } from '../store/lineage.ts';
import { lockHolder } from '../store/lock.ts';
import { readConfig, readLineage, readRanks, readRecords, readStatus } from '../store/runFolder.ts';
import { type Annotations, readAnnotations } from './runCatalog.ts';
import type { NewRecords, RunTail } from './runTail.ts';
import { thinMetrics } from './thinMetrics.ts';

/** What reading a run's folder gives before it is put into the shapes of the protocol. */
export interface RunFiles {
  runId: string;
  dir: string;
  config: ResolvedConfig;
  status: StatusFile;
  epochs: EpochRecord[];
  events: EventRecord[];
  annotations: Annotations;
}

/** Config with edits, status and journal. Throws `not-found`, `bad-config` or `run-damaged`. */
export async function readRunFiles(runId: string, dir: string): Promise<RunFiles> {
  const [created, status, epochs, events, annotations] = await Promise.all([
    readConfig(dir),
    readStatus(dir),
    readRecords(dir, 'epochs'),
    readRecords(dir, 'events'),
    readAnnotations(dir),
  ]);
  const config = currentConfig(created, events);
  const found = status ? { ...status, runId } : unwrittenStatus(runId, config);
  return { runId, dir, config, status: told(found, dir, annotations), epochs, events, annotations };
}

/** A row of the runs table; never throws for what is wrong inside the folder. */
export async function readSummary(runId: string, dir: string): Promise<RunSummary> {
  try {
    return await summaryOf(await readRunFiles(runId, dir));
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    const annotations = await readAnnotations(dir);
    const left = (await readConfigAndStatus(runId, dir, annotations)) ?? unreadable(runId, dir, problem);
    return { ...blankSummary(runId, dir, annotations), ...left, startedAt: await changedAt(dir), problem };
  }
}

type ConfigAndStatus = Pick<RunSummary, 'config' | 'status'>;

/** Of a run whose records are damaged; the edits in its journal are not in the config. Null when these cannot be read either. */
async function readConfigAndStatus(runId: string, dir: string, annotations: Annotations): Promise<ConfigAndStatus | null> {
  try {
    const [config, status] = await Promise.all([readConfig(dir), readStatus(dir)]);
    return { config, status: told(status ? { ...status, runId } : unwrittenStatus(runId, config), dir, annotations) };
  } catch {
    return null;
  }
}

/** For the row of a folder of which nothing can be said but why. */
function unreadable(runId: string, dir: string, problem: string): ConfigAndStatus {
  const config = RunConfig.parse({ name: path.basename(dir) });
  return { config, status: { ...unwrittenStatus(runId, config), name: config.name, status: 'failed', message: problem } };
}

async function summaryOf({ runId, dir, config, status, epochs, events, annotations }: RunFiles): Promise<RunSummary> {
  const peaks = epochs.flatMap(({ peakMemoryBytes }) => (peakMemoryBytes === null ? [] : [peakMemoryBytes]));
  return {
    ...blankSummary(runId, dir, annotations),
    config,
    status,
    startedAt: events[0]?.time ?? (await changedAt(dir)),
    sizeBytes: await folderBytes(dir),
    seconds: epochs.length > 0 ? epochs.reduce((sum, { seconds }) => sum + (seconds ?? 0), 0) : null,
    imagesPerSecond: epochs.at(-1)?.imagesPerSecond ?? null,
    peakMemoryBytes: peaks.length > 0 ? Math.max(...peaks) : null,
  };
}

function blankSummary(
  runId: string,
  dir: string,
  { tags, note, archived, study }: Annotations,
): Omit<RunSummary, 'config' | 'status' | 'startedAt'> {
  return {
    runId,
    dir,
    sizeBytes: 0,
    seconds: null,
    imagesPerSecond: null,
    peakMemoryBytes: null,
    tags,
    note,
    archived,
    study,
    problem: null,
  };
}

/** A run that nobody writes is not running, whatever its last status says: its process is gone. */
function told(status: StatusFile, dir: string, { name }: Annotations): StatusFile {
  const named = name === null ? status : { ...status, name };
  const claimsLife = status.status === 'running' || status.status === 'paused' || status.status === 'created';
  if (!claimsLife || lockHolder(dir)) return named;
  const message =
    status.message ?? `the process that trained this run ended at about step ${status.step}; resume goes on from its last checkpoint`;
  return { ...named, status: 'interrupted', message };
}

/** Stands for status.json before the first one is written. */
function unwrittenStatus(runId: string, config: RunConfig): StatusFile {
  const backend = { name: config.engine.backend, version: '', device: '', why: '', compiled: false };
  return blankStatus({ runId, name: config.name, epochs: config.train.epochs, backend });
}

/** What a state holds beside records. */
export async function readRunFacts(runId: string, dir: string): Promise<Omit<RunFacts, 'phases'>> {
  const summary = await readSummary(runId, dir);
  const isLive = await readLineage(dir);
  const { checkpoints } = await listCheckpoints(dir);
  return {
    summary,
    ranks: await readRanks(dir),
    checkpoints: checkpoints.filter(isLive).map(({ step, phase, pinned, bytes }) => ({ step, phase, pinned: pinned !== null, bytes })),
    classNames: (await readDataReport(dir)).classNames,
  };
}

type ReadState = Omit<RunState, 'live' | 'sequence' | 'phases'>;

/**
 * All records from `tail`'s start, which is left at the end of what was read, so that frames go on from there. Damaged records are left out
 * and told. Throws `bad-config` or `run-damaged` for a config that cannot be read: without its settings nothing can be said of a run.
 */
export async function readRunState(runId: string, tail: RunTail): Promise<{ state: ReadState; pieces: RecordPieces }> {
  await readConfig(tail.dir);
  const records = await tail.lookToEnd();
  const { summary, ...facts } = await readRunFacts(runId, tail.dir);
  const { pieces, ...rest } = split(records, await readLineage(tail.dir));
  const problem = records.problems[0] ?? summary.problem;
  return { state: { summary: { ...summary, problem }, ...facts, ...rest, ...pieces.first() }, pieces };
}

/** Speed and memory per phase, as a status tells them. */
export function phasesOf(status: StatusFile): PhaseSummary[] {
  const phases = PhaseSummary.array().safeParse(status.phases);
  return phases.success ? phases.data : [];
}

function split(records: NewRecords, isLive: IsLive): Pick<RunState, 'epochs' | 'events' | 'abandoned'> & { pieces: RecordPieces } {
  const { metrics, epochs, snapshots, events } = records;
  const isAbandoned: IsLive = (record) => !isLive(record);
  return {
    pieces: new RecordPieces(thinMetrics(metrics.filter(isLive)), snapshots.filter(isLive), toBase64),
    epochs: epochs.filter(isLive),
    // The journal tells of undone stretches too: nothing is dropped from it.
    events,
    abandoned: {
      metrics: thinMetrics(metrics.filter(isAbandoned)),
      epochs: epochs.filter(isAbandoned),
    },
  };
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

async function changedAt(dir: string): Promise<string> {
  return (await stat(dir)).mtime.toISOString();
}
