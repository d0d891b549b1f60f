/**
 * How the weights of every module are spread in a checkpoint, adapters included. One tensor at a time, so that a large model needs no more memory
 * than its largest matrix and what its adapter makes of it.
 */
import { binEdges, commonRange, histogramOf } from '../core/histogram.ts';
import { mergedWeight } from '../core/mergedWeight.ts';
import { parseModuleName } from '../core/modules.ts';
import { RankReason } from '../protocol/records.ts';
import { STATE_FILE } from '../store/checkpoint.ts';
import { CheckpointDamage } from '../store/checkpointReading.ts';
import { type CheckpointTensors, openCheckpointTensors } from '../store/checkpointTensors.ts';
import type { HistogramValue, SummaryValue } from './eventRecords.ts';

const BINS = 60;
const WEIGHT = /\.weight$/;

/** One histogram per module, of W or W + γ·A·B. Throws `checkpoint-damaged` or `unsafe-tensors`. */
export async function* weightHistograms(runDir: string, step: number): AsyncGenerator<SummaryValue, void, undefined> {
  const checkpoint = await openCheckpointTensors(runDir, step);
  try {
    const adapters = adaptersOf(checkpoint);
    for (const name of checkpoint.shapes.keys()) {
      const module = name.replace(WEIGHT, '');
      if (!WEIGHT.test(name) || !parseModuleName(module)) continue;
      const histogram = histogramValue(await effectiveWeight(checkpoint, module, adapters.get(module)));
      if (histogram) yield { tag: `weights/${module}`, histogram };
    }
  } finally {
    await checkpoint.close();
  }
}

type AdapterSize = Pick<RankReason, 'rank' | 'alpha'>;

/** Rank and alpha of the modules that have an adapter, from the plan that was carried out. */
function adaptersOf({ step, state }: CheckpointTensors): Map<string, AdapterSize> {
  const plan = RankReason.array().safeParse((state as { ranks?: unknown } | null)?.ranks ?? []);
  if (!plan.success) throw new CheckpointDamage(step, STATE_FILE, 'ranks are not the ranks of a run');
  return new Map(plan.data.filter(({ rank }) => rank > 0).map(({ module, rank, alpha }) => [module, { rank, alpha }]));
}

async function effectiveWeight(checkpoint: CheckpointTensors, module: string, adapter: AdapterSize | undefined): Promise<Float32Array> {
  const [weight, loraA, loraB] = await Promise.all(['weight', 'loraA', 'loraB'].map((part) => checkpoint.read(`${module}.${part}`)));
  if (!weight) throw new CheckpointDamage(checkpoint.step, 'model.safetensors', `${module}.weight is missing`);
  if (!adapter || !loraA || !loraB) return weight.data;
  return mergedWeight(weight, loraA, loraB, { rank: adapter.rank, scaling: adapter.alpha / adapter.rank });
}

/** Of the finite values; null when there is none. */
export function histogramValue(values: ArrayLike<number>): HistogramValue | null {
  const edges = binEdges(commonRange([values]), BINS);
  const { counts, mean, std, min, max, count } = histogramOf(values, edges);
  if (count === 0) return null;
  return { min, max, count, sum: mean * count, sumSquares: (std * std + mean * mean) * count, rightEdges: edges.slice(1), counts };
}
