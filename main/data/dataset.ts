/**
 * A data set ready for training: classes, a training and a validation split, normalisation, and a report of what was left out or
 * converted. formats.md section 9 says how each source is read and where validation comes from.
 */
import { createHash } from 'node:crypto';
import { PreloraError } from '../protocol/reply.ts';
import { readSample } from './imageReader.ts';
import { canConvertChannels, type RawImage, type Split, takeSamples, toChannels } from './images.ts';
import { knownNormalization, MEASURED_IMAGES, measureNormalization, type Normalization } from './normalization.ts';
import { type DataReport, type DataSettings, imageCount, type RawSource, type SourceFormat, throwIfAborted } from './rawSource.ts';
import { readSource } from './sources.ts';
import { chooseValidation } from './validation.ts';

export interface Dataset {
  format: SourceFormat;
  root: string;
  /** Index = class. */
  classNames: readonly string[];
  /** Channels its images are given with. */
  channels: number;
  /** Height and width when all images have the same. */
  rawSize: [number, number] | null;
  train: Split;
  val: Split;
  /** Where the validation images come from, in words. */
  valOrigin: string;
  normalization: Normalization;
  /** Changes when other images, classes or splits would be used; hexadecimal. */
  fingerprint: string;
  report: DataReport;
}

export interface OpenOptions {
  signal?: AbortSignal;
  /** Channels the model takes; by default as many as the images have. Gray is repeated, RGB reduced to gray. */
  channels?: number | null;
}

/**
 * Opens the data a run is configured with. Throws a PreloraError with one of the data codes of formats.md section 9, `bad-config`
 * for settings that do not fit the data, `interrupted` when the signal fires.
 */
export async function openDataset(data: DataSettings, { signal, channels = null }: OpenOptions = {}): Promise<Dataset> {
  const source = await readSource(data.source, data, signal);
  const chosen = await chooseValidation(source, data, signal);
  const train = limited(chosen.train, data.maxTrain);
  const val = limited(chosen.val, data.maxVal);
  checkClasses(source, train);
  const given = givenChannels(source, channels);
  const normalization = await normalizationOf(source, train, { data, channels: given, signal });
  const report: DataReport = {
    source: data.source,
    format: source.format,
    classes: source.classNames.length,
    classNames: source.classNames,
    images: { train: train.count, val: val.count },
    valOrigin: chosen.origin,
    normalization: normalization.origin,
    skipped: source.skipped,
    converted: { ...source.converted, ...channelConversions(source, given) },
    notes: [...source.notes, ...emptyClassNotes(source.classNames, train)],
  };
  return {
    format: source.format,
    root: source.root,
    classNames: source.classNames,
    channels: given,
    rawSize: source.rawSize,
    train,
    val,
    valOrigin: chosen.origin,
    normalization,
    fingerprint: fingerprintOf(source, [train, val]),
    report,
  };
}

/**
 * The first `most` samples of packed data. Files are ordered class by class, so there the classes take turns: "the first 100" of ten
 * classes are the first ten of each.
 */
function limited(split: Split, most: number | null): Split {
  if (most === null || most >= split.count) return split;
  if (split.images.kind === 'packed')
    return takeSamples(
      split,
      Uint32Array.from({ length: most }, (_, i) => i),
    );
  const turn = new Map<number, number>();
  const turns = Array.from(split.labels, (label, sample) => {
    const round = turn.get(label) ?? 0;
    turn.set(label, round + 1);
    return { sample, round };
  });
  turns.sort((a, b) => a.round - b.round || a.sample - b.sample);
  const kept = turns.slice(0, most).map(({ sample }) => sample);
  return takeSamples(split, Uint32Array.from(kept.sort((a, b) => a - b)));
}

