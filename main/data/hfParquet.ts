/** Parquet files as the Hugging Face hub holds data sets, `{split}-00000-of-00001.parquet`, as a source. */
import { PreloraError } from '../protocol/reply.ts';
import { NO_LABEL, parquetReading } from './parquetSamples.ts';
import { type DataSettings, type RawSource, type SplitName, throwIfAborted } from './rawSource.ts';
import { indexShard } from './shardIndex.ts';
import { type OpenedShard, sourceOfShards } from './shardSource.ts';
import { findShards } from './shards.ts';

/**
 * Opens the files that `source` names. Throws data-not-found, data-unreadable, parquet-column, parquet-codec, label-range,
 * data-class-mismatch, data-too-many-broken, disk-full, not-writable, and interrupted when the signal fires.
 */
export async function openParquet(source: string, settings: DataSettings, signal?: AbortSignal): Promise<RawSource> {
  const found = await findShards(source, 'parquet');
  const all: OpenedShard[] = [];
  for (const shard of found.shards) {
    throwIfAborted(signal);
    all.push({ shard, samples: await indexShard(shard.path, await parquetReading(shard.path, settings, signal)) });
  }
  const unlabelled = splitsWithoutLabels(all);
  const opened = all.filter(({ shard }) => !unlabelled.includes(shard.split));
  const opening = await sourceOfShards(found, opened, { format: 'parquet', settings, classNames: sharedClassNames(opened), signal });
  const notes = unlabelled.map((split) => `the ${split} split has no labels and is left out`);
  return { ...opening, notes: [...opening.notes, ...notes] };
}

/** Test splits on the hub often keep their labels to themselves; a split that would be trained on may not. */
function splitsWithoutLabels(opened: readonly OpenedShard[]): SplitName[] {
  return (['val', 'test'] as const).filter((split) => {
    const labels = opened.filter(({ shard }) => shard.split === split).flatMap(({ samples }) => samples.labels);
    return labels.length > 0 && labels.every((label) => label === NO_LABEL);
  });
}

function sharedClassNames(opened: readonly OpenedShard[]): string[] | null {
  const [first, ...others] = opened.filter(({ samples }) => samples.classNames !== null);
  for (const { shard, samples } of first ? others : []) {
    if (JSON.stringify(samples.classNames) === JSON.stringify(first?.samples.classNames)) continue;
    throw new PreloraError('data-class-mismatch', `${shard.path} has other class names than ${first?.shard.name}`);
  }
  return first?.samples.classNames ?? null;
}
