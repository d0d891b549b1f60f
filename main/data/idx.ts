/**
 * IDX files, the format of MNIST and its relatives: big-endian magic, counts, then bytes (http://yann.lecun.com/exdb/mnist/;
 * formats.md section 9). Images `00 00 08 03` N rows columns, or `00 00 08 04` with channels last; labels `00 00 08 01` N. Files may
 * be gzip-compressed. A split is a pair of files found by name.
 */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { PreloraError } from '../protocol/reply.ts';
import type { PackedImages, Split } from './images.ts';
import { checkLabels, imageCount, type RawSource, type SplitName } from './rawSource.ts';
import { type ExpectedLength, fileError, readSharedFile } from './sharedFile.ts';

const NAME = /^(.*?)(train|t10k|test)-(images|labels)[-.]idx\d-ubyte(?:\.gz)?$/;
/** As for single images (R9): more cannot be an image of a training set. */
const MAX_PIXELS = 100_000_000;

interface PairNames {
  images: string;
  labels: string;
}

/** Whether a folder with these file names is an IDX data set. */
export function looksLikeIdx(names: readonly string[]): boolean {
  return names.some((name) => NAME.test(name));
}

/**
 * Opens the IDX files in `root`. Class names are the lines of `labels.txt` beside them, if any, else the numbers from 0.
 * Throws idx-magic, idx-length, idx-pair, label-range, data-not-found and data-unreadable.
 */
export async function openIdx(root: string, transpose = false): Promise<RawSource> {
  const pairs = findPairs(root, await listFolder(root));
  const splits: RawSource['splits'] = {};
  const given = await readNames(path.join(root, 'labels.txt'));
  let classes = given?.length ?? 0;
  for (const name of ['train', 'test'] as const) {
    const pair = pairs.get(name);
    if (!pair) continue;
    const split = await readPair(root, pair, { name, transpose });
    if (!given && name === 'train') classes = largest(split.labels) + 1;
    checkLabels(split.labels, classes || largest(split.labels) + 1, path.join(root, pair.labels));
    splits[name] = split;
  }
  const any = (splits.train ?? splits.test) as Split;
  const images = any.images as PackedImages;
  checkSameShape(root, splits);
  const classNames = given ?? Array.from({ length: classes || largest(any.labels) + 1 }, (_, label) => String(label));
  return {
    format: 'idx',
    root,
    classNames,
    channels: images.channels,
    grayImages: images.channels === 1 ? imageCount(splits) : 0,
    rawSize: [images.height, images.width],
    preset: null,
    splits,
    skipped: [],
    converted: {},
    notes: [],
  };
}

async function listFolder(root: string): Promise<string[]> {
  return (
    await readdir(root).catch((error: NodeJS.ErrnoException) => {
      throw fileError(root, error);
    })
  ).sort();
}

function findPairs(root: string, names: string[]): Map<SplitName, PairNames> {
  const found = new Map<string, string>();
  const prefixes = new Set<string>();
  for (const name of names) {
    const match = NAME.exec(name);
    if (!match) continue;
    prefixes.add(match[1] as string);
    const key = `${match[2] === 'train' ? 'train' : 'test'} ${match[3]}`;
    if (!found.has(key)) found.set(key, name); // sorted: the plain file comes before its .gz
  }
  if (prefixes.size > 1) {
    const list = [...prefixes].map((prefix) => `"${prefix}"`).join(', ');
    throw new PreloraError('data-unreadable', `${root}: holds several IDX sets (${list}); put one of them into a folder of its own`);
  }
  const pairs = new Map<SplitName, PairNames>();
  for (const split of ['train', 'test'] as const) {
    const images = found.get(`${split} images`);
    const labels = found.get(`${split} labels`);
    if (images && labels) pairs.set(split, { images, labels });
    else if (images || labels) throw new PreloraError('data-not-found', `${path.join(root, missingName(images, labels))}: not found`);
  }
  if (pairs.size === 0) throw new PreloraError('data-not-found', `${path.join(root, 'train-images-idx3-ubyte')}: not found`);
  return pairs;
}

/** The name that the partner of a lone file should have. */
function missingName(images: string | undefined, labels: string | undefined): string {
  if (images) return images.replace('-images', '-labels').replace(/idx\d/, 'idx1');
  return (labels as string).replace('-labels', '-images').replace(/idx\d/, 'idx3');
}

