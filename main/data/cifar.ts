/**
 * CIFAR-10 and CIFAR-100 in their binary versions (Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html; formats.md
 * section 9). A record is one label byte (CIFAR-100: coarse, then fine) and three planes of 32 × 32 bytes: red, green, blue.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { PreloraError } from '../protocol/reply.ts';
import { readNames } from './idx.ts';
import type { Split } from './images.ts';
import { checkLabels, type RawSource, type SplitName } from './rawSource.ts';
import { readSharedFile } from './sharedFile.ts';

const SIDE = 32;
const PLANE = SIDE * SIDE;
const TRAIN_BATCHES = [1, 2, 3, 4, 5].map((i) => `data_batch_${i}`);

interface Layout {
  /** Label bytes before the pixels, and which of them counts. */
  labelBytes: number;
  labelAt: number;
  defaultClasses: number;
  namesFile: string;
  /** File names without `.bin`. */
  train: readonly string[];
  test: string;
}

export type LabelLevel = 'fine' | 'coarse';

function layoutOf(format: 'cifar10' | 'cifar100', level: LabelLevel): Layout {
  if (format === 'cifar10') {
    const names = { namesFile: 'batches.meta.txt', train: TRAIN_BATCHES, test: 'test_batch' };
    return { labelBytes: 1, labelAt: 0, defaultClasses: 10, ...names };
  }
  const fine = level === 'fine';
  const names = { namesFile: `${level}_label_names.txt`, train: ['train'], test: 'test' };
  return { labelBytes: 2, labelAt: fine ? 1 : 0, defaultClasses: fine ? 100 : 20, ...names };
}

/** Which CIFAR a folder with these file names holds, in either version, or null. */
export function looksLikeCifar(names: readonly string[]): 'cifar10' | 'cifar100' | null {
  const has = (name: string): boolean => names.includes(name) || names.includes(`${name}.bin`);
  if (has('data_batch_1') || has('test_batch')) return 'cifar10';
  return names.includes('train.bin') || (names.includes('train') && names.includes('meta')) ? 'cifar100' : null;
}

/**
 * Opens the binary files in `root`; of CIFAR-10's five training files those that are there, at least the first. Throws
 * data-not-found, data-unreadable, cifar-length, cifar-pickle and label-range.
 */
export async function openCifar(root: string, format: 'cifar10' | 'cifar100', level: LabelLevel): Promise<RawSource> {
  const layout = layoutOf(format, level);
  const classNames =
    (await readNames(path.join(root, layout.namesFile))) ?? Array.from({ length: layout.defaultClasses }, (_, label) => String(label));
  const [first, ...others] = layout.train;
  const train = [first as string, ...others.filter((name) => existsSync(path.join(root, `${name}.bin`)))];
  const splits: RawSource['splits'] = { train: await readSplit(root, 'train', train, { layout, classes: classNames.length }) };
  if (existsSync(path.join(root, `${layout.test}.bin`))) {
    splits.test = await readSplit(root, 'test', [layout.test], { layout, classes: classNames.length });
  }
  const missing = layout.train.length - train.length;
  return {
    format,
    root,
    classNames,
    channels: 3,
    grayImages: 0,
    rawSize: [SIDE, SIDE],
    preset: format,
    splits,
    skipped: [],
    converted: {},
    notes: missing > 0 ? [`${missing} of ${layout.train.length} training files are not there`] : [],
  };
}

interface SplitLayout {
  layout: Layout;
  classes: number;
}

async function readSplit(root: string, name: SplitName, files: string[], { layout, classes }: SplitLayout): Promise<Split> {
  const record = layout.labelBytes + 3 * PLANE;
  const parts: Uint8Array[] = [];
  for (const file of files) parts.push(await readRecords(root, file, record));
  const count = parts.reduce((sum, part) => sum + part.length / record, 0);
  const pixels = new Uint8Array(new SharedArrayBuffer(count * 3 * PLANE));
  const labels = new Uint32Array(count);
  let at = 0;
  parts.forEach((part, i) => {
    const first = at;
    for (let from = 0; from < part.length; from += record, at++) {
      labels[at] = part[from + layout.labelAt] as number;
      interleave(part.subarray(from + layout.labelBytes, from + record), pixels, at * 3 * PLANE);
    }
    checkLabels(labels.subarray(first, at), classes, path.join(root, `${files[i]}.bin`));
  });
  return { name, count, labels, images: { kind: 'packed', pixels, height: SIDE, width: SIDE, channels: 3, rows: null } };
}

async function readRecords(root: string, name: string, record: number): Promise<Uint8Array> {
  const file = path.join(root, `${name}.bin`);
  if (!existsSync(file) && existsSync(path.join(root, name))) throw isPickle(path.join(root, name));
  return readSharedFile(file, (head, size) => {
    if (head[0] === 0x80 && size % record !== 0) throw isPickle(file); // a pickle begins with its PROTO opcode
    const wrongLength = (actual: number) => new PreloraError('cifar-length', `${file}: ${actual} bytes is not a multiple of ${record}`);
    if (size === 0 || size % record !== 0) throw wrongLength(size);
    return { bytes: size, wrongLength };
  });
}

function isPickle(file: string): PreloraError {
  return new PreloraError('cifar-pickle', `${file}: this is the Python version (pickle); use the binary version`);
}

/** Three planes → rows, columns, channels. */
function interleave(planes: Uint8Array, target: Uint8Array, offset: number): void {
  for (let i = 0; i < PLANE; i++) {
    for (let k = 0; k < 3; k++) target[offset + i * 3 + k] = planes[k * PLANE + i] as number;
  }
}
