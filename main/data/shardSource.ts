/** From the samples of many shards to one source: classes, splits, and the images that can be used. Shared by WebDataset and parquet. */
import path from 'node:path';
import { PreloraError } from '../protocol/reply.ts';
import { checkBroken } from './brokenLimit.ts';
import { byCodePoint } from './codePointOrder.ts';
import { type ImageRanges, type Split, takeSamples } from './images.ts';
import { badImages, factsOf, inspectImages } from './inspectImages.ts';
import type { DataSettings, RawSource, SplitName } from './rawSource.ts';
import type { IndexedShard } from './shardIndex.ts';
import type { FoundShards, Shard, ShardFormat } from './shards.ts';

/** As many as model.numClasses may be; a label above is a mistake, and must not fill the memory with names. */
const MOST_CLASSES = 1_000_000;

export interface OpenedShard {
  shard: Shard;
  samples: IndexedShard;
}

interface ShardSourceOptions {
  format: ShardFormat;
  settings: Pick<DataSettings, 'convertUnusual' | 'maxBroken'>;
  /** Names of the classes, or null when numbers or the labels themselves are their names. */
  classNames: readonly string[] | null;
  signal: AbortSignal | undefined;
}

/** Throws data-not-found without samples, label-range, data-class-mismatch, data-too-many-broken, interrupted. */
export async function sourceOfShards(
  { root }: FoundShards,
  opened: readonly OpenedShard[],
  options: ShardSourceOptions,
): Promise<RawSource> {
  const count = opened.reduce((sum, { samples }) => sum + samples.names.length, 0);
  if (count === 0) throw new PreloraError('data-not-found', `${root}: no samples in ${opened.length} shards`, 'data.source');
  const images = rangesOf(opened);
  const { classNames, labels } = classesOf(opened, options.classNames);
  const inspection = await inspectImages(images, { convertUnusual: options.settings.convertUnusual, signal: options.signal });
  const skipped = badImages(images, inspection);
  checkBroken(skipped, count, options.settings.maxBroken);
  return {
    format: options.format,
    root,
    classNames,
    ...factsOf(inspection),
    splits: splitsOf(opened, { name: 'all', count, labels, images }, inspection.bad),
    skipped,
    notes: [...inspection.notes, ...opened.flatMap(({ shard, samples }) => samples.notes.map((note) => `${shard.name}: ${note}`))],
  };
}

function rangesOf(opened: readonly OpenedShard[]): ImageRanges {
  const all = opened.map(({ samples }) => samples);
  return {
    kind: 'ranges',
    files: all.map(({ file }) => file),
    names: opened.flatMap(({ shard, samples }) => samples.names.map((name) => path.posix.join(shard.name, name))),
    fileOf: Uint32Array.from(all.flatMap(({ names }, file) => names.map(() => file))),
    offsets: Float64Array.from(all.flatMap(({ offsets }) => offsets)),
    lengths: Uint32Array.from(all.flatMap(({ lengths }) => lengths)),
  };
}

/** Labels that are names number their classes in code-point order, as folders do; else the largest training label tells how many there are. */
function classesOf(opened: readonly OpenedShard[], given: readonly string[] | null): { classNames: string[]; labels: Uint32Array } {
  const labels = opened.flatMap(({ samples }) => samples.labels);
  const named = labels.filter((label) => typeof label === 'string');
  if (named.length > 0 && named.length < labels.length) throw mixedLabels(opened);
  const classNames = named.length > 0 ? [...new Set(named)].sort(byCodePoint) : [...(given ?? numbersUpTo(largestLabel(opened)))];
  const numberOf = new Map(classNames.map((name, number) => [name, number]));
  for (const { shard, samples } of named.length > 0 ? [] : opened) checkRange(shard, samples, classNames.length);
  return { classNames, labels: Uint32Array.from(labels, (label) => (typeof label === 'string' ? (numberOf.get(label) as number) : label)) };
}

function largestLabel(opened: readonly OpenedShard[]): number {
  const ofTraining = opened.filter(({ shard }) => shard.split === 'train');
  const counted = ofTraining.length > 0 ? ofTraining : opened;
  for (const { shard, samples } of counted) checkRange(shard, samples, MOST_CLASSES);
  return counted.reduce((most, { samples }) => samples.labels.reduce<number>((own, label) => Math.max(own, label as number), most), 0);
}

function numbersUpTo(last: number): string[] {
  return Array.from({ length: last + 1 }, (_, label) => String(label));
}

function checkRange(shard: Shard, { labels, names }: IndexedShard, classes: number): void {
  const bad = labels.findIndex((label) => (label as number) < 0 || (label as number) >= classes);
  if (bad < 0) return;
  throw new PreloraError('label-range', `${shard.path}: ${names[bad]}: label ${labels[bad]} outside 0…${classes - 1}`);
}

function mixedLabels(opened: readonly OpenedShard[]): PreloraError {
  const examples = ['string', 'number'].map((type) => {
    const found = opened.find(({ samples }) => samples.labels.some((label) => typeof label === type)) as OpenedShard;
    return `${found.shard.name} has ${JSON.stringify(found.samples.labels.find((label) => typeof label === type))}`;
  });
  return new PreloraError('data-class-mismatch', `labels are names in places and numbers in others: ${examples.join(', ')}; use one kind`);
}

function splitsOf(opened: readonly OpenedShard[], all: Split, bad: ReadonlyMap<number, string>): RawSource['splits'] {
  const places = new Map<SplitName, number[]>();
  let place = 0;
  for (const { shard, samples } of opened) {
    const own = places.get(shard.split) ?? [];
    places.set(shard.split, own);
    for (let i = 0; i < samples.names.length; i++, place++) if (!bad.has(place)) own.push(place);
  }
  const splits: RawSource['splits'] = {};
  for (const [name, list] of places) if (list.length > 0) splits[name] = takeSamples(all, Uint32Array.from(list), name);
  return splits;
}