function checkClasses({ classNames }: RawSource, train: Split): void {
  if (classNames.length < 2) {
    throw new PreloraError('data-one-class', `only one class: ${classNames[0]}; at least 2 are needed`);
  }
  const present = new Set(train.labels);
  if (present.size < 2) {
    const name = classNames[train.labels[0] as number];
    throw new PreloraError('data-one-class', `only one class: ${name}; at least 2 are needed`);
  }
}

/** Classes of packed data may be empty (EMNIST's letters begin at 1); folders of images refuse that when they are opened. */
function emptyClassNotes(classNames: readonly string[], train: Split): string[] {
  const present = new Set(train.labels);
  const empty = classNames.filter((_, label) => !present.has(label));
  return empty.length === 0 ? [] : [`no training images of ${empty.map((name) => `"${name}"`).join(', ')}`];
}

function givenChannels(source: RawSource, wanted: number | null): number {
  const channels = wanted ?? source.channels;
  if (canConvertChannels(source.channels, channels)) return channels;
  const message = `model.inChannels is ${channels}, but the images have ${source.channels}; only gray and RGB can be turned into each other`;
  throw new PreloraError('bad-config', message, 'model.inChannels');
}

/** Images that are given with other channels than they have, counted over all splits. */
function channelConversions({ splits, grayImages }: RawSource, channels: number): Record<string, number> {
  const colour = imageCount(splits) - grayImages;
  if (channels === 3 && grayImages > 0) return { 'gray repeated to RGB': grayImages };
  if (channels === 1 && colour > 0) return { 'RGB reduced to gray (ITU-R 601 luma)': colour };
  return {};
}

interface NormalizationChoice {
  data: DataSettings;
  channels: number;
  signal: AbortSignal | undefined;
}

async function normalizationOf(source: RawSource, train: Split, { data, channels, signal }: NormalizationChoice): Promise<Normalization> {
  const { mean, std } = data;
  if (mean && std) return givenNormalization(mean, std, channels);
  if (mean || std) {
    const [present, missing] = mean ? ['mean', 'std'] : ['std', 'mean'];
    throw new PreloraError('bad-config', `data.${missing} is empty but data.${present} is given; give both or neither`, `data.${missing}`);
  }
  const known = source.preset && knownNormalization(source.preset, channels);
  if (known) return known;
  const images = sampleEvenly(train, { channels, convertUnusual: data.convertUnusual }, signal);
  return measureNormalization(images, channels);
}

function givenNormalization(mean: number[], std: number[], channels: number): Normalization {
  for (const [name, values] of [
    ['mean', mean],
    ['std', std],
  ] as const) {
    if (values.length === channels) continue;
    throw new PreloraError('bad-config', `data.${name} has ${values.length} values; the images have ${channels} channels`, `data.${name}`);
  }
  return { mean, std, origin: 'given' };
}

/** At most MEASURED_IMAGES readable images, evenly spaced over the split. */
async function* sampleEvenly(
  split: Split,
  rules: { channels: number; convertUnusual: boolean },
  signal?: AbortSignal,
): AsyncGenerator<RawImage> {
  const n = Math.min(MEASURED_IMAGES, split.count);
  for (let i = 0; i < n; i++) {
    throwIfAborted(signal);
    const image = await Promise.resolve(readSample(split, Math.floor((i * split.count) / n), rules)).catch(() => null);
    if (image) yield toChannels(image, rules.channels);
  }
}

/** SHA-256 over class names, labels and pixels, or for image files over names (and sizes in shards): reading all would take too long. */
function fingerprintOf(source: RawSource, splits: readonly Split[]): string {
  const hash = createHash('sha256').update(JSON.stringify([source.format, source.classNames]));
  for (const { labels, images } of splits) {
    hash.update(labels);
    if (images.kind === 'files') hash.update(images.paths.join('\n'));
    else if (images.kind === 'ranges') hash.update(images.names.join('\n')).update(images.lengths);
    else {
      hash.update(images.pixels);
      if (images.rows) hash.update(images.rows);
    }
  }
  return hash.digest('hex');
}
