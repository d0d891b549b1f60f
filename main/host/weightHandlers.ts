/** Looks into checkpoints: how a module's values are spread, and what differs between two models. Files only; no run is disturbed. */
import { binEdges, commonRange, histogramOf } from '../core/histogram.ts';
import { mergeAdapters } from '../lora/merge.ts';
import type { HostTensor } from '../model/init.ts';
import { PreloraError } from '../protocol/reply.ts';
import type { CheckpointPlace, Distribution, ModelDifference } from '../protocol/results.ts';
import { listCheckpoints } from '../store/checkpointFolder.ts';
import { type CheckpointTensors, openCheckpointTensors } from '../store/checkpointTensors.ts';
import { readLast, readLineage } from '../store/runFolder.ts';
import { adaptedRanks, type RunState } from '../train/runState.ts';
import type { EngineHost } from './engineHost.ts';
import type { EngineHandlers } from './handlers.ts';

const BINS = 60;
const KINDS = ['weight', 'update', 'gradient'] as const;
const ADAPTER = /\.lora[AB]$/;

export function weightHandlers(host: EngineHost): Pick<EngineHandlers, 'weights:distribution' | 'weights:difference'> {
  return {
    async 'weights:distribution'({ module, of }) {
      const read = await Promise.all(of.map(async (place) => readModule(await host.catalog.find(place.runId), place, module)));
      return {
        items: read.map(({ runId, step, before }) => ({ runId, step, before })),
        figures: KINDS.map((kind) => distribution(kind, read)),
      };
    },
    async 'weights:difference'({ from, to }) {
      const [fromDir, toDir] = [await host.catalog.find(from.runId), await host.catalog.find(to.runId)];
      const first = await openAt(fromDir, from);
      try {
        const second = await openAt(toDir, to);
        try {
          return await difference(first, second);
        } finally {
          await second.close();
        }
      } finally {
        await first.close();
      }
    },
  };
}

type Values = Record<(typeof KINDS)[number], Float32Array | null>;
interface ReadModule extends Values {
  runId: string;
  step: number;
  /** Step of the checkpoint that the update is counted from. */
  before: number | null;
}

async function openAt(dir: string, { runId, step }: CheckpointPlace): Promise<CheckpointTensors> {
  const wanted = step ?? (await readLast(dir));
  if (wanted === null) throw new PreloraError('not-found', `run ${runId} has no checkpoint yet`, 'step');
  const { checkpoints } = await listCheckpoints(dir);
  if (!checkpoints.some((one) => one.step === wanted))
    throw new PreloraError('not-found', `run ${runId} has no checkpoint of step ${wanted}`, 'step');
  return openCheckpointTensors(dir, wanted);
}

async function readModule(dir: string, place: CheckpointPlace, module: string): Promise<ReadModule> {
  const now = await openAt(dir, place);
  try {
    const weight = await effectiveWeight(now, module);
    if (!weight) throw new PreloraError('not-found', `${module}: no such module in the checkpoint of step ${now.step}`, 'module');
    const before = await checkpointBefore(dir, now.step);
    const earlier = before === null ? null : await weightAt(dir, before, module);
    return {
      runId: place.runId,
      step: now.step,
      before,
      weight: weight.data,
      update: earlier && minus(weight.data, earlier.data),
      gradient: (await now.read(`m/${module}.weight`, 'optimizer'))?.data ?? null,
    };
  } finally {
    await now.close();
  }
}

/** The newest live checkpoint before `step`. */
async function checkpointBefore(dir: string, step: number): Promise<number | null> {
  const { checkpoints } = await listCheckpoints(dir);
  return checkpoints.filter(await readLineage(dir)).findLast((one) => one.step < step)?.step ?? null;
}

async function weightAt(dir: string, step: number, module: string): Promise<HostTensor | null> {
  const opened = await openCheckpointTensors(dir, step);
  try {
    return await effectiveWeight(opened, module);
  } finally {
    await opened.close();
  }
}

/** W, or W + s·A·B where the module has an adapter. */
async function effectiveWeight(checkpoint: CheckpointTensors, module: string): Promise<HostTensor | null> {
  const names = ['weight', 'loraA', 'loraB'].map((part) => `${module}.${part}`);
  const parts = new Map<string, HostTensor>();
  for (const name of names) {
    const tensor = await checkpoint.read(name);
    if (tensor) parts.set(name, tensor);
  }
  const rank = adaptedRanks(checkpoint.state as RunState).get(module);
  const merged = rank && parts.size === names.length ? mergeAdapters(parts, new Map([[module, rank]])) : parts;
  return merged.get(`${module}.weight`) ?? null;
}

function minus(a: Float32Array, b: Float32Array): Float32Array | null {
  return a.length === b.length ? a.map((value, i) => value - (b[i] as number)) : null;
}

function distribution(kind: (typeof KINDS)[number], read: readonly ReadModule[]): Distribution {
  const edges = binEdges(commonRange(read.flatMap(({ [kind]: values }) => values ?? [])), BINS);
  return { kind, edges, series: read.map(({ [kind]: values }) => values && histogramOf(values, edges)) };
}

/** By tensor, effective weights of modules; adapters count as structure alone. */
async function difference(from: CheckpointTensors, to: CheckpointTensors): Promise<ModelDifference> {
  const result: ModelDifference = { fromStep: from.step, toStep: to.step, added: [], removed: [], reshaped: [], moved: [], identical: 0 };
  for (const [name, shape] of to.shapes) if (!from.shapes.has(name)) result.added.push({ name, shape: [...shape] });
  for (const [name, shape] of from.shapes) {
    const other = to.shapes.get(name);
    if (!other) result.removed.push({ name, shape: [...shape] });
    else if (String(other) !== String(shape)) result.reshaped.push({ name, from: [...shape], to: [...other] });
    else if (!ADAPTER.test(name)) await compareTensor(name, from, to, result);
  }
  result.moved.sort((a, b) => b.relative - a.relative);
  return result;
}

async function compareTensor(name: string, from: CheckpointTensors, to: CheckpointTensors, result: ModelDifference): Promise<void> {
  const module = name.replace(/\.weight$/, '');
  const read = (of: CheckpointTensors): Promise<HostTensor | null> =>
    name.endsWith('.weight') ? effectiveWeight(of, module) : of.read(name);
  const [before, after] = [await read(from), await read(to)];
  if (!before || !after) return;
  let [moved, size] = [0, 0];
  for (let i = 0; i < before.data.length; i++) {
    const value = before.data[i] as number;
    moved += ((after.data[i] as number) - value) ** 2;
    size += value * value;
  }
  if (moved === 0) result.identical++;
  // From a tensor of zeros every move is endless: counted against the new values.
  else result.moved.push({ name, relative: size > 0 ? Math.sqrt(moved / size) : 1 });
}
