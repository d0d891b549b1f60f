/** A run folder made by hand, with an abandoned stretch, values that are no numbers, steps above 2^32, ranks and checkpoints. */
import path from 'node:path';
import { allModules } from '../../main/core/modules.ts';
import type { EpochRecord, MetricsRecord, RankReason, RanksFile, SnapshotRecord } from '../../main/protocol/records.ts';
import type { Phase } from '../../main/protocol/run.ts';
import { createRun, type RunStore } from '../../main/store/runStore.ts';
import { tinyCheckpoint, tinyRunConfig } from '../store/tinyRun.ts';

export const MODULES = allModules(tinyRunConfig.model.depth);
export const ADAPTED = 'blocks.0.attn.q';
/** Step 1 of the run; all others follow. */
export const FAR = 2 ** 32;

const place = (step: number, phase: Phase, segment: number) => ({ step: FAR + step, epoch: step / 4, phase, segment });

export function metrics(step: number, change: Partial<MetricsRecord> = {}): MetricsRecord {
  const times = { imagesPerSecond: 100 + step, stepMs: 10, dataWaitMs: 0, memoryBytes: 5e9, gradNorm: 1 };
  return { ...place(step, 'full', 0), loss: 1 / (1 + step), lr: step * 1e-7, ...times, ...change };
}

export function epoch(number: number, step: number, change: Partial<EpochRecord> = {}): EpochRecord {
  const scores = { trainLoss: 1.5, trainTop1: 0.3, valLoss: 1.25, valTop1: 0.57, valTop5: 0.9 };
  const rest = { seconds: 1, imagesPerSecond: 10, peakMemoryBytes: null, lr: 1e-7 };
  return { ...place(step, 'full', 0), ...scores, ...rest, ...change, epoch: number };
}

/** Weight norms are `norm` and a little more from module to module. */
export function snapshot(step: number, norm: number, change: Partial<SnapshotRecord> = {}): SnapshotRecord {
  const modules = MODULES.map((module, i) => [module, { weightNorm: norm + i / 100, gradNorm: i / 7, displacement: null }]);
  return { ...place(step, 'full', 0), loss: 1, modules: Object.fromEntries(modules), ...change };
}

export function reason(module: string, rank: number): RankReason {
  const numbers = { change: 1, from: 1, to: 1, poolMin: 0, poolMax: 1, position: 0.5, binRank: rank, cap: 8 };
  return { module, rank, alpha: 2 * rank, ...numbers, reason: 'bin' };
}

export const ranks: RanksFile = {
  step: FAR + 8,
  reason: 'rule',
  modules: [reason(ADAPTED, 2), reason('blocks.0.attn.k', 0)],
  adapterParameters: 32,
  trainableAfterFreeze: 60,
  share: 3.5,
};

/** Steps 1 to 12; what came after 6 was abandoned once. A checkpoint at 6 in phase full and one at 12 with an adapter. */
export async function recordedRun(dir: string): Promise<RunStore> {
  const store = await createRun({ dir, config: tinyRunConfig, runId: 'recorded' });
  for (let step = 1; step <= 8; step++) store.appendMetrics(metrics(step, step > 6 ? { loss: 99 } : {}));
  store.appendEpoch(epoch(1, 4));
  store.appendEpoch(epoch(2, 8, { valTop1: 0.99 }));
  store.appendSnapshot(snapshot(4, 10));
  store.appendSnapshot(snapshot(8, 99));
  await store.saveCheckpoint({ ...tinyCheckpoint(6), step: FAR + 6 });
  const segment = await store.startSegment({ step: FAR + 6, segment: 0 }, 'undo');
  const again = { segment };
  store.appendMetrics(metrics(7, { ...again, loss: Number.NaN, memoryBytes: null, gpuMemoryBytes: 7e9 }));
  store.appendMetrics(metrics(8, { ...again, loss: Number.POSITIVE_INFINITY, imagesPerSecond: null }));
  store.appendEpoch(epoch(2, 8, { ...again, valTop1: null, valTop5: null, valLoss: Number.NaN }));
  store.appendSnapshot(snapshot(8, 11, again));
  await store.writeRanks(ranks);
  const by = { segment, by: 'rule' as const };
  store.appendEvent({ ...by, kind: 'switch-planned', step: FAR + 8, time: '2026-11-01T10:00:00.500Z', detail: { words: 'a `b` 漢 🙂' } });
  store.appendEvent({
    ...by,
    kind: 'switched',
    step: FAR + 8,
    time: '2026-11-01T10:00:01.000Z',
    detail: { share: Number.POSITIVE_INFINITY },
  });
  for (let step = 9; step <= 12; step++) store.appendMetrics(metrics(step, { ...again, phase: 'lora' }));
  store.appendSnapshot(snapshot(12, 12, { ...again, phase: 'lora' }));
  const adapted = tinyCheckpoint(12, { phase: 'lora', segment });
  await store.saveCheckpoint({ ...adapted, step: FAR + 12, state: { ranks: ranks.modules } });
  store.appendEvent({ ...by, kind: 'finished', step: FAR + 12, time: '2026-11-01T10:01:00.000Z', detail: {} });
  return store;
}

export function runFolder(root: string): string {
  return path.join(root, 'run');
}
