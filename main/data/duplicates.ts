/**
 * Images that are in the training and in the validation split at once: validation then measures memory. Equal means equal bytes, of the
 * pixels in packed sets and of the image file elsewhere; a copy that was compressed anew is not found.
 */
import { createHash } from 'node:crypto';
import { encodedBytes, encodedSize } from './encodedImages.ts';
import { samplePath } from './imageReader.ts';
import { packedImage, type Split } from './images.ts';
import { throwIfAborted } from './rawSource.ts';

/** Of more files than this nobody waits for the sizes. */
const MAX_FILES = 200_000;
const AT_ONCE = 16;
const EXAMPLES = 20;

export interface Duplicates {
  /** Validation images that are training images too; null when they were too many to look at. */
  count: number | null;
  /** The first of them. */
  examples: { train: string; val: string }[];
}

/** Throws `interrupted` when the signal fires. */
export async function duplicatesAcross(train: Split, val: Split, signal?: AbortSignal): Promise<Duplicates> {
  if (train.images.kind !== 'packed' && train.count + val.count > MAX_FILES) return { count: null, examples: [] };
  const sums = { train: await sumsOf(train, val, signal), val: await sumsOf(val, train, signal) };
  const inTraining = new Map<string, number>();
  for (const [sample, sum] of sums.train) if (!inTraining.has(sum)) inTraining.set(sum, sample);
  const found = [...sums.val].filter(([, sum]) => inTraining.has(sum));
  const examples = found.slice(0, EXAMPLES).map(([sample, sum]) => ({
    train: samplePath(train, inTraining.get(sum) as number),
    val: samplePath(val, sample),
  }));
  return { count: found.length, examples };
}

/** Sample → checksum of its bytes, for those that can have a twin in the other split. */
async function sumsOf(split: Split, other: Split, signal?: AbortSignal): Promise<Map<number, string>> {
  const { images, count } = split;
  if (images.kind === 'packed') {
    throwIfAborted(signal);
    return new Map(Array.from({ length: count }, (_, sample) => [sample, sumOf(packedImage(images, sample).pixels)]));
  }
  if (other.images.kind === 'packed') return new Map();
  const twins = new Set(await sizesOf(other, signal));
  const sizes = await sizesOf(split, signal);
  const candidates = sizes.flatMap((size, sample) => (twins.has(size) ? [sample] : []));
  const sums = await inGroups(candidates, signal, async (sample) => sumOf(await encodedBytes(images, sample)));
  return new Map(candidates.map((sample, i) => [sample, sums[i] as string]));
}

/** Files of unlike sizes are unlike, and a size costs no reading. */
function sizesOf({ images, count }: Split, signal?: AbortSignal): Promise<number[]> {
  const places = Array.from({ length: count }, (_, place) => place);
  return inGroups(places, signal, async (place) => (images.kind === 'packed' ? 0 : encodedSize(images, place)));
}

async function inGroups<T>(places: readonly number[], signal: AbortSignal | undefined, work: (place: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let from = 0; from < places.length; from += AT_ONCE) {
    throwIfAborted(signal);
    results.push(...(await Promise.all(places.slice(from, from + AT_ONCE).map(work))));
  }
  return results;
}

function sumOf(bytes: Uint8Array): string {
  return createHash('sha1').update(bytes).digest('base64');
}
