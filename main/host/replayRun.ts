/** Replay of a run folder or of a lone snapshots file under changed settings, with the config the run trains with now. */

import { stat } from 'node:fs/promises';
import { durationSteps } from '../core/duration.ts';
import { modelFromSnapshots, type ReplayResult, replay } from '../core/replay.ts';
import { parseConfig } from '../core/resolveConfig.ts';
import { dropAbandoned } from '../core/segments.ts';
import { PreloraConfig } from '../protocol/config/prelora.ts';
import { type ModelShape, type ResolvedConfig, RunConfig } from '../protocol/config.ts';
import { SnapshotRecord } from '../protocol/records.ts';
import { PreloraError } from '../protocol/reply.ts';
import { currentConfig } from '../store/currentConfig.ts';
import { readJsonLines } from '../store/jsonLines.ts';
import { readConfig, readRecords, readStatus } from '../store/runFolder.ts';

/** Fields of `prelora.` with new values, unchecked. */
export type ReplayChanges = Record<string, unknown>;

/** What can be replayed: snapshots, and the settings that hold where nothing else is said. */
export interface Recorded {
  snapshots: SnapshotRecord[];
  /** The run's own; the default one for a file without its run. */
  config: ResolvedConfig | RunConfig;
  isOwnConfig: boolean;
  model: ModelShape;
  /** Null without the run. */
  stepsPerEpoch: number | null;
  totalSteps: number | null;
}

/** A run folder or its snapshots file. Throws `not-found`, `bad-config`, `run-damaged`, or `bad-arguments` for a file of something else. */
export async function readRecorded(source: string): Promise<Recorded> {
  const entry = await stat(source).catch(() => null);
  if (!entry) throw new PreloraError('not-found', `${source}: not found; give a run folder or its snapshots.jsonl`);
  return entry.isDirectory() ? readRun(source) : readSnapshots(source);
}

/** Throws `bad-config` for a value out of range, `bad-arguments` when the snapshots lack what the settings ask for. */
export function replayRecorded(recorded: Recorded, changes: ReplayChanges): ReplayResult {
  const { config, model, snapshots, stepsPerEpoch, totalSteps } = recorded;
  const prelora = checkedPrelora(config, changes);
  // Without the run nobody knows how long an epoch is, and the first step and the end are not told.
  const steps = (duration: string | number): number => (stepsPerEpoch === null ? 0 : durationSteps(duration, stepsPerEpoch));
  return replay(snapshots, {
    model,
    prelora,
    control: config.control,
    train: config.train,
    minStep: steps(prelora.minStep ?? 0),
    graceSteps: steps(prelora.graceSteps),
    jointSteps: steps(prelora.jointSteps),
    totalSteps,
  });
}

/** The run's own settings where `changes` says nothing. Throws `bad-config` for a value out of range. */
export async function replayRun(dir: string, changes: ReplayChanges): Promise<ReplayResult> {
  return replayRecorded(await readRun(dir), changes);
}

async function readRun(dir: string): Promise<Recorded> {
  const config = currentConfig(await readConfig(dir), await readRecords(dir, 'events'));
  const status = await readStatus(dir);
  if (!status || status.stepsPerEpoch === 0) throw new PreloraError('run-damaged', `${dir}: status.json does not say how long an epoch is`);
  const { stepsPerEpoch, totalSteps } = status;
  const snapshots = await readRecords(dir, 'snapshots');
  return { snapshots, config, isOwnConfig: true, model: config.model, stepsPerEpoch, totalSteps };
}

/** Default settings, no first step, no end. */
async function readSnapshots(file: string): Promise<Recorded> {
  const snapshots: SnapshotRecord[] = [];
  for await (const record of readJsonLines(file, SnapshotRecord)) snapshots.push(record);
  const model = modelFromSnapshots(snapshots);
  const config = RunConfig.parse({});
  return { snapshots: dropAbandoned(snapshots), config, isOwnConfig: false, model, stepsPerEpoch: null, totalSteps: null };
}

/** With the rest of the config, because rules hold between them. */
function checkedPrelora(config: Recorded['config'], changes: ReplayChanges): RunConfig['prelora'] {
  const prelora = { ...config.prelora, ...changes };
  parseConfig({ ...config, prelora });
  return PreloraConfig.parse(prelora);
}
