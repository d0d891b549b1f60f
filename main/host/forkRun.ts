/**
 * A new run that begins where a checkpoint of another one stood, with some settings changed (product.md 2.3). The new folder gets that one
 * checkpoint and the records up to it; going on from there is an ordinary resume.
 */
import { assignRanks } from '../core/rankAssignment.ts';
import { parseConfig } from '../core/resolveConfig.ts';
import type { ResolvedConfig } from '../protocol/config.ts';
import { PreloraError } from '../protocol/reply.ts';
import { loadCheckpointOrOffer } from '../store/checkpointFolder.ts';
import { setField } from '../store/currentConfig.ts';
import { readConfig, readLast, readLineage, readRecords, readStatus } from '../store/runFolder.ts';
import { createRun, type RunStore } from '../store/runStore.ts';
import { checkpointContent, type RunState, restoreCheckpoint } from '../train/runState.ts';
import type { EngineHost } from './engineHost.ts';

export interface Fork {
  /** Checkpoint to start from; null for the last. */
  step: number | null;
  /** Config path → new value. */
  changes: Record<string, unknown>;
}

/** Makes the run and starts it. Throws `busy`, `not-found`, `checkpoint-damaged`, or `bad-config` for a change that is not allowed. */
export async function forkRun(host: EngineHost, runId: string, fork: Fork): Promise<string> {
  const forkId = await makeFork(host, await readForkSource(host, runId, fork.step), fork.changes);
  await host.resume(forkId);
  return forkId;
}

/**
 * Two forks of one checkpoint into the queue: one switches before its next update, one never does; history and random state are the same, so
 * that what differs afterwards is the switch (product.md 2.7). Throws `not-enough-snapshots` where no ranks can be had there.
 */
export async function forkBothWays(host: EngineHost, runId: string, step: number | null): Promise<string[]> {
  const source = await readForkSource(host, runId, step);
  const { config, phase } = source.state;
  if (phase.phase !== 'full' || phase.switchStep !== null) {
    const rule = 'has switched already; fork both ways from a checkpoint before the switch';
    throw new PreloraError('bad-arguments', `run ${runId}: its checkpoint of step ${source.step} ${rule}`, 'step');
  }
  assignRanks(phase.recent, config);
  const ways = [
    { name: `${config.name} switched`, switching: 'auto', switchesFirst: true },
    { name: `${config.name} never switched`, switching: 'off', switchesFirst: false },
  ];
  const orders = [];
  for (const { name, switching, switchesFirst } of ways) {
    orders.push({ runId: await makeFork(host, source, { name, 'prelora.switching': switching }), name, switchesFirst });
  }
  await host.queue.add(orders);
  return orders.map((order) => order.runId);
}

interface ForkSource {
  runId: string;
  dir: string;
  step: number;
  state: RunState;
  tensors: ReturnType<typeof restoreCheckpoint>['tensors'];
}

async function readForkSource(host: EngineHost, runId: string, step: number | null): Promise<ForkSource> {
  const dir = await host.catalog.find(runId);
  const from = step ?? (await readLast(dir));
  if (from === null) throw new PreloraError('not-found', `run ${runId} has no checkpoint to fork from yet`);
  const { model } = await readConfig(dir);
  const { state, tensors } = restoreCheckpoint(await loadCheckpointOrOffer(dir, from, model, await readLineage(dir)));
  return { runId, dir, step: from, state, tensors };
}

/** The new folder, ready to be resumed. */
async function makeFork(host: EngineHost, source: ForkSource, changes: Record<string, unknown>): Promise<string> {
  const { runId, step, state, tensors } = source;
  const config = changedConfig(state.config, changes);
  const store = await createRun({ dir: await host.catalog.newFolder(config.name), config });
  try {
    await copyRecords(source.dir, step, store);
    const totalSteps = config.train.epochs * state.stepsPerEpoch;
    await store.saveCheckpoint(checkpointContent({ ...state, config, totalSteps, segment: 0, best: null }, tensors));
    store.appendEvent({ kind: 'forked', step, segment: 0, time: new Date().toISOString(), by: 'user', detail: { runId, changes } });
    const status = await readStatus(source.dir);
    const message = `forked from ${runId} at step ${step}; has not gone on from there yet`;
    const own = {
      runId: store.runId,
      name: config.name,
      step,
      totalSteps,
      segment: 0,
      switchStep: state.phase.switchStep,
      freezeStep: state.phase.freezeStep,
    };
    if (status) await store.writeStatus({ ...status, ...own, phase: state.phase.phase, status: 'interrupted', best: null, message });
  } finally {
    store.close();
  }
  host.broadcast('runs:changed', { runIds: [store.runId] });
  return store.runId;
}

/** Checked like a new config, and of the same shape: weights and batches must still fit. */
function changedConfig(before: ResolvedConfig, changes: Record<string, unknown>): ResolvedConfig {
  const edited = structuredClone(before);
  for (const [field, value] of Object.entries(changes)) setField(edited, field, value);
  if (!Object.hasOwn(changes, 'name')) edited.name = `${before.name} fork`;
  const checked = parseConfig(edited) as unknown as ResolvedConfig;
  // Through the same door: a checkpoint of an older version lacks the fields added since.
  const original = parseConfig(before);
  for (const field of ['model', 'data'] as const) {
    if (JSON.stringify(checked[field]) === JSON.stringify(original[field])) continue;
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
