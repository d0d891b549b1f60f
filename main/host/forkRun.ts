/**
 * A new run that begins where a checkpoint of another one stood, with some settings changed (product.md 2.3). The new folder gets that one
 * checkpoint and the records up to it; going on from there is an ordinary resume.
 */
import { parseConfig } from '../core/resolveConfig.ts';
import type { ResolvedConfig } from '../protocol/config.ts';
import { PreloraError } from '../protocol/reply.ts';
import { loadCheckpointOrOffer } from '../store/checkpointFolder.ts';
import { readConfig, readLast, readLineage, readRecords } from '../store/runFolder.ts';
import { createRun, type RunStore } from '../store/runStore.ts';
import { checkpointContent, restoreCheckpoint } from '../train/runState.ts';
import { setField } from './currentConfig.ts';
import type { EngineHost } from './engineHost.ts';

export interface Fork {
  /** Checkpoint to start from; null for the last. */
  step: number | null;
  /** Config path → new value. */
  changes: Record<string, unknown>;
}

/** Makes the run and starts it. Throws `busy`, `not-found`, `checkpoint-damaged`, or `bad-config` for a change that is not allowed. */
export async function forkRun(host: EngineHost, runId: string, { step, changes }: Fork): Promise<string> {
  const source = await host.catalog.find(runId);
  const from = step ?? (await readLast(source));
  if (from === null) throw new PreloraError('not-found', `run ${runId} has no checkpoint to fork from yet`);
  const { model } = await readConfig(source);
  const { state, tensors } = restoreCheckpoint(await loadCheckpointOrOffer(source, from, model, await readLineage(source)));
  const config = changedConfig(state.config, changes);
  const dir = await host.catalog.newFolder(config.name);
  const store = await createRun({ dir, config });
  try {
    await copyRecords(source, from, store);
    const totalSteps = config.train.epochs * state.stepsPerEpoch;
    await store.saveCheckpoint(checkpointContent({ ...state, config, totalSteps, segment: 0, best: null }, tensors));
    store.appendEvent({ kind: 'forked', step: from, segment: 0, time: new Date().toISOString(), by: 'user', detail: { runId, changes } });
  } finally {
    store.close();
  }
  await host.resume(store.runId);
  return store.runId;
}

/** Checked like a new config, and of the same shape: weights and batches must still fit. */
function changedConfig(before: ResolvedConfig, changes: Record<string, unknown>): ResolvedConfig {
  const edited = structuredClone(before);
  for (const [field, value] of Object.entries(changes)) setField(edited, field, value);
  if (!Object.hasOwn(changes, 'name')) edited.name = `${before.name} fork`;
  const checked = parseConfig(edited) as unknown as ResolvedConfig;
  for (const field of ['model', 'data'] as const) {
    if (JSON.stringify(checked[field]) === JSON.stringify(before[field])) continue;
    throw new PreloraError(
      'bad-config',
      `${field}: a fork keeps the model and the data of its checkpoint; start a new run to change them`,
      field,
    );
  }
  if (checked.train.batchSize !== before.train.batchSize) {
    const rule = `a fork keeps the batch size of its checkpoint, ${before.train.batchSize}: steps would no longer mean the same`;
    throw new PreloraError('bad-config', `train.batchSize ${checked.train.batchSize}: ${rule}`, 'train.batchSize');
  }
  return checked;
}

/** What led to the checkpoint, so that charts of the fork begin at step 0. Segments of the source are told as one. */
async function copyRecords(source: string, until: number, store: RunStore): Promise<void> {
  for (const record of await readRecords(source, 'metrics')) if (record.step <= until) store.appendMetrics({ ...record, segment: 0 });
  for (const record of await readRecords(source, 'epochs')) if (record.step <= until) store.appendEpoch({ ...record, segment: 0 });
  for (const record of await readRecords(source, 'snapshots')) if (record.step <= until) store.appendSnapshot({ ...record, segment: 0 });
  await store.writeSummary();
}
