/** Replay of a run folder or of a lone snapshots file under changed settings, with the config the run trains with now. */

import { durationSteps } from '../core/duration.ts';
import { modelFromSnapshots, type ReplayResult, replay } from '../core/replay.ts';
import { parseConfig } from '../core/resolveConfig.ts';
import { dropAbandoned } from '../core/segments.ts';
import { PreloraConfig } from '../protocol/config/prelora.ts';
import { type ResolvedConfig, RunConfig } from '../protocol/config.ts';
import { SnapshotRecord } from '../protocol/records.ts';
import { PreloraError } from '../protocol/reply.ts';
import { readJsonLines } from '../store/jsonLines.ts';
import { readConfig, readRecords, readStatus } from '../store/runFolder.ts';
import { currentConfig } from './currentConfig.ts';

/** Fields of `prelora.` with new values, unchecked. */
export type ReplayChanges = Record<string, unknown>;

/** The run's own settings where `changes` says nothing. Throws `bad-config` for a value out of range. */
export async function replayRun(dir: string, changes: ReplayChanges): Promise<ReplayResult> {
  const config = changed(currentConfig(await readConfig(dir), await readRecords(dir, 'events')), changes);
  const status = await readStatus(dir);
  if (!status || status.stepsPerEpoch === 0) throw new PreloraError('run-damaged', `${dir}: status.json does not say how long an epoch is`);
  const steps = (duration: string | number): number => durationSteps(duration, status.stepsPerEpoch);
  const { prelora, control, model, train } = config;
  return replay(await readRecords(dir, 'snapshots'), {
    model,
    prelora,
    control,
    train,
    minStep: steps(prelora.minStep),
    graceSteps: steps(prelora.graceSteps),
    jointSteps: steps(prelora.jointSteps),
    totalSteps: status.totalSteps,
  });
}

/** A snapshots file without its run: default settings, no first step, no end. */
export async function replayFile(file: string, changes: ReplayChanges): Promise<ReplayResult> {
  const snapshots: SnapshotRecord[] = [];
  for await (const record of readJsonLines(file, SnapshotRecord)) snapshots.push(record);
  const config = RunConfig.parse({});
  const prelora = checkedPrelora({ ...config.prelora, ...changes });
  const model = modelFromSnapshots(snapshots);
  return replay(dropAbandoned(snapshots), {
    model,
    prelora,
    control: config.control,
    train: config.train,
    minStep: 0,
    graceSteps: 0,
    jointSteps: 0,
    totalSteps: null,
  });
}

function changed(config: ResolvedConfig, changes: ReplayChanges): ResolvedConfig {
  return parseConfig({ ...config, prelora: { ...config.prelora, ...changes } }) as unknown as ResolvedConfig;
}

function checkedPrelora(prelora: unknown): RunConfig['prelora'] {
  parseConfig({ prelora });
  return PreloraConfig.parse(prelora);
}