async function readPair(root: string, pair: PairNames, { name, transpose }: { name: SplitName; transpose: boolean }): Promise<Split> {
  const imageFile = path.join(root, pair.images);
  const labelFile = path.join(root, pair.labels);
  const images = await readImages(imageFile);
  const labels = Uint32Array.from((await readSharedFile(labelFile, (head) => labelLength(labelFile, head))).subarray(8));
  const count = images.pixels.length / (images.height * images.width * images.channels);
  if (count !== labels.length) {
    throw new PreloraError('idx-pair', `${imageFile} has ${count} images, ${labelFile} has ${labels.length} labels`);
  }
  return { name, count, labels, images: transpose ? transposed(images, count) : images };
}

async function readImages(file: string): Promise<PackedImages> {
  let height = 0;
  let width = 0;
  let channels = 1;
  let start = 0;
  const bytes = await readSharedFile(file, (head) => {
    const dimensions = readDimensions(file, head, [3, 4]);
    [, height, width, channels = 1] = dimensions as [number, number, number, number?];
    start = 4 + 4 * dimensions.length;
    checkImageShape(file, dimensions);
    return lengthOf(file, dimensions);
  });
  return { kind: 'packed', pixels: bytes.subarray(start), height, width, channels, rows: null };
}

function labelLength(file: string, head: Uint8Array): ExpectedLength {
  return lengthOf(file, readDimensions(file, head, [1]));
}

/** The dimensions an IDX header declares; their number must be one of `allowed`. */
function readDimensions(file: string, head: Uint8Array, allowed: number[]): number[] {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const known = head.length >= 4 && head[0] === 0 && head[1] === 0 && head[2] === 8 && allowed.includes(head[3] as number);
  if (!known) {
    const begins = Array.from(head.subarray(0, 4), (byte) => byte.toString(16).padStart(2, '0')).join('');
    const message = `${file}: begins ${begins || 'with nothing'}, expected 00000803 (images) or 00000801 (labels)`;
    throw new PreloraError('idx-magic', message);
  }
  const count = head[3] as number;
  if (head.length < 4 + 4 * count) {
    throw new PreloraError('idx-length', `${file}: header says ${4 + 4 * count} bytes, file has ${head.length}`);
  }
  return Array.from({ length: count }, (_, i) => view.getUint32(4 + 4 * i));
}

function checkImageShape(file: string, [count, height, width, channels = 1]: number[]): void {
  const pixels = (height as number) * (width as number);
  if (!count || pixels === 0 || pixels > MAX_PIXELS || channels < 1 || channels > 4) {
    const shape = `${count} images of ${height}×${width} pixels and ${channels} channels`;
    throw new PreloraError(
      'idx-length',
      `${file}: header says ${shape}; at least 1 image, 1 to 100,000,000 pixels and 1 to 4 channels are needed`,
    );
  }
}

function lengthOf(file: string, dimensions: number[]): ExpectedLength {
  const bytes = 4 + 4 * dimensions.length + dimensions.reduce((product, side) => product * side, 1);
  return {
    bytes,
    wrongLength: (actual) => new PreloraError('idx-length', `${file}: header says ${bytes} bytes, file has ${actual}`),
  };
}

/** EMNIST is stored column by column; this swaps rows and columns of every image. */
function transposed(images: PackedImages, count: number): PackedImages {
  const { height, width, channels, pixels } = images;
  const swapped = new Uint8Array(new SharedArrayBuffer(pixels.length));
  const size = height * width * channels;
  for (let image = 0; image < count; image++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const from = image * size + (y * width + x) * channels;
        const to = image * size + (x * height + y) * channels;
        for (let k = 0; k < channels; k++) swapped[to + k] = pixels[from + k] as number;
      }
    }
  }
  return { ...images, pixels: swapped, height: width, width: height };
}

function checkSameShape(root: string, { train, test }: RawSource['splits']): void {
  if (train?.images.kind !== 'packed' || test?.images.kind !== 'packed') return;
  const [a, b] = [train.images, test.images];
  if (a.height === b.height && a.width === b.width && a.channels === b.channels) return;
  const words = [a, b].map((images) => `${images.height}×${images.width}×${images.channels}`);
  throw new PreloraError('idx-length', `${root}: training images are ${words[0]}, test images ${words[1]}; they must be the same`);
}

function largest(labels: Uint32Array): number {
  return labels.reduce((most, label) => Math.max(most, label), 0);
}

/** Lines of a file of class names without empty ones at the end, or null when there is none. */
export async function readNames(file: string): Promise<string[] | null> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw fileError(file, error);
  });
  return text === null ? null : text.trimEnd().split(/\r?\n/);
}
